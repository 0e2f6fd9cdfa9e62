"""Our lines in a repository's configuration: added at its end, and taken away again to the byte.

git's own `config` would change lines that are there. Ours only include a file, and only as long as the
repository lies where it lay: once it is moved, git looks for hooks where it did before us.
"""

import os
import re
from contextlib import suppress
from pathlib import Path

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.services.hooks.places import FOLDER, Place

_BEGIN = "# hooks of cortex-git: begin (`cortex-git hooks uninstall` takes these lines away)\n"
_JOINED = "# the line break before these lines is ours, too\n"
_END = "# hooks of cortex-git: end\n"
_BLOCK = re.compile(
    b"(?P<joined>\n" + re.escape((_BEGIN + _JOINED).encode()) + b"|" + re.escape(_BEGIN.encode()) + b")"
    b".*?" + re.escape(_END.encode()),
    re.DOTALL,
)


def _lines(place: Place) -> bytes:
    """The lines but the first: the setting counts in the repository itself and in its linked work trees.

    Raises BadInput for a path that git's configuration cannot say.
    """
    if "\n" in str(place.common):
        raise BadInput(
            f"git's configuration cannot lead to {str(place.common)!r}, which has a line break",
            "rename that folder, or add the hooks to the folder of core.hooksPath by hand",
        )
    where = _in_quotes(re.sub(r"([\\*?\[\]])", r"\\\1", str(place.common)))
    path = _in_quotes(str(place.common / FOLDER / "config"))
    sections = "".join(f'[includeIf "gitdir:{where}{ending}"]\n\tpath = "{path}"\n' for ending in ("", "/"))
    return os.fsencode(f"{sections}{_END}")


def setting(place: Place) -> bytes:
    """The file that is included."""
    return os.fsencode(f'[core]\n\thooksPath = "{_in_quotes(str(place.folder))}"\n')


def has_block(content: bytes, place: Place) -> bool:
    """Whether our lines are there, for this place."""
    return _lines(place) in content


def with_block(content: bytes, place: Place) -> bytes:
    """The configuration with our lines at its end, once."""
    rest = without_block(content)
    begin = f"\n{_BEGIN}{_JOINED}" if rest and not rest.endswith(b"\n") else _BEGIN
    return rest + begin.encode() + _lines(place)


def without_block(content: bytes) -> bytes:
    """The configuration as it was before our lines."""
    return _BLOCK.sub(b"", content, count=1)


def replace_config(file: Path, old: bytes, new: bytes) -> None:
    """Write the configuration as git does, through a lock. Raises EnvironmentProblem where it is held."""
    lock = file.with_name(f"{file.name}.lock")
    try:
        handle = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        raise EnvironmentProblem(f"{lock} is there", "wait for the git that holds it, or delete it") from None
    try:
        with os.fdopen(handle, "wb") as written:
            written.write(new)
        if file.read_bytes() != old:
            raise EnvironmentProblem(f"{file} was changed meanwhile", "run the command again")
        lock.chmod(file.stat().st_mode & 0o7777)
        lock.replace(file)
    finally:
        with suppress(FileNotFoundError):
            lock.unlink()


def _in_quotes(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
