"""Keeping a clone quick after weeks of work: git's own maintenance, seldom and beside the work.

Owns when that is due. Must never drop an object, referenced or not: results that wait, work trees and
people's own commits may need it. Nor may anything wait for it.
"""

import json
import threading
import time
from contextlib import suppress
from pathlib import Path

from cortex_git.flocks import try_lock
from cortex_git.state import PASSING
from cortex_git.store.index import View
from cortex_git.store.repository import Repository

_MOST_PACKS = 50
_MOST_LOOSE = 6_700
"""As git's own `gc.auto`, which is off while we work: it would hold up a claim."""
_STEPS = (
    ("maintenance", "run", "--quiet", "--task=loose-objects", "--task=commit-graph"),
    ("repack", "-d", "--geometric=2", "--quiet"),
    ("prune-packed", "--quiet"),
)
"""They put objects together and index them. None of them drops an object that is in no pack."""
_INSTEAD = ("maintenance", "run", "--quiet", "--task=incremental-repack")
"""Of `repack --geometric`, before git 2.32: slower to get there."""
_MOST_S = 3600.0
_LEFT_S = 6 * 3600.0
"""A lock of git's maintenance that is older was left by one that was killed."""
_KEPT_DONE = 10_000
_KEPT_SIGHTINGS = 5_000


def maintain(repository: Repository, view: View) -> threading.Thread | None:
    """Do what is due: rows at once, objects in a thread that nothing waits for; that thread.

    What that thread's git has not done when this process ends, it does by itself.
    """
    forget_settled(repository, view)
    objects = repository.git_dir / "objects"
    if not is_due(objects) or _is_locked(objects / "maintenance.lock"):
        return None
    thread = threading.Thread(target=_tidy_objects, args=(repository,), name="maintenance", daemon=True)
    thread.start()
    return thread


def is_due(objects: Path) -> bool:
    """Whether there are so many packs or loose objects that reading takes notice of it."""
    packs = sum(1 for path in _entries(objects / "pack") if path.suffix == ".pack")
    # Their names are hashes: one folder of the 256 stands for all, as git itself judges.
    return packs > _MOST_PACKS or 256 * len(_entries(objects / "17")) > _MOST_LOOSE


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _tidy_objects(repository: Repository) -> None:
    with suppress(*PASSING), (repository.private / "maintenance.lock").open("a") as handle:
        if not try_lock(handle):
            return
        for step in _STEPS:
            done = repository.git.run(*step, timeout=_MOST_S, check=False)
            if done.status and step[0] == "repack":
                repository.git.run(*_INSTEAD, timeout=_MOST_S, check=False)


def _is_locked(path: Path) -> bool:
    """Whether a git is at it; a lock that was left by one that was killed is removed."""
    try:
        left = time.time() - path.stat().st_mtime > _LEFT_S
        if left:
            path.unlink()
    except OSError:
        return False
    return not left


def forget_settled(repository: Repository, view: View) -> None:
    """Drop what nobody asks for any more: claims that are gone, entries acknowledged long ago.

    A result that is entered again after that is known by its nonce on the remote.
    """
    newest = "(SELECT max(id) FROM outbox)"
    repository.state.execute(
        f"DELETE FROM outbox WHERE id <= {newest} - ? AND state = 'done'",  # noqa: S608 - a constant
        (_KEPT_DONE,),
    )
    seen = repository.state.execute("SELECT count(*) FROM sightings").fetchone()[0]
    if seen > len(view.claims) + len(view.hosts) + _KEPT_SIGHTINGS:
        alive = [f"claim {task}" for task in view.claims]
        repository.state.execute(
            "DELETE FROM sightings WHERE what LIKE 'claim %'"
            " AND what NOT IN (SELECT value FROM json_each(?))",
            (json.dumps(alive),),
        )
