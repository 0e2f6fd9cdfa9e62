"""How superseded results are printed, for `results list --fenced` and `results show --fenced`."""

import json
from collections.abc import Sequence
from typing import Any

from cortex_git.cli.output import print_line, print_lines, print_table

_COLUMNS = ("task", "status", "worker", "host", "attempt", "epoch", "fenced_at")


def print_rows(rows: Sequence[dict[str, Any]]) -> None:
    """One line for each, with what stands in its place."""
    table = ([*(_cell(row, column) for column in _COLUMNS), _instead(row)] for row in rows)
    print_table((*_COLUMNS, "instead"), table, "no fenced results")


def print_whole(rows: Sequence[dict[str, Any]]) -> None:
    """Each with everything its worker put into it."""
    for number, row in enumerate(rows):
        if number:
            print_line("")
        about = {"fenced_at": _cell(row, "fenced_at"), "instead": _instead(row)}
        document = row["result"] or {"task": row["task"], "status": row["status"], "nonce": row["nonce"]}
        for key, value in {**about, **document}.items():
            text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
            print_lines(f"{key}: {text}")


def _cell(row: dict[str, Any], column: str) -> Any:
    if column == "fenced_at" and row[column] is None:
        return "waits in the outbox"
    return row[column] if row[column] is not None else "-"


def _instead(row: dict[str, Any]) -> str:
    instead = row["instead"]
    if instead is None:
        return "nothing yet"
    by = f" by {instead['worker']} of {instead['host']}" if instead["worker"] else ""
    return f"{instead['status']}{by}" + (f", epoch {instead['epoch']}" if instead["epoch"] else "")
