"""Printing: results to stdout, everything else to stderr, colour only on a terminal.

Owns how a table and a JSON document look. JSON goes to stdout alone, and text from outside is escaped.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

SCHEMA = 1


def print_json(value: dict[str, Any]) -> None:
    """One JSON document with its schema version first."""
    sys.stdout.write(json.dumps({"schema": SCHEMA, **value}, indent=2, ensure_ascii=False) + "\n")


def print_line(text: str) -> None:
    """One line on stdout, control characters made visible."""
    from cortex_git.scan.reports.escape import terminal

    sys.stdout.write(terminal(text) + "\n")


def note(text: str) -> None:
    """One line for the person, on stderr."""
    from cortex_git.scan.reports.escape import terminal

    sys.stderr.write(terminal(text) + "\n")


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


def write_file(path: Path, text: str) -> None:
    """Write a report whole or not at all. Raises BadInput where that cannot be done."""
    import tempfile

    from cortex_git.errors import BadInput

    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            file.write(text)
        Path(file.name).replace(path)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}", "give another --output") from error
