"""Signs of life: one ref per host, changed every so often while it has work.

Owns the heartbeat's form and the judgement that a host is silent. That judgement uses the observer's
own clock, from when it first saw the current heartbeat; clocks are never compared between machines.
"""

import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from cortex_git.flocks import file_lock
from cortex_git.state import PASSING, boot_id, monotonic, now
from cortex_git.store import layout
from cortex_git.store.commits import Draft, singles
from cortex_git.store.pulling import pull
from cortex_git.store.refs import ABSENT, Outcome, Update, takes_branches_only
from cortex_git.store.repository import Repository

_MOST_ANEW = 10
"""Beats at most in an interval because what they say is new."""


def interval_s(repository: Repository) -> float:
    """Seconds between two beats: three fit into a lease, whatever the settings say of the two."""
    leases = repository.settings.leases
    return min(leases.heartbeat_s, leases.lease_s / 3)


@dataclass(frozen=True, slots=True)
class Signs:
    """What a process says of itself with a sign of life."""

    workers: int
    """Its worker processes."""
    idle: int = 0
    """Those of them for which nothing is left but what other hosts hold: these may give some of it back."""
    batch: str | None = None
    """The only batch that they work on; None for any."""


def beat(repository: Repository, signs: Signs, *, anew: bool = False) -> bool:
    """Push a heartbeat, unless another process of this clone just did. False where it did not arrive.

    `anew`: even so, for what it says is new. After a change of id the old one beats on as well, for the
    claims that were made under it.
    """
    hosts = (repository.host, *repository.former_hosts)
    beaten = [_beat(repository, host, signs, anew=anew) for host in hosts]
    return all(beaten)


def _beat(repository: Repository, host: str, signs: Signs, *, anew: bool) -> bool:
    """One heartbeat of `host`.

    A refused lease means that another process of this clone, or a copy of it, was there first: the
    value found is the one to replace next time.
    """
    with file_lock(repository.private / "heartbeat.lock"):
        every = interval_s(repository)
        key = f"heartbeat {host}"
        row = repository.state.execute("SELECT value FROM own WHERE key = ?", (key,)).fetchone()
        oid, at, boot = row[0].split(" ") if row else ("", "0", "")
        if not anew and boot == boot_id() and monotonic() - float(at) < every / 2:
            return True
        record = {
            "schema": 1,
            "host": host,
            "boot_id": boot_id(),
            "pid": os.getpid(),
            "workers": signs.workers,
            "idle": signs.idle,
            "idle_batch": signs.batch,
            "at": now(),
            "monotonic": monotonic(),
        }
        body = (json.dumps(record, indent=2, sort_keys=True) + "\n").encode()
        chained = takes_branches_only(repository.refs.namespace)
        draft = Draft(f"heartbeat of {host}", {layout.HOST_FILE: body}, (oid or None) if chained else None)
        new = singles(repository.git, repository.identity.author, [draft])[0]
        ref = f"{repository.refs.namespace}/hosts/{host}"
        outcome = repository.refs.transaction([Update(ref, new, oid or ABSENT)], atomic=True)[0]
        if outcome is Outcome.STALE:
            new = repository.refs.read_back([ref]).get(ref, "")
            if chained and new:
                pull(repository)  # the next beat is to be its child
        elif outcome is not Outcome.APPLIED:
            return False
        value = f"{new} {monotonic()} {boot_id()}"
        repository.state.execute("INSERT OR REPLACE INTO own VALUES (?, ?)", (key, value))
        return True


def seen_for(repository: Repository, kind: str, name: str, oid: str) -> float:
    """Seconds since this clone first saw the `host` or `claim` of that name with this very object.

    By this clone's own clock, and kept across commands.
    """
    state = repository.state
    what = f"{kind} {name}"
    row = state.execute("SELECT oid, boot, first_seen FROM sightings WHERE what = ?", (what,)).fetchone()
    if row is None or (row[0], row[1]) != (oid, boot_id()):
        values = (what, oid, boot_id(), monotonic())
        state.execute("INSERT OR REPLACE INTO sightings VALUES (?, ?, ?, ?)", values)
        return 0.0
    return float(monotonic() - row[2])


class Heart:
    """A thread that beats while its owner works; `signs` tells what it says."""

    def __init__(self, repository: Repository, signs: Callable[[], Signs]) -> None:
        self._repository = repository
        self._signs = signs
        self._stopped = threading.Event()
        self._called = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)

    def start(self) -> None:
        """The first beat comes one interval after the start: until then the claims' own age vouches."""
        self._thread.start()

    def beat_soon(self) -> None:
        """What there is to say has changed: do not wait out the interval. Safe from any thread."""
        self._called.set()

    def stop(self) -> None:
        self._stopped.set()
        self._called.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            every = interval_s(self._repository)
            anew = self._called.wait(every)
            self._called.clear()
            if self._stopped.is_set():
                return
            with suppress(*PASSING):  # an unreachable remote, a full disk: the next beat is in a moment
                beat(self._repository, self._signs(), anew=anew)
            if anew:
                self._stopped.wait(every / _MOST_ANEW)
