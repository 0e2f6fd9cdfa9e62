"""Seeing what the others did: one fetch for all processes of a clone that want one at the same time.

Owns the fetch, one at a time. A fetch that began before the moment asked for never counts.
"""

from cortex_git.flocks import file_lock
from cortex_git.state import boot_id, monotonic
from cortex_git.store import indexing
from cortex_git.store.index import View
from cortex_git.store.repository import Repository


def pull(repository: Repository, *, not_before: float | None = None) -> View:
    """Fetch and index; what others had published before `not_before` is then known.

    `not_before` is on `state.monotonic`'s clock, now by default. Fetches of one clone are serialised,
    so that a slower one never moves the tracking refs backwards. Raises RemoteUnreachable.
    """
    wanted = monotonic() if not_before is None else not_before
    with file_lock(repository.private / "fetch.lock"):
        last = repository.state.execute("SELECT boot, started FROM fetches").fetchone()
        if last is None or last[0] != boot_id() or last[1] < wanted:
            started = monotonic()
            repository.refs.fetch()
            repository.state.execute("INSERT OR REPLACE INTO fetches VALUES (1, ?, ?)", (boot_id(), started))
        return indexing.refresh(repository)
