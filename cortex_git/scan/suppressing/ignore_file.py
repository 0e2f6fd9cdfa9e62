"""The ignore file: TOML in which a person says which findings do not count, why, and until when.

TOML because osv-scanner's file is TOML, dates are dates in it, and Python reads it by itself. Everything
that is not understood is refused: a misspelt `expires` must not make an entry last for ever.
"""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast, get_args

from cortex_git.errors import BadInput
from cortex_git.scan.documents import read_toml
from cortex_git.scan.set_aside import SuppressionStatus
from cortex_git.scan.suppressing.statements import Globs, Statement

NAME = ".cortex-git-ignore.toml"
"""What the file is usually called. It is never read unless a person names it."""
MOST_BYTES = 4 << 20
MOST_ENTRIES = 20_000
_WHAT = "ignore file"
_LENGTH = 1000
_OURS = {"id", "reason", "expires", "package", "repository", "path", "ecosystem", "status"}
_OSV_SCANNER = {"id", "reason", "ignoreUntil"}
"""Keys of `[[IgnoredVulns]]` in an `osv-scanner.toml`, which is read as well."""


def read_ignore_file(path: Path) -> tuple[Statement, ...]:
    """The entries of the file, in its order. Raises BadInput, which names the entry."""
    document = read_toml(path, MOST_BYTES, _WHAT)
    unknown = sorted(document.keys() - {"ignore", "IgnoredVulns"})
    if unknown:
        raise BadInput(f"{_WHAT} {path}: unknown key {unknown[0][:100]!r}", "write [[ignore]] entries")
    statements: list[Statement] = []
    for table, keys in (("ignore", _OURS), ("IgnoredVulns", _OSV_SCANNER)):
        entries = document.get(table, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise BadInput(
                f"{_WHAT} {path}: {table} is no list of tables", f"write [[{table}]] for each entry"
            )
        if len(statements) + len(entries) > MOST_ENTRIES:
            raise BadInput(f"{_WHAT} {path} has more than {MOST_ENTRIES:,} entries", "split it")
        for number, entry in enumerate(entries, 1):
            statements.append(_statement(entry, f"{path}: {table} {number}", keys))
    return tuple(statements)


def _statement(entry: Mapping[str, Any], where: str, keys: set[str]) -> Statement:
    unknown = sorted(entry.keys() - keys)
    if unknown:
        raise BadInput(f"{where}: unknown key {unknown[0][:100]!r}", f"use {', '.join(sorted(keys))}")
    texts = {
        key: _text(entry[key], f"{where}: {key}") for key in entry if key not in ("expires", "ignoreUntil")
    }
    if "id" not in texts:
        raise BadInput(f"{where} has no id", 'write id = "CVE-…"')
    if "reason" not in texts:
        raise BadInput(
            f"{where} ({texts['id']}) has no reason", 'write reason = "…": nothing is ignored without'
        )
    status = texts.get("status", "accepted")
    if status not in get_args(SuppressionStatus):
        raise BadInput(f"{where}: unknown status {status!r}", f"use {', '.join(get_args(SuppressionStatus))}")
    limits = {key: texts.get(key) for key in ("package", "repository", "path", "ecosystem")}
    until = entry.get("expires", entry.get("ignoreUntil"))
    return Statement(
        ids=frozenset({texts["id"].casefold()}),
        status=cast(SuppressionStatus, status),
        reason=texts["reason"],
        source=where,
        targets=(Globs(**limits),),
        expires=None if until is None else _day(until, where),
    )


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"{where} is empty or no text", "write it in quotes")
    if len(value) > _LENGTH:
        raise BadInput(f"{where} has more than {_LENGTH:,} characters", "shorten it")
    return value.strip()


def _day(value: object, where: str) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise BadInput(f"{where}: {str(value)[:50]!r} is no day", "write expires = 2027-01-31") from None
