"""The report of a period or a batch: collects the facts that `analysis` makes one from.

Reads each result once, a thousand at a time, and keeps a few numbers of it. Changes nothing but what this
host keeps for itself; without the remote it reports what is known, and says so.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cortex_git.analysis.attention import OpenBatch, SilentHost, Standing
from cortex_git.analysis.figures import Asked, report_of
from cortex_git.analysis.gathering import Gathered
from cortex_git.analysis.statistics import BudgetStanding, Hour, ReportData
from cortex_git.analysis.timelines import hours
from cortex_git.config import load_host_settings
from cortex_git.limits import accounts
from cortex_git.limits.accounts import TOTAL, Caps, is_past
from cortex_git.limits.balances import balances
from cortex_git.services.costing import prices_of
from cortex_git.services.facts import AHEAD_S, Facts
from cortex_git.services.overview import look, running_pool, samples_since
from cortex_git.store import index
from cortex_git.store.archivable import seconds_of
from cortex_git.store.budget_ref import BudgetRef
from cortex_git.store.coordination import Coordination
from cortex_git.store.ended import newest_batch
from cortex_git.store.fenced import count_waiting
from cortex_git.store.hosts import hosts
from cortex_git.store.index import Scope, View
from cortex_git.store.passing_refs import passing_refs
from cortex_git.store.refs import RemoteUnreachable
from cortex_git.store.repository import Repository
from cortex_git.workers.levels import level_of, spent_by_all

_SAMPLES_S = 30 * 24 * 3600.0
"""Samples are kept that long."""
_SAMPLED_S = 60.0
"""A batch that was shorter has hardly a sample of its own: each is of several seconds."""


@dataclass(frozen=True, slots=True)
class Period:
    """What is asked for, in seconds since 1970. Without `since`, everything there is."""

    since: float | None = None
    until: float | None = None
    """None: now."""
    batch: str | None = None
    at: float | None = None
    """The moment that counts as now; None: when the report is made."""


def report(coordination: Coordination, period: Period) -> tuple[ReportData, str | None]:
    """The report, and why the remote could not be asked (None where it could).

    Raises BadInput where there is no such batch.
    """
    repository = coordination.repository
    view, problem = look(coordination)
    if period.batch is not None:
        index.batch_of(repository, period.batch)
    now = time.time() if period.at is None else period.at
    until = now if period.until is None else period.until
    gathered = Gathered(period.batch or newest_batch(repository, until))
    facts = Facts(
        repository, prices_of(repository.settings, load_host_settings()), now, _alone(repository, view)
    )
    gathered.add_all(facts.of(batch=period.batch, since=period.since, until=_last(period, now)))
    notes = [] if problem is None else [f"The remote does not answer; this is as of the last time: {problem}"]
    fenced = 0 if problem else _fenced(repository, period, until, notes)
    standing = Standing(
        budgets=_budgets(repository, period.batch),
        open_batches=tuple(_open_batches(repository, period.batch, now)),
        silent_hosts=tuple(_silent_hosts(coordination, view)),
        fenced=fenced + count_waiting(repository),
        unpublished=coordination.outbox.count(),
        alert=(running_pool(repository) or {}).get("alert"),
    )
    return report_of(
        Asked(now, repository.host, period.since, until, period.batch),
        gathered,
        _hours(repository, period, until, gathered),
        standing,
        open_tasks=index.count_open(repository, Scope(batch=period.batch)),
        notes=[*notes, *_notes(repository, gathered)],
    ), problem


def _last(period: Period, now: float) -> float | None:
    """Up to when results count. Of hosts whose clocks are ahead of this one's, some come from the future."""
    if period.until is not None:
        return period.until
    return None if period.since is None else now + AHEAD_S


def _alone(repository: Repository, view: View) -> bool:
    """Whether nobody else ever took part, as far as this clone knows."""
    own = {repository.host, *repository.former_hosts}
    published = {host for (host,) in repository.state.execute("SELECT DISTINCT host FROM totals")}
    return {*view.hosts, *view.results, *published} - {""} <= own


def _hours(repository: Repository, period: Period, until: float, gathered: Gathered) -> list[Hour]:
    """Of the period; of a batch, from its first start to its last end, whatever else ran then."""
    since = period.since
    if period.batch is not None:
        if (gathered.whole.wall_s or 0.0) < _SAMPLED_S:
            return []
        since, until = gathered.whole.start, gathered.whole.end
    since = max(since or 0.0, until - _SAMPLES_S)
    return hours(samples_since(repository, since), since, until)


def _fenced(repository: Repository, period: Period, until: float, notes: list[str]) -> int:
    """How many results came too late in the period, by the clocks of their hosts."""
    space = f"{repository.refs.namespace}/fenced/"
    try:
        with passing_refs(repository, "fenced") as found:
            late = [
                ref.removeprefix(space).partition("/")[0]
                for ref, one in found.items()
                if period.since is None or period.since <= one.at < until
            ]
    except RemoteUnreachable as error:
        notes.append(f"Results that came too late are not in it: {error.message}")
        return 0
    if period.batch is None:
        return len(late)
    query = "SELECT task FROM results WHERE batch = ?"
    of_batch = {task for (task,) in repository.state.execute(query, (period.batch,))}
    return sum(task in of_batch for task in late)


def _budgets(repository: Repository, batch: str | None) -> tuple[BudgetStanding, ...]:
    """Every account with a limit, as this clone last saw the shared budget; of batches only those at work."""
    shared = BudgetRef(repository).last_seen()
    caps = Caps(repository.settings.budget, shared.limits)
    known = {TOTAL, accounts.day(), accounts.month()}
    known |= {held.account for held in balances(repository.durable_state, repository.host)}
    known |= {account for told in (*shared.slices.values(), *shared.reported.values()) for account in told}
    rows = repository.state.execute("SELECT DISTINCT batch FROM open_tasks")
    at_work = {batch, *(name for (name,) in rows)}
    names = [
        account
        for account in sorted(known, key=lambda account: (account != TOTAL, account))
        if not is_past(account)
        and (accounts.kind(account) != "batch" or account.partition(":")[2] in at_work)
    ]
    found = []
    for account, limit in caps.limited(names).items():
        spent = spent_by_all(repository, shared, account)
        found.append(BudgetStanding(account, limit, spent, level_of(spent, limit, caps)))
    return tuple(found)


def _open_batches(repository: Repository, only: str | None, now: float) -> Iterable[OpenBatch]:
    state = repository.state
    rows = state.execute("SELECT batch, count(*) FROM open_tasks GROUP BY batch").fetchall()
    for batch, count in rows:
        if only in (None, batch):
            query = (
                "SELECT max(o.completed_at) FROM results r JOIN outcomes o ON o.task = r.task"
                " WHERE r.batch = ?"
            )
            last = seconds_of(state.execute(query, (batch,)).fetchone()[0])
            document = index.find_batch(state, batch)
            added = None if document is None else seconds_of(document.created_at)
            known = [at for at in (last, added) if at is not None]
            yield OpenBatch(batch, count, max(now - max(known), 0.0) if known else None)


def _silent_hosts(coordination: Coordination, view: View) -> Iterable[SilentHost]:
    """Those that hold tasks; others have only left."""
    silent = {one.host: one for one in hosts(coordination.repository, view) if one.silent and not one.own}
    if not silent:
        return
    coordination.claims.unavailable(view)  # loads every claim's record in one call
    records = (coordination.claims.record(oid) for oid in view.claims.values())
    held = Counter(one.host for one in records if one is not None and one.state == "running")
    for name, host in silent.items():
        if held[name]:
            yield SilentHost(name, host.seen_s, held[name])


def _notes(repository: Repository, gathered: Gathered) -> Sequence[str]:
    own = {repository.host, *repository.former_hosts}
    others = [tally.name for tally in gathered.hosts.largest() if tally.name not in own and tally.name]
    found = []
    if others:
        many = "1 other host" if len(others) == 1 else f"{len(others)} other hosts"
        found.append(
            f"{many} took part: utilization is that of this clone's pools alone, and times of different hosts"
            " are by different clocks"
        )
    return found
