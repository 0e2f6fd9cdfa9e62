"""Reads Gemfile.lock and gems.locked."""

import re

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.source import MalformedError, Source, numbered_lines

_SECTIONS_OF_OTHERS = frozenset({"GEM", "GIT", "PLUGIN SOURCE"})
_SECTIONS = _SECTIONS_OF_OTHERS | {
    "PATH",
    "PLATFORMS",
    "DEPENDENCIES",
    "CHECKSUMS",
    "RUBY VERSION",
    "BUNDLED WITH",
}
_SPEC = re.compile(r"    (\S+) \(([^()\s]+)\)$")


def read(source: Source, out: Collector) -> None:
    """Every gem of the GEM and GIT sections; those of PATH sections are the repository's own code."""
    section = ""
    sections: set[str] = set()
    in_specs = False
    for number, raw in numbered_lines(source.content_text()):
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
        elif in_specs and section in _SECTIONS_OF_OTHERS and line[:5].strip() and line.startswith("    "):
            _add(line, number, out)
    if "DEPENDENCIES" not in sections:
        out.skip_file("has no DEPENDENCIES section, so it may be cut off")


def _add(line: str, number: int, out: Collector) -> None:
    match = _SPEC.match(line)
    if match is None:
        out.skip(line.strip(), "no exact version")
        return
    # A gem version has no hyphen: what follows one is the platform (1.15.4-x86_64-linux).
    out.add(match.group(1), match.group(2).partition("-")[0], number)
