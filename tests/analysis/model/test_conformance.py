"""The model is true of the code: walks of it, taken step by step by real clones of a real remote.

Random walks, and the shortest way to each step that they seldom come by. What the remote and the clones
hold is compared after each step.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from comparing import expected, found
from modelwalk import World

from cortex_git.analysis.model.steps import successors
from cortex_git.analysis.model.telling import lines
from cortex_git.analysis.model.world import Case, Next, State

STEPS = 14
SEEDS = 3
CASES = {
    "faults": Case("faults", hosts=2, crashes=1, suspicions=1, lost=1, failures=1, drains=1),
    "answers": Case("answers", hosts=2, tasks=2, lost=3, drains=1),
    "processes": Case("processes", hosts=2, processes=(1, 2), crashes=2, suspicions=1),
    "copies": Case("copies", hosts=1, copies=1, tasks=2, lost=1, suspicions=1),
    "branch": Case("branch", hosts=2, tasks=2, folds=True, archives=True, suspicions=1),
    "cancels": Case("cancels", hosts=2, tasks=2, cancels=2, retries=True, lost=1, crashes=1),
}
ATTEMPTS = Case("attempts", hosts=2, failures=1, lost=1, suspicions=1, drains=1)
DEATHS = Case("deaths", hosts=2, suspicions=1, lost=1, crashes=1)
COPIES = Case("copies", hosts=1, copies=1)
LATE = Case("late", hosts=1, tasks=2, lost=3)
CANCELS = Case("cancels", hosts=2, cancels=1, crashes=1, lost=1)
RARE = {
    "fail": (ATTEMPTS, "fail", ""),
    "release": (ATTEMPTS, "release", ""),
    "release-refused": (ATTEMPTS, "release", "refused"),
    "reclaim-lost": (ATTEMPTS, "reclaim", "lost"),
    "reclaim-late": (ATTEMPTS, "reclaim", "air"),
    "give-back-late": (ATTEMPTS, "give back late", ""),
    "takeover-lost": (DEATHS, "take over", "lost"),
    "takeover-refused": (DEATHS, "take over", "refused"),
    "drop": (DEATHS, "drop", ""),
    "drop-refused": (Case("drops", hosts=3, suspicions=1), "drop", "refused"),
    "died-running": (DEATHS, "crash", "run"),
    "tidy": (DEATHS, "tidy", ""),
    "late-publish": (LATE, "look late", "ours"),
    "late-then-again": (LATE, "publish again", "unchanged"),
    "again-lost": (LATE, "publish again", "lost"),
    "again-late": (LATE, "publish again", "air"),
    "copy-leaves": (COPIES, "leave", "found"),
    "copy-searches": (COPIES, "search", "found"),
    "retry": (Case("retry", hosts=1, tasks=2, cancels=1, retries=True), "retry", ""),
    "archive": (Case("archive", hosts=1, folds=True, archives=True), "archive", ""),
    "end-cancel": (CANCELS, "end cancel", ""),
    "end-cancel-lost": (CANCELS, "end cancel", "lost"),
}
"""Steps that few random walks take, and small cases that have them."""


def random_walk(name: str, seed: int) -> Iterator[Next]:
    """Faults and bare looks come less often than they are possible, so that work comes to its end."""
    case = CASES[name]
    chance = random.Random(f"{name} {seed}")
    state = case.first
    for _ in range(STEPS):
        choices = list(successors(case, state))
        if not choices:
            return
        quiet = ("fetch", "restart")
        weights = [0.4 if one.fault or one.step.kind in quiet else 1.0 for one in choices]
        chosen = chance.choices(choices, weights)[0]
        yield chosen
        state = chosen.state


@cache
def shortest_walk(case: Case, kind: str, how: str) -> list[Next]:
    """From the beginning to the first such step, it included."""
    came: dict[State, Next | None] = {case.first: None}
    before: dict[State, State] = {}
    queue = deque([case.first])
    while queue:
        state = queue.popleft()
        for one in successors(case, state):
            if (one.step.kind, one.step.how) == (kind, how):
                walk = [one]
                while (step := came[state]) is not None:
                    walk.append(step)
                    state = before[state]
                return walk[::-1]
            if one.state not in came:
                came[one.state], before[one.state] = one, state
                queue.append(one.state)
    raise AssertionError(f"{case.name} has no step {kind} {how}")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Case], World]:
    """A world for each case, made once, to be copied."""

    @cache
    def build(case: Case) -> World:
        world = World(case, tmp_path_factory.mktemp("world"))
        world.build()
        return world

    return build


@pytest.fixture
def take(
    built: Callable[[Case], World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Case, Iterable[Next]], None]:
    """Has the code take a walk, and compares after each step."""

    def go(case: Case, walk: Iterable[Next]) -> None:
        world = built(case).copy(tmp_path / "world")
        world.start(monkeypatch)
        state, history = case.first, []
        for one in walk:
            history.append(one.step)
            text = "\n".join(lines(case, history))
            try:
                world.take(one.step, state, one.state)
            except Exception as error:
                raise AssertionError(f"the code cannot do the last of these steps:\n{text}") from error
            state = one.state
            assert found(world, state) == expected(case, state), f"after:\n{text}"

    return go


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("name", CASES)
def test_the_code_takes_random_steps_of_the_model(
    name: str, seed: int, take: Callable[[Case, Iterable[Next]], None]
) -> None:
    take(CASES[name], random_walk(name, seed))


@pytest.mark.parametrize("name", RARE)
def test_the_code_takes_each_rare_step_of_the_model(
    name: str, take: Callable[[Case, Iterable[Next]], None]
) -> None:
    case, kind, how = RARE[name]
    take(case, shortest_walk(case, kind, how))


def test_every_kind_of_step_is_taken() -> None:
    """All that the small cases have, whatever of it the random walks happen to come by."""
    taken = {kind for _, kind, _ in RARE.values()}
    taken |= {one.step.kind for name in CASES for seed in range(SEEDS) for one in random_walk(name, seed)}
    # fmt: off
    assert taken == {
        "archive", "arrives", "cancel", "check", "claim", "copy", "crash", "drop", "end cancel", "fail",
        "fetch", "fold", "give back", "give back late", "leave", "look late", "publish", "publish again",
        "read back", "reclaim", "release", "restart", "retry", "run", "search", "settle", "take over", "tidy",
        "worker dies",
    }
