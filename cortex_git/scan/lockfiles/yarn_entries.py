"""The blocks of a yarn.lock, of Yarn 1 and of Berry, before anybody asks what they mean.

A line reader, which keeps line numbers. Must never take a line that it does not expect for nothing.
"""

import re
from dataclasses import dataclass, field

from cortex_git.scan.lockfiles.source import MalformedError, numbered_lines, refuse_too_many_entries

METADATA = "__metadata"
_FIELDS = frozenset({"name", "version", "resolution", "resolved", "linkType"})
_BROUGHT_IN = frozenset({"dependencies:", "optionalDependencies:"})
_PATTERNS = re.compile(r'"([^"]*)"|([^\s",][^",]*)')


@dataclass(slots=True)
class Entry:
    """One block: the patterns it starts with, its scalar fields, and name to range of what it depends on."""

    patterns: list[str]
    line: int
    fields: dict[str, str] = field(default_factory=dict)
    dependencies: dict[str, str] = field(default_factory=dict)
    is_cut: bool = False
    """Whether one of its texts does not end."""

    @property
    def key(self) -> str:
        """The first of its patterns."""
        return self.patterns[0] if self.patterns else ""


def read_entries(text: str) -> list[Entry]:
    """All blocks in the order of the file; MalformedError where it is not a yarn.lock."""
    entries: list[Entry] = []
    long_key: str | None = None
    in_dependencies = False
    for number, raw in numbered_lines(text):
        refuse_too_many_entries(entries)
        line = raw.rstrip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("? "):
            long_key = line[2:]
        elif long_key is not None and line == ":":
            entries.append(Entry(_patterns(long_key), number - 1))
            long_key = None
        elif not line.startswith(" "):
            if not line.endswith(":") or long_key is not None:
                raise MalformedError(f"is not a yarn lockfile (line {number})")
            entries.append(Entry(_patterns(line[:-1]), number))
        elif not entries:
            raise MalformedError(f"is not a yarn lockfile (line {number})")
        elif line.startswith("  ") and line[2] != " ":
            in_dependencies = line[2:] in _BROUGHT_IN
            _take_field(entries[-1], line[2:])
        elif in_dependencies and line.startswith("    "):
            _take_dependency(entries[-1], line[4:])
    if long_key is not None:
        raise MalformedError("ends in the middle of an entry")
    return entries


def _patterns(keys: str) -> list[str]:
    """The comma-separated patterns of a key line, unquoted."""
    if "," not in keys:
        return [keys.strip('" ')]
    found = (quoted or bare for quoted, bare in _PATTERNS.findall(keys))
    return [part for text in found for part in text.strip().split(", ")]


def _take_field(entry: Entry, line: str) -> None:
    name, _, value = line.partition(" ")
    name = name.rstrip(":")
    if name in _FIELDS:
        value = value.strip()
        entry.is_cut |= value.count('"') % 2 == 1
        entry.fields.setdefault(name, value.strip('"'))


def _take_dependency(entry: Entry, line: str) -> None:
    name, _, wanted = line.partition(" ")
    if name and wanted:
        entry.dependencies[name.rstrip(":").strip('"')] = wanted.strip('"')


def split(pattern: str) -> tuple[str, str]:
    """Name and range of `name@range`; a scope's own `@` comes first and does not count."""
    at = pattern.find("@", 1)
    return (pattern, "") if at < 0 else (pattern[:at], pattern[at + 1 :])
