"""Reads cabal.project.freeze and stack.yaml.lock.

A stack lockfile pins the snapshot by name and lists only what is added to it, so a snapshot is a gap.
"""

import re
from collections.abc import Iterator

from cortex_git.scan.lockfiles.collecting import NO_EXACT_VERSION, Collector
from cortex_git.scan.lockfiles.source import MalformedError, Source, numbered_lines, refuse_too_many_entries
from cortex_git.scan.lockfiles.yaml_tree import Node, load_yaml

_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]*)[ \t]*:(?!:)(.*)")
_STANZAS = frozenset(
    {"package", "repository", "source-repository-package", "program-options", "program-locations"}
    | {"if", "elif", "else", "import"}
)
_CONSTRAINT = re.compile(r"(?:[A-Za-z0-9-]+[:.])*([A-Za-z0-9-]+)(?:[ \t]+|(?===))(\S.*)")
_EXACT = re.compile(r"==[ \t]*(\d+(?:\.\d+)*)")
_FLAGS = re.compile(r"[+-][A-Za-z0-9_-]+(?:[ \t]+[+-][A-Za-z0-9_-]+)*")
_STANZA_KEYWORDS = frozenset({"test", "bench", "source"})
"""Constraints that say nothing of the version."""
_HACKAGE = re.compile(r"([A-Za-z0-9-]+)-(\d+(?:\.\d+)*)(?:@.*)?")


def read_cabal(source: Source, out: Collector) -> None:
    """Every `name ==version` of the constraints; flags say nothing of versions."""
    found = False
    text = source.content_text()
    for constraint, line in _constraints(text):
        found = True
        if constraint:
            _add_constraint(constraint, line, out)
    if not found:
        raise MalformedError("has no constraints")
    if text.rstrip().endswith(","):
        out.skip_file("ends with a comma, so it may be cut off")


def _constraints(text: str) -> Iterator[tuple[str, int]]:
    """The comma-separated parts of every `constraints` field, each with the line on which it begins."""
    inside = False
    pending: list[str] = []
    started = 0
    fields: list[int] = []
    for number, raw in numbered_lines(text):
        line = raw.rstrip()
        stripped = line.lstrip()
        if not stripped or stripped.startswith("--"):
            continue
        field = _FIELD.match(stripped)
        if field and (line is stripped or field.group(1).lower() == "constraints" or not inside):
            yield from _ended(pending, started, inside)
            inside, pending = field.group(1).lower() == "constraints", []
            stripped = field.group(2)
            fields.append(number)
            refuse_too_many_entries(fields)
        elif line[0] not in " \t":
            yield from _ended(pending, started, inside)
            inside, pending = False, []
            if stripped.split()[0].lower() not in _STANZAS:
                raise MalformedError(f"is not a cabal freeze file (line {number})")
        if not inside:
            continue
        *whole, rest = stripped.split(",")
        for part in whole:
            yield " ".join([*pending, part]).strip(), started if pending else number
            pending = []
        if rest.strip():
            started = started if pending else number
            pending.append(rest)
            refuse_too_many_entries(pending)
    yield from _ended(pending, started, inside)


def _ended(pending: list[str], started: int, inside: bool) -> Iterator[tuple[str, int]]:
    if inside:
        yield " ".join(pending).strip(), started


def _add_constraint(text: str, line: int, out: Collector) -> None:
    match = _CONSTRAINT.fullmatch(text)
    if match is None:
        out.skip(text, "is not a constraint")
        return
    name, wanted = match.group(1), match.group(2).strip()
    if wanted in _STANZA_KEYWORDS or _FLAGS.fullmatch(wanted):
        return
    for alternative in wanted.split("||"):
        exact = _EXACT.fullmatch(alternative.strip())
        if exact:
            out.add(name, exact.group(1), line)
        else:
            out.skip(text, NO_EXACT_VERSION)


def read_stack(source: Source, out: Collector) -> None:
    """The packages that the project adds to its snapshot; the snapshot's own are not listed there."""
    root = load_yaml(source.content_text())
    packages, snapshots = root.get("packages"), root.get("snapshots")
    if packages is None and snapshots is None:
        raise MalformedError("has neither packages nor snapshots")
    if packages is None or snapshots is None:
        out.skip_file(f"has no {'packages' if packages is None else 'snapshots'}, so it may be cut off")
    for entry in packages.items() if packages else ():
        _add_stack_package(entry, out)
    for entry in snapshots.items() if snapshots else ():
        out.skip(_name_of(entry), "a snapshot, whose packages the lockfile does not list")


def _add_stack_package(entry: Node, out: Collector) -> None:
    pinned = entry.get("completed") or entry
    hackage = pinned.text("hackage")
    if hackage is not None:
        match = _HACKAGE.fullmatch(hackage)
        if match is None:
            out.skip(hackage, NO_EXACT_VERSION)
        else:
            out.add(match.group(1), match.group(2), pinned.line)
        return
    out.add(pinned.text("name") or _name_of(entry), pinned.text("version"), pinned.line)


def _name_of(entry: Node) -> str:
    places = (
        ("original",),
        ("original", "url"),
        ("completed", "url"),
        ("completed", "git"),
        ("original", "git"),
    )
    found = (entry.text(*keys) for keys in places)
    return next((text for text in found if text), "an entry")
