"""What a batch, a period or work that is only described costs: gathers what `analysis.cost` adds up.

Owns which prices hold: those given on the command line, else the settings' of this repository and this host.
Changes nothing, asks no provider, and works without the remote.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from cortex_git.analysis.cost import (
    ModelCost,
    Price,
    Return,
    Source,
    Stretch,
    Tokens,
    Used,
    exact,
    infrastructure_priced,
    instances_for,
    model_costs,
    parallel,
    price_warnings,
    sequential,
    unpriced_tokens,
)
from cortex_git.analysis.cost_document import Booked, Cost, Hours, Machines, Scope
from cortex_git.analysis.occupation import Run, occupations
from cortex_git.config import HostSettings, Model, Models, Settings, load_host_settings, load_settings
from cortex_git.errors import BadInput
from cortex_git.limits.balances import spending
from cortex_git.locating import CONFIG, located
from cortex_git.models import MERGE_SUFFIX, Result
from cortex_git.store import index, outcomes
from cortex_git.store.archivable import seconds_of
from cortex_git.store.coordination import Coordination
from cortex_git.store.ended import ended
from cortex_git.store.repository import Repository
from cortex_git.store.results import read_results

_MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices given on the command line, in US dollars; None: the settings'."""

    per_1k: float | None = None
    """For a thousand tokens of any model and kind."""
    instance_hour: float | None = None
    spot_hour: float | None = None
    workers_per_instance: int | None = None
    hour_value: float | None = None
    """What it is worth to have an iteration end an hour sooner."""
    iterations: int = 1


@dataclass(frozen=True, slots=True)
class Described:
    """Work that is not there: so many tasks, all alike."""

    tasks: int
    tokens_per_task: int | None = None
    tier: str | None = None
    """Whose price in the settings holds where none is given: `small` or `large`."""
    task_s: float | None = None
    instances: int = 1


def cost_of_batch(coordination: Coordination, batch: str, rates: Rates) -> Cost:
    """Every result of the batch, as of the last pull. Raises BadInput where there is no such batch."""
    repository = coordination.repository
    index.batch_of(repository, batch)
    tasks = outcomes.ended(repository, batch=batch)
    return _cost(repository, Scope("batch", batch=batch), tasks, rates)


def cost_since(coordination: Coordination, moment: float | None, until: float | None, rates: Rates) -> Cost:
    """Every result completed since that moment and before `until`, as of the last pull.

    Both are in seconds since 1970; without a moment it is every result there is.
    """
    repository = coordination.repository
    if moment is None:
        return _cost(repository, Scope("period"), outcomes.ended(repository), rates)
    at = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    names = (one.task for one in ended(repository, since=moment, until=until))
    tasks = sorted(name for name in names if not name.endswith(MERGE_SUFFIX))
    return _cost(repository, Scope("period", since=at), tasks, rates)


def cost_of_described(work: Described, rates: Rates, folder: Path | None = None) -> Cost:
    """Work that is only described, by the settings of the repository at `folder` or around, or the defaults.

    Raises BadInput where tokens have no price.
    """
    if work.tokens_per_task is None and work.task_s is None:
        raise BadInput("tasks alone cost nothing", "give --tokens-per-task, --seconds, or both")
    settings = _settings(located(folder))
    rows = _described_tokens(work, rates, settings.models) if work.tokens_per_task else []
    hours = _hours(settings, rates)
    hours = replace(hours, workers_per_instance=hours.workers_per_instance or 1)
    machines = None
    if work.task_s is not None:
        task_s = exact(work.task_s)
        alone = sequential(work.tasks, task_s)
        together = parallel(work.tasks, task_s, work.instances, hours.workers_per_instance or 1)
        machines = Machines(work.tasks * task_s, work.instances, hours, alone, together, "given")
    return Cost(
        scope=Scope("given"),
        tasks=work.tasks,
        unreadable=0,
        untimed=0,
        source="given",
        models=tuple(rows),
        machines=machines,
        gain=_gain(machines, None, rates),
        warnings=tuple(_warnings(rows, machines, settings, rates)),
    )


def _described_tokens(work: Described, rates: Rates, models: Models) -> list[ModelCost]:
    """The one row of them. Of which kind they are nobody says, so a tier's price makes it an upper bound."""
    tokens = Tokens(unknown=work.tasks * (work.tokens_per_task or 0))
    if rates.per_1k is not None:
        return model_costs([Used("", "", tokens, tasks=work.tasks)], {}, _given_price(rates))
    if work.tier is None:
        raise BadInput("tokens without a price", "give --price-per-1k, or --tier small or large")
    model = _tiers(models)[work.tier]
    return model_costs([Used("claude", model.name, tokens, tasks=work.tasks)], {}, Price.of(model, work.tier))


def _cost(repository: Repository, scope: Scope, tasks: Sequence[str], rates: Rates) -> Cost:
    settings = repository.settings
    prices = prices_of(settings, load_host_settings())
    flat = _given_price(rates)
    used: list[Used] = []
    runs: list[Run] = []
    for result in _results(repository, tasks):
        runs.append(Run(result.host, seconds_of(result.completed_at), result.duration_s))
        if (found := used_of(result)).tokens.total:
            used.append(found)
    rows = model_costs(used, prices, flat)
    hosts, untimed = occupations(runs)
    hours = _hours(settings, rates)
    machines, longest = None, Decimal(0)
    if hosts:
        longest = max(exact(host.busy_s) for host in hosts)
        worker_s = sum((exact(host.worker_s) for host in hosts), Decimal(0))
        counts = [instances_for(host.peak, hours.workers_per_instance) for host in hosts]
        paid_s = sum((n * exact(host.busy_s) for n, host in zip(counts, hosts, strict=True)), Decimal(0))
        together = Stretch(sum(host.peak for host in hosts), sum(counts), paid_s / sum(counts))
        machines = Machines(worker_s, len(hosts), hours, Stretch(1, 1, worker_s), together, "measured")
    return Cost(
        scope=scope,
        tasks=len(tasks),
        unreadable=len(tasks) - len(runs),
        untimed=untimed,
        source="measured",
        models=tuple(rows),
        machines=machines,
        ledger=_ledger(repository, scope, prices, flat),
        gain=_gain(machines, longest, rates),
        warnings=tuple(_warnings(rows, machines, settings, rates)),
    )


def _results(repository: Repository, tasks: Sequence[str]) -> Iterator[Result]:
    for part in index.chunks(tasks):
        yield from read_results(repository, part)


def used_of(result: Result) -> Used:
    """What a result says its last attempt used; what it does not say by kind counts as unknown."""
    output = result.output
    kinds = outcomes.usage_of(output)
    rest = max(min(result.tokens_used, outcomes.MOST_TOKENS) - kinds.total, 0)
    tokens = Tokens(kinds.input, kinds.output, kinds.cache_write, kinds.cache_read, rest)
    return Used(
        outcomes.text_of(output.get("provider")),
        outcomes.text_of(output.get("model")),
        tokens,
        output.get("economy") is True,
    )


def _ledger(
    repository: Repository, scope: Scope, prices: dict[tuple[str, str], Price], flat: Price | None
) -> Booked:
    own = [repository.host, *sorted(repository.former_hosts)]
    day = None if scope.since is None else scope.since[:10]
    found = spending(repository.durable_state, own, ("batch", "provider", "model"), day or "")
    used = [
        Used(
            one.names[1],
            one.names[2],
            Tokens(one.input, one.output, one.cache_write, one.cache_read, one.unknown),
            tasks=0,
        )
        for one in found
        if scope.batch in (None, one.names[0])
    ]
    return Booked(repository.host, day, tuple(model_costs(used, prices, flat)))


def prices_of(settings: Settings, host: HostSettings) -> dict[tuple[str, str], Price]:
    found: dict[tuple[str, str], Price] = {}
    for provider, models in (("claude", settings.models), ("openai", host.openai.models)):
        for tier, model in _tiers(models).items():
            if (price := Price.of(model, tier)) is not None:
                found[provider, model.name] = price
    return found


def _tiers(models: Models) -> dict[str, Model]:
    return {"small": models.small, "large": models.large}


def _given_price(rates: Rates) -> Price | None:
    return None if rates.per_1k is None else Price.flat(exact(rates.per_1k))


def _settings(folder: Path | None) -> Settings:
    file = None if folder is None else folder / CONFIG
    return Settings() if file is None or not file.is_file() else load_settings(file.read_bytes(), str(file))


def _hours(settings: Settings, rates: Rates) -> Hours:
    infrastructure = settings.infrastructure

    def chosen(given: float | None, configured: float | None) -> tuple[Decimal | None, Source]:
        value = configured if given is None else given
        return None if value is None else exact(value), "config" if given is None else "given"

    on_demand, on_demand_source = chosen(rates.instance_hour, infrastructure.instance_hour_usd)
    spot, spot_source = chosen(rates.spot_hour, infrastructure.spot_hour_usd)
    shared = rates.workers_per_instance
    return Hours(
        on_demand=on_demand,
        spot=spot,
        on_demand_source=on_demand_source,
        spot_source=spot_source,
        workers_per_instance=infrastructure.workers_per_instance if shared is None else shared,
        workers_source="config" if shared is None else "given",
        priced_on=infrastructure.priced_on if infrastructure_priced(infrastructure) else None,
    )


def _gain(machines: Machines | None, together_s: Decimal | None, rates: Rates) -> Return | None:
    """None where nobody says what an hour is worth, or the machines have no price.

    `together_s`: seconds until the last host is done, where its instances do not all take as long.
    """
    if machines is None or rates.hour_value is None:
        return None
    hour = machines.hours.on_demand if machines.hours.on_demand is not None else machines.hours.spot
    if hour is None:
        return None
    extra = (machines.parallel.instance_hours - machines.sequential.instance_hours) * hour
    saved = machines.sequential.seconds - (machines.parallel.seconds if together_s is None else together_s)
    return Return(rates.iterations, saved, exact(rates.hour_value), extra)


def _warnings(
    rows: Sequence[ModelCost], machines: Machines | None, settings: Settings, rates: Rates
) -> Iterator[str]:
    if missing := unpriced_tokens(rows):
        names = sorted({row.model or "a model that was not named" for row in rows if row.usd is None})
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        named = ", ".join(names[:_MOST_NAMES])
        yield f"{missing:,} tokens have no price here and are in no sum: {named}{more}"
    dates: list[tuple[str, date | None]] = [
        (row.model or f"models.{row.price.tier}", row.price.priced_on)
        for row in rows
        if row.price is not None and row.price.source == "config"
    ]
    if machines is not None:
        hours, configured = machines.hours, settings.infrastructure
        if hours.on_demand is None and hours.spot is None:
            yield "machines have no price: set instance_hour_usd in [infrastructure], or give --instance-hour"
            if rates.hour_value is not None:
                yield "the return cannot be told without it"
        elif "config" in [
            source
            for value, source in ((hours.on_demand, hours.on_demand_source), (hours.spot, hours.spot_source))
            if value is not None
        ]:
            dates.append(("[infrastructure]", configured.priced_on))
    yield from price_warnings(dates, datetime.now(UTC).date())
