"""Reads Gemfile.lock and gems.locked."""

import re
from dataclasses import dataclass, field

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.origins import Graph
from cortex_git.scan.lockfiles.source import MalformedError, Source, numbered_lines, refuse_too_many_entries

_SECTIONS_OF_GEMS = frozenset({"GEM", "GIT", "PLUGIN SOURCE", "PATH"})
_SECTIONS = _SECTIONS_OF_GEMS | {
    "PLATFORMS",
    "DEPENDENCIES",
    "CHECKSUMS",
    "RUBY VERSION",
    "BUNDLED WITH",
}
_OWN = "PATH"
_NAME = re.compile(r" +([^\s!]+)!?(?: \(.*)?$")
_OPTION = re.compile(r"  [a-z_]+:")
"""Where the gems of a section come from, such as `  remote: https://…`."""
_SPEC = re.compile(r"    (\S+) \(([^()\s]+)\)$")


@dataclass(slots=True)
class _Gems:
    """What was read so far, and where each gem comes from."""

    graph: Graph = field(default_factory=Graph)
    lines: list[tuple[str, int]] = field(default_factory=list)
    """The line of each gem that is not the repository's own, and its number."""
    current: str = ""


def read(source: Source, out: Collector) -> None:
    """Every gem of the GEM and GIT sections; those of PATH sections are the repository's own code."""
    gems = _Gems()
    sections: set[str] = set()
    try:
        _read_sections(source.content_text(), gems, sections)
    finally:
        gems.graph.trace(complete="DEPENDENCIES" in sections)
        for line, number in gems.lines:
            _add(line, number, gems.graph, out)
    if "DEPENDENCIES" not in sections:
        out.skip_file("has no DEPENDENCIES section, so it may be cut off")


def _read_sections(text: str, gems: _Gems, sections: set[str]) -> None:
    section = ""
    in_specs = False
    for number, raw in numbered_lines(text):
        line = raw.rstrip()
        if not line:
            continue
        if not line.startswith(" "):
            if line not in _SECTIONS:
                raise MalformedError(f"is not a Gemfile.lock (line {number})")
            section, in_specs = line, False
            sections.add(line)
        elif line == "  specs:":
            in_specs = True
        elif section in _SECTIONS_OF_GEMS:
            if line.startswith("    ") and in_specs:
                _take_spec(line, number, section, gems)
            elif in_specs or not _OPTION.match(line):
                raise MalformedError(f"is not a Gemfile.lock (line {number})")
        elif section == "DEPENDENCIES":
            gems.graph.ask(_name(line), _name(line))


def _take_spec(line: str, number: int, section: str, gems: _Gems) -> None:
    """A gem, or two columns further what the gem before needs; what own code needs is asked for."""
    if line[4] != " ":
        gems.current = _name(line)
        if section != _OWN:
            refuse_too_many_entries(gems.lines)
            gems.lines.append((line, number))
    elif section == _OWN:
        gems.graph.ask(_name(line), _name(line))
    else:
        gems.graph.edges(gems.current, [_name(line)])


def _name(line: str) -> str:
    """The gem's name at the start of an indented line."""
    match = _NAME.match(line)
    return match.group(1) if match else ""


def _add(line: str, number: int, graph: Graph, out: Collector) -> None:
    match = _SPEC.match(line)
    if match is None:
        out.skip(line.strip(), "no exact version")
        return
    origin = graph.origin(match.group(1))
    # A gem version has no hyphen: what follows one is the platform (1.15.4-x86_64-linux).
    out.add(match.group(1), match.group(2).partition("-")[0], number, **origin._asdict())
