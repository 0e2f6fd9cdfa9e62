"""Where the packages of an SPDX document come from, by the relationships that say what needs what.

Must never call a package transitive where the document says nothing of some package.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from cortex_git.scan.lockfiles.origins import UNKNOWN, Graph, Origin

_FORWARD = frozenset({"DEPENDS_ON", "dependsOn"})
_DEVELOPMENT = frozenset({"DEV_DEPENDENCY_OF", "DEV_TOOL_OF", "TEST_DEPENDENCY_OF", "BUILD_DEPENDENCY_OF"})
_BACKWARD = _DEVELOPMENT | {
    "DEPENDENCY_OF",
    "OPTIONAL_DEPENDENCY_OF",
    "PROVIDED_DEPENDENCY_OF",
    "RUNTIME_DEPENDENCY_OF",
}


class Need(NamedTuple):
    """One package needs another; `dev` where only development does."""

    parent: str
    child: str
    dev: bool | None


def need_of(one: str, kind: str, other: str) -> Need | None:
    """What a relationship says of needs, None where it speaks of something else."""
    if kind in _FORWARD:
        return Need(one, other, None)
    if kind in _BACKWARD:
        return Need(other, one, True if kind in _DEVELOPMENT else None)
    return None


def origins(
    subject: str | None, needs: Iterable[Need], names: Mapping[str, str]
) -> Callable[[object], Origin]:
    """A function from a package's id to its origin; `names` are those of all packages by their ids."""
    graph = Graph()
    mentioned: set[str] = set()
    asked = False
    for parent, child, dev in needs:
        mentioned |= {parent, child}
        if parent == subject:
            asked = True
            graph.ask(child, names.get(child, child), dev)
        else:
            graph.edge(parent, child)
    graph.trace(complete=names.keys() <= mentioned)

    def origin(identity: object) -> Origin:
        return graph.origin(identity) if asked and isinstance(identity, str) else UNKNOWN

    return origin
