"""The composition root: settings and folders become the ready parts that a command uses.

Owns which coordination repository a command means. Commands call in here and render what comes back.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from cortex_git.locating import located, needed

if TYPE_CHECKING:
    from cortex_git.store.coordination import Coordination


def open_coordination(explicit: Path | None) -> "Coordination":
    """The repository given, or named by CORTEX_REPOSITORY, or the nearest one upwards.

    Raises EnvironmentProblem where there is none.
    """
    from cortex_git.store.coordination import Coordination

    return Coordination.open(needed(explicit))


def open_or_embedded(explicit: Path | None) -> "Coordination":
    """Like `open_coordination`, with one of this user's own in the data folder where there is none."""
    from cortex_git.flocks import file_lock
    from cortex_git.store.coordination import Coordination
    from cortex_git.store.creation import create

    folder = located(explicit)
    if folder is None:
        folder = _embedded()
        with file_lock(folder.with_name("embedded.lock")):
            if not _is_made(folder):
                create(folder, None)
    return Coordination.open(folder)


def open_if_there(explicit: Path | None) -> "Coordination | None":
    """Like `open_or_embedded`, and makes none: None where that would."""
    from cortex_git.store.coordination import Coordination

    folder = located(explicit)
    if folder is None and _is_made(_embedded()):
        folder = _embedded()
    return None if folder is None else Coordination.open(folder)


def _embedded() -> Path:
    from cortex_git.config import data_folder

    return data_folder() / "embedded"


def _is_made(folder: Path) -> bool:
    from cortex_git.store import layout

    return (folder / layout.CONFIG).is_file()
