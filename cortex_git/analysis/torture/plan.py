"""What goes wrong when: everything that a seed decides, before anything runs.

Owns the plan and its determinism: the same seed, sizes and faults give the same plan, on any machine. How
the hosts' work then meets it depends on the machine's timing.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from cortex_git.analysis.torture.faults import SUSPICIOUS

Fault = Mapping[str, Any]
"""`fault`, its name; `how`, its moment or manner; `s`, seconds where it takes any."""

BATCH = "torture"


@dataclass(frozen=True, slots=True)
class Point:
    """Where in a host's work a fault can strike: in which kind of call, and how; `s` from and to."""

    kind: str
    how: str
    s: tuple[float, float] = (0.0, 0.0)


_LATEST = {
    "claim": 5, "publish": 4, "recheck": 3, "fetch": 5, "heartbeat": 3, "fold": 2, "release": 1, "run": 10,
}  # fmt: skip
"""Up to which call of a kind a fault strikes: hosts make about so many in a run of the default size."""

_SHARE: Mapping[str, float] = {
    "kill-worker": 0.6, "kill-command": 0.5, "kill-publisher": 0.5, "lost-ack": 1.0, "lost-push": 1.0,
    "duplicate": 1.0, "delay": 2.0, "outsider": 0.3, "freeze": 0.2, "copy": 0.1, "restart-host": 0.25,
}  # fmt: skip
"""How many of a fault there are for each host, at the hosts' own calls."""
_MOST = {"copy": 2, "freeze": 5}

_TIMED: Mapping[str, tuple[float, float, float]] = {
    "remote-down": (2, 0.5, 2.5),
    "refuse": (2, 0.5, 2.5),
    "outsider": (2, 0, 0),
    "disk-full": (1, 3, 6),
    "read-only": (1, 3, 6),
    "corrupt-lock": (3, 0, 0),
    "corrupt-claim": (2, 0, 0),
    "corrupt-state": (1, 0, 0),
}
"""Of those that depend on how far the tasks are: how many, and for how many seconds each lasts."""


@dataclass(frozen=True, slots=True)
class HostPlan:
    """One host: what it runs, what strikes it, and how wrong its clock is."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    """Command lines in turn; the last one is repeated until all tasks are finished."""
    points: dict[str, dict[str, list[Fault]]] = field(default_factory=dict)
    """Faults by kind of call and its number, counted from 1 on this host."""
    clock_s: float = 0.0
    boxed: bool = False
    """Whether its clone is on a small file system of its own."""


@dataclass(frozen=True, slots=True)
class Happening:
    """A fault that strikes when the share `at` of all tasks has a result; `host` None: all hosts."""

    at: float
    fault: str
    host: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a seed decides."""

    seed: int
    clones: int
    tasks: int
    faults: tuple[str, ...]
    lease_s: float
    heartbeat_s: float
    hosts: tuple[HostPlan, ...]
    happenings: tuple[Happening, ...]
    seconds: dict[str, float]
    """How long a run of each task takes."""
    fails: dict[str, int]
    """Tasks whose first so many attempts fail."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def host_name(number: int) -> str:
    return f"h{number:02d}"


def task_name(number: int) -> str:
    return f"t{number:04d}"


def make_plan(
    seed: int, clones: int, tasks: int, faults: Sequence[str], lease_s: float | None = None
) -> Plan:
    """The plan of a seed for so many hosts and tasks, with these faults.

    `lease_s` is how long a claim survives its host's silence, by default as short as so many hosts allow.
    """
    suspicious = bool(SUSPICIOUS & set(faults))
    if lease_s is None:
        # Without faults that need one, no takeover may happen however slow the machine is.
        lease_s = 4.0 + 0.2 * clones if suspicious or "corrupt-claim" in faults else 60.0
    names = [host_name(number) for number in range(clones)]
    points: dict[str, dict[str, dict[str, list[Fault]]]] = {name: {} for name in names}
    for fault in faults:
        draw = random.Random(f"{seed} {fault}")  # noqa: S311 - repeatable, not secret
        spots = spots_of(fault, lease_s)
        wanted = max(1, round(_SHARE[fault] * clones)) if spots else 0
        for number in range(min(wanted, _MOST.get(fault, wanted))):
            _strike(points[draw.choice(names)], fault, spots[(seed + number) % len(spots)], draw)
    draw = random.Random(f"{seed} hosts")  # noqa: S311
    boxed = min(max(1, clones // 10), clones - 1) if {"disk-full", "read-only"} & set(faults) else 0
    hosts = tuple(
        HostPlan(
            name,
            _commands(draw, tasks if suspicious else 0),
            points[name],
            _clock(draw, surely=number == 0) if "clock" in faults else 0.0,
            number >= clones - boxed,
        )
        for number, name in enumerate(names)
    )
    seconds = {task_name(n): round(draw.uniform(0.05, 0.6), 2) for n in range(tasks)}
    fails = {task_name(n): 1 for n in range(tasks) if suspicious and draw.random() < 0.03}
    return Plan(
        seed,
        clones,
        tasks,
        tuple(faults),
        lease_s,
        lease_s / 3,
        hosts,
        _happenings(seed, faults, hosts),
        seconds,
        fails,
    )


def _clock(draw: random.Random, *, surely: bool) -> float:
    """Seconds by which a host's clock is wrong; 0 for some."""
    wrong = round(draw.uniform(-3600, 3600), 1)
    return wrong if draw.random() < 0.7 or surely else 0.0


def _strike(points: dict[str, dict[str, list[Fault]]], fault: str, spot: Point, draw: random.Random) -> None:
    number = min(draw.randint(1, _LATEST[spot.kind]) for _ in range(2))
    entry: dict[str, Any] = {"fault": fault, "how": spot.how}
    if spot.s[1]:
        entry["s"] = round(draw.uniform(*spot.s), 3)
    points.setdefault(spot.kind, {}).setdefault(str(number), []).append(entry)


def spots_of(fault: str, lease_s: float) -> list[Point]:
    """Where a fault can strike a host's own calls, the likeliest to find something first."""
    past = (1.6 * lease_s, 2.2 * lease_s)
    spots: dict[str, list[Point]] = {
        "kill-worker": [Point("run", "during"), Point("run", "end")],
        "kill-command": [
            Point("claim", "after"), Point("run", "end"), Point("recheck", "before"),
            Point("claim", "before"), Point("fold", "before"), Point("fold", "after"),
            Point("heartbeat", "before"),
        ],
        "kill-publisher": [
            Point("publish", "before"), Point("publish", "after"), Point("publish", "during", (0.001, 0.06)),
        ],
        "lost-ack": [
            Point("claim", "lost"), Point("publish", "lost"), Point("claim", "lost"),
            Point("release", "lost"), Point("fold", "lost"), Point("heartbeat", "lost"),
        ],
        "lost-push": [
            Point("claim", "lost"), Point("publish", "lost"), Point("claim", "lost"),
            Point("release", "lost"), Point("fold", "lost"), Point("heartbeat", "lost"),
        ],
        "duplicate": [
            Point("publish", "second"), Point("claim", "second"), Point("publish", "first"),
            Point("claim", "first"), Point("fold", "second"),
        ],
        "delay": [
            Point("claim", "until-finished", (4, 4)), Point("publish", "before", (0.3, 2)),
            Point("claim", "before", (0.3, 2)), Point("publish", "late", (0.2, 2)),
            Point("recheck", "before", (0.3, 1.5)), Point("claim", "late", (0.2, 2)),
            Point("fetch", "before", (0.3, 1.5)), Point("fold", "before", (0.3, 1.5)),
            Point("claim", "until-claimed", (4, 4)), Point("claim", "until-finished", (6, 6)),
            Point("heartbeat", "late", (0.2, 2)),
            Point("release", "late", (0.2, 1)),
        ],
        "outsider": [Point("fold", "before")],
        "freeze": [
            Point("publish", "until-finished", (4 * lease_s, 4 * lease_s)), Point("publish", "before", past),
            Point("claim", "after", past), Point("run", "during", past),
        ],
        "copy": [Point("publish", "before"), Point("claim", "after")],
        "restart-host": [Point("publish", "after"), Point("claim", "before"), Point("run", "during")],
    }  # fmt: skip
    return spots.get(fault, [])


def _commands(draw: random.Random, cancelled_of: int) -> tuple[tuple[str, ...], ...]:
    """What a host runs in turn: parts of the batch that end early, single tasks, a pool, all of the batch.

    Some cancel two of `cancelled_of` tasks; none where every task is to run.
    """
    turns: list[tuple[str, ...]] = []
    for _ in range(draw.randint(0, 2)):
        part = f"t*{draw.randrange(10)}"
        turns.append(
            draw.choice(
                [
                    ("spawn-workers", "--count", str(draw.randint(1, 2)), "--tasks", part),
                    ("spawn-workers", "--count", "1", "--tasks", part),
                    ("spawn-worker", "--runner", "torture"),
                    ("sync",),
                ]
            )
        )
    if cancelled_of and draw.random() < 0.2:
        names = {task_name(draw.randrange(cancelled_of)) for _ in range(2)}
        turns.append(("task", "cancel", *sorted(names)))
    if draw.random() < 0.15:
        turns.append(("pool",))
    turns.append(("spawn-workers", "--count", str(draw.randint(1, 3))))
    return tuple(turns)


def _happenings(seed: int, faults: Sequence[str], hosts: Sequence[HostPlan]) -> tuple[Happening, ...]:
    found: list[Happening] = []
    for fault in faults:
        if fault not in _TIMED:
            continue
        draw = random.Random(f"{seed} {fault} timed")  # noqa: S311
        count, least, most = _TIMED[fault]
        boxed = fault in ("disk-full", "read-only")
        names = [host.name for host in hosts if host.boxed == boxed] or [host.name for host in hosts]
        own = boxed or fault in ("corrupt-lock", "corrupt-state")
        for _ in range(int(count)):
            # A claim of nobody needs a task that nobody has yet.
            latest = 0.0 if fault == "corrupt-claim" else 0.75
            at, seconds = round(draw.uniform(0.0, latest), 3), round(draw.uniform(least, most), 2)
            found.append(Happening(at, fault, draw.choice(names) if own else None, seconds))
    return tuple(sorted(found, key=lambda happening: happening.at))
