"""Reads composer.lock: packages and packages-dev."""

import re

from cortex_git.scan.lockfiles.collecting import NO_EXACT_VERSION, Collector
from cortex_git.scan.lockfiles.source import MalformedError, Source, array, load_json

_NAME_LINE = re.compile(r'^[ \t]*"name"[ \t]*:[ \t]*"([^"\\\n]*/[^"\\\n]*)"', re.MULTILINE)


def read(source: Source, out: Collector) -> None:
    """Every package, a leading `v` of its version dropped; path repositories are own code."""
    text = source.content_text()
    root = load_json(text)
    if root.get("packages") is None:
        raise MalformedError("has no packages")
    lines = _name_lines(text)
    for key in ("packages", "packages-dev"):
        entries = root.get(key)
        for entry in array([] if entries is None else entries, key):
            if isinstance(entry, dict):
                _add(entry, lines, out)
            else:
                out.skip(entry, "the entry is not a table")


def _add(entry: dict[str, object], lines: dict[str, int], out: Collector) -> None:
    name, version, dist = entry.get("name"), entry.get("version"), entry.get("dist")
    if isinstance(dist, dict) and dist.get("type") == "path":
        return
    line = lines.get(name) if isinstance(name, str) else None
    if isinstance(version, str):
        if version.startswith("dev-") or version.endswith("-dev"):
            out.skip(name, f"{NO_EXACT_VERSION} (a branch)")
            return
        if version[:1] in "vV" and version[1:2].isdigit():
            version = version[1:]
    out.add(name, version, line)


def _name_lines(text: str) -> dict[str, int]:
    """The 1-based line of the first `"name": "vendor/package"` of each package."""
    lines: dict[str, int] = {}
    line, at = 1, 0
    for match in _NAME_LINE.finditer(text):
        line += text.count("\n", at, match.start(1))
        at = match.start(1)
        lines.setdefault(match.group(1), line)
    return lines
