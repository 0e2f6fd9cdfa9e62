"""Putting our hooks into a repository and taking them away again, so that all is as it was, to the byte.

Owns the order of changes: at no moment is a hook that was there before lost, or git led to a folder without
hooks. Must never write into a folder that is not the repository's own.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from cortex_git.flocks import folder_lock
from cortex_git.services.hooks import aside, in_place
from cortex_git.services.hooks.places import Place, place_of
from cortex_git.services.hooks.scripts import COMMIT, HOOKS, PUSH
from cortex_git.services.hooks.steps import HookState, Step


@dataclass(frozen=True, slots=True)
class HookReport:
    """What is there, and what was done for it (or would be)."""

    repository: str
    way: Literal["in place", "aside"]
    hooks: tuple[HookState, ...]
    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def install(path: Path, names: Sequence[str] = HOOKS, *, dry_run: bool = False) -> HookReport:
    """Add our hooks, in front of those that are there; once more changes nothing.

    Raises BadInput or EnvironmentProblem where that cannot be done.
    """
    with _alone(path) as place:
        wanted = [name for name in names if not (place.bare and name == COMMIT)]
        left_out = len(wanted) < len(names)
        notes = ["a bare repository makes no commits: pre-commit was left out"] if left_out else []
        if place.aside:
            steps = [*in_place.remove(place), *aside.add(place, wanted)]
        else:
            steps = [*aside.remove(place), *in_place.add(place, wanted)]
        return _done(path, place, steps, notes, dry_run)


def uninstall(path: Path, *, dry_run: bool = False) -> HookReport:
    """Take our hooks away; those that were there before stand where they stood."""
    with _alone(path) as place:
        steps = [*aside.remove(place), *in_place.remove(place)]
        return _done(path, place, steps, in_place.left_behind(place), dry_run)


def status(path: Path) -> HookReport:
    """What of ours is there, and whether it would be written as it is."""
    place = place_of(path)
    return _report(place, (), in_place.left_behind(place), dry_run=False)


@contextmanager
def _alone(path: Path) -> Iterator[Place]:
    """The hooks of a repository, which no other installation changes meanwhile."""
    with folder_lock(place_of(path).common):
        yield place_of(path)


def _done(path: Path, place: Place, steps: Sequence[Step], notes: Sequence[str], dry_run: bool) -> HookReport:
    texts = tuple(step.text for step in steps)
    if dry_run:
        return _report(place, texts, notes, dry_run=True)
    for step in steps:
        step.make()
    return _report(place_of(path), texts, notes, dry_run=False)


def _report(place: Place, steps: Sequence[str], notes: Sequence[str], *, dry_run: bool) -> HookReport:
    names = [PUSH] if place.bare else HOOKS
    look = aside.state if place.aside else in_place.state
    hooks = tuple(look(place, name) for name in names)
    way: Literal["in place", "aside"] = "aside" if place.aside else "in place"
    return HookReport(str(place.common), way, hooks, tuple(steps), tuple(notes), dry_run)
