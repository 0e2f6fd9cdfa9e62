"""Reads go.mod: required modules with replacements applied, and the Go release as `stdlib`.

Before Go 1.17 a go.mod lists only what the module itself names: what that brings in is a gap then. Versions
lose their leading `v`, as in the OSV records of the Go ecosystem.
"""

import re
from typing import NamedTuple

from cortex_git.scan.gap_kinds import DIRECT_ONLY
from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.source import MalformedError, Source, numbered_lines, refuse_too_many_entries

MAX_LINE = 10_000
_DIRECTIVES = frozenset(
    {"module", "go", "toolchain", "require", "replace", "exclude", "retract", "tool", "godebug", "ignore"}
)
_TOKEN = re.compile(r'"[^"]*"|`[^`]*`|[^\s"`]+')
_VERSION = re.compile(r"v\d+\.\d+\.\d+[0-9A-Za-z.+-]*$")
_EXACT_GO = re.compile(r"(?:go)?(\d+\.\d+\.\d+)$")
_RELEASE = re.compile(r"(\d{1,4})\.(\d{1,4})(?!\d)")
_WHOLE_SINCE = (1, 17)
_BLOCK_START = re.compile(r"([a-z]+)\s*\($")


class _Line(NamedTuple):
    number: int
    directive: str
    tokens: list[str]
    indirect: bool = False
    """Whether a comment says that only other modules need it."""


def read(source: Source, out: Collector) -> None:
    """Every required module, indirect ones too; modules replaced by a folder are own code."""
    lines = _lines(source.content_text())
    if not any(line.directive == "module" for line in lines):
        raise MalformedError("has no module directive")
    replacements = _replacements(lines, out)
    for line in lines:
        if line.directive == "require":
            _add_required(line, replacements, out)
    if any(line.directive == "require" for line in lines) and _lists_direct_only(lines):
        out.skip_file("is from before Go 1.17, and does not list what its modules bring in", kind=DIRECT_ONLY)
    _add_standard_library(lines, out)


def _lines(text: str) -> list[_Line]:
    """The directives of the file, blocks flattened into one line each."""
    found: list[_Line] = []
    block: str | None = None
    for number, raw in numbered_lines(text):
        refuse_too_many_entries(found)
        if len(raw) > MAX_LINE:
            raise MalformedError(f"has a line of more than {MAX_LINE:,} characters (line {number})")
        code, _, comment = raw.partition("//")
        line, indirect = code.strip(), comment.split(";")[0].strip() == "indirect"
        if not line:
            continue
        opening = _BLOCK_START.match(line)
        if line == ")" and block is not None:
            block = None
        elif opening and block is None:
            block = _known(opening.group(1), number)
        elif block is not None:
            found.append(_Line(number, block, _tokens(line), indirect))
        else:
            tokens = _tokens(line)
            found.append(_Line(number, _known(tokens[0] if tokens else "", number), tokens[1:], indirect))
    if block is not None:
        raise MalformedError("ends in the middle of a block")
    return found


def _known(directive: str, number: int) -> str:
    if directive not in _DIRECTIVES:
        raise MalformedError(f"is not a go.mod file (line {number})")
    return directive


def _lists_direct_only(lines: list[_Line]) -> bool:
    """Whether the `go` line, which is 1.16 where there is none, is of before the pruned module graph."""
    said = next((line.tokens[0] for line in lines if line.directive == "go" and line.tokens), "1.16")
    release = _RELEASE.match(said)
    return release is None or (int(release.group(1)), int(release.group(2))) < _WHOLE_SINCE


def _tokens(line: str) -> list[str]:
    return [token.strip('"`') for token in _TOKEN.findall(line)]


def _replacements(lines: list[_Line], out: Collector) -> dict[tuple[str, str | None], list[str]]:
    """Replaced (module, version or None for every version) -> the tokens after `=>`."""
    found: dict[tuple[str, str | None], list[str]] = {}
    for line in lines:
        if line.directive != "replace":
            continue
        arrow = line.tokens.index("=>") if "=>" in line.tokens else 0
        old, new = line.tokens[:arrow], line.tokens[arrow + 1 :]
        if len(old) not in (1, 2) or len(new) not in (1, 2):
            out.skip(" ".join(line.tokens), "is not a replacement")
            continue
        found[old[0], old[1] if len(old) == 2 else None] = new
    return found


def _add_required(line: _Line, replacements: dict[tuple[str, str | None], list[str]], out: Collector) -> None:
    if len(line.tokens) != 2:
        out.skip(" ".join(line.tokens), "is not a requirement")
        return
    module, version = line.tokens
    replacement = replacements.get((module, version)) or replacements.get((module, None))
    if replacement is not None:
        if len(replacement) == 1:
            return  # a folder: the repository's own code, or not to be read from here
        module, version = replacement
    if _VERSION.match(version):
        out.add(module, version[1:], line.number, direct=not line.indirect)
    else:
        out.skip(module, "no exact version")


def _add_standard_library(lines: list[_Line], out: Collector) -> None:
    """`toolchain` wins over `go`; a language version such as `go 1.21` names no release."""
    for directive in ("toolchain", "go"):
        for line in lines:
            exact = _EXACT_GO.match(line.tokens[0]) if line.tokens else None
            if line.directive == directive and exact:
                out.add("stdlib", exact.group(1), line.number, direct=True, dev=False)
                return
