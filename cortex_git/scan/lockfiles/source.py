"""One lockfile's bytes and the guarded ways to parse them: text, JSON, TOML, YAML events.

Owns the limits that keep hostile input from costing stack, memory or time. Must never let a parser
run on input that these limits refuse.
"""

import json
import posixpath
import re
from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass
from typing import Any

Sibling = Callable[[str], bytes | None]
Table = dict[str, Any]

MAX_CONTAINERS = 500_000
"""Objects and arrays in one file: 16 MiB of `{"":0},` would otherwise take over 500 MB."""
MAX_ENTRIES = 200_000
"""Blocks, lines or requirements that a reader keeps at once."""
MAX_ASSIGNMENTS = 1_000_000
"""Equals signs in one TOML file: each may be a key, which can take some 4 us and 150 bytes."""
MAX_YAML_EVENTS = 2_000_000
MAX_YAML_DEPTH = 64
MAX_DOTTED_COST = 5_000_000
"""Sum of squared dots per TOML line: reading is quadratic in the parts of one dotted key."""

_CONFLICT = re.compile(rb"^(?:<{7}|>{7})(?: |\r?$)", re.MULTILINE)
_KEY_OF_OBJECT = re.compile(r'^[ \t]*"((?:[^"\\\n]|\\.)*)"[ \t]*:[ \t]*\{', re.MULTILINE)


class MalformedError(Exception):
    """The file cannot be read; the text is one clause to show a person."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a repository, and access to the other files of it."""

    path: str
    data: bytes
    sibling: Sibling
    manifests: tuple[str, ...] = ()
    """Paths of manifests in the folders below that `sibling` gives, for what has workspaces."""

    def refuse_conflict_markers(self) -> None:
        """Raise MalformedError where a merge was left half done: no format allows these lines."""
        if _CONFLICT.search(self.data):
            raise MalformedError("has merge conflict markers")

    def text(self) -> str:
        """The file as text without its byte order mark; MalformedError when it is not UTF-8 or UTF-16.

        A lone carriage return ends a line where no line ends otherwise, as on old systems.
        """
        encoding = "utf-16" if self.data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        try:
            text = self.data.decode(encoding)
        except UnicodeDecodeError:
            raise MalformedError("is not valid UTF-8") from None
        if "\0" in text:
            raise MalformedError("contains NUL characters")
        return text if "\n" in text else text.replace("\r", "\n")

    def content_text(self) -> str:
        """Like `text`, and MalformedError when there is nothing in it."""
        text = self.text()
        if not text.strip():
            raise MalformedError("is empty")
        return text


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a text without their ends, numbered from 1, one at a time to save memory."""
    number, at = 0, 0
    while at <= len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        number += 1
        yield number, text[at:end]
        at = end + 1


def refuse_too_many_entries(entries: Sized) -> None:
    """Raise MalformedError when a reader holds more than any real lockfile has."""
    if len(entries) > MAX_ENTRIES:
        raise MalformedError(f"has more than {MAX_ENTRIES:,} entries")


def load_json(text: str) -> Table:
    """A JSON object; MalformedError with the line of the mistake."""
    _refuse_too_many(text, "{[")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as problem:
        raise MalformedError(f"is not valid JSON (line {problem.lineno})") from None
    except ValueError:
        raise MalformedError("is not valid JSON (a number is too long)") from None
    return table(value, "the file")


def load_toml(text: str) -> Table:
    """A TOML document; MalformedError with the parser's position."""
    import tomli

    _refuse_too_many(text, "{[")
    if text.count("=") > MAX_ASSIGNMENTS:
        raise MalformedError(f"has more than {MAX_ASSIGNMENTS:,} keys")
    dots = (line.count(".") for _, line in numbered_lines(text))
    if sum(count * count for count in dots if count > 50) > MAX_DOTTED_COST:
        raise MalformedError("has keys of too many parts")
    try:
        return tomli.loads(text)
    except ValueError as problem:
        where = re.search(r"\(at [^()]{1,60}\)$", str(problem))
        raise MalformedError(f"is not valid TOML {where.group() if where else ''}".rstrip()) from None


def yaml_events(text: str) -> Iterator[Any]:
    """The YAML events of a stream, which need no recursion and expand no alias.

    Raises MalformedError for aliases (no lockfile writer makes them), for depth and for sheer number.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    try:
        for count, event in enumerate(yaml.parse(text, Loader=loader)):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.AliasEvent):
                raise MalformedError("uses a YAML alias" + _at_line(event.start_mark))
            if depth > MAX_YAML_DEPTH:
                raise MalformedError("is nested too deeply")
            if count > MAX_YAML_EVENTS:
                raise MalformedError("has too many values")
            yield event
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        raise MalformedError("is not valid YAML" + _at_line(mark)) from None


def _at_line(mark: Any) -> str:
    return f" (line {mark.line + 1})" if mark is not None else ""


def _refuse_too_many(text: str, openers: str) -> None:
    if sum(text.count(opener) for opener in openers) > MAX_CONTAINERS:
        raise MalformedError(f"has more than {MAX_CONTAINERS:,} objects and arrays")


def table(value: object, what: str) -> Table:
    """The value as a string-keyed table, MalformedError when it is something else."""
    if not isinstance(value, dict):
        raise MalformedError(f"{what} is not a table")
    return value


def as_table(value: object) -> Table:
    """The value where it is a table, else an empty one: for what is not to be refused."""
    return value if isinstance(value, dict) else {}


def table_at(root: Table, key: str) -> Table:
    """The table under the key, an empty one where there is none."""
    return as_table(root.get(key))


def array(value: object, what: str) -> list[Any]:
    """The value as an array, MalformedError when it is something else."""
    if not isinstance(value, list):
        raise MalformedError(f"{what} is not an array")
    return value


def object_lines(text: str) -> dict[str, list[int]]:
    """For each JSON key whose value is an object and starts a line: its 1-based lines, last first.

    Last first, so that a walk in document order can `pop()` its lines.
    """
    lines: dict[str, list[int]] = {}
    line, at = 1, 0
    for match in _KEY_OF_OBJECT.finditer(text):
        line += text.count("\n", at, match.start(1))
        at = match.start(1)
        lines.setdefault(match.group(1), []).append(line)
    for found in lines.values():
        found.reverse()
    return lines


def header_lines(text: str, header: str, expected: int) -> list[int | None]:
    """1-based lines that consist of `header`; all None unless there are exactly `expected`."""
    found: list[int | None] = [number for number, line in numbered_lines(text) if line.strip() == header]
    return found if len(found) == expected else [None] * expected


def inside_repository(base: str, relative: str) -> str | None:
    """The repository path that `relative` means in the file `base`, None when it leaves the repository."""
    if relative.startswith("/") or "\0" in relative:
        return None
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(base), relative))
    return None if joined == ".." or joined.startswith("../") or joined == "." else joined
