"""The order of Maven versions, by the rules of Maven's own `ComparableVersion` (3.9 and later).

Measured, `univers` follows older rules, where `1.0.RC2` and `1.0-RC2` differ, so this order is ours.
A version is a list of numbers, qualifiers and, after a hyphen or a change from digit to letter, lists.
"""

import re
from functools import total_ordering
from itertools import zip_longest
from typing import Union

from cortex_git.scan.versions.error import VersionError

Item = Union[int, str, "list[Item]"]

_TOKEN = re.compile(r"(\d+)|([^\d.\-]+)|([.\-])")
_KNOWN = ("alpha", "beta", "milestone", "rc", "snapshot", "", "sp")
_SAME = {"ga": "", "final": "", "release": "", "cr": "rc"}
_SHORT = {"a": "alpha", "b": "beta", "m": "milestone"}
_NUMBER, _LIST, _QUALIFIER, _MISSING = range(4)


@total_ordering
class MavenVersion:
    """One Maven version, comparable with others and usable as a key."""

    __slots__ = ("_items",)

    def __init__(self, items: list[Item]) -> None:
        self._items = items

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MavenVersion) and _compare(self._items, other._items) == 0

    def __lt__(self, other: "MavenVersion") -> bool:
        return _compare(self._items, other._items) < 0

    def __hash__(self) -> int:
        return hash(repr(self._items))


def parse(text: str) -> MavenVersion:
    """The key of a Maven version. Refuses a text without a digit or with a property (`${revision}`)."""
    plain = text.strip().lower()
    if not plain or not plain[0].isalnum() or not re.search(r"\d", plain):
        raise VersionError("Maven", text)
    if re.search(r"[\s${}\[\](),]", plain):
        raise VersionError("Maven", text)
    return MavenVersion(_items(plain))


def _items(text: str) -> list[Item]:
    root: list[Item] = []
    current, lists = root, [root]
    tokens = [match.groups() for match in _TOKEN.finditer(text)]
    awaiting = True  # a separator, or the start, with no token after it yet: an empty token counts as 0
    for index, (digits, word, separator) in enumerate(tokens):
        if separator:
            if awaiting:
                current.append(0)
            if separator == "-":
                current = _opened(current, lists)
            awaiting = True
            continue
        before_digit = index + 1 < len(tokens) and tokens[index + 1][0] is not None
        if word is not None:
            # A qualifier after `.` orders like one after `-`, so it opens a list of its own too.
            if current:
                current = _opened(current, lists)
            current.append(_qualifier(word, before_digit))
        else:
            if not awaiting:
                current = _opened(current, lists)
            current.append(int(digits))
            if index + 1 < len(tokens) and tokens[index + 1][1] is not None:
                current = _opened(current, lists)
        awaiting = False
    for items in reversed(lists):
        _trim(items)
    return root


def _opened(current: list[Item], lists: list[list[Item]]) -> list[Item]:
    opened: list[Item] = []
    current.append(opened)
    lists.append(opened)
    return opened


def _qualifier(word: str, before_digit: bool) -> str:
    if before_digit and word in _SHORT:
        return _SHORT[word]
    return _SAME.get(word, word)


def _trim(items: list[Item]) -> None:
    """Drop what means nothing (0, an empty qualifier, an empty list) from the end, looking past lists."""
    for index in range(len(items) - 1, -1, -1):
        item = items[index]
        if item in (0, "", []):
            del items[index]
        elif not isinstance(item, list):
            break
    if items and isinstance(items[0], list):
        # `1-0.alpha`, once its 0 is gone, is `1-alpha`: a list within a list would order as a number.
        items[:1] = items[0]


def _kind(item: Item | None) -> int:
    if item is None:
        return _MISSING
    if isinstance(item, int):
        return _NUMBER
    return _LIST if isinstance(item, list) else _QUALIFIER


def _compare(left: Item | None, right: Item | None) -> int:
    """Negative, 0 or positive. A number beats a list, a list beats a qualifier; a missing item is the
    null of the other's kind.
    """
    if left is None or right is None:
        return _against_missing(left) if right is None else -_against_missing(right)
    if _kind(left) != _kind(right):
        return -1 if _kind(left) > _kind(right) else 1
    if isinstance(left, list) and isinstance(right, list):
        pairs = zip_longest(left, right)
        return next((order for one, other in pairs if (order := _compare(one, other))), 0)
    if isinstance(left, str) and isinstance(right, str):
        return _sign(_rank(left), _rank(right))
    return _sign((int(str(left)), ""), (int(str(right)), ""))


def _against_missing(item: Item | None) -> int:
    if item is None:
        return 0
    if isinstance(item, int):
        return 1 if item else 0
    if isinstance(item, str):
        return _sign(_rank(item), _rank(""))
    return next((order for part in item if (order := _against_missing(part))), 0)


def _rank(qualifier: str) -> tuple[int, str]:
    if qualifier in _KNOWN:
        return (_KNOWN.index(qualifier), "")
    return (len(_KNOWN), qualifier)


def _sign(left: tuple[int, str], right: tuple[int, str]) -> int:
    return (left > right) - (left < right)
