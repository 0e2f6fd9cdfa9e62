"""Our hooks in the repository's own folder; one that was there before is kept beside ours, and run by it.

Never overwrites a hook: it is renamed, and renamed back. The pre-commit framework does the same with a hook
that it finds, so ours may be under the name that it gave it.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from cortex_git.errors import BadInput
from cortex_git.services.hooks import scripts
from cortex_git.services.hooks.places import Place
from cortex_git.services.hooks.scripts import HOOKS, KEPT, NAMED
from cortex_git.services.hooks.steps import HookState, State, Step, linking, moving, read, writing

LEGACY = ".legacy"
"""What the pre-commit framework adds to the name of a hook that it found, and runs itself."""


def add(place: Place, names: Sequence[str]) -> Iterator[Step]:
    """Keep what is there, and write ours. Raises BadInput where both places are taken."""
    for name in names:
        file, kept = place.folder / name, place.folder / f"{name}{KEPT}"
        ours = _ours(place.folder, name)
        if file.is_dir():
            raise BadInput(f"{file} is a folder, and no hook", "move it away, then install again")
        if ours is None and os.path.lexists(file):
            if os.path.lexists(kept):
                raise BadInput(
                    f"{file} took our place, and the hook from before is still at {kept}",
                    "delete one of the two, then install again",
                )
            yield Step(f"keep the {name} that is there as {kept.name}", moving(file, kept))
        content = read(kept) or (read(file) if ours is None else b"")
        link = place.folder / NAMED / name
        if scripts.needs_its_name(content) and not link.is_symlink():
            yield Step(f"link {link} to {kept.name}", linking(link, f"../{kept.name}"))
        text = _text(name, content)
        target = ours or file
        if ours is None or read(ours) != text:
            yield Step(f"write {target}", writing(target, text))


def remove(place: Place) -> Iterator[Step]:
    """Put back what was there, or delete ours."""
    folder = place.common / "hooks"
    for name in HOOKS:
        kept, ours = folder / f"{name}{KEPT}", _ours(folder, name)
        back = ours or folder / name
        if ours and back.suffix == LEGACY and scripts.is_of_pre_commit(read(kept)):
            # Theirs stands at its place again, and would call itself.
            yield Step(f"delete {ours}", ours.unlink)
            yield Step(f"delete {kept}, which {name} has replaced", kept.unlink)
        elif os.path.lexists(kept) and (ours or not os.path.lexists(back)):
            yield Step(f"put {kept.name} back as {back.name}", moving(kept, back))
        elif ours:
            yield Step(f"delete {ours}", ours.unlink)
    if (folder / NAMED).is_dir():
        yield Step(f"delete {folder / NAMED}", lambda: shutil.rmtree(folder / NAMED))


def state(place: Place, name: str) -> HookState:
    """Whether ours is there, and as it would be written now."""
    kept, ours = place.folder / f"{name}{KEPT}", _ours(place.folder, name)
    there = os.path.lexists(kept)
    found: State = "replaced" if there else "absent"
    if ours is not None:
        found = "installed" if read(ours) == _text(name, read(kept)) else "outdated"
    return HookState(name, found, str(ours or place.folder / name), str(kept) if there else None)


def _text(name: str, kept: bytes) -> bytes:
    """Our hook, in front of one with that content."""
    return scripts.hook(name, scripts.beside(name, kept), scripts.call_kept(kept))


def _ours(folder: Path, name: str) -> Path | None:
    """Where our hook is: under its name, or where the pre-commit framework put it."""
    for file in (folder / name, folder / f"{name}{LEGACY}"):
        if scripts.is_ours(read(file)):
            return file
    return None


def left_behind(place: Place) -> list[str]:
    """What is neither taken away nor used."""
    folder = place.common / "hooks"
    return [
        f"{folder / name} took our place; the hook from before it is still at {folder / name}{KEPT}"
        for name in HOOKS
        if os.path.lexists(folder / f"{name}{KEPT}")
        and os.path.lexists(folder / name)
        and not _ours(folder, name)
    ]
