"""Drawing how tasks hang together: as a tree of lines, for Mermaid and for Graphviz.

Owns how text from outside is made harmless in each of these. Knows nothing of where the graph came from.
"""

from collections import defaultdict
from collections.abc import Iterator

from cortex_git.services.graph import Edge, Graph, Node

_DEEPEST = 30
"""Levels that are indented; further down the level is told as a number."""
_TITLE = 60
_SAID = {"part": "part", "follow_up": "follow-up", "after": "then", "retry": "retry"}
_ARROWS = {"part": "-->", "follow_up": "-.->", "after": "==>", "retry": "-.->"}
_STYLES = {"part": "solid", "follow_up": "dashed", "after": "bold", "retry": "dotted"}


def tree(graph: Graph) -> Iterator[str]:
    """One line for each task below what it is there for, or comes after; a second place only refers to it."""
    below: dict[str, list[Edge]] = defaultdict(list)
    for edge in graph.edges:
        below[edge.start].append(edge)
    led_to = {edge.end for edge in graph.edges}
    shown: set[str] = set()
    # What only circles lead to has no beginning: any of it will do, after all that has one.
    for root in sorted(graph.nodes, key=lambda name: name in led_to):
        if root in shown:
            continue
        todo: list[tuple[int, str, str]] = [(0, "", root)]
        while todo:
            level, kind, name = todo.pop()
            start = "  " * min(level, _DEEPEST) + (f"[{level}] " if level > _DEEPEST else "") + kind
            if name in shown:
                yield f"{start}{name} (above)"
                continue
            shown.add(name)
            yield start + _line(graph.nodes[name])
            todo += [(level + 1, f"{_SAID[edge.kind]} ", edge.end) for edge in reversed(below[name])]


def _line(node: Node) -> str:
    words = [node.task, node.status, node.type, node.worker or ""]
    words.append(f"{node.tokens_used:,} tokens" if node.tokens_used else "")
    words.append(f"merges by {node.strategy}" if node.strategy else "")
    line = "  ".join(word for word in words if word)
    return f"{line}  {_title(node)}" if node.title else line


def _title(node: Node) -> str:
    plain = " ".join(_plain(node.title).split())
    return plain if len(plain) <= _TITLE else plain[: _TITLE - 3] + "..."


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def mermaid(graph: Graph) -> str:
    """A flowchart in Mermaid's language."""
    numbers = {name: f"n{number}" for number, name in enumerate(graph.nodes)}
    lines = ["flowchart TD"]
    for node in graph.nodes.values():
        words = (node.task, _title(node), f"{node.type} {node.status}".strip())
        lines.append(
            f'  {numbers[node.task]}["{"<br/>".join(_mermaid_text(word) for word in words if word)}"]'
        )
    for edge in graph.edges:
        ends = numbers[edge.start], numbers[edge.end]
        lines.append(f"  {ends[0]} {_ARROWS[edge.kind]}|{_SAID[edge.kind]}| {ends[1]}")
    return "\n".join(lines) + "\n"


def _mermaid_text(text: str) -> str:
    """Each character that could mean something there as its number."""
    return "".join(char if char.isalnum() or char in " .,-_" else f"#{ord(char)};" for char in text)


def dot(graph: Graph) -> str:
    """A directed graph in Graphviz's language."""
    lines = ["digraph tasks {", "  node [shape=box];"]
    for node in graph.nodes.values():
        words = (node.task, _title(node), f"{node.type} {node.status}".strip())
        label = "\\n".join(_dot_text(word) for word in words if word)
        lines.append(f'  "{_dot_text(node.task)}" [label="{label}"];')
    for edge in graph.edges:
        ends = f'"{_dot_text(edge.start)}" -> "{_dot_text(edge.end)}"'
        lines.append(f'  {ends} [label="{_SAID[edge.kind]}", style={_STYLES[edge.kind]}];')
    return "\n".join([*lines, "}"]) + "\n"


def _dot_text(text: str) -> str:
    """For between double quotes; nor may it name an entity of HTML."""
    return _plain(text).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
