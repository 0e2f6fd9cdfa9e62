"""This host's own SQLite file under `.git/cortex/`, and the clocks and ids of the machine.

Owns the schema of what a clone keeps for itself. Nothing in it is ever shared, and everything but
the outbox can be rebuilt from git.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cortex_git import derived
from cortex_git.errors import CortexError, EnvironmentProblem
from cortex_git.locating import private_folder

VERSION = 5
_TABLES = """
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    nonce TEXT NOT NULL UNIQUE,
    task TEXT NOT NULL,
    claim TEXT,
    message TEXT NOT NULL,
    files TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued'
);
CREATE INDEX IF NOT EXISTS outbox_state ON outbox (state) WHERE state != 'done';
CREATE TABLE IF NOT EXISTS intents (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tip TEXT NOT NULL UNIQUE, host TEXT NOT NULL, entries TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'open'
);
CREATE TABLE IF NOT EXISTS indexed (ref TEXT PRIMARY KEY, tip TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
    batch TEXT PRIMARY KEY, path TEXT NOT NULL, body BLOB NOT NULL, oid TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS tasks (
    task TEXT PRIMARY KEY, batch TEXT NOT NULL, rank INTEGER NOT NULL, type TEXT NOT NULL,
    created_at TEXT NOT NULL, path TEXT NOT NULL, body BLOB NOT NULL, oid TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS tasks_batch ON tasks (batch);
CREATE INDEX IF NOT EXISTS tasks_created ON tasks (created_at, task);
CREATE TABLE IF NOT EXISTS waits (task TEXT NOT NULL, needs TEXT NOT NULL, PRIMARY KEY (task, needs));
CREATE INDEX IF NOT EXISTS waits_needs ON waits (needs);
CREATE TABLE IF NOT EXISTS retries (task TEXT PRIMARY KEY, retry_of TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS retries_of ON retries (retry_of);
CREATE TABLE IF NOT EXISTS results (task TEXT PRIMARY KEY, batch TEXT NOT NULL, path TEXT, oid TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS results_batch ON results (batch);
CREATE TABLE IF NOT EXISTS archives (
    name TEXT PRIMARY KEY, batch TEXT NOT NULL, part INTEGER NOT NULL, commit_id TEXT NOT NULL,
    sharded INTEGER NOT NULL, oid TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS archives_batch ON archives (batch);
CREATE TABLE IF NOT EXISTS archived (task TEXT PRIMARY KEY, name TEXT NOT NULL, oid TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS archived_name ON archived (name);
CREATE TABLE IF NOT EXISTS newer (
    kind TEXT NOT NULL, name TEXT NOT NULL, batch TEXT NOT NULL, path TEXT NOT NULL, oid TEXT NOT NULL,
    version INTEGER NOT NULL, PRIMARY KEY (kind, name)
);
CREATE TABLE IF NOT EXISTS fetches (
    id INTEGER PRIMARY KEY CHECK (id = 1), boot TEXT NOT NULL, started REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS own (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sightings (
    what TEXT PRIMARY KEY, oid TEXT NOT NULL, boot TEXT NOT NULL, first_seen REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS workers (
    boot TEXT NOT NULL, pool INTEGER NOT NULL, pool_started REAL NOT NULL, owner TEXT NOT NULL,
    worker TEXT NOT NULL, type TEXT NOT NULL, pid INTEGER NOT NULL, started_at TEXT NOT NULL, ended_at TEXT,
    status TEXT NOT NULL, task TEXT, master TEXT, token_budget INTEGER NOT NULL,
    PRIMARY KEY (boot, pool, pool_started, worker, pid, started_at)
);
CREATE INDEX IF NOT EXISTS workers_live ON workers (started_at) WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS workers_started ON workers (started_at);
CREATE TABLE IF NOT EXISTS samples (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, interval_s REAL NOT NULL,
    boot TEXT NOT NULL, pool INTEGER NOT NULL, pool_started REAL NOT NULL,
    live REAL NOT NULL, busy REAL NOT NULL, peak INTEGER NOT NULL, queue INTEGER NOT NULL,
    target INTEGER NOT NULL, rss_mib REAL NOT NULL, completed INTEGER NOT NULL, failed INTEGER NOT NULL,
    tokens_used INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS samples_at ON samples (at);
DROP TABLE IF EXISTS outcomes;
CREATE TABLE outcomes (
    task TEXT PRIMARY KEY, oid TEXT NOT NULL, status TEXT NOT NULL, worker TEXT NOT NULL, host TEXT NOT NULL,
    completed_at TEXT NOT NULL, tokens_used INTEGER NOT NULL,
    type TEXT NOT NULL, model TEXT NOT NULL, duration_s REAL NOT NULL, input INTEGER NOT NULL,
    output INTEGER NOT NULL, cache_write INTEGER NOT NULL, cache_read INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS outcomes_completed ON outcomes (completed_at);
CREATE INDEX IF NOT EXISTS outcomes_host ON outcomes (host, completed_at, status);
CREATE TABLE IF NOT EXISTS grants (
    host TEXT NOT NULL, account TEXT NOT NULL,
    tokens INTEGER CHECK (tokens >= 0),
    spent INTEGER NOT NULL DEFAULT 0 CHECK (spent >= 0),
    reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    allocated INTEGER NOT NULL DEFAULT 0 CHECK (allocated >= 0),
    CHECK (tokens IS NULL OR allocated = 0 OR spent + reserved + allocated <= tokens),
    PRIMARY KEY (host, account)
);
CREATE TABLE IF NOT EXISTS allocations (
    id INTEGER PRIMARY KEY AUTOINCREMENT, nonce TEXT NOT NULL UNIQUE, host TEXT NOT NULL,
    task TEXT NOT NULL, batch TEXT NOT NULL, master TEXT NOT NULL, worker TEXT NOT NULL,
    accounts TEXT NOT NULL, day TEXT NOT NULL,
    tokens INTEGER NOT NULL, spent INTEGER NOT NULL DEFAULT 0 CHECK (spent >= 0),
    reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    pid INTEGER NOT NULL, started REAL NOT NULL, boot TEXT NOT NULL,
    allocated_at TEXT NOT NULL, closed_at TEXT,
    CHECK (spent + reserved <= tokens)
);
CREATE INDEX IF NOT EXISTS allocations_open ON allocations (id) WHERE closed_at IS NULL;
CREATE INDEX IF NOT EXISTS allocations_closed ON allocations (closed_at) WHERE closed_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS reservations (
    id INTEGER PRIMARY KEY AUTOINCREMENT, nonce TEXT NOT NULL, tokens INTEGER NOT NULL CHECK (tokens >= 0),
    model TEXT NOT NULL, provider TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'sent', 'settled', 'worst', 'released')),
    pid INTEGER NOT NULL, started REAL NOT NULL, boot TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS reservations_nonce ON reservations (nonce);
CREATE TABLE IF NOT EXISTS spent (
    host TEXT NOT NULL, nonce TEXT NOT NULL, day TEXT NOT NULL, batch TEXT NOT NULL, master TEXT NOT NULL,
    provider TEXT NOT NULL, model TEXT NOT NULL,
    input INTEGER NOT NULL DEFAULT 0, output INTEGER NOT NULL DEFAULT 0,
    cache_write INTEGER NOT NULL DEFAULT 0, cache_read INTEGER NOT NULL DEFAULT 0,
    unknown INTEGER NOT NULL DEFAULT 0, calls INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (nonce, provider, model)
);
CREATE INDEX IF NOT EXISTS spent_day ON spent (day);
CREATE TABLE IF NOT EXISTS gates (
    provider TEXT PRIMARY KEY, boot TEXT NOT NULL, requests INTEGER, tokens INTEGER,
    heard_requests INTEGER, heard_tokens INTEGER, hosts INTEGER NOT NULL DEFAULT 1,
    closed_until REAL NOT NULL DEFAULT 0, pause_s REAL NOT NULL DEFAULT 0, strikes INTEGER NOT NULL DEFAULT 0,
    left_requests INTEGER, left_tokens INTEGER, heard_at REAL, heard_of INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS gate_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT, provider TEXT NOT NULL, boot TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('call', 'close')), at REAL NOT NULL, ended REAL,
    tokens INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS gate_log_at ON gate_log (provider, at);
CREATE TABLE IF NOT EXISTS provider_batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT, provider TEXT NOT NULL, intended_at TEXT NOT NULL, name TEXT
);
CREATE TABLE IF NOT EXISTS provider_requests (
    nonce TEXT PRIMARY KEY, batch INTEGER NOT NULL, task TEXT NOT NULL, reservation INTEGER NOT NULL,
    model TEXT NOT NULL, complexity INTEGER NOT NULL, body TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done'))
);
CREATE INDEX IF NOT EXISTS provider_requests_open ON provider_requests (batch) WHERE state = 'open';
CREATE TABLE IF NOT EXISTS feedback (
    task TEXT NOT NULL, text TEXT NOT NULL, experts TEXT NOT NULL, chosen TEXT NOT NULL, layer TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('person', 'outcome')), at TEXT NOT NULL,
    PRIMARY KEY (task, source)
);
-- Older versions read tasks without what they come after: the index is made again from git.
DELETE FROM tasks;
DELETE FROM batches;
DELETE FROM archives;
DELETE FROM archived;
DELETE FROM newer;
DELETE FROM indexed;
"""


def connect(path: Path, *, durable: bool = False) -> sqlite3.Connection:
    """Open the file (made when absent) in WAL mode, in autocommit, for use from any thread.

    `durable` waits for the disk at each commit; the outbox needs that, an index does not.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise EnvironmentProblem(
                f"{path} has version {version}, and this cortex-git reads up to {VERSION}",
                "install the newer version, which wrote it, or use another clone; nothing was changed",
            )
        if version < VERSION:
            connection.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} {derived.TABLES} PRAGMA user_version = {VERSION}; COMMIT;"
            )
    except sqlite3.DatabaseError as error:
        raise EnvironmentProblem(
            f"{path} cannot be used: {error}",
            "run `cortex-git doctor --fix`, which saves what can be read of it; check the disk",
        ) from error
    return connection


def of_clone(folder: Path) -> sqlite3.Connection:
    """The file of the clone at `folder`, waiting for the disk at each commit."""
    private = private_folder(folder)
    if private is None:
        raise EnvironmentProblem(f"{folder} is no clone of a repository", "give --repository")
    return connect(private / "state.db", durable=True)


PASSING: tuple[type[Exception], ...] = (CortexError, OSError, sqlite3.Error)
"""Errors that a thread outlives: a remote away, a full disk, a busy database."""


def problem_of(error: Exception) -> CortexError:
    """One of the `PASSING` errors as one that a person can be told."""
    if isinstance(error, CortexError):
        return error
    return EnvironmentProblem(f"{type(error).__name__}: {error}", "is the disk full?")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One write transaction: committed at the end, rolled back on any exception."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@cache
def boot_id() -> str:
    """Changes whenever the machine starts anew, and differs between namespaces of process ids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        import psutil

        return str(int(psutil.boot_time()))


@cache
def machine_id() -> str:
    """The machine's own id; empty where the system gives none."""
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            return Path(path).read_text().strip()
        except OSError:
            continue
    return ""


def process_started(pid: int) -> float:
    """When process `pid` started, in clock ticks since boot; 0.0 when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return 0.0 if fields[0] in ("Z", "X") else float(fields[19])
    except (OSError, IndexError, ValueError):
        if Path("/proc/self/stat").exists():
            return 0.0
        import psutil

        return psutil.Process(pid).create_time() if psutil.pid_exists(pid) else 0.0


def process_alive(pid: int, started: float, boot: str) -> bool:
    """Whether the very process that wrote (pid, started, boot) still runs on this machine."""
    return boot == boot_id() and pid > 0 and process_started(pid) == started


def process_gone(pid: int, started: float, boot: str) -> bool:
    """Whether the process that wrote (pid, started, boot) is known to have ended: False where in doubt.

    For processes of other people too, whom a system may hide from us. A boot without a random id is in doubt.
    """
    if boot != boot_id() or "/" not in boot or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OverflowError:
        return False  # no process id of this system
    except PermissionError:
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0] in ("Z", "X") or float(fields[19]) != started
    except (OSError, IndexError, ValueError):
        return False


def own_process() -> tuple[int, float, str]:
    """(pid, start, boot id) of this process, as locks and claims record it."""
    return _own_process(os.getpid())


@cache
def _own_process(pid: int) -> tuple[int, float, str]:
    """By pid, because a fork inherits what is cached."""
    return pid, process_started(pid), boot_id()


def monotonic() -> float:
    """Seconds on a clock that all processes of this boot share and that never goes back."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def uptime() -> float:
    """Seconds on a clock like `monotonic`'s that goes on while the machine is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def now() -> str:
    """The wall clock in UTC, ISO 8601 to the millisecond; for people, never compared between machines."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
