"""Exploring a case: every state that can be reached, breadth first, so that what is found first is shortest.

Owns the search, and the test for dead ends. Must never leave out a state without saying so.
"""

import time
from array import array
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from cortex_git.analysis.model.promises import PROMISES, Wrong
from cortex_git.analysis.model.steps import successors
from cortex_git.analysis.model.world import ADDED, Case, State, Step

_TOLD_EVERY = 20_000
"""States between two words about the progress."""


@dataclass(frozen=True)
class Explored:
    """What the exploration of one case found. `seconds` of wall time."""

    case: Case
    states: int
    depth: int
    """Steps to the states that are farthest from the beginning."""
    seconds: float
    wrong: Wrong | None
    """The promise that does not hold; None where all do."""
    history: tuple[Step, ...]
    """The shortest way there."""
    whole: bool
    """Whether every state was seen; not where a promise was broken, or there were too many."""


class Exploration:
    """One search for what breaks any of the promises. `most` bounds the number of states."""

    def __init__(
        self, case: Case, told: Callable[[int, int], None], promises: Collection[str], most: int
    ) -> None:
        self._case = case
        self._told = told
        self._most = most
        self._promises = promises
        first = case.first
        self._numbers: dict[State, int] = {first: 0}
        self._parents = array("l", [-1])
        self._steps: list[Step | None] = [None]
        self._depths = array("l", [0])
        self._regular = (array("l"), array("l"))
        """Steps that are no faults, as pairs: from which state, to which."""
        self._ended: list[int] = [0] if _has_ended(case, first) else []

    def run(self) -> Explored:
        """Search until something is wrong or everything was seen."""
        began = time.monotonic()
        wrong, last, whole = self._search()
        if wrong is None and whole and "ends" in self._promises:
            dead = self._dead_end()
            if dead is not None:
                wrong, last = (
                    Wrong("ends", "a task can never end, though somebody lives and nothing more goes wrong"),
                    (dead, None),
                )
        return Explored(
            self._case, len(self._numbers), max(self._depths), time.monotonic() - began, wrong,
            tuple(self._history(*last)) if wrong else (), whole,
        )  # fmt: skip

    def _search(self) -> tuple[Wrong | None, tuple[int, Step | None], bool]:
        queue = deque([(self._case.first, 0)])
        numbers = self._numbers
        sources, targets = self._regular
        while queue:
            state, number = queue.popleft()
            for step, after, fault, wrong in successors(self._case, state):
                if wrong is not None and wrong.promise in self._promises:
                    return wrong, (number, step), False
                found = numbers.get(after)
                if found is None:
                    found = len(numbers)
                    numbers[after] = found
                    self._parents.append(number)
                    self._steps.append(step)
                    self._depths.append(self._depths[number] + 1)
                    if _has_ended(self._case, after):
                        self._ended.append(found)
                    queue.append((after, found))
                    if found % _TOLD_EVERY == 0:
                        self._told(found, self._depths[found])
                if not fault:
                    sources.append(number)
                    targets.append(found)
            if len(numbers) > self._most:
                return None, (number, None), False
        return None, (0, None), True

    def _dead_end(self) -> int | None:
        """The first state from which no way without faults leads to the end of every task."""
        sources, targets = self._regular
        before: list[list[int]] = [[] for _ in range(len(self._numbers))]
        for source, target in zip(sources, targets, strict=True):
            before[target].append(source)
        reached = bytearray(len(self._numbers))
        queue = list(self._ended)
        for number in queue:
            reached[number] = 1
        while queue:
            for number in before[queue.pop()]:
                if not reached[number]:
                    reached[number] = 1
                    queue.append(number)
        found = reached.find(0)
        return None if found < 0 else found

    def _history(self, number: int, last: Step | None) -> Iterator[Step]:
        back: list[Step] = [] if last is None else [last]
        while (step := self._steps[number]) is not None:
            back.append(step)
            number = self._parents[number]
        return reversed(back)


def _has_ended(case: Case, state: State) -> bool:
    needed = set(range(case.tasks)) - case.later
    needed |= {token.task for token in state.landed if token.state == ADDED}
    return needed <= {token.task for token in state.landed if token.state != ADDED}


def explore(
    case: Case,
    told: Callable[[int, int], None] = lambda *_: None,
    promises: Collection[str] = PROMISES,
    most: int = 5_000_000,
) -> Explored:
    """Explore a case; `told` hears of the number of states and their depth along the way."""
    return Exploration(case, told, promises, most).run()
