"""The figures of the README: the plots that are looked at first, and a table of one line a subject.

Owns which figures stand there. A line whose figure was not measured is left out.
"""

# ruff: noqa: E501 - sentences of pages are in one piece

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from figure_sources import NotMeasured, Sources, percent, row, short, table, whole

from cortex_git.analysis.bench.machine import sentence
from cortex_git.analysis.bench.tables import picture

Line = tuple[str, str, str]
"""What is measured, ours, and the baseline."""


def headline(sources: Sources) -> str:
    """Plots, the machine, and the table."""
    said = []
    shown = {
        "queue": "No-op tasks a minute by workers, ours and a shell loop",
        "overhead": "Overhead by workers, ours and a published comparison",
    }
    if drawn := [
        picture(key, title, "docs/benchmarks/") for key, title in shown.items() if sources.pictures(key)
    ]:
        said += ["\n".join(drawn), ""]
    try:
        told = sentence(sources.document("all")["machine"])
        said += [f"Measured by `cortex-git bench all` {told}: [every table](docs/benchmarks/all.md).", ""]
    except NotMeasured:
        pass
    lines = [line for make in _LINES if (line := _made(make, sources)) is not None]
    return "\n".join([*said, table(["measured", "this", "baseline"], lines)])


def _made(make: "Callable[[Sources], Line]", sources: Sources) -> Line | None:
    try:
        return make(sources)
    except NotMeasured:
        return None


def _queue(sources: Sources) -> Line:
    found = row(sources.table("queue")["rows"], workers=20)
    loop = f"{whole(found['loop_tasks_per_min'])} (a shell loop of pull, commit, push, retry in 20 clones)"
    return "no-op tasks a minute, 20 workers", whole(found["ours_tasks_per_min"]), loop


def _latency(sources: Sources) -> Line:
    found = sources.document("latency")
    at = found["ours"]["workers"]
    loop = row(found["loop"], workers=at)
    what = f"no-op tasks a minute behind a remote {found['delay_ms']} ms away, {at} workers ([its run](docs/benchmarks/latency.json))"
    theirs = f"{whole(loop['tasks_per_min'])} (the shell loop in {at} clones)"
    return what, whole(found["ours"]["tasks_per_min"]), theirs


def _peers(sources: Sources) -> Line:
    rows = [
        one for one in sources.table("peers")["rows"] if one["tasks_per_s"] is not None and not one["task_s"]
    ]
    ours = row(rows, name="cortex-git")
    others = [one for one in rows if one["name"].startswith(("huey", "Celery"))]
    if not others:
        raise NotMeasured("no other queue is installed")
    told = ", ".join(f"{short(one['tasks_per_s'])} ({one['name']})" for one in others)
    return (
        "no-op tasks a second, 8 workers, every result kept",
        f"{short(ours['tasks_per_s'])}, on a git remote",
        told,
    )


def _spawn(sources: Sources) -> Line:
    found = sources.table("spawn")
    warm = f"warm {short(found['warm_ms_p50'])} ms (`spawn-worker`, a pool running)"
    return "start of a worker, median", warm, f"cold {short(found['cold_ms_p50'])} ms"


def _command(sources: Sources) -> Line:
    found = sources.table("spawn")
    typer = f"{short(found['typer_ms_p50'])} ms (`python -c 'import typer'`)"
    return (
        "the whole `spawn-worker` with a pool: claim, run, publish",
        f"{short(found['command_ms_p50'])} ms",
        typer,
    )


def _overhead(sources: Sources) -> Line:
    found = sources.table("overhead")
    rows = [row(found["rows"], workers=count) for count in (5, 20, 64)]
    ours = " / ".join(f"{100 * one['overhead']:.1f}" for one in rows)
    published = [one["published_comparison"] for one in rows]
    theirs = " / ".join("–" if share is None else f"{100 * share:.0f}" for share in published)
    what = f"overhead of coordination, tasks of {found['task_s']:g} s, 5 / 20 / 64 workers"
    return what, f"{ours} %", f"{theirs} % (published comparison)"


def _limits(sources: Sources) -> Line:
    found = sources.table("limits")
    never = "never above it" if found["within"] else "at times above it"
    what = (
        f"use of a provider's limit of {whole(found['tokens'])} tokens a minute, {found['workers']} workers"
    )
    return what, f"{percent(found['throughput'])}, {never}", "–"


def _audit(sources: Sources) -> Line:
    alone, together = sources.table("audit")["runs"]
    what = f"{together['tasks']} repositories of {alone['task_s']:g} s each (imitated), {together['workers']} workers"
    return what, f"{short(together['wall_s'])} s", f"{short(alone['wall_s'])} s (one worker)"


def _scan(sources: Sources) -> Line:
    found = sources.table("scan")
    theirs = f"{short(found['xargs_s'])} s (`xargs -P {found['workers']}`, one process a repository)"
    return (
        f"scan of {found['repositories']} repositories",
        f"{short(found['parallel_s'])} s in parallel",
        theirs,
    )


def _memory(sources: Sources) -> Line:
    found = sources.table("memory")
    return "memory of one more warm worker", f"{short(found['warm_own_mib'])} MiB", "400 MB (published)"


def _policies(sources: Sources) -> Line:
    rows = sources.table("policies")["rows"]
    by = {one["policy"]: whole(one["worker_hours"]) for one in rows if one["trace"] == "wave"}
    if not {"predictive", "activation", "fixed"} <= by.keys():
        raise NotMeasured("the wave was not replayed")
    ours = f"{by['predictive']} (`predictive`), {by['activation']} (`activation`)"
    return "worker-hours of a pool on a daily wave of tasks", ours, f"{by['fixed']} (always 20 workers)"


_LINES: tuple[Callable[[Sources], Line], ...] = (
    _queue, _latency, _peers, _spawn, _command, _overhead, _limits, _audit, _scan, _memory, _policies,
)  # fmt: skip
