"""One change to a repository's hooks: said first, made afterwards, so that a dry run says the same."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

State = Literal["installed", "outdated", "absent", "replaced"]


@dataclass(frozen=True, slots=True)
class HookState:
    """One of our hooks in one repository. `replaced`: ours was there, and another has taken its place."""

    hook: str
    state: State
    path: str
    before: str | None
    """The hook that was there before and is run too; None where there is none."""


class Step(NamedTuple):
    """A change: what it is, and how it is made."""

    text: str
    make: Callable[[], object]


def read(file: Path) -> bytes:
    """A file's bytes, none where there is no such file."""
    with suppress(OSError):
        return file.read_bytes()
    return b""


def moving(file: Path, to: Path) -> Callable[[], object]:
    return lambda: file.replace(to)


def linking(file: Path, to: str) -> Callable[[], object]:
    def link() -> None:
        file.parent.mkdir(exist_ok=True)
        file.symlink_to(to)

    return link


def writing(file: Path, content: bytes, mode: int = 0o755) -> Callable[[], object]:
    def write() -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            beside.write_bytes(content)
            beside.chmod(mode)
            beside.replace(file)
        finally:
            beside.unlink(missing_ok=True)

    return write
