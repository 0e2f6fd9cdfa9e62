"""In which line of a TOML file a setting stands.

Owns that alone: the standard library's parser does not tell. Good for what people write by hand.
"""

import re
from collections.abc import Iterator, Sequence

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEY = rf"{_PART}(?:\s*\.\s*{_PART})*"
_TABLE = re.compile(rf"^\s*\[\[?\s*(?P<key>{_KEY})\s*\]")
_SETTING = re.compile(rf"^\s*(?P<key>{_KEY})\s*=")


def line_of(text: str, key: Sequence[str | int]) -> int | None:
    """The line (from 1) that sets `key`, or the nearest of its tables that is there; None for neither."""
    wanted = tuple(str(part) for part in key)
    best: tuple[int, int] | None = None
    for number, found in _settings(text):
        if found == wanted[: len(found)] and (best is None or len(found) > best[0]):
            best = len(found), number
    return best[1] if best else None


def _settings(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if match := _TABLE.match(line):
            table = _parts(match["key"])
            yield number, table
        elif match := _SETTING.match(line):
            yield number, table + _parts(match["key"])


def _parts(key: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, key))
