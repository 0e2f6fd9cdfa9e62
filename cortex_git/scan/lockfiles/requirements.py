"""Reads requirements files as pip does: continuations, comments, options, includes, constraints.

Only `==` and `===` name an exact version; everything else is a gap, because what pip would install
depends on the day. Must never follow an include out of the repository.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from cortex_git.scan.lockfiles.collecting import NO_EXACT_VERSION, Collector
from cortex_git.scan.lockfiles.origins import Origin
from cortex_git.scan.lockfiles.source import (
    MalformedError,
    Source,
    inside_repository,
    numbered_lines,
    refuse_too_many_entries,
)
from cortex_git.scan.lockfiles.via_comments import origins_in_requirements

MAX_FILES = 200
"""Included files of one requirements file, whatever their depth."""
MAX_INCLUDED_BYTES = 16 * 1024 * 1024

_INCLUDE = re.compile(r"^(-r|-c|--requirements?|--constraints?)(?:[ \t]*=[ \t]*|[ \t]*)(.+)$")
_INCLUDE_LINE = re.compile(r"^[ \t]*(?:-r|-c|--r|--c).*$", re.MULTILINE)
_EDITABLE = re.compile(r"^(?:-e|--editable)(?:[ \t]*=[ \t]*|[ \t]*)(.+)$")
_OPTION = re.compile(r"-[A-Za-z]|--[a-z]")
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)[ \t]*(?:\[[^\]]*\])?[ \t]*")
_CLAUSE = re.compile(r"(===|==|~=|!=|<=|>=|<|>)[ \t]*([A-Za-z0-9.!+_*-]+)$")
_ADDRESS = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_WHEEL = re.compile(r"^([A-Za-z0-9._]+)-([^-]+)-(?:[^-]+-)?[^-]+-[^-]+-[^-]+\.whl$")
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class _Requirement(NamedTuple):
    path: str
    line: int
    text: str
    name: str
    version: str | None


class _Files(NamedTuple):
    """What a requirements file and all that it includes ask for."""

    requirements: list[_Requirement]
    constraints: dict[str, str]
    origins: dict[str, Callable[[str], Origin]]
    """By the path of a file."""


def read(source: Source, out: Collector) -> None:
    """Every pinned requirement of the file and its includes; an empty file is a legal one."""
    files = _Files([], {}, {})
    _read_files(source, files, out)
    for item in files.requirements:
        version = item.version or files.constraints.get(_normalised(item.name))
        if version is None:
            out.skip(item.text, NO_EXACT_VERSION, item.path)
        else:
            origin = files.origins[item.path](item.name)
            out.add(item.name, version, item.line, item.path, **origin._asdict())


def includes(source: Source) -> list[str]:
    """The repository paths of the files that this one includes, found without reading the rest."""
    found: dict[str, None] = {}
    for match in _INCLUDE_LINE.finditer(source.text()):
        include = _INCLUDE.match(_without_comment(match.group()).strip())
        path = inside_repository(source.path, _unquoted(include.group(2))) if include else None
        if path is not None:
            found[path] = None
        if len(found) >= MAX_FILES:
            break
    return list(found)


def _read_files(source: Source, files: _Files, out: Collector) -> None:
    """Read the file and its includes breadth first, each of them once in each role."""
    queue = [(source, False)]
    seen = {(source.path, False)}
    total = 0
    for file, is_constraint in queue:
        try:
            file.refuse_conflict_markers()
            text = file.text()
            files.origins[file.path] = origins_in_requirements(file.path, text)
            if text.rstrip().endswith("\\"):
                out.skip_file("ends in the middle of a line, so it may be cut off", file.path)
            for number, line in logical_lines(text):
                match = _INCLUDE.match(line)
                if match is None:
                    _read_line(file.path, number, line, files, is_constraint, out)
                    refuse_too_many_entries(files.requirements)
                    refuse_too_many_entries(files.constraints)
                    continue
                as_constraint = is_constraint or match.group(1).startswith(("-c", "--c"))
                included = _included(file, line, _unquoted(match.group(2)), out)
                if included is None or (included.path, as_constraint) in seen:
                    continue
                total += len(included.data)
                if len(seen) >= MAX_FILES or total > MAX_INCLUDED_BYTES:
                    out.skip(line, "too many or too large files are included", file.path)
                    continue
                seen.add((included.path, as_constraint))
                queue.append((included, as_constraint))
        except MalformedError as problem:
            out.skip_file(str(problem), file.path)


def _included(file: Source, line: str, target: str, out: Collector) -> Source | None:
    """The file that an include names; why there is none becomes a gap."""
    if "://" in target:
        out.skip(line, "the included file is on the network", file.path)
        return None
    path = inside_repository(file.path, target)
    if path is None:
        out.skip(line, "the included file lies outside the repository", file.path)
        return None
    data = file.sibling(path)
    if data is None:
        out.skip(line, "the included file is not in the repository", file.path)
        return None
    return Source(path, data, file.sibling)


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines joined over trailing backslashes, without comments, each with its first line's number."""
    parts: list[str] = []
    first = 0
    for number, line in _physical_lines(text):
        first = first if parts else number
        comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            parts.append(line.rstrip("\\"))
            continue
        parts.append(" " + line if comment else line)
        joined = _without_comment("".join(parts)).strip()
        parts = []
        if joined:
            yield first, joined
    rest = _without_comment("".join(parts)).strip()
    if rest:
        yield first, rest


def _physical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Like pip, also split at form feeds and their like, which keep the number of their line."""
    for number, line in numbered_lines(text):
        for part in line.splitlines() or [""]:
            yield number, part


def _without_comment(line: str) -> str:
    """The line up to the first `#` that starts it or follows white space."""
    at = line.find("#")
    while at > 0 and not line[at - 1].isspace():
        at = line.find("#", at + 1)
    return line if at < 0 else line[:at]


def _unquoted(value: str) -> str:
    return value.strip().strip("\"'")


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _read_line(path: str, number: int, line: str, files: _Files, is_constraint: bool, out: Collector) -> None:
    editable = _EDITABLE.match(line)
    if editable:
        target = _unquoted(editable.group(1))
        if not is_constraint and _ADDRESS.match(target) and not target.startswith("file:"):
            out.skip(target, f"{NO_EXACT_VERSION} (installed from an address)", path)
        return
    if _OPTION.match(line):
        return  # names no package, such as --index-url
    requirement = _requirement(path, number, line)
    if not is_constraint:
        if isinstance(requirement, str):
            out.skip(line, requirement, path)
        elif requirement is not None:
            files.requirements.append(requirement)
    elif isinstance(requirement, _Requirement) and requirement.version is not None:
        files.constraints.setdefault(_normalised(requirement.name), requirement.version)


def _requirement(path: str, number: int, line: str) -> _Requirement | str | None:
    """What a line asks for: a requirement, why it cannot be used, or None for local code."""
    text = line.partition(" --")[0].partition("\t--")[0].strip()
    match = _NAME.match(text)
    rest = text[match.end() :] if match else ""
    if match and rest.startswith("@"):
        return _from_address(path, number, text, rest[1:].strip())
    if _ADDRESS.match(text) or text.startswith((".", "/", "~")) or _is_file(text):
        return _from_address(path, number, text, text)
    if match is None:
        return "is not a requirement"
    wanted = rest.partition(";")[0].strip()
    if wanted.startswith("(") and wanted.endswith(")"):
        wanted = wanted[1:-1]
    version: str | None = None
    for clause in wanted.rstrip(",").split(",") if wanted else ():
        found = _CLAUSE.match(clause.strip())
        if found is None:
            return "is not a requirement"
        if found.group(1) == "===" or (found.group(1) == "==" and "*" not in found.group(2)):
            version = found.group(2)
    return _Requirement(path, number, text, match.group(1), version)


def _is_file(text: str) -> bool:
    plain = text.partition(";")[0].strip()
    if plain.startswith("<"):
        return False  # a page of HTML or XML in place of the file
    return "/" in plain or plain.lower().endswith(_ARCHIVES)


def _from_address(path: str, number: int, text: str, address: str) -> _Requirement | str | None:
    """A wheel's file name gives name and version; other addresses give none; local folders are own code."""
    where = address.partition(";")[0].strip().partition("#")[0]
    wheel = _WHEEL.match(where.rpartition("/")[2].replace("%2B", "+").replace("%2b", "+"))
    if wheel:
        return _Requirement(path, number, text, wheel.group(1), wheel.group(2))
    is_local = where.startswith("file:") or not _ADDRESS.match(where)
    if is_local and not where.lower().endswith(_ARCHIVES):
        return None
    return f"{NO_EXACT_VERSION} (installed from an address)"
