"""Which limits a batch will meet, in words: budgets, rates, its own time limits, memory.

Pure functions. A limit is told only where it binds, or may: silence means that none does.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from cortex_git.analysis.preflight import Estimate, Planned


@dataclass(frozen=True, slots=True)
class Binding:
    """One limit that the batch will meet, or may."""

    limit: str
    """`budget`, `rate`, `deadline`, `tokens` or `memory`."""
    sure: bool
    """False where it binds only if more is used than expected."""
    text: str


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of one account's limit, over all hosts, as far as this one knows."""

    account: str
    limit: int
    left: int


@dataclass(frozen=True, slots=True)
class RateShare:
    """What this host may ask of one provider in a minute. None: as the provider answers."""

    provider: str
    tokens: int | None
    requests: int | None
    hosts: int
    """Hosts that live and share it."""
    tokens_per_request: float | None
    """As calls were lately; None before the first."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the batch takes, in seconds: as its workers can, and as rate limits let them."""

    by_workers_s: float
    by_rate_s: float
    rated: RateShare | None
    """The provider whose rate makes it longest."""

    @property
    def seconds(self) -> float:
        return max(self.by_workers_s, self.by_rate_s)


def pace(found: Sequence[Estimate], workers: int, rates: Sequence[RateShare]) -> Pace:
    """The time for all of it on so many workers: never less than the longest task takes by itself."""
    work = sum(one.tasks * one.task_s for one in found)
    longest = max((one.task_s for one in found), default=0.0)
    slowest, rated = 0.0, None
    for rate in rates:
        seconds = _rate_s(rate, [one for one in found if one.runner == rate.provider])
        if seconds > slowest:
            slowest, rated = seconds, rate
    return Pace(max(work / max(workers, 1), longest), slowest, rated)


def _rate_s(rate: RateShare, found: Sequence[Estimate]) -> float:
    tokens, tasks = sum(one.tokens for one in found), sum(one.tasks for one in found)
    requests = max(tasks, tokens / rate.tokens_per_request if rate.tokens_per_request else 0)
    minutes = [
        asked / most for asked, most in ((tokens, rate.tokens), (requests, rate.requests)) if most is not None
    ]
    return 60 * max(minutes, default=0.0)


def bindings(
    planned: Sequence[Planned],
    found: Sequence[Estimate],
    *,
    workers: int,
    accounts: Sequence[Left],
    time: Pace,
    free_mib: float | None,
    worker_mib: float | None,
) -> list[Binding]:
    """Every limit that will be met, the sure ones first."""
    met = [
        *_budgets(planned, found, accounts, workers),
        *_rates(time),
        *_own_limits(found),
        *_memory(workers, free_mib, worker_mib),
    ]
    return sorted(met, key=lambda one: not one.sure)


def _budgets(
    planned: Sequence[Planned], found: Sequence[Estimate], accounts: Sequence[Left], workers: int
) -> Iterator[Binding]:
    kinds = {(one.type, one.runner, one.model): one for one in found}
    for account in accounts:
        kind, _, name = account.account.partition(":")
        mine = [task for task in planned if _spends(task, kind, name)]
        if not mine:
            continue
        expected = _sum(mine, kinds, lambda one: one.tokens)
        most = _sum(mine, kinds, lambda one: one.tokens_most)
        left = max(account.left, 0)
        has = f"{_called(kind, name)} has {left:,} of {account.limit:,} tokens left"
        if expected > left:
            tasks = int(len(mine) * left / expected)
            how = f"about {tasks:,} of {len(mine):,} tasks can run" if left else "nothing can run"
            yield Binding("budget", True, f"{has}, {expected:,} are expected: {how}")
        elif most > left:
            yield Binding("budget", False, f"{has}, and this may take up to {most:,}")
        else:
            largest = max(task.budget for task in mine)
            at_once = left // largest if largest else workers
            if at_once < min(workers, len(mine)):
                text = f"{has}, and an attempt starts with {largest:,} to its name: at most {at_once} at once"
                yield Binding("budget", True, text)


def _sum(
    tasks: Sequence[Planned], kinds: dict[tuple[str, str, str], Estimate], of: Callable[[Estimate], int]
) -> int:
    """What these tasks take, as a part of what all tasks of their kinds take."""
    return ceil(sum(of(kinds[task.kind]) / kinds[task.kind].tasks for task in tasks))


def _spends(task: Planned, kind: str, name: str) -> bool:
    return {"master": task.master, "batch": task.batch}.get(kind, name) == name


def _called(kind: str, name: str) -> str:
    names = {"day": "the day's budget", "month": "the month's budget", "total": "the budget"}
    return names.get(kind) or f"the budget of {kind} {name}"


def _rates(time: Pace) -> Iterator[Binding]:
    rate = time.rated
    if rate is None or time.by_rate_s <= time.by_workers_s:
        return
    parts = [
        f"{most:,} {what}"
        for most, what in ((rate.tokens, "tokens"), (rate.requests, "requests"))
        if most is not None
    ]
    shared = f", this host's part of {rate.hosts}," if rate.hosts > 1 else ""
    text = (
        f"{rate.provider}'s rate limit of {' and '.join(parts)} a minute{shared} makes it last"
        f" {_minutes(time.by_rate_s)} where the workers need {_minutes(time.by_workers_s)}"
    )
    yield Binding("rate", True, text)


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _own_limits(found: Sequence[Estimate]) -> Iterator[Binding]:
    for one in found:
        if one.out_of_tokens:
            text = f"{one.out_of_tokens} of {one.past} past attempts of a {one.type} ran out of their tokens"
            yield Binding("tokens", False, f"{text}: give such tasks a larger --budget")
        if one.out_of_time or (one.past and one.task_s_p90 > one.deadline_s):
            text = (
                f"{one.out_of_time} of {one.past} past attempts of a {one.type} ran out of time, one in ten"
                f" took {_minutes(one.task_s_p90)} or longer, and the limit is {_minutes(one.deadline_s)}"
            )
            yield Binding("deadline", False, f"{text}: give such tasks a longer --deadline")


def _memory(workers: int, free_mib: float | None, worker_mib: float | None) -> Iterator[Binding]:
    if free_mib is None or not worker_mib:
        return
    most = int(free_mib / worker_mib)
    if workers > most:
        text = f"{free_mib:,.0f} MiB of memory are free, enough for {max(most, 1)} of {workers} workers"
        yield Binding("memory", True, f"{text} at {worker_mib:.0f} MiB each")
