"""`bench all`: every table that was published for such a system, measured here, in one run.

Owns the list of tables, what was published for each, and that what is imitated is called so. Figures come
from the other benchmarks, each by its own definition. A part that cannot run here is a part that says why.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cortex_git.analysis.bench.batches import sleep_batches
from cortex_git.analysis.bench.overhead import PUBLISHED as PUBLISHED_OVERHEAD
from cortex_git.analysis.bench.overhead import TASK_S, bench_overhead
from cortex_git.analysis.bench.peers import OURS, bench_peers
from cortex_git.analysis.bench.queue import bench_queue, rows_to_json
from cortex_git.analysis.bench.scan import bench_scan
from cortex_git.analysis.bench.spawn import bench_spawn
from cortex_git.analysis.bench.worker_memory import recycling, worker_memory
from cortex_git.analysis.bench.workspace import Say, workspace
from cortex_git.errors import CortexError

IMITATED = "imitated: each task sleeps as long as the work it stands for would take"
_TEN_S = 15.0
"""Seconds of each of ten tasks: published are 150 s one after another, and 15 s in parallel."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a table: what was published, and what was measured here, in the same unit."""

    name: str
    unit: str
    measured: float
    published: float | None = None
    """None: nothing was published for it."""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Measured in times of published."""
        return self.measured / self.published if self.published else None

    def to_json(self) -> dict[str, object]:
        ratio = self.ratio
        return {
            "name": self.name,
            "unit": self.unit,
            "published": self.published,
            "measured": _rounded(self.measured),
            "ratio": None if ratio is None else round(ratio, 3),
            "note": self.note or None,
        }


@dataclass(frozen=True, slots=True)
class Table:
    """One part: its figures, the command that measures it alone, and the whole document of that."""

    key: str
    title: str
    command: str
    figures: tuple[Figure, ...]
    document: Mapping[str, object] = field(default_factory=dict)
    imitated: bool = False
    problem: str | None = None
    """Why there are no figures."""

    def to_json(self) -> dict[str, object]:
        return {
            "key": self.key,
            "title": self.title,
            "command": self.command,
            "imitated": self.imitated,
            "problem": self.problem,
            "figures": [figure.to_json() for figure in self.figures],
            "document": dict(self.document),
        }


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

    @classmethod
    def quick(cls) -> "Sizes":
        return cls(
            spawn_runs=5, queue_workers=(1, 4), queue_tasks=20, overhead_workers=(5,), overhead_s=0.2,
            tasks_per_worker=5, ten_s=0.2, audit_s=0.2, repositories=3, packages=20, scan_runs=1,
            memory_workers=4, recycled_tasks=40, peer_tasks=40, peer_sleeps=12, peer_runs=1,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One table to be: how it is measured, and by which command alone."""

    title: str
    measure: Callable[[Sizes, Say], "Measured"]
    command: str = ""
    """Empty: this command, told to measure that part only."""
    imitated: bool = False


Measured = tuple[Sequence[Figure], Mapping[str, object]]
"""The figures of a table, and the whole document they are from."""


def bench_all(sizes: Sizes, only: Sequence[str], say: Say) -> Iterator[Table]:
    """Each table as soon as it is measured; of those in `only`, or all where it is empty."""
    for key, part in PARTS.items():
        if only and key not in only:
            continue
        say(f"{key}: {part.title}")
        about = (key, part.title, part.command or f"cortex-git bench all --only {key}")
        try:
            figures, document = part.measure(sizes, say)
        except CortexError as error:
            yield Table(*about, (), problem=str(error))
        else:
            yield Table(*about, tuple(figures), document, part.imitated)


def _spawn(sizes: Sizes, say: Say) -> Measured:
    found = bench_spawn(sizes.spawn_runs, say).to_json()
    named = {
        "cold_ms_p50": ("cold, median", "ms"),
        "warm_ms_p50": ("warm, median", "ms"),
        "ratio": ("cold in times of warm", "times"),
        "command_ms_p50": ("the whole spawn-worker, a pool running", "ms"),
    }
    return [Figure(name, unit, _number(found[key])) for key, (name, unit) in named.items()], found


def _queue(sizes: Sizes, say: Say) -> Measured:
    rows = rows_to_json(bench_queue(sizes.queue_workers, sizes.queue_tasks, say))
    figures = [
        Figure(
            _workers(row["workers"]), "tasks/min", _number(row["ours_tasks_per_min"]),
            note=f"the loop: {row['loop_tasks_per_min']}",
        )
        for row in rows
    ]  # fmt: skip
    return figures, {"rows": rows}


def _overhead(sizes: Sizes, say: Say) -> Measured:
    found = bench_overhead(sizes.overhead_workers, say, sizes.overhead_s, sizes.tasks_per_worker)
    published = PUBLISHED_OVERHEAD if sizes.overhead_s == TASK_S else {}
    figures = [
        Figure(
            f"{len(row.cycles)} workers", "%", 100 * row.overhead, _percent(published.get(len(row.cycles)))
        )
        for row in found
    ]
    return figures, {"task_s": sizes.overhead_s, "rows": [row.to_json() for row in found]}


def _ten(sizes: Sizes, say: Say) -> Measured:
    return _batch(10, sizes.ten_s, {1: 150.0, 20: 15.0} if sizes.ten_s == _TEN_S else {}, say)


def _audit(sizes: Sizes, say: Say) -> Measured:
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


def _scan(sizes: Sizes, say: Say) -> Measured:
    found = bench_scan(sizes.repositories, 20, sizes.packages, sizes.scan_runs, say).to_json()
    named = {"sequential_s": "one by one", "parallel_s": "in parallel", "xargs_s": "xargs -P 20"}
    figures = [Figure(name, "s", _number(found[key])) for key, name in named.items()]
    return [*figures, Figure("speed-up", "times", _number(found["sequential_to_parallel"]))], found


def _memory(sizes: Sizes, say: Say) -> Measured:
    found = worker_memory(sizes.memory_workers, say)
    figures = [
        Figure("warm, its own", "MiB", found.warm_own_mib, note="what one more worker takes"),
        Figure("warm, resident", "MiB", found.warm_resident_mib, note="with what it shares"),
        Figure("cold, its own", "MiB", found.cold_own_mib, 400e6 / 2**20, "published: 400 MB a worker"),
    ]
    return figures, found.to_json()


def _recycling(sizes: Sizes, say: Say) -> Measured:
    with workspace() as folder:
        found = recycling(folder, 8, sizes.recycled_tasks, sizes.recycled_tasks // 40, say)
    figures = [
        Figure("replaced", "workers", found.replaced, note=f"{found.tasks} tasks, each with one result"),
        Figure("cost of one replacement", "ms", found.replacement_ms),
    ]
    return figures, found.to_json()


def _peers(sizes: Sizes, say: Say) -> Measured:
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


PARTS: Mapping[str, Part] = {
    "spawn": Part("Starting a worker, cold and warm", _spawn, "cortex-git bench spawn"),
    "queue": Part("No-op tasks a minute, by number of workers", _queue, "cortex-git bench queue"),
    "overhead": Part(
        "Share of workers' time that coordination takes", _overhead, "cortex-git bench overhead", True
    ),
    "ten-tasks": Part("Ten tasks, one after another and on twenty workers", _ten, imitated=True),
    "audit": Part("Twenty repositories, one after another and on twenty workers", _audit, imitated=True),
    "scan": Part("A real scan of repositories", _scan, "cortex-git bench scan"),
    "memory": Part("Memory of a worker", _memory),
    "recycling": Part("Replacing workers while a batch runs", _recycling),
    "peers": Part("The same work by other queues and pools, 8 workers", _peers, "cortex-git bench peers"),
}
"""By key what is measured, in this order."""


def markdown(tables: Sequence[Table], machine: Mapping[str, object]) -> str:
    """All tables as a page, with what they were measured on."""
    told = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in machine.items())
    lines = ["# Every published figure, measured", "", f"`cortex-git bench all`, on: {told}.", ""]
    for table in tables:
        lines += [f"## {table.title}", "", f"`{table.command}`" + _aside(table), ""]
        if table.problem is not None:
            lines += [f"Not measured: {table.problem}", ""]
            continue
        lines += ["| | published | measured | unit | ratio | |", "| --- | ---: | ---: | --- | ---: | --- |"]
        lines += [_line(figure) for figure in table.figures] + [""]
    return "\n".join(lines).rstrip() + "\n"


def _aside(table: Table) -> str:
    return f" ({IMITATED})" if table.imitated else ""


def _line(figure: Figure) -> str:
    published = "–" if figure.published is None else f"{_rounded(figure.published):,}"
    ratio = "–" if figure.ratio is None else f"{figure.ratio:.2f}"
    return (
        f"| {figure.name} | {published} | {_rounded(figure.measured):,} | {figure.unit} | {ratio} |"
        f" {figure.note} |"
    )


def _workers(count: object) -> str:
    return "one worker" if count == 1 else f"{count} workers"


def _rounded(value: float) -> float:
    """Three decimals below 10, one from there on."""
    return round(value, 3 if abs(value) < 10 else 1)


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)
