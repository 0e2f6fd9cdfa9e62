"""The tools a model gets for a task's folder: read, search, list, edit, run.

Owns their definitions, their answers' size and the record of what was run and changed. Every refusal is
an answer that says why, never an exception. What it answers is data from files and programs: whoever
puts it before a model marks it so.
"""

import re
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from cortex_git.config import AgentSettings
from cortex_git.runners.agent.commands import Commands, Ran
from cortex_git.runners.agent.confinement import Confined, Refused, parts_of
from cortex_git.runners.agent.searching import search
from cortex_git.runners.agent.words import words_of

MOST_ANSWER = 6000
"""Characters of one answer."""
_MOST_NAMES = 200
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_TESTS = re.compile(
    r"\b(?:pytest|unittest|tox|nox)\b|^(?:cargo|go|npm|make|mvn|yarn|pnpm|gradle)\b.*\b(?:test|check|verify)\b"
)

_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}


def _tool(name: str, description: str, needed: list[str], **properties: Mapping[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": needed}
    return {"name": name, "description": description, "input_schema": schema}


_LOOKING = [
    _tool("read", "Text of a file, or lines first..last.", ["path"], path=_TEXT, first=_NUMBER, last=_NUMBER),
    _tool(
        "search",
        "Lines holding a fixed text (or regex) in all files; glob such as *.py.",
        ["pattern"],
        pattern=_TEXT,
        regex={"type": "boolean"},
        glob=_TEXT,
    ),
    _tool("list", "Names in a folder.", [], path=_TEXT),
]
_CHANGING = [
    _tool(
        "edit",
        "Replace the one place where `old` stands by `new`. Without `old`: write the whole file.",
        ["path", "new"],
        path=_TEXT,
        old=_TEXT,
        new=_TEXT,
    ),
]


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a tool has to say; `error`: it did not do what was asked."""

    text: str
    error: bool = False


class Toolbox:
    """The tools for one attempt in one folder.

    `read_only`: no editing and no running. `time_left`: seconds that the attempt has still.
    `private`: files and folders that programs may not see, beyond where people keep keys.
    """

    def __init__(
        self,
        folder: Path,
        settings: AgentSettings,
        *,
        read_only: bool = False,
        time_left: Callable[[], float] | None = None,
        private: tuple[Path, ...] = (),
    ) -> None:
        self._settings = settings
        self._files = Confined(folder)
        self._commands = Commands(folder, private)
        self._time_left = time_left
        self._uses: dict[str, Callable[[Mapping[str, Any]], str]] = {
            "read": self._read,
            "search": self._search,
            "list": self._list,
        }
        if not read_only:
            self._uses |= {"edit": self._edit, "run": self._run}
        self.log: list[dict[str, Any]] = []
        """Programs run: `{command, status, seconds, tests}`; status None is one over its time."""
        self.changed: list[str] = []
        """Paths of the files edited, in the order of their first edit."""

    @property
    def definitions(self) -> list[dict[str, Any]]:
        """The tools in the form of the Messages API; the same each time, so that they can be cached."""
        if "run" not in self._uses:
            return list(_LOOKING)
        programs = ", ".join(sorted(self._settings.commands)) or "none"
        about = f"Run one program in the task's folder. No shell, no network. Programs: {programs}."
        return [*_LOOKING, *_CHANGING, _tool("run", about, ["command"], command=_TEXT)]

    def use(self, name: str, arguments: Mapping[str, Any]) -> ToolAnswer:
        """Do what a model asks for; a refusal is an answer too."""
        try:
            use = self._uses.get(name)
            if use is None:
                raise Refused(f"there is no tool {name[:40]!r}; there are {', '.join(self._uses)}")
            if not isinstance(arguments, Mapping):
                raise Refused("the arguments are not an object")
            return ToolAnswer(_shown(use(arguments)))
        except Refused as refusal:
            return ToolAnswer(_shown(str(refusal)), error=True)
        except (OSError, MemoryError, RecursionError, ValueError) as error:
            return ToolAnswer(f"{name} failed: {type(error).__name__}", error=True)

    def _read(self, given: Mapping[str, Any]) -> str:
        path = _text(given, "path")
        lines = _decoded(self._files.read(path), path).splitlines(keepends=True)
        first, last = max(1, _number(given, "first", 1)), _number(given, "last", len(lines))
        if lines and first > len(lines):
            raise Refused(f"{path} has {len(lines)} lines")
        return _pages(lines[first - 1 : last], first, len(lines)) or "[empty]"

    def _search(self, given: Mapping[str, Any]) -> str:
        glob = _text(given, "glob", "")
        return search(self._files, _text(given, "pattern"), glob, regex=given.get("regex") is True)

    def _list(self, given: Mapping[str, Any]) -> str:
        names = self._files.names(_text(given, "path", ""))
        more = f"\n[and {len(names) - _MOST_NAMES} more]" if len(names) > _MOST_NAMES else ""
        return ("\n".join(names[:_MOST_NAMES]) or "[empty]") + more

    def _edit(self, given: Mapping[str, Any]) -> str:
        path, old, new = _text(given, "path"), _text(given, "old", ""), _text(given, "new")
        try:
            content = new.encode()
            if old:
                content = _replaced(_decoded(self._files.read(path), path), old, new, path).encode()
        except UnicodeEncodeError:
            raise Refused("the text is not valid Unicode") from None
        self._files.write(path, content)
        plain = "/".join(parts_of(path))
        if plain not in self.changed:
            self.changed.append(plain)
        return "done"

    def _run(self, given: Mapping[str, Any]) -> str:
        command = _text(given, "command").strip()
        words = words_of(command, self._settings.commands)
        limit_s = self._settings.command_timeout_s
        if self._time_left is not None:
            limit_s = min(limit_s, self._time_left())
        if limit_s <= 0:
            raise Refused("there is no time left to run anything")
        started = time.monotonic()
        ran = self._commands.run(words, limit_s)
        self.log.append(
            {
                "command": command[:500],
                "status": ran.status,
                "seconds": round(time.monotonic() - started, 2),
                "tests": _TESTS.search(command) is not None,
            }
        )
        if ran.status is None:
            raise Refused(f"over its {limit_s:.0f} s, and ended\n{_output(ran)}")
        if ran.status:
            raise Refused(f"status {ran.status}\n{_output(ran)}")
        return f"status 0\n{_output(ran)}"


def _replaced(text: str, old: str, new: str, path: str) -> str:
    if old not in text and "\r\n" in text:
        old, new = (part.replace("\r\n", "\n").replace("\n", "\r\n") for part in (old, new))
    times = text.count(old)
    if times != 1:
        say = "does not stand" if not times else f"stands {times} times"
        raise Refused(f"`old` {say} in {path}: it has to be there once, letter by letter")
    return text.replace(old, new)


def _pages(lines: list[str], first: int, of: int) -> str:
    """As many whole lines as one answer holds, and where to read on."""
    ends = list(accumulate(map(len, lines)))
    taken = bisect_right(ends, MOST_ANSWER - 100)
    if taken == len(lines):
        return "".join(lines)
    if not taken:
        return f"{lines[0][: MOST_ANSWER - 200]}\n[line {first} of {of} is cut]"
    return f"{''.join(lines[:taken])}[lines {first} to {first + taken - 1} of {of}]"


def _decoded(content: bytes, path: str) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise Refused(f"{path} is not text ({len(content)} bytes)") from None
    if "\0" in text:
        raise Refused(f"{path} is not text ({len(content)} bytes)")
    return text


def _output(ran: Ran) -> str:
    return ran.output.decode("utf-8", "replace").strip() or "[no output]"


def _shown(text: str) -> str:
    """Plain text of a bounded size; what would steer a terminal or hide from a reader shows as `?`."""
    plain = _CONTROL.sub("?", _ESCAPE.sub("", text.replace("\r\n", "\n")))
    if len(plain) <= MOST_ANSWER:
        return plain
    half = MOST_ANSWER // 2 - 30
    return f"{plain[:half]}\n[{len(plain) - 2 * half} characters left out]\n{plain[-half:]}"


def _text(given: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = given.get(name, default)
    if not isinstance(value, str):
        raise Refused(f"`{name}` has to be a text")
    return value


def _number(given: Mapping[str, Any], name: str, default: int) -> int:
    value = given.get(name, default)
    if type(value) is not int:
        raise Refused(f"`{name}` has to be a whole number")
    return value
