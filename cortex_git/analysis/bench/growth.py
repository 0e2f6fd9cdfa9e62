"""`bench growth`: what coordination costs with a long past, against what it costs with a short one.

Owns what is timed. All sizes stand side by side and every round visits each of them, so that whatever else
the machine does meets them alike; the figures are medians over the rounds.
"""

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from cortex_git.analysis.bench.growth_history import Past, make_past
from cortex_git.analysis.bench.workspace import (
    OWN,
    Command,
    Say,
    own_environment,
    run_together,
    workspace,
)
from cortex_git.models import Result
from cortex_git.state import now
from cortex_git.store.claim_records import Claim
from cortex_git.store.cloning import joining_clone
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope

BOUND = 3.0
"""What claiming, publishing and looking may cost at most, in times of what they cost at the smallest size."""
BOUNDED = ("pull", "pull_one", "claim_1", "claim_20", "publish_1", "publish_20", "fold", "status")
"""The figures that the bound is for: what every worker, or every look, pays again and again."""
_PAGE = 20
_COMMAND_S = 600.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GrowthRow:
    """One size: medians in milliseconds by what was done, seconds to join, and MiB on disk."""

    past: Past
    cost_ms: dict[str, float]
    cpu_ms: dict[str, float]
    """Of this process and of every git that it waited for, the remote's too: what other work on the machine
    does not change."""
    join_s: float
    clone_mib: float
    """The git folder of a clone that has just joined, with its index."""
    remote_mib: float

    def to_json(self, first: "GrowthRow") -> dict[str, Any]:
        ratios = _ratios(self.cost_ms, first.cost_ms)
        of_cpu = _ratios(self.cpu_ms, first.cpu_ms)
        return {
            "results": self.past.results,
            "claims": self.past.claims,
            "open": self.past.open,
            "cost_ms": {name: round(cost, 1) for name, cost in self.cost_ms.items()},
            "cpu_ms": {name: round(cost, 1) for name, cost in self.cpu_ms.items()},
            "ratio": ratios,
            "cpu_ratio": of_cpu,
            "worst_ratio": max(ratios[name] for name in BOUNDED),
            "worst_cpu_ratio": max(of_cpu[name] for name in BOUNDED),
            "join_s": round(self.join_s, 2),
            "clone_mib": round(self.clone_mib, 1),
            "remote_mib": round(self.remote_mib, 1),
        }


@dataclass
class _Site:
    """One size's remote with two hosts, and what was measured on it."""

    past: Past
    folder: Path
    remote: Path
    one: Coordination
    two: Coordination
    join_s: float
    clone_mib: float
    times: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """By what was done: milliseconds, and milliseconds of processors."""

    def timed(self, name: str, action: Callable[[], T]) -> T:
        started, used = time.perf_counter(), _cpu_s()
        found = action()
        took = (1000 * (time.perf_counter() - started), 1000 * (_cpu_s() - used))
        self.times.setdefault(name, []).append(took)
        return found


def bench_growth(pasts: Sequence[Past], rounds: int, say: Say) -> list[GrowthRow]:
    """One row for each past, in the order given."""
    with workspace() as folder:
        sites = [_site(folder / f"past-{number}", past, say) for number, past in enumerate(pasts)]
        for number in range(rounds + 1):
            say(f"round {number} of {rounds}" if number else "a round that does not count")
            for site in sites[number % len(sites) :] + sites[: number % len(sites)]:
                _visit(site)
                if not number:
                    site.times.clear()
        return [_row(site) for site in sites]


def _site(folder: Path, past: Past, say: Say) -> _Site:
    say(f"making {past.results:,} results, {past.claims:,} claims, {past.open:,} open tasks")
    folder.mkdir()
    remote = make_past(folder, past)
    started = time.perf_counter()
    one = _joined(folder / "one", remote)
    join_s = time.perf_counter() - started
    say(f"a clone joined in {join_s:.1f} s")
    clone_mib = _mib(one.repository.git_dir)
    return _Site(past, folder, remote, one, _joined(folder / "two", remote), join_s, clone_mib)


def _joined(folder: Path, remote: Path) -> Coordination:
    """A host that joins: a clone that only coordinates, and all that it has to know."""
    joining_clone(folder, str(remote), "main")
    host = Coordination.open(folder)
    host.pull()
    return host


def _visit(site: _Site) -> None:
    """Everything once."""
    one, two = site.one, site.two
    one.pull()
    site.timed("pull", one.pull)
    claims = site.timed("claim_1", lambda: _claim(two, 1))
    site.timed("publish_1", lambda: _publish(two, claims))
    site.timed("pull_one", one.pull)
    claims = site.timed("claim_20", lambda: _claim(one, 20))
    site.timed("publish_20", lambda: _publish(one, claims))
    site.timed("fold", two.fold)
    for name, words in {
        "status": ("status",),
        "task_list": ("task", "list", "--limit", str(_PAGE)),
        "results_list": ("results", "list", "--limit", str(_PAGE)),
    }.items():
        command = Command(
            (*OWN, *words, "--repository", str(one.repository.folder), "--format", "json"),
            site.folder,
            own_environment(),
            site.folder / f"{name}.out",
        )
        site.timed(name, lambda command=command: run_together([command], _COMMAND_S))  # type: ignore[misc]


def _claim(host: Coordination, count: int) -> list[Claim]:
    return host.claim(Scope(), count, lambda _: "worker-growth-001")


def _publish(host: Coordination, claims: Sequence[Claim]) -> None:
    """A completed result for each of the claims, acknowledged when this returns."""
    host.record([(claim, _result(claim), {}) for claim in claims])
    host.flush()
    for claim in claims:
        host.locks.release(claim.task.task)


def _result(claim: Claim) -> Result:
    ended = claim.ended("completed")
    return ended.model_copy(update={"started_at": now(), "output": {"summary": "fine"}})


def _row(site: _Site) -> GrowthRow:
    costs = {name: median(wall for wall, _ in times) for name, times in site.times.items()}
    cpu = {name: median(used for _, used in times) for name, times in site.times.items()}
    return GrowthRow(site.past, costs, cpu, site.join_s, site.clone_mib, _mib(site.remote))


def _ratios(costs: Mapping[str, float], first: Mapping[str, float]) -> dict[str, float]:
    return {name: round(cost / first[name], 2) for name, cost in costs.items()}


def _cpu_s() -> float:
    """Processor seconds of this process, and of those that it waited for; `os.times` counts hundredths."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, whose))


def _mib(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
