"""Reads the one literal term that an Elixir data file such as mix.lock consists of.

A term here is a map, keyword list, tuple, list, text, atom or number. Must never recurse, and never
evaluate anything: what is not a literal makes the file malformed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from cortex_git.scan.lockfiles.source import MalformedError

MAX_TOKENS = 1_000_000
MAX_DEPTH = 64

_QUOTED = r'"((?>[^"\\]++|\\.)*+)"'
_WORD = r"[A-Za-z_][A-Za-z0-9_@]*+[?!]?"
_TOKEN = re.compile(
    rf"""[\s]++|\#[^\n]*+
    |(?P<open>%?\{{|\[)|(?P<close>[\]}}])|(?P<comma>,)|(?P<arrow>=>)
    |(?P<key>(?:{_WORD}|{_QUOTED}):(?=\s))
    |(?P<atom>:(?:{_WORD}|{_QUOTED}))
    |(?P<text>{_QUOTED})
    |(?P<plain>[A-Za-z0-9_.+-]++)""",
    re.DOTALL | re.VERBOSE,
)
_CLOSER = {"%{": "}", "{": "}", "[": "]"}
_ESCAPED = re.compile(r'\\(["\\])')


class Atom(str):
    """An atom such as `:hex`, without its colon."""

    __slots__ = ()


class Pair(NamedTuple):
    """A key and its value in a map or a keyword list; `line` is the key's, from 1."""

    key: object
    value: object
    line: int


@dataclass(slots=True)
class Group:
    """A map (`%{`), a tuple (`{`) or a list (`[`) with what is in it, a `Pair` for what has a key."""

    opener: str
    items: list[object] = field(default_factory=list)

    def at(self, index: int) -> object:
        """The item at a place, None where there is none."""
        return self.items[index] if index < len(self.items) else None


class _Open:
    """A group that is not closed yet."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.key: object = None
        self.has_key = False
        self.line = 0
        """Of the key, or of the last value."""
        self.wants_value = True
        """False after a value, where only a comma, an arrow or the end may follow."""


def load_term(text: str) -> Group:
    """The group that the text consists of; MalformedError with the line of the mistake."""
    root: Group | None = None
    stack: list[_Open] = []
    for kind, token, line in _tokens(text):
        if not stack and (kind != "open" or root is not None):
            raise _mistake(line)
        if kind == "open":
            if len(stack) >= MAX_DEPTH:
                raise MalformedError("is nested too deeply")
            group = Group(token)
            if stack:
                _put(stack[-1], group, line)
            root = root or group
            stack.append(_Open(group))
        elif kind == "close":
            _close(stack, token, line)
        else:
            _take(stack[-1], kind, token, line)
    if stack:
        raise MalformedError("ends in the middle of a term")
    if root is None:
        raise MalformedError("is empty")
    return root


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """Kind, text and line of each token; space and comments are none."""
    line, at, count = 1, 0, 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _mistake(line)
        count += 1
        if count > MAX_TOKENS:
            raise MalformedError(f"has more than {MAX_TOKENS:,} words")
        if match.lastgroup is not None:
            yield match.lastgroup, match.group(), line
        line += text.count("\n", at, match.end())
        at = match.end()


def _take(inner: _Open, kind: str, token: str, line: int) -> None:
    if kind == "comma":
        if inner.wants_value:
            raise _mistake(line)
        inner.wants_value = True
    elif kind == "arrow":
        if inner.wants_value or isinstance(inner.group.items[-1], Pair):
            raise _mistake(line)
        inner.key, inner.has_key, inner.wants_value = inner.group.items.pop(), True, True
    elif kind == "key":
        if not inner.wants_value or inner.has_key:
            raise _mistake(line)
        inner.key, inner.has_key, inner.line = Atom(_unquoted(token[:-1])), True, line
    elif kind == "atom":
        _put(inner, Atom(_unquoted(token[1:])), line)
    elif kind == "text":
        _put(inner, _unquoted(token), line)
    elif token in ("true", "false", "nil"):
        _put(inner, Atom(token), line)
    elif token[0].isdigit() or token[:2].lstrip("+-")[:1].isdigit():
        _put(inner, Atom(token), line)  # a number, which no reader needs as one
    else:
        raise _mistake(line)


def _put(inner: _Open, value: object, line: int) -> None:
    if not inner.wants_value:
        raise _mistake(line)
    if inner.has_key:
        value = Pair(inner.key, value, inner.line)
        inner.key, inner.has_key = None, False
    else:
        inner.line = line
    inner.group.items.append(value)
    inner.wants_value = False


def _close(stack: list[_Open], token: str, line: int) -> None:
    inner = stack.pop()
    if _CLOSER[inner.group.opener] != token or inner.has_key:
        raise _mistake(line)


def _unquoted(token: str) -> str:
    return _ESCAPED.sub(r"\1", token[1:-1]) if token.startswith('"') else token


def _mistake(line: int) -> MalformedError:
    return MalformedError(f"is not a literal Elixir term (line {line})")
