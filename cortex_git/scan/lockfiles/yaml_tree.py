"""Builds a small tree with line numbers out of YAML events, for formats that are lists of tables of lists.

Must never recurse, expand an alias, or hold more values than the limit. Everything scalar stays text: a
version such as 1.10 is no number.
"""

from dataclasses import dataclass
from typing import Any

from cortex_git.scan.lockfiles.source import MalformedError, yaml_events

MAX_VALUES = 400_000


@dataclass(frozen=True, slots=True)
class Node:
    """One value and the 1-based line on which it begins."""

    value: "str | list[Node] | dict[str, Node]"
    line: int

    def get(self, *keys: str) -> "Node | None":
        """What stands at the end of a path of keys, None where there is none."""
        found: Node | None = self
        for key in keys:
            if found is None or not isinstance(found.value, dict):
                return None
            found = found.value.get(key)
        return found

    def text(self, *keys: str) -> str | None:
        """The text at the end of a path of keys, None where there is none or it is empty."""
        found = self.get(*keys)
        return found.value or None if found is not None and isinstance(found.value, str) else None

    def items(self) -> "list[Node]":
        """The entries of a sequence; an empty value is one without entries, anything else is malformed."""
        if isinstance(self.value, list):
            return self.value
        if self.value in ("", "~", "null"):
            return []
        raise MalformedError(f"has something else than a list (line {self.line})")


def load_yaml(text: str) -> Node:
    """The one document of a text, which must be a table; MalformedError otherwise."""
    import yaml

    root: Node | None = None
    open_: list[tuple[Node, str | None]] = []
    count = 0
    for event in yaml_events(text):
        if isinstance(event, yaml.CollectionEndEvent):
            open_.pop()
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        count += 1
        if count > MAX_VALUES:
            raise MalformedError(f"has more than {MAX_VALUES:,} values")
        if open_ and isinstance(open_[-1][0].value, dict) and open_[-1][1] is None:
            open_[-1] = (open_[-1][0], _key(event))
            continue
        node = _node(event)
        if open_:
            _put(open_, node)
        elif root is None:
            root = node
        else:
            raise MalformedError(f"has a second document (line {node.line})")
        if not isinstance(node.value, str):
            open_.append((node, None))
    if root is None or not isinstance(root.value, dict):
        raise MalformedError("is not a table")
    return root


def _node(event: Any) -> Node:
    import yaml

    line = event.start_mark.line + 1
    if isinstance(event, yaml.ScalarEvent):
        return Node(event.value, line)
    return Node({} if isinstance(event, yaml.MappingStartEvent) else [], line)


def _key(event: Any) -> str:
    import yaml

    if not isinstance(event, yaml.ScalarEvent):
        raise MalformedError(f"has a key that is not text (line {event.start_mark.line + 1})")
    return str(event.value)


def _put(open_: list[tuple[Node, str | None]], node: Node) -> None:
    parent, key = open_[-1]
    if isinstance(parent.value, list):
        parent.value.append(node)
    elif isinstance(parent.value, dict) and key is not None:
        if key in parent.value:
            raise MalformedError(f"has a key twice (line {node.line})")
        parent.value[key] = node
        open_[-1] = (parent, None)
