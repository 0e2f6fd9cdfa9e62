"""Load balancing: what holds of every strategy, what each is for, and that nothing starves."""

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.errors import BadInput
from cortex_git.workers.balancing import (
    NAMES,
    STRATEGIES,
    Floor,
    Seat,
    StrategyName,
    Waiting,
    checked_strategy,
    place,
    plan,
)

TYPES = ("scan-worker", "fix-worker", "test-worker")
EVERY = st.sampled_from(NAMES)
IN_LINE: tuple[StrategyName, ...] = ("round-robin", "least-loaded")
SHARING: tuple[StrategyName, ...] = ("type-specific", "confidence-weighted")


@st.composite
def floors(draw: st.DrawFn) -> Floor:
    """Any floor: workers idle and busy, some with a hint, and a line of tasks."""
    count = draw(st.integers(0, 5) | st.integers(6, 30))
    orders = draw(st.lists(st.integers(0, 200), min_size=count, max_size=count, unique=True))
    tasks = [
        Waiting(f"t{order}", draw(st.sampled_from(TYPES)), order, draw(st.floats(0, 1))) for order in orders
    ]
    seats = []
    for number in range(draw(st.integers(1, 8))):
        hint = tasks.pop() if tasks and draw(st.booleans()) else None
        kind = draw(st.sampled_from(("", *TYPES)))
        idle = draw(st.booleans()) or not kind
        busy_s = draw(st.sampled_from((0.0, 1.0, 2.5)))
        seats.append(Seat(f"w{number}", idle, hint, draw(st.integers(0, 9)), busy_s, kind))
    return Floor(tuple(seats), tuple(tasks), draw(st.integers(0, 20)))


def hints_of(floor: Floor) -> dict[str, str]:
    return {seat.worker: seat.hint.task for seat in floor.seats if seat.hint is not None}


def busy(kinds: list[str]) -> tuple[Seat, ...]:
    return tuple(Seat(f"w{n}", False, last_type=kind) for n, kind in enumerate(kinds))


def line(*kinds: str, confidence: dict[str, float] | None = None) -> tuple[Waiting, ...]:
    sure = confidence or {}
    return tuple(Waiting(f"t{n}", kind, n, sure.get(kind, 1.0)) for n, kind in enumerate(kinds))


# Every strategy


@pytest.mark.parametrize("strategy", NAMES)
@given(floors())
def test_hints_go_to_workers_without_one_until_the_line_or_the_workers_run_out(
    strategy: StrategyName, floor: Floor
) -> None:
    hints = place(strategy, floor)
    rooms = {seat.worker: seat for seat in floor.seats if seat.hint is None}
    assert hints.keys() <= rooms.keys()
    assert len({task.task for task in hints.values()}) == len(hints) == min(len(rooms), len(floor.waiting))
    assert set(hints.values()) <= set(floor.waiting)
    if any(seat.idle and worker not in hints for worker, seat in rooms.items()):
        assert all(rooms[worker].idle for worker in hints)


@pytest.mark.parametrize("strategy", NAMES)
@given(floors())
def test_no_worker_idles_while_a_task_waits_and_no_task_is_given_twice(
    strategy: StrategyName, floor: Floor
) -> None:
    answer = plan(strategy, floor)
    idle = {seat.worker for seat in floor.seats if seat.idle}
    known = {task.task for task in floor.waiting} | set(hints_of(floor).values())
    given_out = [*answer.starts.values(), *answer.hints.values()]
    assert answer.starts.keys() <= idle
    assert len(set(given_out)) == len(given_out)
    assert set(given_out) <= known
    if idle - answer.starts.keys():
        assert set(answer.starts.values()) == known
    if len(answer.hints) < len(floor.seats):
        assert set(given_out) == known
    assert set(hints_of(floor).values()) <= set(given_out)


@given(EVERY, floors(), st.randoms(use_true_random=False))
def test_the_answer_does_not_depend_on_the_order_of_the_snapshot(
    strategy: StrategyName, floor: Floor, chance: "object"
) -> None:
    shuffled = list(floor.waiting)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert plan(strategy, replace(floor, waiting=tuple(shuffled))) == plan(strategy, floor)


@given(st.sampled_from(IN_LINE), floors())
def test_the_most_urgent_tasks_are_the_ones_placed(strategy: StrategyName, floor: Floor) -> None:
    chosen = {task.order for task in place(strategy, floor).values()}
    assert chosen == set(sorted(task.order for task in floor.waiting)[: len(chosen)])


@given(st.sampled_from(SHARING), floors())
def test_the_most_urgent_tasks_of_each_type_are_the_ones_placed(strategy: StrategyName, floor: Floor) -> None:
    chosen = place(strategy, floor).values()
    for kind in TYPES:
        orders = [task.order for task in chosen if task.type == kind]
        waiting = sorted(task.order for task in floor.waiting if task.type == kind)
        assert sorted(orders) == waiting[: len(orders)]


def test_an_idle_worker_steals_the_most_urgent_hint_of_a_busy_one() -> None:
    first, second = line("scan-worker", "scan-worker")
    seats = (Seat("a", False, second), Seat("b", False, first), Seat("c", True))
    answer = plan("least-loaded", Floor(seats, ()))
    assert answer.starts == {"c": first.task}
    assert answer.hints == {"a": second.task}


def test_nothing_is_stolen_from_an_idle_worker() -> None:
    (task,) = line("scan-worker")
    seats = (Seat("a", True), Seat("b", True, task, busy_s=9.0))
    assert plan("least-loaded", Floor(seats, ())).starts == {"b": task.task}


def test_a_hint_is_taken_from_under_a_worker_that_stays_busy() -> None:
    old = Waiting("old", "scan-worker", 0)
    for age, expected in ((8, "own"), (9, "old")):
        own = Waiting("own", "scan-worker", age)
        floor = Floor((Seat("busy", False, old), Seat("free", True, own)), ())
        assert plan("round-robin", floor).starts == {"free": expected}


# What each strategy is for


@given(st.integers(1, 8), st.lists(st.integers(0, 12), max_size=12))
def test_round_robin_spreads_evenly_over_equal_workers(count: int, arrivals: list[int]) -> None:
    room = Room("round-robin", count)
    for number in arrivals:
        room.arrive(*["scan-worker"] * number)
        room.step()
        counts = room.started_by()
        assert max(counts) - min(counts) <= 1


@given(floors())
def test_least_loaded_gives_to_nobody_while_one_with_less_to_do_has_room(floor: Floor) -> None:
    hints = place("least-loaded", floor)

    def load(seat: Seat) -> tuple[bool, float]:
        return not seat.idle, seat.busy_s

    passed_over = [load(seat) for seat in floor.seats if seat.hint is None and seat.worker not in hints]
    given_to = {seat.worker: load(seat) for seat in floor.seats if seat.worker in hints}
    assert all(one <= other for one in given_to.values() for other in passed_over)
    by_urgency = sorted(hints, key=lambda worker: hints[worker].order)
    assert [given_to[worker] for worker in by_urgency] == sorted(given_to.values())


def test_a_type_stays_on_the_workers_that_ran_it_last() -> None:
    seats = tuple(Seat(f"w{n}", True, last_type=TYPES[n % 3]) for n in range(6))
    hints = place("type-specific", Floor(seats, line(*TYPES[::-1] * 2)))
    assert {worker: task.type for worker, task in hints.items()} == {s.worker: s.last_type for s in seats}


def test_a_warm_worker_costs_no_idleness_and_a_new_one_is_taken_before_another_types() -> None:
    seats = (Seat("other", True, last_type="fix-worker"), Seat("new", True), *busy(["scan-worker"]))
    hints = place("type-specific", Floor(seats, line("scan-worker", "test-worker", "scan-worker")))
    assert {worker: task.task for worker, task in hints.items()} == {"new": "t1", "other": "t0", "w0": "t2"}


@pytest.mark.parametrize(("count", "kinds"), [(4, 2), (6, 3), (9, 3)])
def test_types_share_the_workers_and_keep_to_them(count: int, kinds: int) -> None:
    def run(strategy: StrategyName) -> Room:
        room = Room(strategy, count, durations=(1, 3, 2, 5, 1, 2, 2))
        for _ in range(60):
            while len(room.waiting) < 2 * count:
                room.arrive(TYPES[room.drawn % kinds])
            room.step()
        return room

    specific, blind = run("type-specific"), run("round-robin")
    running = Counter(seat.last_type for seat in specific.seats.values())
    assert set(running.values()) == {count // kinds}
    assert specific.switches * 4 < blind.switches


@given(st.dictionaries(st.sampled_from(TYPES), st.floats(0.05, 1), min_size=1), st.integers(3, 20))
def test_confidence_is_the_share_of_the_workers_by_the_largest_remainder(
    sure: dict[str, float], count: int
) -> None:
    tasks = line(*list(sure) * count, confidence=sure)
    seats = tuple(Seat(f"w{n}", True) for n in range(count))
    got = Counter(task.type for task in place("confidence-weighted", Floor(seats, tasks)).values())
    for kind, weight in sure.items():
        share = count * weight / sum(sure.values())
        assert got[kind] >= 1, "a secondary runs beside the primary"
        assert got[kind] <= max(share + 1, 1)
        assert got[kind] > share - len(sure), "only those raised to one worker take from the others"
    if all(count * weight / sum(sure.values()) >= 1 for weight in sure.values()):
        assert all(abs(got[kind] - count * weight / sum(sure.values())) < 1 for kind, weight in sure.items())


def test_what_runs_already_counts_as_a_share() -> None:
    seats = (*busy(["scan-worker"] * 3), Seat("free", True))
    floor = Floor(seats, line("scan-worker", "fix-worker", confidence={"scan-worker": 1, "fix-worker": 0.1}))
    assert place("confidence-weighted", floor)["free"].type == "fix-worker"


@pytest.mark.parametrize("strategy", SHARING)
def test_no_share_holds_up_a_task_for_longer_than_four_rounds(strategy: StrategyName) -> None:
    old = Waiting("old", "scan-worker", 0)
    for later, expected in ((8, "new"), (9, "old")):
        seats = (*busy(["scan-worker"]), Seat("free", True))
        floor = Floor(seats, (old, Waiting("new", "fix-worker", later)))
        assert place(strategy, floor)["free"].task == expected


def test_equal_confidence_is_decided_by_urgency() -> None:
    floor = Floor((Seat("w", True),), line("fix-worker", "scan-worker"))
    assert place("confidence-weighted", floor)["w"].task == "t0"


# Nothing starves


@dataclass
class Room:
    """Workers and tasks in whole steps of time, under one strategy."""

    strategy: StrategyName
    count: int
    durations: tuple[int, ...] = (1,)
    turn: int = 0
    switches: int = 0
    seats: dict[str, Seat] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    started: list[Waiting] = field(default_factory=list)
    who: list[str] = field(default_factory=list)
    drawn: int = 0
    _ends: dict[str, int] = field(default_factory=dict)
    _now: int = 0

    def __post_init__(self) -> None:
        self.seats = {f"w{n}": Seat(f"w{n}", True) for n in range(self.count)}

    def arrive(self, *kinds: str, confidence: float = 1.0) -> None:
        for kind in kinds:
            task = Waiting(f"t{self.drawn}", kind, self.drawn, confidence)
            self.waiting[task.task] = task
            self.drawn += 1

    def step(self) -> None:
        """One unit of time: what ends ends, then the strategy is asked."""
        self._now += 1
        for worker, end in list(self._ends.items()):
            if end <= self._now:
                seat = self.seats[worker]
                self.seats[worker] = replace(seat, idle=True, done=seat.done + 1)
                del self._ends[worker]
        answer = plan(
            self.strategy, Floor(tuple(self.seats.values()), tuple(self.waiting.values()), self.turn)
        )
        self.turn = answer.turn
        tasks = self.waiting | {seat.hint.task: seat.hint for seat in self.seats.values() if seat.hint}
        for worker, name in answer.starts.items():
            self._start(worker, tasks[name])
        for worker, seat in self.seats.items():
            name = answer.hints.get(worker, "")
            self.seats[worker] = replace(seat, hint=tasks[name] if name else None)
        gone = {*answer.starts.values(), *answer.hints.values()}
        self.waiting = {name: task for name, task in self.waiting.items() if name not in gone}

    def _start(self, worker: str, task: Waiting) -> None:
        takes = self.durations[len(self.started) % len(self.durations)]
        seat = self.seats[worker]
        self.switches += seat.last_type not in ("", task.type)
        self.started.append(task)
        self.who.append(worker)
        self._ends[worker] = self._now + takes
        self.seats[worker] = replace(seat, idle=False, last_type=task.type, busy_s=seat.busy_s + takes)

    def started_by(self) -> list[int]:
        counts = Counter(self.who)
        return [counts[worker] for worker in self.seats]


@given(
    EVERY,
    st.integers(1, 6),
    st.lists(st.sampled_from([1, 1, 2, 5, 1000]), min_size=1, max_size=7),
    st.lists(st.lists(st.tuples(st.sampled_from(TYPES), st.floats(0, 1)), max_size=4), max_size=60),
)
def test_no_task_is_passed_over_for_long(
    strategy: StrategyName, count: int, durations: list[int], arrivals: list[list[tuple[str, float]]]
) -> None:
    """With arrivals without end, rare types, and tasks that hold a worker for as long as it lasts."""
    room = Room(strategy, count, tuple(durations))
    for batch in arrivals:
        for kind, confidence in batch:
            room.arrive(kind, confidence=confidence)
        room.step()
    started = {task.order: place for place, task in enumerate(room.started)}
    for order in range(room.drawn):
        at = started.get(order, len(room.started))
        later = sum(task.order > order for task in room.started[:at])
        assert later <= 4 * count, "later tasks that went before it"


@pytest.mark.parametrize("strategy", NAMES)
def test_a_rare_type_of_little_confidence_is_served_beside_a_flood(strategy: StrategyName) -> None:
    room = Room(strategy, 2, durations=(2,))
    room.arrive(*["scan-worker"] * 6, confidence=1.0)
    room.step()
    room.arrive("fix-worker", confidence=0.0)
    for _ in range(20):
        room.arrive(*["scan-worker"] * 2, confidence=1.0)
        room.step()
    place_in_line = [task.type for task in room.started].index("fix-worker")
    assert place_in_line <= 6 + 4 * room.count
    assert (place_in_line < 6) == (strategy in SHARING)


def test_names() -> None:
    assert set(STRATEGIES) == set(NAMES)
    assert checked_strategy("type-specific") == "type-specific"
    with pytest.raises(BadInput, match="round-robin, least-loaded, type-specific, confidence-weighted"):
        checked_strategy("fastest")
