"""The hosts that take part, by their last sign of life.

Owns reading heartbeats. How long a host has been silent is by this host's own clock.
"""

import json
import os
from dataclasses import dataclass

from cortex_git.store import layout
from cortex_git.store.heartbeat import seen_for
from cortex_git.store.index import View
from cortex_git.store.repository import Repository


@dataclass(frozen=True, slots=True)
class Host:
    """One host."""

    host: str
    own: bool
    """Whether it is this one."""
    seen_s: float
    """Seconds since this clone first saw its last heartbeat."""
    silent: bool
    """Longer than a lease: its claims can be taken over."""
    workers: int
    """Worker processes at that heartbeat."""


def hosts(repository: Repository, view: View) -> list[Host]:
    """Every host that ever gave a sign of life, the last one first."""
    names = {f"{oid}:{layout.HOST_FILE}": host for host, oid in view.hosts.items()}
    bodies = repository.git.blobs(names)
    own = {repository.host, *repository.former_hosts}
    lease_s = repository.settings.leases.lease_s
    found = []
    for name, host in names.items():
        seen_s = seen_for(repository, "host", host, view.hosts[host])
        workers = _workers(bodies.get(name, b""))
        found.append(Host(host, host in own, round(seen_s, 3), seen_s > lease_s, workers))
    return sorted(found, key=lambda host: (host.seen_s, host.host))


class IdleHosts:
    """Which hosts say with their last sign of life that workers of theirs have nothing to do."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._said: dict[str, _Idle] = {}
        """By the object of a heartbeat."""

    def among(self, view: View, batch: str | None) -> set[str]:
        """Those of `view` that are not silent and would take tasks of `batch` (None: of any).

        Another process of this clone is one of them, this process is not.
        """
        unread = {f"{oid}:{layout.HOST_FILE}": oid for oid in view.hosts.values() if oid not in self._said}
        bodies = self._repository.git.blobs(unread) if unread else {}
        read = {oid: _idle(bodies.get(name, b"")) for name, oid in unread.items()}
        self._said = {oid: read.get(oid) or self._said[oid] for oid in view.hosts.values()}
        idle = {host: self._said[oid] for host, oid in view.hosts.items() if self._said[oid].workers}
        return {host for host, said in idle.items() if self._may_take(host, view.hosts[host], said, batch)}

    def _may_take(self, host: str, oid: str, said: "_Idle", batch: str | None) -> bool:
        own = host == self._repository.host and said.pid == os.getpid()
        wanted = batch is None or said.batch in (None, batch)
        lease_s = self._repository.settings.leases.lease_s
        return wanted and not own and seen_for(self._repository, "host", host, oid) <= lease_s


@dataclass(frozen=True, slots=True)
class _Idle:
    """What a heartbeat says of idle workers."""

    workers: int
    batch: str | None
    """The only batch that they work on; None for any."""
    pid: int


def _idle(body: bytes) -> _Idle:
    said = _said(body)
    batch = said.get("idle_batch")
    return _Idle(_whole(said.get("idle")), batch if isinstance(batch, str) else None, _whole(said.get("pid")))


def _workers(body: bytes) -> int:
    """As the host says; 0 where it says nothing sensible."""
    workers = _whole(_said(body).get("workers"))
    return workers if workers < 10_000 else 0


def _said(body: bytes) -> dict[str, object]:
    """A heartbeat's fields; none where it cannot be read."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
