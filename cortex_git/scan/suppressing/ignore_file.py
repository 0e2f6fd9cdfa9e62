"""The ignore file: TOML in which a person says which findings do not count, why, and until when.

TOML because osv-scanner's file is TOML, dates are dates in it, and Python reads it by itself. Everything
that is not understood is refused: a misspelt `expires` must not make an entry last for ever.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

from cortex_git.errors import BadInput
from cortex_git.scan.set_aside import SuppressionStatus
from cortex_git.scan.suppressing.entry_values import MOST_ENTRIES, WHAT, day, read_document, tables, text
from cortex_git.scan.suppressing.gap_entries import GapEntry, gap_entries
from cortex_git.scan.suppressing.secret_entries import SecretEntry, secret_entries
from cortex_git.scan.suppressing.statements import Globs, Statement

NAME = ".cortex-git-ignore.toml"
"""What the file is usually called. It is never read unless a person names it."""
_TABLES = {"ignore", "IgnoredVulns", "secret", "not_scanned"}
"""`secret_entries` and `gap_entries` read the last two."""
_OURS = {"id", "reason", "expires", "package", "repository", "path", "ecosystem", "status"}
_OSV_SCANNER = {"id", "reason", "ignoreUntil"}
"""Keys of `[[IgnoredVulns]]` in an `osv-scanner.toml`, which is read as well."""


class IgnoreFile(NamedTuple):
    """All that an ignore file says, each in its order."""

    findings: tuple[Statement, ...]
    secrets: tuple[SecretEntry, ...]
    gaps: tuple[GapEntry, ...]


def read_ignore_file(path: Path) -> tuple[Statement, ...]:
    """The entries on findings, in their order. Raises BadInput, which names the entry."""
    return _statements(read_document(path), path)


def read_whole(path: Path) -> IgnoreFile:
    """All entries of the file. Raises BadInput, which names the entry."""
    document = read_document(path)
    return IgnoreFile(
        _statements(document, path), secret_entries(document, path), gap_entries(document, path)
    )


def _statements(document: Mapping[str, Any], path: Path) -> tuple[Statement, ...]:
    unknown = sorted(document.keys() - _TABLES)
    if unknown:
        raise BadInput(f"{WHAT} {path}: unknown key {unknown[0][:100]!r}", "write [[ignore]] entries")
    statements: list[Statement] = []
    for table, keys in (("ignore", _OURS), ("IgnoredVulns", _OSV_SCANNER)):
        entries = tables(document, table, path)
        if len(statements) + len(entries) > MOST_ENTRIES:
            raise BadInput(f"{WHAT} {path} has more than {MOST_ENTRIES:,} entries", "split it")
        for number, entry in enumerate(entries, 1):
            statements.append(_statement(entry, f"{path}: {table} {number}", keys))
    return tuple(statements)


def _statement(entry: Mapping[str, Any], where: str, keys: set[str]) -> Statement:
    unknown = sorted(entry.keys() - keys)
    if unknown:
        raise BadInput(f"{where}: unknown key {unknown[0][:100]!r}", f"use {', '.join(sorted(keys))}")
    texts = {
        key: text(entry[key], f"{where}: {key}") for key in entry if key not in ("expires", "ignoreUntil")
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
        expires=None if until is None else day(until, where),
    )
