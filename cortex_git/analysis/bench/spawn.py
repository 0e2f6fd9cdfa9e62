"""`bench spawn`: from the request to a task's first instruction, in a fresh interpreter and in a warm worker.

Owns the definition: both have the anthropic import done by that instruction, neither includes the claim,
which is timed beside them. A warm start is `spawn-worker` asking a running pool; what a batch does, which
has its workers at hand, is timed beside it, and so is a fork.
"""

import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from cortex_git.analysis.bench.pool_spawn import CommandTimes, measure_commands
from cortex_git.analysis.bench.workspace import (
    Say,
    add_no_ops,
    new_host,
    new_remote,
    ready_pool,
    workspace,
)
from cortex_git.errors import EnvironmentProblem
from cortex_git.runners.trial import HEAVY
from cortex_git.state import monotonic
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.tasks import listed
from cortex_git.workers.messages import Assignment, Report, receive, send
from cortex_git.workers.pool import Died, Finished, Pool, Slot
from cortex_git.workers.spawning import ColdSpawner, WarmSpawner

RUNNER = "trial"
_WAITING = 4
"""Warm workers that take turns, so that each has been asleep for a while when its turn comes."""
_COLD_SHARE = 5
"""Commands for each cold start, which takes seconds."""
_MOST_S = 120.0


@dataclass
class SpawnTimes:
    """Seconds, one entry a run."""

    cold: list[float] = field(default_factory=list)
    dispatch: list[float] = field(default_factory=list)
    """From a pool in this process to a worker that waits."""
    fork: list[float] = field(default_factory=list)
    """A fresh fork from the preloaded process, until it waits for work."""
    claim: list[float] = field(default_factory=list)
    """Claiming one task on a local bare remote."""
    commands: CommandTimes = field(default_factory=CommandTimes)

    def to_json(self) -> dict[str, object]:
        """Medians in milliseconds, and `ratio`: cold ÷ warm."""
        return {
            "cold_ms_p50": _p50_ms(self.cold),
            "warm_ms_p50": _p50_ms(self.commands.warm),
            "ratio": round(median(self.cold) / median(self.commands.warm), 1),
            **self.commands.to_json(),
            "dispatch_ms_p50": _p50_ms(self.dispatch),
            "fork_ms_p50": _p50_ms(self.fork),
            "claim_ms_p50": _p50_ms(self.claim),
            "warm_ms_worst": round(1000 * max(self.commands.warm), 3),
            "cold_ms_best": round(1000 * min(self.cold), 3),
            "runs": len(self.cold),
        }


def _p50_ms(seconds: list[float]) -> float:
    return round(1000 * median(seconds), 3)


def bench_spawn(runs: int, say: Say) -> SpawnTimes:
    """`runs` commands against a pool, then a fifth as many of cold, fork and dispatch in turn.

    What is compared alternates, so that a busy moment of the machine hits all of it.
    Raises EnvironmentProblem where anthropic is not installed.
    """
    from importlib.util import find_spec

    if find_spec(HEAVY) is None:
        raise EnvironmentProblem(f"{HEAVY} is not installed", f"run `pip install {HEAVY}`")
    rounds = -(-runs // _COLD_SHARE)
    with workspace() as folder:
        coordination = new_host(folder / "host", new_remote(folder / "remote.git"))
        scope = Scope(batch=add_no_ops(coordination, runs + rounds, RUNNER))
        tasks = [task.task for task in listed(coordination.repository, scope)]
        say("starting a pool")
        times = SpawnTimes(commands=measure_commands(folder / "host", tasks[:runs], say))
        say(f"starting {_WAITING} warm workers")
        spawner = WarmSpawner([RUNNER])
        with ready_pool(spawner, _WAITING) as pool:
            for number in range(rounds):
                times.cold.append(_cold(folder))
                times.fork.append(_fork(spawner))
                claim, took = _claim(coordination, scope)
                times.claim.append(took)
                slot = pool.slots[number % _WAITING]
                took = _first_instruction(pool, slot, _assignment(folder, claim, monotonic()))
                times.dispatch.append(took)
                say(f"run {number + 1} of {rounds}: cold {times.cold[-1]:.3f} s, dispatch {took:.6f} s")
    return times


def _cold(folder: Path) -> float:
    """A request that finds no worker: a fresh interpreter is started for it."""
    requested = monotonic()
    with ready_pool(ColdSpawner([RUNNER]), 1) as pool:
        return _first_instruction(pool, pool.slots[0], _assignment(folder, None, requested))


def _fork(spawner: WarmSpawner) -> float:
    """Fork one more worker; it is told to leave as soon as it waits for work."""
    started = time.monotonic()
    spawned = spawner.spawn()
    with spawned.connection as connection:
        receive(connection)
        took = time.monotonic() - started
        send(connection, "exit")
        with suppress(EOFError, OSError):
            receive(connection)
    return took


def _claim(coordination: Coordination, scope: Scope) -> tuple[Claim, float]:
    started = time.monotonic()
    claims = coordination.claim(scope, 1, lambda _: "worker-bench-001")
    if not claims:
        raise EnvironmentProblem("no task could be claimed", "run it again")
    return claims[0], time.monotonic() - started


def _first_instruction(pool: Pool, slot: Slot, assignment: Assignment) -> float:
    """Seconds from the request (`assignment.dispatched`) to the runner's first instruction."""
    if not pool.assign(slot, assignment):
        raise EnvironmentProblem("a waiting worker is gone", "see its message above")
    until = time.monotonic() + _MOST_S
    while time.monotonic() < until:
        for event in pool.wait(1.0):
            if isinstance(event, Finished) and event.slot is slot:
                pool.recorded(slot, assignment.nonce)
                return _stamp(event.report) - assignment.dispatched
            if isinstance(event, Died):
                raise EnvironmentProblem(f"a worker died (status {event.status})", "see its message above")
    raise EnvironmentProblem(f"a worker took over {_MOST_S:g} s to begin", "is the machine busy?")


def _stamp(report: Report) -> float:
    if report.status != "completed" or not report.output["imported"]:
        raise EnvironmentProblem(
            f"a worker began without {HEAVY} ({report.error})", "that is no fair measurement: run it again"
        )
    return float(report.output["started"])


def _assignment(folder: Path, claim: Claim | None, requested: float) -> Assignment:
    """What a worker gets for a task that does nothing; a cold one is measured without any claim."""
    return Assignment(
        task={"task": "bench", "batch": "bench", "title": "no-op", "type": "analysis-worker"},
        runner=RUNNER,
        worker="worker-bench-001",
        host="bench",
        nonce=claim.record.nonce if claim else uuid.uuid4().hex,
        claim=claim.oid if claim else "",
        epoch=1,
        attempt=1,
        path="coordination/results/bench/bench.json",
        repository=str(folder),
        dispatched=requested,
        deadline_s=_MOST_S,
        budget=0,
    )
