"""Load balancing: which worker gets which claim, as pure functions over a snapshot of one group of workers.

Owns the strategies, the hints and the stealing. Must never touch a process, a claim or a clock: what it
answers is advice, and the claim is what decides.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from cortex_git.errors import BadInput

StrategyName = Literal["round-robin", "least-loaded", "type-specific", "confidence-weighted"]
NAMES: tuple[StrategyName, ...] = get_args(StrategyName)

_PATIENCE = 4
"""Rounds of all workers by which a later task may go before an earlier one, whatever the strategy."""
_LEAST_CONFIDENCE = 0.01
"""A type's least weight: the router's least certain choice still gets a share."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A claim in hand that no worker has started."""

    task: str
    type: str
    order: int
    """Its ticket, drawn once, in the order in which the line (priority with age bonus) gave it out."""
    confidence: float = 1.0
    """How sure the router is that this is for this type, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A worker that can take any task of its floor."""

    worker: str
    idle: bool
    hint: Waiting | None = None
    """The one task meant for it next; it is nobody else's hint and not in the floor's line."""
    done: int = 0
    """Tasks it has carried out."""
    busy_s: float = 0.0
    """Seconds it has worked in all."""
    last_type: str = ""
    """The type of the task it runs, or ran last; empty when it has run none."""


@dataclass(frozen=True, slots=True)
class Floor:
    """One group of workers that can all take the same tasks, and the line before them.

    A pool whose worker types have bounds of their own is one floor for each of them. A worker that left
    takes its hint with it: the task is in `waiting` again.
    """

    seats: tuple[Seat, ...]
    waiting: tuple[Waiting, ...]
    turn: int = 0
    """Hints given so far: whose turn it is in `round-robin`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, and what to remember for the next look."""

    starts: dict[str, str]
    """Idle worker to the task that it starts."""
    hints: dict[str, str]
    """Worker to the task meant for it after that."""
    turn: int


def checked_strategy(text: str) -> StrategyName:
    """The strategy of that name. Raises BadInput when there is none."""
    for name in NAMES:
        if name == text:
            return name
    raise BadInput(f"no strategy {text!r}", f"use {', '.join(NAMES)}")


def plan(strategy: StrategyName, floor: Floor) -> Plan:
    """Give out hints, let every idle worker start its own or a stolen one, and hint to those again."""
    floor = _hinted(floor, place(strategy, floor))
    starts: dict[str, str] = {}
    for seat in sorted((seat for seat in floor.seats if seat.idle), key=_load):
        now = next(other for other in floor.seats if other.worker == seat.worker)
        task = next_task(now, floor)
        if task is not None:
            starts[seat.worker] = task.task
            floor = _started(floor, seat.worker, task)
    floor = _hinted(floor, place(strategy, floor))
    hints = {seat.worker: seat.hint.task for seat in floor.seats if seat.hint is not None}
    return Plan(starts, hints, floor.turn)


def place(strategy: StrategyName, floor: Floor) -> dict[str, Waiting]:
    """A hint for every worker that has none, while the line lasts; idle workers are served first."""
    return STRATEGIES[strategy](floor)


def next_task(seat: Seat, floor: Floor) -> Waiting | None:
    """What an idle worker starts: its own hint, else the most urgent task that nobody has started.

    A hint whose worker stays busy for long is stolen even from under a worker that has its own.
    """
    stuck = [other.hint for other in floor.seats if other.hint is not None and not other.idle]
    if seat.hint is None:
        return min([*floor.waiting, *stuck], key=_order, default=None)
    oldest = min(stuck, key=_order, default=seat.hint)
    return oldest if _overdue(oldest, seat.hint, floor) else seat.hint


def round_robin(floor: Floor) -> dict[str, Waiting]:
    """The most urgent tasks, to the workers in turn."""
    start = floor.turn % max(len(floor.seats), 1)
    rooms = _idle_first(floor.seats[start:] + floor.seats[:start])
    return _pair(rooms, _most_urgent(floor, len(rooms)))


def least_loaded(floor: Floor) -> dict[str, Waiting]:
    """The most urgent tasks, to the workers with the shortest line, then the least time worked."""
    rooms = _by_load(floor)
    return _pair(rooms, _most_urgent(floor, len(rooms)))


def type_specific(floor: Floor) -> dict[str, Waiting]:
    """Equal shares of the workers for each type in line, on workers that ran it last where those are free.

    Caches stay warm so, and an expert stays in its subject. No worker idles for it.
    """
    rooms = _by_load(floor)
    tasks = _shared(floor, len(rooms), dict.fromkeys({task.type for task in floor.waiting}, 1.0))
    idle = sum(seat.idle for seat in rooms)
    return _matched(rooms[:idle], tasks[:idle]) | _matched(rooms[idle:], tasks[idle:])


def confidence_weighted(floor: Floor) -> dict[str, Waiting]:
    """Shares of the workers in proportion to the mean confidence of each type's waiting tasks.

    The router's primary choice gets more workers than its secondaries, which run beside it all the same.
    """
    sure: dict[str, list[float]] = {}
    for task in floor.waiting:
        sure.setdefault(task.type, []).append(task.confidence)
    weights = {kind: max(sum(found) / len(found), _LEAST_CONFIDENCE) for kind, found in sure.items()}
    rooms = _by_load(floor)
    return _pair(rooms, _shared(floor, len(rooms), weights))


STRATEGIES: dict[StrategyName, Callable[[Floor], dict[str, Waiting]]] = {
    "round-robin": round_robin,
    "least-loaded": least_loaded,
    "type-specific": type_specific,
    "confidence-weighted": confidence_weighted,
}


def _shared(floor: Floor, count: int, weights: dict[str, float]) -> list[Waiting]:
    """`count` tasks of the line such that what each type has in hand comes near to its share.

    Each place goes to the type that is furthest below its share (so shares are rounded by the largest
    remainder), at equal distance to the more urgent. A type with nothing in hand goes before all others,
    and a task that was passed over for too long before those. Within a type the most urgent goes first.
    """
    lines: dict[str, list[Waiting]] = {kind: [] for kind in weights}
    for task in sorted(floor.waiting, key=_order, reverse=True):
        lines[task.type].append(task)
    held = _in_hand(floor, lines)
    count = min(count, len(floor.waiting))
    places = held.total() + count
    share = {kind: weight / sum(weights.values()) * places for kind, weight in weights.items()}

    def need(kind: str) -> tuple[bool, float, int]:
        short = share[kind] - held[kind] if held[kind] else 0.0
        return held[kind] > 0, -short, lines[kind][-1].order

    chosen: list[Waiting] = []
    for _ in range(count):
        kinds = [kind for kind, line in lines.items() if line]
        kind = min(kinds, key=need)
        head = min(kinds, key=lambda kind: lines[kind][-1].order)
        kind = head if _overdue(lines[head][-1], lines[kind][-1], floor) else kind
        chosen.append(lines[kind].pop())
        held[kind] += 1
    return chosen


def _in_hand(floor: Floor, kinds: Iterable[str]) -> "Counter[str]":
    """How many tasks of these types run, or are hinted to a worker."""
    found: Counter[str] = Counter(dict.fromkeys(kinds, 0))
    for seat in floor.seats:
        running = [] if seat.idle else [seat.last_type]
        hinted = [] if seat.hint is None else [seat.hint.type]
        found.update(kind for kind in running + hinted if kind in found)
    return found


def _matched(rooms: Sequence[Seat], tasks: Sequence[Waiting]) -> dict[str, Waiting]:
    """Each task to a worker that ran its type last, then the rest to the rest, new workers first."""
    free, rest, found = list(rooms), list[Waiting](), dict[str, Waiting]()
    for task in tasks:
        seat = next((seat for seat in free if seat.last_type == task.type), None)
        if seat is None:
            rest.append(task)
        else:
            free.remove(seat)
            found[seat.worker] = task
    return found | _pair(sorted(free, key=lambda seat: seat.last_type != ""), rest)


def _pair(rooms: Iterable[Seat], tasks: Iterable[Waiting]) -> dict[str, Waiting]:
    return {seat.worker: task for seat, task in zip(rooms, tasks, strict=False)}


def _most_urgent(floor: Floor, count: int) -> list[Waiting]:
    return sorted(floor.waiting, key=_order)[:count]


def _idle_first(seats: Iterable[Seat]) -> list[Seat]:
    """Those without a hint."""
    return sorted((seat for seat in seats if seat.hint is None), key=lambda seat: not seat.idle)


def _by_load(floor: Floor) -> list[Seat]:
    """Those without a hint, the least loaded first."""
    return sorted((seat for seat in floor.seats if seat.hint is None), key=_load)


def _load(seat: Seat) -> tuple[bool, float, int]:
    return not seat.idle, seat.busy_s, seat.done


def _order(task: Waiting) -> tuple[int, str]:
    return task.order, task.task


def _overdue(task: Waiting, other: Waiting, floor: Floor) -> bool:
    """Whether `task` has waited so long that `other` must not go before it."""
    return other.order - task.order > _PATIENCE * len(floor.seats)


def _hinted(floor: Floor, hints: dict[str, Waiting]) -> Floor:
    placed = {task.task for task in hints.values()}
    seats = tuple(
        replace(seat, hint=hints[seat.worker]) if seat.worker in hints else seat for seat in floor.seats
    )
    waiting = tuple(task for task in floor.waiting if task.task not in placed)
    return Floor(seats, waiting, floor.turn + len(hints))


def _started(floor: Floor, worker: str, task: Waiting) -> Floor:
    """The floor once `worker` runs `task`, whoever's hint it was."""
    freed = [replace(seat, hint=None) if seat.hint == task else seat for seat in floor.seats]
    seats = tuple(
        replace(seat, idle=False, last_type=task.type) if seat.worker == worker else seat for seat in freed
    )
    return Floor(seats, tuple(other for other in floor.waiting if other.task != task.task), floor.turn)
