"""What a batch will take, before it starts: gathers what `analysis.preflight` judges by.

Owns which tasks are metered work, and the question whether a person has to agree first. Changes nothing,
and works without the remote and without a provider.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from cortex_git.analysis.binding import Binding, Left, Pace, RateShare, bindings, pace
from cortex_git.analysis.preflight import Estimate, Planned, estimates
from cortex_git.config import HostSettings, Rate, load_host_settings
from cortex_git.limits import accounts
from cortex_git.limits.accounts import Caps
from cortex_git.limits.balances import spending
from cortex_git.models import PRIORITIES, Task
from cortex_git.runners import metered, runner_name, split_name
from cortex_git.runners.agent.tier import model_of
from cortex_git.store import indexing
from cortex_git.store.budget_ref import BudgetRef
from cortex_git.store.coordination import Coordination
from cortex_git.store.hosts import hosts
from cortex_git.store.index import Scope
from cortex_git.store.outcomes import spent_lately
from cortex_git.store.repository import Repository
from cortex_git.store.tasks import listed, unfinished
from cortex_git.workers.memory import free_mib
from cortex_git.workers.token_budget import over_all


@dataclass(frozen=True, slots=True)
class Preflight:
    """What the metered tasks in scope are expected to take."""

    tasks: int
    """Open tasks in scope, those included that cost nothing."""
    metered: int
    workers: int
    kinds: tuple[Estimate, ...]
    time: Pace
    limits: tuple[Binding, ...]
    confirm_above_usd: float

    @property
    def tokens(self) -> int:
        return sum(one.tokens for one in self.kinds)

    @property
    def tokens_most(self) -> int:
        return sum(one.tokens_most for one in self.kinds)

    @property
    def unpriced(self) -> int:
        """Expected tokens of models without a price: what they cost is not in the sum."""
        return sum(one.tokens for one in self.kinds if one.cost_usd is None)

    @property
    def cost_usd(self) -> float:
        return sum(one.cost_usd or 0.0 for one in self.kinds)

    @property
    def cost_most_usd(self) -> float:
        return sum(one.cost_most_usd or 0.0 for one in self.kinds)

    @property
    def basis(self) -> str:
        """What the sums rest on, in words."""
        past = sum(one.past for one in self.kinds)
        if all(one.past for one in self.kinds):
            return f"from {past} past result{'' if past == 1 else 's'}"
        return "no past results: upper bound" if not past else f"from {past} past results, and upper bounds"

    @property
    def asks(self) -> bool:
        """Whether a person has to agree before it starts."""
        return self.cost_usd > self.confirm_above_usd

    def to_json(self) -> dict[str, Any]:
        """The document of `preflight --format json`, without its schema number."""
        return {
            "tasks": self.tasks,
            "metered": self.metered,
            "workers": self.workers,
            "tokens": self.tokens,
            "tokens_most": self.tokens_most,
            "cost_usd": round(self.cost_usd, 4),
            "cost_most_usd": round(self.cost_most_usd, 4),
            "unpriced_tokens": self.unpriced,
            "basis": self.basis,
            "time_s": round(self.time.seconds, 1),
            "kinds": [_rounded(one) for one in self.kinds],
            "limits": [asdict(one) for one in self.limits],
            "confirm_above_usd": self.confirm_above_usd,
            "asks": self.asks,
        }


def _rounded(one: Estimate) -> dict[str, Any]:
    values = asdict(one)
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in values.items()}


def preflight(
    coordination: Coordination,
    scope: Scope,
    *,
    workers: int,
    runner: str | None = None,
) -> Preflight:
    """What the open metered tasks in scope will take on so many workers.

    `runner` takes the place of each task's own. As of the last pull.
    """
    repository = coordination.repository
    host = load_host_settings()
    scope = replace(scope, merges=False)
    tasks = unfinished(repository, listed(repository, scope))
    planned = [one for task in tasks if (one := planned_of(repository, task, runner, host)) is not None]
    kinds = estimates(planned, spent_lately(repository, {one.type for one in planned}))
    workers = max(min(workers, len(tasks)), 1)
    time = pace(kinds, workers, rate_shares(repository, {one.runner for one in planned}))
    limits = bindings(
        planned,
        kinds,
        workers=workers,
        accounts=_left(repository, planned),
        time=time,
        free_mib=free_mib(),
        worker_mib=worker_mib(repository),
    )
    return Preflight(
        tasks=len(tasks),
        metered=len(planned),
        workers=workers,
        kinds=tuple(kinds),
        time=time,
        limits=tuple(limits),
        confirm_above_usd=host.confirm_above_usd,
    )


def is_metered(coordination: Coordination, scope: Scope, runner: str | None) -> bool:
    """Whether any open task in scope is metered work; without reading every task, for a scan of thousands."""
    host = load_host_settings()
    return any(metered(name) for name in _runners(coordination.repository, scope, runner, host))


def _runners(repository: Repository, scope: Scope, runner: str | None, host: HostSettings) -> Iterator[str]:
    condition, values = scope.where
    rows = repository.state.execute(
        "SELECT DISTINCT t.type, CASE WHEN json_valid(CAST(t.body AS TEXT)) THEN"  # noqa: S608
        " json_extract(CAST(t.body AS TEXT), '$.runner') END, t.rank FROM tasks t"
        f" LEFT JOIN results r ON r.task = t.task WHERE r.task IS NULL AND {condition}",
        values,
    )
    priorities = {rank: name for name, rank in PRIORITIES.items()}
    for kind, own, rank in rows:
        yield runner_name(runner or own or "", kind, priorities[rank], host)


def planned_of(repository: Repository, task: Task, runner: str | None, host: HostSettings) -> Planned | None:
    """How the task would be run here; None where that costs nothing."""
    if task.is_aggregate:
        return None
    chosen = runner_name(runner or task.runner, task.type, task.priority, host)
    if not metered(chosen):
        return None
    name = split_name(chosen)[0]
    limits = repository.settings.limits_for(task.type, task.budget, task.deadline)
    models = {"claude": repository.settings.models, "openai": host.openai.models}.get(name)
    return Planned(
        type=task.type,
        runner=name,
        model=model_of(task.model_dump(mode="json"), models) if models else None,
        budget=limits.tokens,
        deadline_s=limits.seconds,
        batch=task.batch,
        master=task.responsible,
    )


def _left(repository: Repository, planned: Iterable[Planned]) -> list[Left]:
    """What is left of the limits that these tasks spend from, over all hosts as this one last saw them.

    What running attempts were promised is not left, nor what other hosts hold.
    """
    shared = BudgetRef(repository).last_seen()
    caps = Caps(repository.settings.budget, shared.limits)
    names = {name for one in planned for name in accounts.of_attempt(one.batch, one.master)}
    limited = caps.limited(sorted(names)).items()
    return [Left(name, most, over_all(repository, shared, name, most).available) for name, most in limited]


def rate_shares(repository: Repository, providers: Iterable[str]) -> list[RateShare]:
    """What this host may ask of each of the providers: its part of what all may, by the hosts that live."""
    rates = repository.settings.rates
    live = [
        host for host in hosts(repository, indexing.refresh(repository)) if not host.silent and not host.own
    ]
    shared = len(live) + 1
    calls = {one.names[0]: one for one in spending(repository.state, _own_hosts(repository), ["provider"])}
    found = []
    for provider in sorted(set(providers)):
        rate = rates.get(provider, Rate())
        one = calls.get(provider)
        found.append(
            RateShare(
                provider=provider,
                tokens=_part(rate.tokens_per_minute, shared),
                requests=_part(rate.requests_per_minute, shared),
                hosts=shared,
                tokens_per_request=one.total / one.calls if one and one.calls else None,
            )
        )
    return found


def _part(most: int | None, hosts: int) -> int | None:
    return None if most is None else max(most // hosts, 1)


def _own_hosts(repository: Repository) -> list[str]:
    return [repository.host, *sorted(repository.former_hosts)]


def worker_mib(repository: Repository) -> float | None:
    """MiB of a worker as the pools of this clone were last seen; None before that."""
    row = repository.state.execute(
        "SELECT rss_mib / live FROM samples WHERE live > 0 AND rss_mib > 0 ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return float(row[0]) if row else None
