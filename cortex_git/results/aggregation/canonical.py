"""JSON values compared exactly, and the paths of fields.

Owns what counts as the same value: what has the same JSON text with sorted keys. So `true`, `1` and `1.0`
are three values, and text is compared as it is, without Unicode normalisation.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

MOST_DEPTH = 100
"""Levels down to which objects are compared field by field; below, as a whole."""
_DEEPEST = 200
"""Levels of an output that goes in: as deep as a result can safely be written and read again."""

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def canonical(value: Any) -> str:
    """The one JSON text of a value; the order of these texts is the last resort wherever one must win."""
    return _encode(value)


def objection(output: object) -> str | None:
    """Why that output cannot go into an aggregate, None where it can."""
    if not isinstance(output, Mapping):
        return "its output is not an object"
    level: list[Any] = [output]
    for _ in range(_DEEPEST):
        if any(isinstance(node, Mapping) and not all(type(key) is str for key in node) for node in level):
            return "its output has a key that is no text"
        level = [child for node in level for child in _children(node) if type(child) in (dict, list, tuple)]
        if not level:
            break
    else:
        return f"its output is nested deeper than {_DEEPEST} levels"
    try:
        _encode(output if isinstance(output, dict) else dict(output))
    except (ValueError, TypeError) as error:
        return f"its output is not JSON: {error}"
    return None


def _children(node: Any) -> Any:
    return node.values() if isinstance(node, Mapping) else node


def joined(path: Sequence[str]) -> str:
    """A field's path as text."""
    return ".".join(key.replace("\\", "\\\\").replace(".", "\\.") for key in path)
