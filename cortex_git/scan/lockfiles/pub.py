"""Reads pubspec.lock of Dart and Flutter."""

import re

from cortex_git.scan.lockfiles.collecting import NO_REGISTRY, Collector, shown
from cortex_git.scan.lockfiles.source import MalformedError, Source
from cortex_git.scan.lockfiles.yaml_tree import Node, load_yaml

_OWN = ("path", "sdk")
"""The repository's own folders, and parts of the SDK, which have its version and no own advisories."""
_KEY = re.compile(r"^  \"?([A-Za-z0-9_.-]+)\"?:[ \t]*\r?$", re.MULTILINE)


def read(source: Source, out: Collector) -> None:
    """Every hosted package; pub writes `sdks` last, so its absence means a cut."""
    text = source.content_text()
    root = load_yaml(text)
    packages = root.get("packages")
    if packages is None:
        raise MalformedError("has no packages")
    if root.get("sdks") is None and root.get("sdk") is None:
        out.skip_file("has no sdks, so it may be cut off")
    lines = _lines(text)
    for name, entry in _table(packages).items():
        if not isinstance(entry.value, dict):
            out.skip(name, "the entry is not a table")
            continue
        _add(name, entry, lines.get(name), out)


def _table(packages: Node) -> dict[str, Node]:
    if isinstance(packages.value, dict):
        return packages.value
    if packages.value in ("", "~", "null"):
        return {}
    raise MalformedError("packages is not a table")


def _add(name: str, entry: Node, line: int | None, out: Collector) -> None:
    origin = entry.text("source")
    if origin in _OWN:
        return
    if origin != "hosted":
        out.skip(name, f"{NO_REGISTRY} ({shown(origin or 'no source')})")
        return
    asked = (entry.text("dependency") or "").split()
    direct = True if asked[:1] == ["direct"] else False if asked == ["transitive"] else None
    dev = {"main": False, "dev": True}.get(asked[1]) if direct and len(asked) > 1 else None
    hosted = entry.text("description", "name") or name
    out.add(hosted, entry.text("version"), line, direct=direct, dev=dev)


def _lines(text: str) -> dict[str, int]:
    """The 1-based line of each package's key: pub indents them by two spaces."""
    lines: dict[str, int] = {}
    line, at = 1, 0
    for match in _KEY.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        lines.setdefault(match.group(1), line)
    return lines
