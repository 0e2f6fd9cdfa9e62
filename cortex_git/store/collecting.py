"""What can be cleared away, as findings; and packing a clone's objects, which is never in anybody's way.

Owns the form of a finding and what may happen to objects. Must never drop one that is younger than the
expiry or that any ref, reflog, index or work tree needs: the outbox's next push rests on them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from cortex_git.flocks import try_lock
from cortex_git.gitio import Git
from cortex_git.store.coordination import Coordination
from cortex_git.store.repository import Repository

DAY_S = 24 * 3600.0
KEEP_S = 14 * DAY_S
"""Seconds that an object which nothing needs is kept, as git's own gc does."""
_LOOSE = 500
"""Loose objects from which on packing is worth it."""
_PACKS = 10
_PACKING_S = 3600.0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something left behind."""

    kind: str
    what: str
    """A ref, a path, or what rows they are."""
    reason: str
    """Why it can go, or why it stays."""
    count: int = 1
    bytes: int = 0
    """What it takes on the disk, as far as that is known."""
    remove: Callable[[], bool] | None = field(default=None, compare=False, repr=False)
    """Takes it away, and says whether it did: it may be needed again by then. None for what stays.

    Raises CortexError, OSError or sqlite3.Error.
    """

    @property
    def kept(self) -> bool:
        return self.remove is None


def objects(coordination: Coordination) -> list[Finding]:
    """The clone's objects, where they lie about loosely or in many packs."""
    repository = coordination.repository
    return of_objects(repository.git, "objects", lambda: _packed(repository))


def _packed(repository: Repository) -> bool:
    """Not where a command of this clone is at its own maintenance: two that repack would meet."""
    with (repository.private / "maintenance.lock").open("a") as handle:
        return try_lock(handle) and collect_objects(repository.git)


def of_objects(git: Git, kind: str, pack: Callable[[], bool] | None = None) -> list[Finding]:
    """The same for any repository; `pack` in the place of `collect_objects`."""
    there = counted(git)
    if there.loose < _LOOSE and there.packs < _PACKS:
        return []
    why = (
        f"{there.loose} loose objects and {there.packs} packs become one;"
        " what nothing needs goes after 14 days"
    )
    remove = pack or (lambda: collect_objects(git))
    return [Finding(kind, str(git.directory), why, there.loose, there.loose_kib * 1024, remove)]


class Counted(NamedTuple):
    """A repository's objects: how many lie loosely, in how many packs the others are, and what they take."""

    loose: int
    packs: int
    loose_kib: int
    packs_kib: int


def counted(git: Git) -> Counted:
    """What git says of its objects; 0 for what it does not say."""
    lines = (line.partition(": ") for line in git.text("count-objects", "-v").splitlines())
    said = {key: int(value) for key, _, value in lines if value.isdigit()}
    return Counted(*(said.get(key, 0) for key in ("count", "packs", "size", "size-pack")))


def collect_objects(git: Git, keep_s: float = KEEP_S) -> bool:
    """Pack refs and objects into one pack each, and drop unreachable objects older than `keep_s` seconds.

    Others may read, fetch, import and push meanwhile. Reflogs and work trees stay as they are. True, as it
    was done. Raises GitFailed. (What commands do by themselves, `maintenance`, drops nothing at all.)
    """
    before = f"{int(keep_s)}.seconds.ago"
    repack = ("repack", "-A", "-d", "-l", "--quiet", f"--unpack-unreachable={before}")
    git.run(*repack, timeout=_PACKING_S)
    git.run("prune", f"--expire={before}", timeout=_PACKING_S)
    git.run("pack-refs", "--all", "--prune")
    git.run("commit-graph", "write", "--reachable", timeout=_PACKING_S)
    return True
