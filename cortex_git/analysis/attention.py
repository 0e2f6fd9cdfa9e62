"""What a person should look at, each with what to do about it.

Pure functions over what was gathered and what is the case now. Silence means that nothing is wrong as far as
this host knows. Every name was chosen by whoever could push, and is shown escaped by whoever prints it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cortex_git.analysis.gathering import Failures, Gathered
from cortex_git.analysis.statistics import LEVELS, Attention, BudgetStanding, Tally
from cortex_git.analysis.utilization import Utilization

LONG_OPEN_S = 24 * 3600.0
"""Seconds without a new result after which an open batch is one that has been left."""
LOW_EFFICIENCY = 0.5
LOW_COVERED_S = 600.0
"""Seconds with a pool below which its efficiency says little."""
HIGH_FAILURE_RATE = 0.25
HIGH_FAILURES = 3
"""Fewer failures of one repository or type are told as failures only."""
_LISTED = 5
"""Repositories, types or batches that are told one by one."""


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch that has tasks without a result."""

    batch: str
    open: int
    idle_s: float | None
    """Seconds since its last result, or since it was added where it has none; None where nobody knows."""


@dataclass(frozen=True, slots=True)
class SilentHost:
    """A host that has given no sign of life for longer than a lease."""

    host: str
    seen_s: float
    """Seconds since this clone first saw the last one."""
    claims: int
    """Tasks that it holds."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is the case at the moment of the report."""

    budgets: tuple[BudgetStanding, ...] = ()
    open_batches: tuple[OpenBatch, ...] = ()
    silent_hosts: tuple[SilentHost, ...] = ()
    fenced: int = 0
    """Results of the period that came too late."""
    unpublished: int = 0
    """Documents that the remote has not acknowledged."""
    alert: str | None = None
    """The running pool's."""


def attention(gathered: Gathered, used: Utilization | None, now: Standing) -> tuple[Attention, ...]:
    """Everything, what cannot wait first."""
    found = [
        *_budgets(now.budgets),
        *_pool(now.alert),
        *_failures(gathered.failures),
        *_rates("repository", gathered.repositories.largest()),
        *_rates("worker type", gathered.types.largest()),
        *_late(now),
        *_silent(now.silent_hosts),
        *_left(now.open_batches),
        *_idle(used),
    ]
    return tuple(sorted(found, key=lambda one: LEVELS.index(one.level)))


def _budgets(budgets: Iterable[BudgetStanding]) -> Iterator[Attention]:
    for one in budgets:
        if one.level == "ok":
            continue
        share = f"{one.used / one.limit:.0%}" if one.limit else "all"
        yield Attention(
            "warning" if one.level == "warn" else "critical",
            f"{share} of a budget is spent: {one.used:,} of {one.limit:,} tokens",
            one.account,
            "raise it with `cortex-git budget set`, or wait; at 100 % no metered task starts",
        )


def _pool(alert: str | None) -> Iterator[Attention]:
    if alert:
        yield Attention("critical", f"the pool's alert is set: {alert}", "pool", "see `cortex-git status`")


_TO_DO = {
    "failed": "see `cortex-git results show {task}`; once the cause is gone, `cortex-git task retry {task}`",
    "timed_out": "give it more minutes: `cortex-git task retry {task} --deadline MINUTES`",
    "budget_exhausted": "give it more tokens: `cortex-git task retry {task} --budget TOKENS`",
    "unreadable": "run `cortex-git doctor`: it says why",
}
_SAID = {
    "failed": ("failed", "failed"),
    "timed_out": ("ran out of time", "ran out of time"),
    "budget_exhausted": ("ran out of tokens", "ran out of tokens"),
    "unreadable": ("has a result that cannot be read", "have results that cannot be read"),
}


def _failures(by_status: dict[str, Failures]) -> Iterator[Attention]:
    for status, failures in sorted(by_status.items(), key=lambda pair: (-pair[1].count, pair[0])):
        one, many = _SAID.get(status, (status, status))
        what = f"1 task {one}" if failures.count == 1 else f"{failures.count:,} tasks {many}"
        if failures.given_up:
            what += f", {failures.given_up:,} of them in every attempt they had (dead letters)"
        if failures.usual_error:
            what += f": {failures.usual_error}"
        others = failures.count - 1
        where = f"{failures.first} and {others:,} more" if others else failures.first
        to_do = _TO_DO.get(status, _TO_DO["failed"]).format(task=failures.first)
        yield Attention("warning", what, where, to_do)


def _rates(kind: str, tallies: Sequence[Tally]) -> Iterator[Attention]:
    """Those of one kind that fail far more than the others do; not where all tasks are of the same one."""
    if len(tallies) < 2:
        return
    high = [
        one
        for one in tallies
        if one.failed >= HIGH_FAILURES and one.failed >= HIGH_FAILURE_RATE * (one.tasks - one.cancelled)
    ]
    high.sort(key=lambda one: (-one.failed, one.name))
    for one in high[:_LISTED]:
        counted = one.tasks - one.cancelled
        yield Attention(
            "warning",
            f"{one.failed / counted:.0%} of the tasks of one {kind} failed: {one.failed:,} of {counted:,}",
            one.name,
            "see what its errors have in common: `cortex-git results list`",
        )


def _late(now: Standing) -> Iterator[Attention]:
    if now.fenced:
        many = "1 result came" if now.fenced == 1 else f"{now.fenced:,} results came"
        yield Attention(
            "note",
            f"{many} too late, after another host's or a cancel: not counted",
            "fenced results",
            "see `cortex-git results list --fenced`; where they are many, make `lease_s` longer",
        )
    if now.unpublished:
        many = "1 document waits" if now.unpublished == 1 else f"{now.unpublished:,} documents wait"
        yield Attention(
            "warning", f"{many} on this host alone, to be published", "outbox", "run `cortex-git sync`"
        )


def _silent(hosts: Iterable[SilentHost]) -> Iterator[Attention]:
    for host in sorted(hosts, key=lambda one: (-one.claims, one.host)):
        holds = "1 task" if host.claims == 1 else f"{host.claims:,} tasks"
        yield Attention(
            "warning",
            f"silent for at least {_span(host.seen_s)}, and holds {holds}",
            host.host,
            "see whether it still runs; any other host with a pool or a batch takes its tasks over",
        )


def _left(batches: Iterable[OpenBatch]) -> Iterator[Attention]:
    left = [one for one in batches if one.idle_s is not None and one.idle_s >= LONG_OPEN_S]
    left.sort(key=lambda one: (-(one.idle_s or 0.0), one.batch))
    for one in left[:_LISTED]:
        many = "1 task is" if one.open == 1 else f"{one.open:,} tasks are"
        yield Attention(
            "warning",
            f"{many} still open, and nothing has ended for {_span(one.idle_s or 0.0)}",
            one.batch,
            f"start a pool, or run `cortex-git spawn-workers --batch {one.batch}`; cancel what is not wanted"
            " any more with `cortex-git task cancel`",
        )
    if len(left) > _LISTED:
        more = len(left) - _LISTED
        yield Attention(
            "note", f"{more:,} more batches are open like that", "batches", "see `cortex-git task list`"
        )


def _idle(used: Utilization | None) -> Iterator[Attention]:
    if used is None or used.efficiency is None or used.covered_s < LOW_COVERED_S:
        return
    if used.efficiency < LOW_EFFICIENCY:
        yield Attention(
            "note",
            f"workers were on a task in {used.efficiency:.0%} of the time they lived",
            "pools of this clone",
            "lower `min` of [pool], or its capacity: see `cortex-git activation --explain`",
        )


def _span(seconds: float) -> str:
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{int(seconds)} seconds"
