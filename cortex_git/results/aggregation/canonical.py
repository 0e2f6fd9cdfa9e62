"""JSON values compared exactly, and the paths of fields.

Owns what counts as the same value: what has the same JSON text with sorted keys. So `true`, `1` and `1.0`
are three values, and text is compared as it is, without Unicode normalisation.
"""

import json
import math
from collections.abc import Sequence
from typing import Any

MOST_DEPTH = 100
"""Levels down to which objects are compared field by field; below, as a whole."""
_DEEPEST = 200
"""Levels of an output that goes in: as deep as a result can safely be written and read again."""

_NESTING = frozenset({dict, list, tuple})
_JSON = _NESTING | {str, int, float, bool, type(None)}

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def canonical(value: Any) -> str:
    """The one JSON text of a value; the order of these texts is the last resort wherever one must win."""
    return _encode(value)


def objection(output: object) -> str | None:
    """Why that output cannot go into an aggregate, None where it can."""
    if type(output) is not dict:
        return "its output is not an object"
    level: list[Any] = [output]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for node in level:
            values = node.values() if type(node) is dict else node
            kinds = set(map(type, values))
            if not kinds <= _JSON or (type(node) is dict and not set(map(type, node)) <= {str}):
                return "its output is not JSON"
            if float in kinds and not all(map(math.isfinite, (v for v in values if type(v) is float))):
                return "its output has a number that JSON does not have"
            if not kinds.isdisjoint(_NESTING):
                below += [value for value in values if type(value) in _NESTING]
        level = below
        if not level:
            return None
    return f"its output is nested deeper than {_DEEPEST} levels"


def joined(path: Sequence[str]) -> str:
    """A field's path as text."""
    return ".".join(key.replace("\\", "\\\\").replace(".", "\\.") for key in path)
