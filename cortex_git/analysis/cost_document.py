"""A cost as it is told: what was counted, at which prices, and where each figure comes from.

Owns the form of `cost --format json`. Here, at the end, amounts are rounded; nothing is added up from
rounded ones.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from cortex_git.analysis.cost import (
    HOUR_S,
    ModelCost,
    Price,
    Return,
    Source,
    Stretch,
    cents,
    priced_usd,
    rounded,
    unpriced_tokens,
)
from cortex_git.analysis.cost_examples import Example

_MILLIONTH = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Hours:
    """What an hour of one instance costs."""

    on_demand: Decimal | None
    spot: Decimal | None
    on_demand_source: Source
    spot_source: Source
    workers_per_instance: int | None
    """None: all workers of a host share one."""
    workers_source: Source
    priced_on: date | None = None


@dataclass(frozen=True, slots=True)
class Machines:
    """The machines that the work needs, one task after another and in parallel."""

    worker_s: Decimal
    """Seconds of all tasks together."""
    hosts: int
    hours: Hours
    sequential: Stretch
    parallel: Stretch
    source: Source
    """Where the times come from."""

    def by_worker_hour(self, hour_usd: Decimal | None) -> Decimal | None:
        """The workers' part of their instances, for the seconds of their tasks alone.

        None without a price, or where nobody says how many workers share an instance.
        """
        shared = self.hours.workers_per_instance
        return None if hour_usd is None or shared is None else self.worker_s / HOUR_S * hour_usd / shared


@dataclass(frozen=True, slots=True)
class Scope:
    """What was counted."""

    kind: Literal["batch", "period", "given"]
    batch: str | None = None
    since: str | None = None
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class Booked:
    """What this host's own ledger has of the same work, with attempts whose result was never published."""

    host: str
    since_day: str | None
    """The first day that is in it, by UTC; None: all of them."""
    models: tuple[ModelCost, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """What some work costs."""

    scope: Scope
    tasks: int
    unreadable: int
    """Results that say nothing, because they cannot be read."""
    untimed: int
    """Those whose times say nothing: they are in no machine's hours."""
    source: Source
    models: tuple[ModelCost, ...]
    machines: Machines | None
    """None: no task with a time."""
    ledger: Booked | None = None
    gain: Return | None = None
    warnings: tuple[str, ...] = ()

    @property
    def tokens_usd(self) -> Decimal:
        """Of the models that have a price."""
        return priced_usd(self.models)

    def total(self, stretch: Stretch, hour_usd: Decimal | None) -> Decimal | None:
        """Tokens and machines; None where the machines have no price."""
        machines = stretch.usd(hour_usd)
        return None if machines is None else self.tokens_usd + machines

    def to_json(self) -> dict[str, Any]:
        """The document of `cost --format json`, without its schema number."""
        return {
            "scope": asdict(self.scope),
            "tasks": {
                "count": self.tasks,
                "unreadable": self.unreadable,
                "untimed": self.untimed,
                "source": self.source,
            },
            "models": _models(self.models, self.source),
            "tokens": _sums(self.models, self.source),
            "ledger": None if self.ledger is None else _booked(self.ledger),
            "machines": None if self.machines is None else self._machines(self.machines),
            "return": None if self.gain is None else _return(self.gain),
            "warnings": list(self.warnings),
        }

    def _machines(self, machines: Machines) -> dict[str, Any]:
        hours = machines.hours
        return {
            "worker_hours": _number(machines.worker_s / HOUR_S),
            "worker_hours_on_demand": money(machines.by_worker_hour(hours.on_demand)),
            "worker_hours_spot": money(machines.by_worker_hour(hours.spot)),
            "hosts": machines.hosts,
            "source": machines.source,
            "prices": {
                "instance_hour_usd": _plain(hours.on_demand),
                "instance_hour_source": hours.on_demand_source,
                "spot_hour_usd": _plain(hours.spot),
                "spot_hour_source": hours.spot_source,
                "workers_per_instance": hours.workers_per_instance,
                "workers_source": hours.workers_source,
                "priced_on": None if hours.priced_on is None else hours.priced_on.isoformat(),
            },
            "sequential": self._stretch(machines.sequential, hours),
            "parallel": self._stretch(machines.parallel, hours),
        }

    def _stretch(self, stretch: Stretch, hours: Hours) -> dict[str, Any]:
        return {
            "workers": stretch.workers,
            "instances": stretch.instances,
            "seconds": _number(stretch.seconds),
            "instance_hours": _number(stretch.instance_hours),
            "on_demand": money(stretch.usd(hours.on_demand)),
            "spot": money(stretch.usd(hours.spot)),
            "total_on_demand": money(self.total(stretch, hours.on_demand)),
            "total_spot": money(self.total(stretch, hours.spot)),
        }


def money(amount: Decimal | None) -> dict[str, Any] | None:
    """An amount to the cent as a number, and to a millionth of a dollar as text; None for none."""
    if amount is None:
        return None
    return {"usd": float(cents(amount)), "exact": f"{rounded(amount, _MILLIONTH):f}"}


def examples_json(found: Iterable[Example]) -> dict[str, Any]:
    """The document of `cost --examples --format json`, without its schema number."""
    rows = [
        {
            "name": one.name,
            "how": one.how,
            "published_usd": float(one.published),
            "computed": money(one.computed),
            "difference_usd": float(one.difference),
            "agrees": one.agrees,
        }
        for one in found
    ]
    return {"scope": {"kind": "examples"}, "examples": rows}


def _models(rows: Sequence[ModelCost], source: Source) -> list[dict[str, Any]]:
    return [
        {
            "provider": row.provider,
            "model": row.model,
            "tier": row.price.tier if row.price else "",
            "tasks": row.tasks,
            "tokens": {one.name: getattr(row.tokens, one.name) for one in fields(row.tokens)},
            "tokens_total": row.tokens.total,
            "tokens_source": source,
            "price": None if row.price is None else _price(row.price),
            "upper_bound": row.upper_bound,
            "cost": money(row.usd),
        }
        for row in rows
    ]


def _price(price: Price) -> dict[str, Any]:
    return {
        "input": _plain(price.input),
        "output": _plain(price.output),
        "cache_write": _plain(price.cache_write),
        "cache_read": _plain(price.cache_read),
        "source": price.source,
        "priced_on": None if price.priced_on is None else price.priced_on.isoformat(),
    }


def _sums(rows: Sequence[ModelCost], source: Source) -> dict[str, Any]:
    total = sum(row.tokens.total for row in rows)
    return {
        "total": total,
        "unpriced": unpriced_tokens(rows),
        "upper_bound": any(row.upper_bound for row in rows),
        "cost": money(priced_usd(rows)),
        "source": source,
    }


def _booked(ledger: Booked) -> dict[str, Any]:
    sums = _sums(ledger.models, "measured")
    return {"host": ledger.host, "since_day": ledger.since_day, **sums}


def _return(gain: Return) -> dict[str, Any]:
    return {
        "iterations": gain.iterations,
        "saved_s": _number(gain.saved_s),
        "hour_value_usd": _plain(gain.hour_value_usd),
        "value": money(gain.value_usd),
        "extra_cost": money(gain.cost_usd),
        "net": money(gain.net_usd),
        "ratio": None if gain.ratio is None else _number(gain.ratio),
        "source": "given",
    }


def _plain(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _number(value: Decimal) -> float:
    return round(float(value), 4)
