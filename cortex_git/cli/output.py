"""Printing: results to stdout, everything else to stderr, colour only on a terminal.

Owns how a table and a JSON document look. JSON goes to stdout alone, and text from outside is escaped.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cortex_git.cli.events import tell
from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.workers import events

SCHEMA = 1
_ANOTHER = "give another --output"
STDOUT = Path("-")
"""In place of a file: the standard output."""


def print_json(value: dict[str, Any]) -> None:
    """One JSON document with its schema version first."""
    write_document(json_text(value))


def json_text(value: dict[str, Any]) -> str:
    """A JSON document as `print_json` prints it."""
    return json.dumps({"schema": SCHEMA, **value}, indent=2, ensure_ascii=False) + "\n"


def write_document(text: str) -> None:
    """A document for programs on stdout, in UTF-8 whatever the terminal's encoding is."""
    sys.stdout.flush()
    # What UTF-8 cannot hold, a lone surrogate, becomes the escape that JSON has for it.
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.flush()


def print_line(text: str) -> None:
    """One line on stdout, control characters made visible."""
    from cortex_git.scan.reports.escape import terminal

    sys.stdout.write(terminal(text) + "\n")


def print_lines(text: str) -> None:
    """Text of several lines on stdout, control characters of each made visible."""
    for line in text.split("\n"):
        print_line(line)


def announce(text: str, *, as_json: bool, more: Mapping[str, Any] | None = None) -> None:
    """What a dry run would do: a note for the person, and a document where one is expected."""
    note(f"would {text}")
    if as_json:
        print_json({"dry_run": True, "would": text, **(more or {})})


def note(text: str) -> None:
    """One line for the person, on stderr."""
    tell(events.note(text))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """A plain table; `empty` is said on stderr when there are no rows."""
    from rich.console import Console
    from rich.table import Table

    from cortex_git.scan.reports.escape import terminal

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    count = 0
    for row in rows:
        table.add_row(*(terminal("" if cell is None else str(cell)) for cell in row))
        count += 1
    if count == 0:
        note(empty)
        return
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 200
    console.print(table)


def check_file(path: Path) -> None:
    """See that a report can be written there, before the work for it is done. Raises BadInput."""
    if path == STDOUT:
        return
    problem = _problem(path)
    if problem is not None:
        raise BadInput(f"{path} cannot be written: {problem}", _ANOTHER)


def _problem(path: Path) -> str | None:
    folder = path.parent
    if path.is_dir():
        return "it is a folder"
    if not folder.is_dir():
        return f"there is no folder {folder}"
    # A file is written beside its old self; a pipe or a device is there already.
    needed = [path] if path.exists() else []
    if not needed or path.is_file():
        needed.append(path.resolve().parent)
    return None if all(os.access(one, os.W_OK) for one in needed) else "permission denied"


def write_file(path: Path, text: str) -> None:
    """Write a report whole or not at all, as its own file or to a pipe or device that is there already.

    `-` is the standard output. Raises EnvironmentProblem where it cannot be done, which was looked at before.
    """
    if path == STDOUT:
        write_document(text)
        return
    data = text.encode("utf-8", "backslashreplace")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            _replace(path.resolve(), data)
    except OSError as error:
        raise EnvironmentProblem(
            f"{path} cannot be written: {error.strerror or str(error)}", _ANOTHER
        ) from error


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name[:200]}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
