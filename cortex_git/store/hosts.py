"""The hosts that take part, by their last sign of life.

Owns reading heartbeats. How long a host has been silent is by this host's own clock.
"""

import json
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


def _workers(body: bytes) -> int:
    """As the host says; 0 where it says nothing sensible."""
    try:
        workers = json.loads(body).get("workers")
    except (ValueError, AttributeError, RecursionError):
        return 0
    return workers if isinstance(workers, int) and 0 <= workers < 10_000 else 0
