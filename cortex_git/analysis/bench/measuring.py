"""What each table of `bench all` measures, in which sizes, and which of it is shown.

Owns the choice of figures; they come from the other benchmarks, each by its own definition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cortex_git.analysis.bench.batches import sleep_batches
from cortex_git.analysis.bench.limits import Load, bench_limits
from cortex_git.analysis.bench.overhead import PUBLISHED as PUBLISHED_OVERHEAD
from cortex_git.analysis.bench.overhead import TASK_S, bench_overhead
from cortex_git.analysis.bench.peers import OURS, bench_peers
from cortex_git.analysis.bench.policies import SETTINGS, bench_policies, sizer
from cortex_git.analysis.bench.queue import bench_queue, rows_to_json
from cortex_git.analysis.bench.replay import replay
from cortex_git.analysis.bench.routing import bench_route
from cortex_git.analysis.bench.scan import bench_scan
from cortex_git.analysis.bench.spawn import bench_spawn
from cortex_git.analysis.bench.tables import Figure
from cortex_git.analysis.bench.traces import traces_of, wave
from cortex_git.analysis.bench.worker_memory import recycling as recycled_batches
from cortex_git.analysis.bench.worker_memory import worker_memory
from cortex_git.analysis.bench.workspace import Say, workspace
from cortex_git.analysis.utilization import shares
from cortex_git.routing.experts import OUR_NAMES
from cortex_git.routing.sentences import held_out

_SEED = 1
"""What the traces are made from that are replayed."""
_LIMITS = Load()
_TEN_S = 15.0
"""Seconds of each of ten tasks: published are 150 s one after another, and 15 s in parallel."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured; `quick` is for trying the command out, not for publishing."""

    spawn_runs: int = 50
    queue_workers: Sequence[int] = (1, 5, 10, 20, 40)
    queue_tasks: int | None = None
    overhead_workers: Sequence[int] = (5, 10, 20, 30, 40, 64)
    overhead_s: float = TASK_S
    tasks_per_worker: int = 12
    ten_s: float = _TEN_S
    audit_s: float = 13.0
    repositories: int = 20
    packages: int = 500
    scan_runs: int = 3
    memory_workers: int = 20
    recycled_tasks: int = 400
    peer_tasks: int = 2_000
    peer_sleeps: int = 400
    peer_runs: int = 3
    limits: Load = _LIMITS
    traces: Sequence[str] = ("steady", "wave", "bursts")

    @classmethod
    def quick(cls) -> "Sizes":
        return cls(
            spawn_runs=5, queue_workers=(1, 4), queue_tasks=20, overhead_workers=(5,), overhead_s=0.2,
            tasks_per_worker=5, ten_s=0.2, audit_s=0.2, repositories=3, packages=20, scan_runs=1,
            memory_workers=4, recycled_tasks=40, peer_tasks=40, peer_sleeps=12, peer_runs=1,
            limits=Load(workers=4, tokens=80_000, call_s=0.05, window_s=2.0, windows=2.0), traces=("bursts",),
        )  # fmt: skip


Measured = tuple[Sequence[Figure], Mapping[str, object]]
"""The figures of a table, and the whole document they are from."""


def spawn(sizes: Sizes, say: Say) -> Measured:
    """Milliseconds of cold and warm starts."""
    found = bench_spawn(sizes.spawn_runs, say).to_json()
    named = {
        "cold_ms_p50": ("cold, median", "ms"),
        "warm_ms_p50": ("warm, median", "ms"),
        "ratio": ("cold in times of warm", "times"),
        "command_ms_p50": ("the whole spawn-worker, a pool running", "ms"),
    }
    return [Figure(name, unit, _number(found[key])) for key, (name, unit) in named.items()], found


def queue(sizes: Sizes, say: Say) -> Measured:
    """No-op tasks a minute."""
    rows = rows_to_json(bench_queue(sizes.queue_workers, sizes.queue_tasks, say))
    figures = [
        Figure(
            _workers(row["workers"]), "tasks/min", _number(row["ours_tasks_per_min"]),
            note=f"the loop: {row['loop_tasks_per_min']}",
        )
        for row in rows
    ]  # fmt: skip
    return figures, {"rows": rows}


def overhead(sizes: Sizes, say: Say) -> Measured:
    """Share of the workers' time that coordination takes."""
    found = bench_overhead(sizes.overhead_workers, say, sizes.overhead_s, sizes.tasks_per_worker)
    published = PUBLISHED_OVERHEAD if sizes.overhead_s == TASK_S else {}
    figures = [
        Figure(
            f"{len(row.cycles)} workers", "%", 100 * row.overhead, _percent(published.get(len(row.cycles)))
        )
        for row in found
    ]
    return figures, {"task_s": sizes.overhead_s, "rows": [row.to_json() for row in found]}


def ten(sizes: Sizes, say: Say) -> Measured:
    """Ten tasks that sleep."""
    return _batch(10, sizes.ten_s, {1: 150.0, 20: 15.0} if sizes.ten_s == _TEN_S else {}, say)


def audit(sizes: Sizes, say: Say) -> Measured:
    """Twenty repositories, imitated by tasks that sleep."""
    return _batch(20, sizes.audit_s, {}, say)


def _batch(tasks: int, task_s: float, published: Mapping[int, float], say: Say) -> Measured:
    with workspace() as folder:
        alone, together = sleep_batches(folder, tasks, task_s, (1, 20), say)
    figures = [
        Figure("one worker", "s", alone.wall_s, published.get(1)),
        Figure("20 workers", "s", together.wall_s, published.get(20)),
        Figure("speed-up", "times", alone.wall_s / together.wall_s),
        Figure("parallel efficiency", "%", 100 * together.efficiency),
    ]
    return figures, {"runs": [run.to_json() for run in (alone, together)]}


def scan(sizes: Sizes, say: Say) -> Measured:
    """Real scans of generated repositories."""
    found = bench_scan(sizes.repositories, 20, sizes.packages, sizes.scan_runs, say).to_json()
    named = {"sequential_s": "one by one", "parallel_s": "in parallel", "xargs_s": "xargs -P 20"}
    figures = [Figure(name, "s", _number(found[key])) for key, name in named.items()]
    return [*figures, Figure("speed-up", "times", _number(found["sequential_to_parallel"]))], found


def memory(sizes: Sizes, say: Say) -> Measured:
    """What a waiting worker takes."""
    found = worker_memory(sizes.memory_workers, say)
    figures = [
        Figure("warm, its own", "MiB", found.warm_own_mib, note="what one more worker takes"),
        Figure("warm, resident", "MiB", found.warm_resident_mib, note="with what it shares"),
        Figure("cold, its own", "MiB", found.cold_own_mib, 400e6 / 2**20, "published: 400 MB a worker"),
    ]
    return figures, found.to_json()


def recycling(sizes: Sizes, say: Say) -> Measured:
    """What replacing a worker costs."""
    with workspace() as folder:
        found = recycled_batches(folder, 8, sizes.recycled_tasks, sizes.recycled_tasks // 40, say)
    figures = [
        Figure("replaced", "workers", found.replaced, note=f"{found.tasks} tasks, each with one result"),
        Figure("cost of one replacement", "ms", found.replacement_ms),
    ]
    return figures, found.to_json()


def peers(sizes: Sizes, say: Say) -> Measured:
    """The same work by other queues and pools."""
    loads = [(0.0, sizes.peer_tasks), (0.1, sizes.peer_sleeps)]
    rows = bench_peers(8, loads, sizes.peer_runs, say)
    ours = {row.task_s: row.per_s for row in rows if row.name == OURS}
    figures = [
        Figure(
            f"{row.name}, {f'{row.task_s:g} s' if row.task_s else 'no-op'}", "tasks/s", row.per_s,
            note=f"keeps {row.keeps}",
        )
        for row in rows
        if row.per_s is not None
    ]  # fmt: skip
    return figures, {"workers": 8, "rows": [row.to_json(ours[row.task_s]) for row in rows]}


def limits(sizes: Sizes, say: Say) -> Measured:
    """Use of a provider's limits, and the most in any minute."""
    found = bench_limits(sizes.limits, say)
    tokens = max(found.tokens_by_arrival, found.tokens_by_end)
    requests = max(found.requests_by_arrival, found.requests_by_end)
    figures = [
        Figure(
            "used of the limit", "%", 100 * found.throughput, note=f"{found.load.tokens:,} tokens a minute"
        ),
        Figure("most tokens in any minute", "tokens", tokens, note=f"of {found.load.tokens:,}"),
        Figure("most requests in any minute", "requests", requests, note=f"of {found.load.requests:,}"),
    ]
    return figures, found.to_json()


def utilization(_sizes: Sizes, say: Say) -> Measured:
    """How busy a pool with default settings is over a day, in virtual time."""
    trace = wave(_SEED)
    say(f"{trace.name}: {len(trace.arrivals)} tasks, in virtual time")
    replayed = replay(trace, sizer("activation"))
    found = shares(replayed.use)
    by_name = {
        "busy workers, average": (found.average_active, "workers", 1),
        "busy workers, most": (found.peak_active, "workers", 1),
        "light: up to 5 busy": (found.light, "%", 100),
        "medium: 6 to 15": (found.medium, "%", 100),
        "heavy: 16 and more": (found.heavy, "%", 100),
        "efficiency: busy of all worker-hours": (found.efficiency, "%", 100),
    }
    figures = [
        Figure(name, unit, scale * value)
        for name, (value, unit, scale) in by_name.items()
        if value is not None
    ]
    rounded = {key: round(value, 4) for key, value in found.to_json().items()}
    return figures, {"seed": _SEED, "trace": trace.name, "policy": "activation", **rounded}


def policies(sizes: Sizes, say: Say) -> Measured:
    """Worker-hours and waits of each sizing policy, in virtual time."""
    rows = [*bench_policies(traces_of(_SEED, sizes.traces), say)]
    pool = {"min": SETTINGS.min, "max": SETTINGS.max, "cooldown_s": SETTINGS.cooldown_s}
    figures = [
        Figure(
            f"{row.trace}, {row.policy}", "worker-hours", row.worker_hours,
            note=f"95 of 100 tasks waited at most {row.wait_p95_s:g} s",
        )
        for row in rows
    ]  # fmt: skip
    return figures, {"seed": _SEED, "pool": pool, "rows": [row.to_json() for row in rows]}


def route(_sizes: Sizes, _say: Say) -> Measured:
    """How often the router is right without asking a model."""
    found = bench_route(held_out(OUR_NAMES)).to_json()
    kinds = {"plain": "one expert", "hard": "one expert, hard", "both": "two experts, both named"}
    figures = [
        Figure(
            kind, "% right", 100 * found["router"][key], note=f"counting words: {found['baseline'][key]:.1%}"
        )
        for key, kind in kinds.items()
    ]
    return figures, found


def _workers(count: object) -> str:
    return "one worker" if count == 1 else f"{count} workers"


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)
