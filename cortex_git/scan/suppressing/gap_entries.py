"""The `[[not_scanned]]` entries of an ignore file: which gaps are accepted, why, and until when.

An entry names the kind of gap, never its wording. Must never accept a kind that stands for what nobody looked
at, nor all kinds at once, nor what is lost tomorrow for what is lost today.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from cortex_git.errors import BadInput
from cortex_git.scan.gap_kinds import ACCEPTABLE, NEED_A_PLACE, NO_ADVISORIES, NOT_ACCEPTABLE
from cortex_git.scan.records import NotScanned
from cortex_git.scan.suppressing.entry_values import day, tables, text

TABLE = "not_scanned"
_KEYS = ("kind", "repository", "path", "ecosystem", "reason", "expires")


@dataclass(frozen=True, slots=True)
class GapEntry:
    """One entry; a pattern that is None limits nothing."""

    kind: str
    reason: str
    source: str
    """The file and the entry, such as `ignore.toml: not_scanned 3`."""
    expires: date | None = None
    """The last day on which it applies."""
    repository: str | None = None
    """A pattern, as in an `[[ignore]]` entry; so is the path."""
    path: str | None = None
    ecosystem: str | None = None
    """For packages of an ecosystem without advisories alone."""

    def about(self, repo: str, gap: NotScanned) -> bool:
        """Whether it is about that gap. A gap that stands for several files has no path, and no pattern of
        paths fits it: nobody could tell what else it stands for."""
        return (
            gap.kind == self.kind
            and (self.repository is None or fnmatchcase(repo, self.repository))
            and (self.path is None or (gap.path is not None and fnmatchcase(gap.path, self.path)))
            and (self.ecosystem is None or gap.what.casefold().endswith(f" of {self.ecosystem.casefold()}"))
        )

    def label(self) -> str:
        """The entry as a note names it."""
        limits = [value for value in (self.repository, self.path, self.ecosystem) if value]
        return f"{self.source} ({', '.join([self.kind, *limits])[:200]})"


def gap_entries(document: Mapping[str, Any], path: Path) -> tuple[GapEntry, ...]:
    """The `[[not_scanned]]` entries of the file, in its order. Raises BadInput, which names the entry."""
    found = tables(document, TABLE, path)
    return tuple(_entry(entry, f"{path}: {TABLE} {number}") for number, entry in enumerate(found, 1))


def _entry(entry: Mapping[str, Any], where: str) -> GapEntry:
    unknown = sorted(entry.keys() - set(_KEYS))
    if unknown:
        raise BadInput(f"{where}: unknown key {unknown[0][:100]!r}", f"use {', '.join(_KEYS)}")
    texts = {key: text(entry[key], f"{where}: {key}") for key in entry if key != "expires"}
    kind = texts.get("kind")
    if kind is None:
        raise BadInput(
            f"{where} has no kind", 'write kind = "submodule", or another that --format json shows'
        )
    if kind in NOT_ACCEPTABLE:
        raise BadInput(
            f"{where}: {kind} cannot be accepted ({NOT_ACCEPTABLE[kind]})",
            "only --allow-incomplete passes over it",
        )
    if kind not in ACCEPTABLE:
        raise BadInput(f"{where}: unknown kind {kind[:100]!r}", f"use {', '.join(ACCEPTABLE)}")
    if "reason" not in texts:
        raise BadInput(f"{where} ({kind}) has no reason", 'write reason = "…": nothing is accepted without')
    if "ecosystem" in texts and kind != NO_ADVISORIES:
        raise BadInput(
            f"{where}: ecosystem is for the kind {NO_ADVISORIES}", "limit it by path or repository"
        )
    if kind in NEED_A_PLACE and not any(texts.get(key, "").strip("*?/") for key in ("path", "repository")):
        raise BadInput(
            f"{where}: {kind} would accept every file that is lost this way, the next ones too",
            "limit it by path or repository",
        )
    return GapEntry(
        kind=kind,
        reason=texts["reason"],
        source=where,
        expires=day(entry["expires"], where) if "expires" in entry else None,
        repository=texts.get("repository"),
        path=texts.get("path"),
        ecosystem=texts.get("ecosystem"),
    )
