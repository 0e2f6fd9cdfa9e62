"""`bench simulation` and `bench policies`: what is foretold of workers, and what ways to size a pool cost."""

from typing import Annotated

import typer

from cortex_git.cli.bench_machine import counts_of, machine_now
from cortex_git.cli.options import Format, FormatOption, check_amounts


def simulation(
    workers: Annotated[
        str, typer.Option("--workers", metavar="N,…", help="Numbers of workers, one row for each.")
    ] = "1,5,10,20,40,64",
    task_s: Annotated[
        float, typer.Option("--task-s", min=0.01, max=3600, help="Seconds that each task takes.")
    ] = 0.5,
    tasks_per_worker: Annotated[
        int, typer.Option("--tasks-per-worker", min=1, max=1000, help="Tasks of each worker.")
    ] = 20,
    calibration: Annotated[
        int, typer.Option("--calibration", min=50, max=10_000, help="No-op tasks of each calibration run.")
    ] = 400,
    output: FormatOption = Format.TABLE,
) -> None:
    """What operations cost here, and how near a simulation made of that comes to real batches."""
    from cortex_git.analysis.bench.simulation import bench_simulation
    from cortex_git.cli.output import note, print_json, print_line, print_table

    check_amounts(task_s)
    counts = counts_of(workers)
    machine = machine_now()
    found = bench_simulation(
        counts, note, task_s=task_s, tasks_per_worker=tasks_per_worker, calibration_tasks=calibration
    )
    if output is Format.JSON:
        print_json({**found.to_json(), "machine": machine})
        return
    rows = [
        [row.workers, row.tasks, f"{row.real_per_min:,.1f}", f"{row.simulated.tasks_per_min:,.1f}",
         f"{row.difference:+.1%}", "" if row.bound is None else f"{row.bound:.0%}"]
        for row in found.rows
    ]  # fmt: skip
    print_table(
        ["Workers", "Tasks", "Real, tasks/min", "Simulated", "Difference", "At most"], rows, "nothing was run"
    )
    if found.within is not None:
        print_line("The simulation is " + ("within" if found.within else "not within") + " its bound")


def policies(
    seed: Annotated[int, typer.Option("--seed", help="What the traces are made from.")] = 1,
    trace: Annotated[
        list[str] | None,
        typer.Option("--trace", help="Only this one of steady, wave and bursts; may be repeated."),
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Worker-hours and waits of every sizing policy on three arrival traces, replayed in virtual time."""
    from cortex_git.analysis.bench.policies import SETTINGS, bench_policies
    from cortex_git.analysis.bench.traces import traces_of
    from cortex_git.cli.output import note, print_json, print_table

    rows = [row.to_json() for row in bench_policies(traces_of(seed, trace or []), note)]
    if output is Format.JSON:
        pool = {"min": SETTINGS.min, "max": SETTINGS.max, "cooldown_s": SETTINGS.cooldown_s}
        print_json({"seed": seed, "pool": pool, "rows": rows})
        return
    headings = {
        "trace": "Trace", "policy": "Policy", "worker_hours": "Worker-hours", "wait_p50_s": "Wait p50, s",
        "wait_p95_s": "Wait p95, s", "changes": "Changes", "most_changes_per_cooldown": "Most per cool-down",
        "peak": "Peak",
    }  # fmt: skip
    print_table([*headings.values()], [[row[key] for key in headings] for row in rows], "nothing replayed")
