"""Rows of `state.db` that nobody reads any more.

Owns when such rows may go. What waits in the outbox, or is kept in it as not acknowledged, is never one.
"""

from cortex_git.state import boot_id, transaction
from cortex_git.store.collecting import Finding
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import View
from cortex_git.store.repository import Repository

_KEPT_DONE = 1000
"""Acknowledged entries of the outbox that are kept: a waiting process may not have looked at its own yet."""
_OLD_ROWS = {
    "samples": "at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-35 days')",
    "workers": "ended_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-35 days')",
    "gate_log": "boot != ?",
}
"""By table what nobody asks of any more: utilization looks back a month, a gate for a minute of this boot."""


def published_entries(repository: Repository) -> list[Finding]:
    """What the remote acknowledged long ago."""
    condition = "state = 'done' AND id <= (SELECT max(id) FROM outbox) - ?"
    count = _count(repository, "outbox", condition, _KEPT_DONE)
    if not count:
        return []

    def remove() -> bool:
        connection = repository.durable_state
        return connection.execute(f"DELETE FROM outbox WHERE {condition}", (_KEPT_DONE,)).rowcount > 0  # noqa: S608

    return [Finding("outbox", "acknowledged entries", "the remote has them", count, remove=remove)]


def gone_sightings(coordination: Coordination, before: dict[str, str], view: View) -> list[Finding]:
    """First sights of claims and heartbeats that are gone; `before`: all, as of before the pull of `view`.

    A lease of a host without a heartbeat counts from when that was first missed: while it has a claim, that
    is needed too.
    """
    repository = coordination.repository
    hosts = {*view.hosts, *coordination.claims.owners(view)}
    now = {f"claim {task}" for task in view.claims} | {f"host {host}" for host in hosts}
    gone = [(what, oid) for what, oid in before.items() if what not in now]
    if not gone:
        return []

    def remove() -> bool:
        with transaction(repository.state) as state:
            state.executemany("DELETE FROM sightings WHERE what = ? AND oid = ?", gone)
        return True

    return [Finding("sightings", "of claims and hosts", "they are gone", len(gone), remove=remove)]


def sightings(repository: Repository) -> dict[str, str]:
    """Each claim and host that was ever looked at, with the object seen last."""
    return dict(repository.state.execute("SELECT what, oid FROM sightings").fetchall())


def old_rows(repository: Repository) -> list[Finding]:
    """Samples, workers and calls of long ago."""
    found: list[Finding] = []
    for table, condition in _OLD_ROWS.items():
        values = (boot_id(),) if "?" in condition else ()
        count = _count(repository, table, condition, *values)
        if count:
            found.append(_rows(repository, table, condition, values, count))
    return found


def _rows(repository: Repository, table: str, condition: str, values: tuple[str, ...], count: int) -> Finding:
    def remove() -> bool:
        query = f"DELETE FROM {table} WHERE {condition}"  # noqa: S608 - constants
        return repository.state.execute(query, values).rowcount > 0

    return Finding("rows", table, "nobody asks of them any more", count, remove=remove)


def _count(repository: Repository, table: str, condition: str, *values: object) -> int:
    query = f"SELECT count(*) FROM {table} WHERE {condition}"  # noqa: S608 - constants
    return int(repository.state.execute(query, values).fetchone()[0])
