"""Everything about a coordination repository on one screen: what `status` prints.

Owns the form of that view. Changes nothing but what this host keeps for itself; without the remote it
shows what is known, and says so.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from cortex_git.analysis.utilization import Sample, Utilization, utilization
from cortex_git.errors import CortexError
from cortex_git.limits import accounts
from cortex_git.limits.accounts import Caps
from cortex_git.models import PRIORITIES
from cortex_git.services.pool_client import pool_status
from cortex_git.state import PASSING, now
from cortex_git.store import index, indexing
from cortex_git.store.budget_ref import BudgetRef
from cortex_git.store.coordination import Coordination
from cortex_git.store.daily import PublishedToday
from cortex_git.store.fenced import count_waiting
from cortex_git.store.heartbeat import seen_for
from cortex_git.store.hosts import Host, hosts
from cortex_git.store.index import View
from cortex_git.store.outcomes import Outcomes, outcomes
from cortex_git.store.refs import RemoteUnreachable
from cortex_git.store.repository import Repository
from cortex_git.workers.levels import BudgetLevel, standing
from cortex_git.workers.roster import LiveWorker, live_workers, shown_type, write_document
from cortex_git.workers.token_budget import over_all

DAY_S = 24 * 3600.0
_RESULTS = 20


@dataclass(frozen=True, slots=True)
class Queue:
    """Tasks without a result."""

    open: int
    claimed: int
    by_priority: dict[str, int]
    by_type: dict[str, int]


@dataclass(frozen=True, slots=True)
class ClaimAge:
    """One claim: who has a task now, and for how long."""

    task: str
    state: str
    worker: str
    """Who runs it, where that is here; else the worker that the claim was made for."""
    started: bool | None
    """Whether a worker of this host is on it; None for another host's claim."""
    host: str
    attempt: int
    claimed_at: str
    age_s: float
    """By this host's clock alone: since it made the claim, or first saw another host's."""
    exact: bool
    """False for another host's claim, which is as old as this or older."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens. `used` is what results say, `held` what the running tasks of this host may use.

    What follows is the ledger's, over all hosts as they last reported.
    """

    total: int | None
    used: int
    held: int
    allocated: int
    in_use: int
    available: int
    level: BudgetLevel


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole at one moment."""

    at: str
    folder: str
    host: str
    remote: str | None
    problem: str | None
    """Why the remote could not be reached; then the rest is as of the last time it could."""
    queue: Queue
    workers: tuple[LiveWorker, ...]
    claims: tuple[ClaimAge, ...]
    budget: Budget
    outcomes: Outcomes
    hosts: tuple[Host, ...]
    utilization: Utilization
    waiting: int
    """Documents in the outbox, which the remote has not acknowledged."""
    pool: dict[str, Any] | None
    """The running pool's own view of itself; None where none runs."""
    fencing: int = 0
    """Those of the waiting that came too late, and could not be kept aside at the remote yet."""

    @property
    def alert(self) -> str | None:
        return self.pool["alert"] if self.pool else None

    def to_json(self) -> dict[str, Any]:
        """The document of `status --format json`, without its schema number."""
        return {
            "at": self.at,
            "folder": self.folder,
            "host": self.host,
            "remote": self.remote,
            "problem": self.problem,
            "alert": self.alert,
            "queue": asdict(self.queue),
            "workers": [
                asdict(worker) | {"type": shown_type(worker.worker, worker.type)} for worker in self.workers
            ],
            "claims": [asdict(claim) for claim in self.claims],
            "budget": asdict(self.budget),
            "results": {
                "total": self.outcomes.by_status.total(),
                "by_status": dict(self.outcomes.by_status),
                "waiting": self.waiting,
                "fencing": self.fencing,
                "last": [asdict(outcome) for outcome in self.outcomes.last],
            },
            "hosts": [asdict(host) for host in self.hosts],
            "utilization": self.utilization.to_json(),
            "pool": self.pool,
        }


def overview(coordination: Coordination) -> Overview:
    """Look at the remote, this host and the running pool."""
    repository = coordination.repository
    view, problem = look(coordination)
    workers = tuple(live_workers(repository))
    known = outcomes(repository, _RESULTS)
    _correct_snapshot(repository)
    return Overview(
        at=now(),
        folder=str(repository.folder),
        host=repository.host,
        remote=repository.remote,
        problem=problem,
        queue=_queue(repository, view),
        workers=workers,
        claims=tuple(_claims(coordination, view, workers)),
        budget=budget(repository, known, workers),
        outcomes=known,
        hosts=tuple(hosts(repository, view)),
        utilization=last_day(repository),
        waiting=coordination.outbox.count(),
        pool=running_pool(repository),
        fencing=count_waiting(repository),
    )


def budget(repository: Repository, known: Outcomes, workers: tuple[LiveWorker, ...]) -> Budget:
    """Tokens, as this clone last saw the shared budget: looking at it again is `budget show`'s."""
    held = sum(worker.token_budget for worker in workers if worker.task is not None)
    shared = BudgetRef(repository).last_seen()
    caps = Caps(repository.settings.budget, shared.limits)
    found = over_all(repository, shared, accounts.TOTAL, caps.of(accounts.TOTAL) or 0)
    names = (accounts.TOTAL, accounts.day(), accounts.month())
    return Budget(
        total=found.total,
        used=known.tokens_used,
        held=held,
        allocated=found.allocated,
        in_use=found.in_use,
        available=found.available,
        level=standing(repository, caps, shared, names).level,
    )


def last_day(repository: Repository) -> Utilization:
    """The use of this clone's pools in the last 24 hours."""
    until = time.time()
    return utilization(samples_since(repository, until - DAY_S), until - DAY_S, until)


def samples_since(repository: Repository, since: float) -> Iterator[Sample]:
    """The samples of this clone's pools that ended after `since`, in seconds since 1970, the oldest first."""
    at = (
        datetime.fromtimestamp(max(since, 0.0), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
    rows = repository.state.execute(
        "SELECT boot, pool, pool_started, at, interval_s, live, busy, peak FROM samples"
        " WHERE at >= ? ORDER BY at, id",
        (at,),
    )
    for boot, pool, started, at, interval, live, busy, peak in rows:
        moment = datetime.fromisoformat(at).timestamp()
        yield Sample(f"{boot} {pool} {started}", moment, interval, live, busy, peak)


def look(coordination: Coordination) -> tuple[View, str | None]:
    """The refs as they are now, or as they were when the remote last answered, and why."""
    try:
        return coordination.pull(), None
    except RemoteUnreachable as error:
        return indexing.refresh(coordination.repository), error.message


def running_pool(repository: Repository) -> dict[str, Any] | None:
    """The pool's view of itself; one that is about to end answers nothing any more."""
    try:
        return pool_status(repository.folder)
    except (CortexError, OSError, ValueError):
        return None


def _queue(repository: Repository, view: View) -> Queue:
    rows = repository.state.execute(
        "SELECT rank, type, count(*) FROM open_tasks GROUP BY rank, type"
    ).fetchall()
    ranks: Counter[int] = Counter()
    types: Counter[str] = Counter()
    for rank, kind, count in rows:
        ranks[rank] += count
        types[kind] += count
    claimed = list(view.claims)
    return Queue(
        open=ranks.total(),
        claimed=index.count_open_of(repository, index.Scope(), claimed),
        by_priority={name: ranks[rank] for name, rank in PRIORITIES.items()},
        by_type=dict(types.most_common()),
    )


def _claims(coordination: Coordination, view: View, workers: tuple[LiveWorker, ...]) -> list[ClaimAge]:
    """Every claim that can be read, the oldest first."""
    repository = coordination.repository
    coordination.claims.unavailable(view)  # loads every claim's record in one call
    own = {repository.host, *repository.former_hosts}
    on = {worker.task: worker.worker for worker in workers if worker.task is not None}
    found: list[ClaimAge] = []
    for task, oid in view.claims.items():
        record = coordination.claims.record(oid)
        if record is None:
            continue
        seen_s = seen_for(repository, "claim", task, oid)
        made_s = _since(record.claimed_at) if record.host in own else None
        found.append(
            ClaimAge(
                task=task,
                state=record.state,
                worker=on.get(task, record.worker) if record.host in own else record.worker,
                started=task in on if record.host in own else None,
                host=record.host,
                attempt=record.attempt,
                claimed_at=record.claimed_at,
                age_s=round(seen_s if made_s is None else made_s, 3),
                exact=made_s is not None,
            )
        )
    return sorted(found, key=lambda claim: (-claim.age_s, claim.task))


def _since(at: str) -> float | None:
    """Seconds since a moment that this very host wrote down."""
    try:
        return max((datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None


def _correct_snapshot(repository: Repository) -> None:
    """A pool that was killed could not take its workers out of `worker-pool.json`."""
    with suppress(*PASSING):
        published = PublishedToday(repository)
        write_document(repository, published.counts())
