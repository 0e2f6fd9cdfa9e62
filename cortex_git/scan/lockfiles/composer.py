"""Reads composer.lock: packages and packages-dev."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from cortex_git.scan.lockfiles.asked import composer_json
from cortex_git.scan.lockfiles.collecting import NO_EXACT_VERSION, Collector
from cortex_git.scan.lockfiles.needed import composer_needs
from cortex_git.scan.lockfiles.origins import UNKNOWN, Graph, Origin
from cortex_git.scan.lockfiles.source import MalformedError, Source, Table, array, load_json

_NAME_LINE = re.compile(r'^[ \t]*"name"[ \t]*:[ \t]*"([^"\\\n]*/[^"\\\n]*)"', re.MULTILINE)


def read(source: Source, out: Collector) -> None:
    """Every package, a leading `v` of its version dropped; path repositories are own code."""
    text = source.content_text()
    root = load_json(text)
    if root.get("packages") is None:
        raise MalformedError("has no packages")
    lines = _name_lines(text)
    found = {key: root.get(key) for key in ("packages", "packages-dev")}
    packages = {key: array([] if value is None else value, key) for key, value in found.items()}
    out.unlisted(_left_out(packages, source))
    origin = _origins([entry for entries in packages.values() for entry in entries], source)
    for key, entries in packages.items():
        for entry in entries:
            if isinstance(entry, dict):
                _add(entry, lines, out, origin(entry)._replace(dev=key == "packages-dev"))
            else:
                out.skip(entry, "the entry is not a table")


def _origins(entries: Iterable[Any], source: Source) -> Callable[[Table], Origin]:
    """What composer.json asks for is direct; nothing is known without it."""
    asked = composer_json(source)
    if asked is None:
        return lambda _: UNKNOWN
    packages = [entry for entry in entries if isinstance(entry, dict)]
    named = _named(packages)
    graph = Graph()
    for entry in packages:
        graph.edges(_name(entry), [named[name] for name in _names(entry, "require") if name in named])
    for name in asked:
        if name in named:
            graph.ask(named[name], name)
    graph.trace()
    return lambda entry: graph.origin(_name(entry))


def _left_out(packages: dict[str, list[Any]], source: Source) -> set[str]:
    """What composer.json needs and no package is or stands for."""
    needed = composer_needs(source, dev=bool(packages["packages-dev"]))
    listed = [entry for entries in packages.values() for entry in entries if isinstance(entry, dict)]
    return needed - _named(listed).keys() if needed else needed


def _named(packages: list[Table]) -> dict[str, str]:
    """By every name that a package has or stands for: the package's own."""
    named = {_name(entry): _name(entry) for entry in packages}
    for entry in packages:
        for section in ("replace", "provide"):
            for name in _names(entry, section):
                named.setdefault(name, _name(entry))
    return named


def _name(entry: Table) -> str:
    name = entry.get("name")
    return name.lower() if isinstance(name, str) else ""


def _names(entry: Table, section: str) -> list[str]:
    found = entry.get(section)
    return [name.lower() for name in found] if isinstance(found, dict) else []


def _add(entry: Table, lines: dict[str, int], out: Collector, origin: Origin) -> None:
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
    out.add(name, version, line, **origin._asdict())


def _name_lines(text: str) -> dict[str, int]:
    """The 1-based line of the first `"name": "vendor/package"` of each package."""
    lines: dict[str, int] = {}
    line, at = 1, 0
    for match in _NAME_LINE.finditer(text):
        line += text.count("\n", at, match.start(1))
        at = match.start(1)
        lines.setdefault(match.group(1), line)
    return lines
