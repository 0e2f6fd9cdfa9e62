"""Where each package of a lockfile comes from: asked for, brought in by what, only for development.

Owns the walk over a lockfile's dependency graph. Must never take more than linear time in what the file
says, cycles included, nor call a package development's while a part of the graph is not known.
"""

from collections.abc import Hashable, Iterable
from typing import NamedTuple

from cortex_git.scan.records import MAX_VIA

MAX_EDGES = 1_000_000
"""Dependencies of dependencies in one lockfile; what is beyond is not walked, and then not vouched for."""


class Origin(NamedTuple):
    """As `Package` has these three."""

    direct: bool | None = None
    dev: bool | None = None
    via: tuple[str, ...] = ()


UNKNOWN = Origin()


class Graph:
    """Packages as nodes with any keys; `trace` once, when all edges and all that is asked for are in."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._edges: list[list[int]] = []
        self._asked: dict[str, dict[int, bool | None]] = {}
        self._edge_count = 0
        self._whole = True
        self._via: list[list[str] | None] = []
        self._dev: list[bool | None] = []
        self._direct: set[int] = set()

    def edge(self, parent: Hashable, child: Hashable) -> None:
        """The package `parent` depends on `child`."""
        self.edges(parent, (child,))

    def edges(self, parent: Hashable, children: Iterable[Hashable]) -> None:
        """The package `parent` depends on each of `children`."""
        found = [self._number(child) for child in children]
        if not found:
            return
        if self._edge_count + len(found) > MAX_EDGES:
            self._whole = False
            return
        self._edge_count += len(found)
        self._edges[self._number(parent)] += found

    def ask(self, key: Hashable, name: str, dev: bool | None = None) -> None:
        """The repository itself asks for the package, under this name; `dev` None where that is not known."""
        nodes = self._asked.setdefault(name, {})
        number = self._number(key)
        known = nodes.get(number, dev)
        nodes[number] = dev if known == dev else False if False in (known, dev) else None

    def trace(self, *, complete: bool = True) -> None:
        """Walk the graph; `complete` says that everything which the repository asks for is in it."""
        self._whole = self._whole and complete
        self._direct = {number for nodes in self._asked.values() for number in nodes}
        self._via = self._names_of_roots()
        self._dev = self._development()

    def origin(self, key: Hashable) -> Origin:
        """Where a package comes from; what is not reached from anything asked for is just not direct."""
        number = self._numbers.get(key)
        absent = False if self._whole else None
        if number is None:
            return Origin(absent, None, ())
        direct = True if number in self._direct else absent
        return Origin(direct, self._dev[number], tuple(self._via[number] or ()))

    def unreached(self, keys: Iterable[Hashable]) -> bool:
        """Whether any of these is neither asked for nor brought in by what is."""
        numbers = (self._numbers.get(key) for key in keys)
        return any(n is None or (n not in self._direct and not self._via[n]) for n in numbers)

    def _number(self, key: Hashable) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._edges)
            self._edges.append([])
        return number

    def _names_of_roots(self) -> list[list[str] | None]:
        """For each node the first MAX_VIA names, in their order, of what is asked for and leads to it.

        A node that has all its names is not entered again, for whatever lies behind it has them too; so
        each is entered MAX_VIA times at most, and as often again where it is asked for itself.
        """
        via: list[list[str] | None] = [None] * len(self._edges)
        seen = [-1] * len(self._edges)
        left = [MAX_VIA + 1] * len(self._edges)
        for turn, name in enumerate(sorted(self._asked)):
            stack = []
            for number in self._asked[name]:
                seen[number] = turn
                if left[number]:
                    left[number] -= 1
                    stack.append(number)
            while stack:
                for child in self._edges[stack.pop()]:
                    if seen[child] == turn:
                        continue
                    seen[child] = turn
                    names = via[child]
                    if names is None:
                        via[child] = [name]
                    elif len(names) < MAX_VIA:
                        names.append(name)
                    else:
                        continue
                    stack.append(child)
        return via

    def _development(self) -> list[bool | None]:
        """For each node False if production leads to it, True if only development does, else None."""
        found: list[bool | None] = [None] * len(self._edges)
        if all(dev is None for nodes in self._asked.values() for dev in nodes.values()):
            return found
        seen = bytearray(len(self._edges))
        for level in (False, None, True):
            stack = [n for nodes in self._asked.values() for n, dev in nodes.items() if dev is level]
            while stack:
                number = stack.pop()
                if not seen[number]:
                    seen[number] = 1
                    found[number] = None if level and not self._whole else level
                    stack += self._edges[number]
        return found
