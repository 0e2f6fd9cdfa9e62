"""Reads pnpm-lock.yaml of lockfileVersion 5, 6 and 9.

Works on YAML events, so that 16 MiB cost time and not memory. Must never expand an alias.
"""

import re
from dataclasses import dataclass, field

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.source import MalformedError, Source, refuse_too_many_entries, yaml_events

_FIELDS = {
    ("name",): "name",
    ("version",): "version",
    ("resolution", "type"): "type",
    ("resolution", "directory"): "directory",
}
_LOOKS_LIKE_A_VERSION = re.compile(r"\d+\.\d")


@dataclass(slots=True)
class _Entry:
    key: str
    line: int
    fields: dict[str, str] = field(default_factory=dict)


def read(source: Source, out: Collector) -> None:
    """Every package of the lockfile; importers and local folders are the repository's own code."""
    version, entries = _entries(source.content_text())
    major = version.partition(".")[0]
    if major not in ("5", "6", "9"):
        out.skip_file("is of a lockfileVersion that is not known")
    for entry in entries:
        if "directory" in entry.fields or entry.fields.get("type") == "directory":
            continue
        name, exact = _identity(entry.key)
        name = entry.fields.get("name", name)
        exact = entry.fields.get("version", exact)
        if exact is None or not _LOOKS_LIKE_A_VERSION.match(exact):
            out.skip(entry.key, "no exact version (not from a registry)")
        else:
            out.add(name, exact, entry.line)


def _entries(text: str) -> tuple[str, list[_Entry]]:
    """The lockfileVersion and the `packages` entries, of all documents of the stream."""
    import yaml

    version: str | None = None
    entries: list[_Entry] = []
    path: list[str | None] = []  # the key at each open mapping, None while a key is awaited
    for event in yaml_events(text):
        kind = type(event)
        if kind is yaml.ScalarEvent:
            if not path or path[-1] is not None:
                if path == ["lockfileVersion"]:
                    version = event.value
                elif path[:1] == ["packages"]:
                    _take(entries, path, event.value)
                _value_done(path)
            else:
                path[-1] = event.value
                if len(path) == 2 and path[0] == "packages":
                    refuse_too_many_entries(entries)
                    entries.append(_Entry(event.value, event.start_mark.line + 1))
        elif kind is yaml.MappingStartEvent:
            _refuse_complex_key(path, event)
            path.append(None)
        elif kind is yaml.SequenceStartEvent:
            _refuse_complex_key(path, event)
            if path == ["packages"]:
                raise MalformedError("packages is not a table")
            path.append("[]")
        elif isinstance(event, yaml.CollectionEndEvent):
            path.pop()
            _value_done(path)
    if version is None:
        raise MalformedError("has no lockfileVersion")
    return version, entries


def _value_done(path: list[str | None]) -> None:
    if path and path[-1] != "[]":
        path[-1] = None


def _refuse_complex_key(path: list[str | None], event: object) -> None:
    if path and path[-1] is None:
        line = getattr(event, "start_mark").line + 1  # noqa: B009
        raise MalformedError(f"has a key that is not text (line {line})")


def _take(entries: list[_Entry], path: list[str | None], value: str) -> None:
    if len(path) == 1:
        if value not in ("", "~", "null"):
            raise MalformedError("packages is not a table")
        return
    wanted = _FIELDS.get(tuple(path[2:]))  # type: ignore[arg-type]
    if wanted and value:
        entries[-1].fields.setdefault(wanted, value)


def _identity(key: str) -> tuple[str, str | None]:
    """Name and version of a dependency path, its peer suffix dropped.

    `/@scope/name/1.2.3_peer@1.0.0` (version 5), `/@scope/name@1.2.3(peer@1.0.0)` (6),
    `@scope/name@1.2.3` (9), and with a registry's host in front of the first slash in version 5.
    """
    plain = key.partition("(")[0]
    bare = plain.removeprefix("/")
    at = bare.find("@", 1)
    slash = bare.find("/", bare.find("/") + 1) if bare.startswith("@") else bare.find("/")
    if at > 0 and (slash < 0 or at < slash):
        return bare[:at], bare[at + 1 :]
    parts = bare.split("/")
    if len(parts) < 2:
        return bare, None
    scoped = len(parts) >= 3 and parts[-3].startswith("@")
    return "/".join(parts[-3 if scoped else -2 : -1]), parts[-1].partition("_")[0]
