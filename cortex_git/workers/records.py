"""What is written down of a pool while it runs: its workers, samples of it, and the snapshot for people.

Owns what goes into the tables `workers` and `samples` of this host. Must never hold the pool up: what is
not due costs next to nothing, and nothing here is needed for the work itself.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cortex_git.state import monotonic, now, own_process, process_alive, transaction
from cortex_git.store.daily import PublishedToday
from cortex_git.store.repository import Repository
from cortex_git.workers.roster import write_document
from cortex_git.workers.snapshot import PoolSnapshot, WorkerView

KEPT_DAYS = 30
_WRITE_S = 0.9
"""Least seconds between two looks at whether the file is to be written: a pool looks about once a second."""
_COUNT_S = 5.0
"""Seconds for which today's count of results holds."""
_PRUNE_S = 3600.0
_Key = tuple[str, int, str]
_State = tuple[str, str, str | None, str | None, int]


class PoolRecords:
    """The records of one pool, made by the pool's own thread."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._published = PublishedToday(repository)
        self._known: dict[_Key, _State] = {}
        self._last: PoolSnapshot | None = None
        self._seen_at = self._sampled_at = monotonic()
        self._live_s = self._busy_s = 0.0
        self._peak = 0
        self._write_at = self._count_at = self._prune_at = 0.0

    def observe(self, snapshot: PoolSnapshot) -> None:
        """Write down what changed and what is due."""
        clock = monotonic()
        self._add_up(clock)
        self._last = snapshot
        self._peak = max(self._peak, snapshot.busy)
        if clock >= self._prune_at:
            self._prune_at = clock + _PRUNE_S
            self._tidy()
        self._note_workers(snapshot.owner, snapshot.workers)
        if clock - self._sampled_at >= self._repository.settings.pool.sample_s:
            self._sample(clock, snapshot)
        if clock >= self._write_at:
            self._write_at = clock + _WRITE_S
            self._write(clock)

    def close(self) -> None:
        """The pool has ended, and its workers with it."""
        clock = monotonic()
        self._add_up(clock)
        if self._last is not None:
            self._sample(clock, self._last)
            self._note_workers(self._last.owner, ())
            self._count_at = 0.0
            self._write(clock)

    def _add_up(self, clock: float) -> None:
        """Worker-seconds since the last look."""
        if self._last is not None:
            passed = clock - self._seen_at
            self._live_s += passed * len(self._last.workers)
            self._busy_s += passed * self._last.busy
        else:
            self._sampled_at = clock
        self._seen_at = clock

    def _note_workers(self, owner: str, workers: Iterable[WorkerView]) -> None:
        """One row for each worker process; only what changed is written."""
        seen = {(w.worker, w.pid, w.started_at): _state_of(w) for w in workers}
        changed = {key: state for key, state in seen.items() if self._known.get(key) != state}
        gone = [key for key in self._known if key not in seen]
        if not changed and not gone:
            return
        pool, started, boot = own_process()
        where = "boot = ? AND pool = ? AND pool_started = ? AND worker = ? AND pid = ? AND started_at = ?"
        with transaction(self._repository.state) as state:
            state.executemany(
                "INSERT OR REPLACE INTO workers (boot, pool, pool_started, owner, worker, pid, started_at,"
                " type, status, task, master, token_budget) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(boot, pool, started, owner, *key, *values) for key, values in changed.items()],
            )
            state.executemany(
                f"UPDATE workers SET ended_at = ? WHERE {where}",  # noqa: S608 - a constant
                [(now(), boot, pool, started, *key) for key in gone],
            )
        self._known = seen

    def _sample(self, clock: float, snapshot: PoolSnapshot) -> None:
        """Means since the last sample, so that tasks shorter than that count as what they are."""
        interval = clock - self._sampled_at
        if interval <= 0:
            return
        pool, started, boot = own_process()
        row = (
            now(), interval, boot, pool, started, self._live_s / interval, self._busy_s / interval,
            self._peak, snapshot.queue, snapshot.target, sum(w.rss_mib for w in snapshot.workers),
            snapshot.completed, snapshot.failed, snapshot.tokens_used,
        )  # fmt: skip
        self._repository.state.execute(
            "INSERT INTO samples (at, interval_s, boot, pool, pool_started, live, busy, peak, queue, target,"
            " rss_mib, completed, failed, tokens_used) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        self._sampled_at, self._live_s, self._busy_s, self._peak = clock, 0.0, 0.0, snapshot.busy

    def _write(self, clock: float) -> None:
        if clock >= self._count_at:
            self._count_at = clock + _COUNT_S
            self._published.counts()
        write_document(self._repository, self._published.latest)

    def _tidy(self) -> None:
        """End the rows of pools that were killed, and forget what is old."""
        oldest = datetime.now(UTC) - timedelta(days=KEPT_DAYS)
        before = oldest.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        state = self._repository.state
        pools = state.execute("SELECT DISTINCT pool, pool_started, boot FROM workers WHERE ended_at IS NULL")
        dead = [pool for pool in pools.fetchall() if not process_alive(*pool)]
        with transaction(state):
            state.executemany(
                "UPDATE workers SET ended_at = ? WHERE pool = ? AND pool_started = ? AND boot = ?"
                " AND ended_at IS NULL",
                [(now(), *pool) for pool in dead],
            )
            state.execute("DELETE FROM samples WHERE at < ?", (before,))
            state.execute("DELETE FROM workers WHERE ended_at < ?", (before,))


def _state_of(worker: WorkerView) -> _State:
    return worker.type, worker.status, worker.task, worker.master, worker.token_budget
