"""Finds what looks like a key or a password in a text, and this host's own keys however they are written.

Owns the detector (Kingfisher's rules, in this process and without a network) and what of it counts. Must
never return, log or raise with what it found: only its kind and where it stands.
"""

import base64
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from cortex_git.config import cache_folder
from cortex_git.errors import EnvironmentProblem

if TYPE_CHECKING:
    from kingfisher_sdk import Scanner

HOST_KEY = "key of this host"
_LIMIT_S = 30.0
"""Seconds that the detector may take over one text."""
_SHORTEST_KEY = 8
"""Characters of a key of this host that is looked for; shorter ones stand everywhere."""
_LONG = re.compile(r"[A-Za-z0-9+/=_-]{16}")
"""Whatever the detector finds holds as much in one piece; without it, loading the detector can be saved."""
_URL = re.compile(r"://[^\s/:@\"'<>]{0,100}:([^\s/@\"'<>]{6,200})@[\w\[]")
_HIDING = re.compile("[\\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+")
"""White space and characters without a width."""
_EXAMPLE = re.compile(
    r"[$%{<\[*].*|x+|(?:my|your|the)?[-_]?(?:pass(?:word|wd|phrase)?|secret|token|key|api[-_]?key|changeme|example)",
    re.IGNORECASE,
)
"""What stands for a password in examples."""
_AWS = re.compile(r"(?<![A-Za-z0-9+/])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9+/])")
_PRIVATE = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\\[rn]|\s)+[A-Za-z0-9+/=]{40}"
)
_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


class DetectorFailed(EnvironmentProblem):
    """The detector is here, and could not look through one text."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Something that looks like a secret: what kind, in which line (from 1), and of which file of a diff."""

    kind: str
    line: int
    path: str = ""


def findings(text: str) -> list[Secret]:
    """What in the text looks like a secret. Raises EnvironmentProblem where the detector cannot be used."""
    found = {Secret(kind, line) for kind, line in (*_detected(text), *_ours(text), *_host_keys(text))}
    return sorted(found, key=lambda secret: (secret.line, secret.kind))


def in_diff(diff: bytes) -> list[Secret]:
    """What looks like a secret in the lines that a diff adds, with the files' paths and new line numbers."""
    found: list[Secret] = []
    for path, numbers, lines in _added(diff):
        secrets = findings("\n".join(lines))
        found += [Secret(s.kind, numbers[min(s.line, len(numbers)) - 1], path) for s in secrets]
    return found


@cache
def detector() -> "Scanner":
    """The detector, with all its rules: half a second, and several the first time on a host."""
    try:
        from kingfisher_sdk import Rules, Scanner
    except ImportError as error:
        raise EnvironmentProblem(
            "the detector of secrets is not installed", "pip install kingfisher-secret-scanner"
        ) from error
    named = os.environ.get("KF_RULE_CACHE_DIR")
    return Scanner(Rules(cache_dir=None if named else str(cache_folder() / "secret-rules")))


def _detected(text: str) -> Iterator[tuple[str, int]]:
    if not _LONG.search(text):
        return
    try:
        found = detector().scan(text.encode("utf-8", "replace"), timeout=_LIMIT_S)
    except (RuntimeError, TimeoutError) as error:
        raise DetectorFailed("the detector of secrets failed", type(error).__name__) from None
    for one in found:
        if one.visible:
            yield re.split(r"[./]", one.rule_id, maxsplit=1)[-1].replace("-", " "), one.location["line"]


def _ours(text: str) -> Iterator[tuple[str, int]]:
    """What the detector passes over as long as it stands alone."""
    urls = (match for match in _URL.finditer(text) if not _EXAMPLE.fullmatch(match[1]))
    yield from (("password in a URL", line) for line in _lines(text, urls))
    yield from (("aws access key", line) for line in _lines(text, _AWS.finditer(text)))
    yield from (("private key", line) for line in _lines(text, _PRIVATE.finditer(text)))


def _host_keys(text: str) -> Iterator[tuple[str, int]]:
    from cortex_git.llm.keys import values

    keys = [key for key in values() if len(key) >= _SHORTEST_KEY]
    if not keys:
        return
    dense = _HIDING.sub("", text)
    lowered = dense.lower()
    for key in keys:
        for form, any_case in forms(key):
            at = (lowered if any_case else dense).find(form)
            if at >= 0:
                yield HOST_KEY, _line(text, _place(text, at))
                break


def _place(text: str, wanted: int) -> int:
    """Where the character stands that comes as number `wanted` of those that can be seen."""
    shift = 0
    for hiding in _HIDING.finditer(text):
        if hiding.start() - shift > wanted:
            break
        shift += len(hiding[0])
    return wanted + shift


def forms(key: str) -> Iterator[tuple[str, bool]]:
    """How a key may be written, without white space, and whether in any case."""
    plain = "".join(key.split())
    yield plain, False
    yield plain[::-1], False
    yield quote(plain, safe=""), False
    data = plain.encode()
    yield data.hex(), True
    for ahead in range(3):
        # In base64 a text looks differently by where it starts; what depends on its neighbours is left off.
        encoded = base64.b64encode(b"\0" * ahead + data).decode().rstrip("=")
        whole = encoded[(0, 2, 3)[ahead] : len(encoded) - (1 if (ahead + len(data)) % 3 else 0)]
        yield whole, False
        yield whole.translate(str.maketrans("+/", "-_")), False


def _lines(text: str, matches: Iterable[re.Match[str]]) -> Iterator[int]:
    """The line of each match, counted once over the text however many there are."""
    line, position = 1, 0
    for match in matches:
        line += text.count("\n", position, match.start())
        position = match.start()
        yield line


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _added(diff: bytes) -> Iterator[tuple[str, list[int], list[str]]]:
    """For each file of a diff: its path, and the added lines with their numbers."""
    path, numbers, lines = "", list[int](), list[str]()
    old = new = number = 0
    for line in diff.split(b"\n"):
        if old > 0 or new > 0:
            sign = line[:1]
            if sign == b"+":
                numbers.append(number)
                lines.append(line[1:].decode("utf-8", "replace").rstrip("\r"))
            old -= sign in (b" ", b"-", b"")
            new -= sign in (b" ", b"+", b"")
            number += sign in (b" ", b"+", b"")
        elif line.startswith(b"diff --git "):
            if lines:
                yield path, numbers, lines
            path, numbers, lines = "", [], []
        elif line.startswith(b"+++ "):
            path = line[4:].decode("utf-8", "replace").removeprefix("b/").rstrip("\t")
        elif hunk := _HUNK.match(line):
            old, number, new = int(hunk[1] or 1), int(hunk[2]), int(hunk[3] or 1)
    if lines:
        yield path, numbers, lines
