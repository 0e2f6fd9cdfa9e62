"""Races that a seed meets by chance only, each made on purpose: one or two hosts, one fault at one place.

Owns these plans and how often each is tried. They come before the plan of a seed, as each needs one part of
the protocol and fails without it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cortex_git.analysis.torture.plan import Fault, HostPlan, Plan, host_name, task_name
from cortex_git.analysis.torture.report import Report
from cortex_git.analysis.torture.torturing import Say, ground, torture

TASKS = 8
MOST_RUNS = 3
_LONG_S = 30.0
_WORK = (("spawn-workers", "--count", "1"),)


@dataclass(frozen=True, slots=True)
class Race:
    """One fault at the first call of a kind of the first host."""

    name: str
    about: str
    kind: str
    fault: Fault
    seconds: float
    """How long a run of each task takes."""
    hosts: int = 2
    lease_s: float = 60.0
    """Longer than any test where nobody is to be suspected."""

    def plan(self, seed: int = 1) -> Plan:
        """What every host does, and the fault; nothing in it hangs on the seed."""
        names = [task_name(number) for number in range(TASKS)]
        points = [{self.kind: {"1": [self.fault]}}, *({} for _ in range(self.hosts - 1))]
        return Plan(
            seed=seed,
            clones=self.hosts,
            tasks=TASKS,
            faults=(str(self.fault["fault"]),),
            lease_s=self.lease_s,
            heartbeat_s=self.lease_s / 3,
            hosts=tuple(HostPlan(host_name(n), _WORK, own) for n, own in enumerate(points)),
            happenings=(),
            seconds=dict.fromkeys(names, self.seconds),
            fails={},
        )


RACES: dict[str, Race] = {
    race.name: race
    for race in (
        Race(
            "claim-of-a-claimed-task",
            "a claim arrives when another host has the task",
            "claim",
            {"fault": "delay", "how": "until-claimed", "s": _LONG_S},
            seconds=0.5,
        ),
        Race(
            "claim-of-a-finished-task",
            "a claim arrives when another host has finished the task",
            "claim",
            {"fault": "delay", "how": "until-finished", "s": _LONG_S},
            seconds=0.05,
        ),
        Race(
            "publish-of-a-lost-claim",
            "a host is stopped before its publish until another has taken the task over and finished it",
            "publish",
            {"fault": "freeze", "how": "until-finished", "s": _LONG_S},
            seconds=0.05,
            lease_s=2.0,
        ),
        Race(
            "claim-that-never-arrived",
            "the sender of a lost claim does not know whether it landed, and another host claims",
            "claim",
            {"fault": "lost-push", "how": "lost"},
            seconds=0.3,
        ),
        Race(
            "publish-by-two-copies",
            "a clone is copied before its publish, and the copy finds its result published",
            "publish",
            {"fault": "copy", "how": "before"},
            seconds=0.2,
            hosts=1,
            lease_s=2.0,
        ),
    )
}
"""Every race, by its name, in the order in which they are run."""


@dataclass
class Faced:
    """What came of a race."""

    race: Race
    struck: int = 0
    """How often its fault was done and met what it waited for; 0 where it never did."""
    runs: int = 0
    wall_s: float = 0.0
    problems: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.race.name,
            "fault": self.race.fault["fault"],
            "struck": self.struck,
            "runs": self.runs,
            "wall_s": round(self.wall_s, 1),
            "problems": self.problems,
        }


def races_of(faults: Sequence[str]) -> tuple[Race, ...]:
    """The races that are made by one of these faults."""
    return tuple(race for race in RACES.values() if race.fault["fault"] in faults)


def face(
    race: Race,
    say: Say,
    *,
    seed: int = 1,
    keep: Path | None = None,
    repeat: str = "",
    patch: Path | None = None,
) -> tuple[Faced, Report]:
    """Run a race until its fault struck or something was wrong, at most `MOST_RUNS` times; the last report.

    Raises EnvironmentProblem.
    """
    faced = Faced(race)
    while True:
        faced.runs += 1
        say(f"race {race.name}: {race.about}" + (f" (run {faced.runs})" if faced.runs > 1 else ""))
        with ground(keep) as folder:
            report = torture(race.plan(seed), folder, _silent, repeat=repeat, patch=patch)
        if keep is None:
            report.folder = None
        report.race = race.name
        faced.struck += max(0, sum(report.faults.values()) - report.missed)
        faced.wall_s += report.wall_s
        faced.problems = report.problems
        if faced.struck or report.failed or faced.runs == MOST_RUNS:
            break
    if not faced.struck:
        say(f"race {race.name}: its fault did not strike in {faced.runs} runs")
    return faced, report


def face_all(
    races: Iterable[Race], run: Callable[[Race], tuple[Faced, Report]]
) -> tuple[list[Faced], Report | None]:
    """Run races in turn up to the first that fails; what came of each, and the report of that one."""
    done: list[Faced] = []
    for race in races:
        faced, report = run(race)
        done.append(faced)
        if report.failed:
            report.directed = [faced.to_json() for faced in done]
            return done, report
    return done, None


def _silent(_text: str) -> None:
    """A race is short: its name is told, and no more."""
