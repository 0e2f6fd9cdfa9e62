"""Reads yarn.lock of Yarn 1 and of Berry (Yarn 2 and later).

Both are written by one serialiser each, so a line reader is exact and keeps line numbers; a line it
does not expect makes the file malformed rather than empty.
"""

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.source import MalformedError, Source, numbered_lines, refuse_too_many_entries

_LOCAL = ("file:", "link:", "portal:", "workspace:")
_TARBALLS = (".tgz", ".tar.gz", ".tar")
_FIELDS = frozenset({"name", "version", "resolution", "resolved", "linkType"})


class _Entry:
    """One block of the file: the key it starts with and its scalar fields."""

    def __init__(self, key: str, line: int) -> None:
        self.key = key
        self.line = line
        self.fields: dict[str, str] = {}


def read(source: Source, out: Collector) -> None:
    """Every package of the lockfile; workspaces, links and portals are the repository's own code."""
    text = source.content_text()
    entries = _entries(text)
    berry = any(entry.key == "__metadata" for entry in entries)
    if not entries and "# yarn lockfile v1" not in text:
        raise MalformedError("has no entries and no yarn header")
    for entry in entries:
        if entry.key == "__metadata":
            continue
        if berry:
            _add_berry(entry, out)
        else:
            _add_classic(entry, out)


def _entries(text: str) -> list[_Entry]:
    entries: list[_Entry] = []
    long_key: str | None = None
    for number, raw in numbered_lines(text):
        refuse_too_many_entries(entries)
        line = raw.rstrip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("? "):
            long_key = line[2:]
        elif long_key is not None and line == ":":
            entries.append(_Entry(_first_pattern(long_key), number - 1))
            long_key = None
        elif not line.startswith(" "):
            if not line.endswith(":") or long_key is not None:
                raise MalformedError(f"is not a yarn lockfile (line {number})")
            entries.append(_Entry(_first_pattern(line[:-1]), number))
        elif not entries:
            raise MalformedError(f"is not a yarn lockfile (line {number})")
        elif line.startswith("  ") and line[2] != " ":
            _take_field(entries[-1], line[2:])
    if long_key is not None:
        raise MalformedError("ends in the middle of an entry")
    return entries


def _first_pattern(keys: str) -> str:
    """The first of the comma-separated patterns of a key line, unquoted."""
    if keys.startswith('"'):
        return keys[1:].partition('"')[0].partition(", ")[0]
    return keys.partition(",")[0]


def _take_field(entry: _Entry, line: str) -> None:
    name, _, value = line.partition(" ")
    name = name.rstrip(":")
    if name in _FIELDS:
        entry.fields.setdefault(name, value.strip().strip('"'))


def _add_classic(entry: _Entry, out: Collector) -> None:
    name, wanted = _split(entry.key)
    if wanted.startswith("npm:"):
        name = _split(wanted[4:])[0]
    elif _is_local_folder(wanted):
        return
    name = entry.fields.get("name", name)
    if ":" in name:
        out.skip(entry.key, "the package has no name")
    else:
        out.add(name, entry.fields.get("version"), entry.line)


def _add_berry(entry: _Entry, out: Collector) -> None:
    name, reference = _split(entry.fields.get("resolution") or entry.key)
    if entry.fields.get("linkType") == "soft" or _is_local_folder(reference):
        return
    out.add(name, entry.fields.get("version"), entry.line)


def _split(pattern: str) -> tuple[str, str]:
    """Name and range of `name@range`; a scope's own `@` comes first and does not count."""
    at = pattern.find("@", 1)
    return (pattern, "") if at < 0 else (pattern[:at], pattern[at + 1 :])


def _is_local_folder(reference: str) -> bool:
    where = reference.partition("::")[0].partition("#")[0]
    return where.startswith(_LOCAL) and not where.endswith(_TARBALLS)
