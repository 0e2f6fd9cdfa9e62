"""One OSV record, reduced to what matching needs.

Owns the reading of the format (https://ossf.github.io/osv-schema/). Must never raise anything but
BadRecord for what a file holds, because one odd record must not end an import.
"""

import json
from dataclasses import dataclass
from typing import Any

from cortex_git.scan.advisories.ranges import Coverage, coverage
from cortex_git.scan.names import ecosystem_of, lookup_name
from cortex_git.scan.severity import Rating, of_record

SUMMARY_CHARACTERS = 200
_ID_CHARACTERS = 120


class BadRecord(ValueError):
    """What was read is not an OSV record."""


@dataclass(frozen=True, slots=True)
class Affected:
    """One package that a record names, by its lookup name, with the versions covered."""

    ecosystem: str
    name: str
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class Advisory:
    """One record: its own id, the ids of the same vulnerability, and the packages it is about."""

    id: str
    same_as: tuple[str, ...]
    modified: str
    withdrawn: bool
    rating: Rating
    summary: str
    affected: tuple[Affected, ...]


def read(raw: bytes) -> Advisory:
    """The advisory in a JSON file. Raises BadRecord when it is not JSON or not an OSV record."""
    try:
        record = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadRecord("not valid JSON") from None
    if not isinstance(record, dict):
        raise BadRecord("not a JSON object")
    return from_record(record)


def from_record(record: dict[str, Any]) -> Advisory:
    """The advisory of a decoded OSV record. Raises BadRecord when it has no usable id."""
    own = record.get("id")
    if not isinstance(own, str) or not own or len(own) > _ID_CHARACTERS:
        raise BadRecord("no id")
    modified = record.get("modified")
    withdrawn = bool(record.get("withdrawn"))
    return Advisory(
        id=own,
        same_as=_same_as(own, record),
        modified=modified if isinstance(modified, str) else "",
        withdrawn=withdrawn,
        rating=of_record(record),
        summary=_summary(record),
        affected=() if withdrawn else _affected(record),
    )


def _same_as(own: str, record: dict[str, Any]) -> tuple[str, ...]:
    """Aliases, and the upstream id where there is just one: a record with several bundles several
    vulnerabilities, and joining those would count them as one.
    """
    upstream = _ids(record.get("upstream"))
    joined = {*_ids(record.get("aliases")), *(upstream if len(upstream) == 1 else ())}
    return tuple(sorted(joined - {own}))


def _ids(value: object) -> list[str]:
    if not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, str) and 0 < len(item) <= _ID_CHARACTERS]


def _affected(record: dict[str, Any]) -> tuple[Affected, ...]:
    found: list[Affected] = []
    entries = record.get("affected")
    if not isinstance(entries, list):
        return ()
    for entry in entries:
        package = entry.get("package") if isinstance(entry, dict) else None
        if not isinstance(package, dict):
            continue
        name, ecosystem = package.get("name"), ecosystem_of(str(package.get("ecosystem")))
        if ecosystem and isinstance(name, str) and name:
            found.append(Affected(ecosystem, lookup_name(ecosystem, name), coverage(ecosystem, entry)))
    return tuple(found)


def _summary(record: dict[str, Any]) -> str:
    """The record's summary, or the first line of its details, on one line of at most 200 characters."""
    for key in ("summary", "details"):
        text = record.get(key)
        lines = text.strip().splitlines() if isinstance(text, str) else []
        line = " ".join(lines[0].split()) if lines else ""
        if line:
            return line if len(line) <= SUMMARY_CHARACTERS else line[: SUMMARY_CHARACTERS - 1] + "…"
    return ""
