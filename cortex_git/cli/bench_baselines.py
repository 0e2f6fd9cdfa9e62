"""`bench spawn`, `peers` and `scan`: starts, and the same work done by other programs."""

from typing import Annotated

import typer

from cortex_git.cli.bench_machine import machine_now
from cortex_git.cli.options import Format, FormatOption, check_amounts


def spawn(
    runs: Annotated[
        int, typer.Option("--runs", min=1, max=1000, help="Warm runs; a fifth as many cold.")
    ] = 50,
    output: FormatOption = Format.TABLE,
) -> None:
    """Cold against warm start: from the request to a task's first instruction, anthropic imported."""
    from cortex_git.analysis.bench.spawn import bench_spawn
    from cortex_git.cli.output import note, print_json, print_line

    machine = machine_now()
    found = bench_spawn(runs, note).to_json()
    if output is Format.JSON:
        print_json({**found, "machine": machine})
        return
    print_line(
        f"Cold: {found['cold_ms_p50']} ms (median of {found['runs']}),"
        f" warm: {found['warm_ms_p50']} ms (of {found['warm_runs']})"
    )
    print_line(f"Ratio: {found['ratio']}")
    print_line(
        f"The whole command: {found['command_ms_p50']} ms,"
        f" {found['command_to_typer']} times `import typer` ({found['typer_ms_p50']} ms)"
    )
    print_line(
        f"Beside it: dispatch {found['dispatch_ms_p50']} ms, fork {found['fork_ms_p50']} ms,"
        f" claim {found['claim_ms_p50']} ms"
    )


def peers(
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Workers of each.")] = 8,
    tasks: Annotated[
        int, typer.Option("--tasks", min=10, max=100_000, help="Tasks that do nothing.")
    ] = 2_000,
    task_s: Annotated[
        float, typer.Option("--task-s", min=0.001, max=60, help="Seconds of a task that sleeps.")
    ] = 0.1,
    sleeps: Annotated[int, typer.Option("--sleeps", min=10, max=100_000, help="Tasks that sleep.")] = 400,
    runs: Annotated[int, typer.Option("--runs", min=1, max=100, help="Runs of each, in turn.")] = 3,
    output: FormatOption = Format.TABLE,
) -> None:
    """Ours against other queues and pools on one machine: no-op tasks and tasks that sleep."""
    from cortex_git.analysis.bench.peers import OURS, bench_peers
    from cortex_git.cli.output import note, print_json, print_table

    check_amounts(task_s)
    machine = machine_now()
    found = bench_peers(workers, [(0.0, tasks), (task_s, sleeps)], runs, note)
    ours = {row.task_s: row.per_s for row in found if row.name == OURS}
    rows = [row.to_json(ours[row.task_s]) for row in found]
    if output is Format.JSON:
        print_json({"workers": workers, "runs": runs, "rows": rows, "machine": machine})
        return
    headings = {
        "name": "", "version": "Version", "keeps": "Keeps", "task_s": "Task, s", "tasks": "Tasks",
        "tasks_per_s": "Tasks/s", "ratio": "Ours in times of it", "note": "",
    }  # fmt: skip
    print_table(
        [*headings.values()], [[row[key] for key in headings] for row in rows], "nothing was measured"
    )


def scan(
    repositories: Annotated[
        int, typer.Option("--repositories", min=1, max=1000, help="Repositories, made for the run.")
    ] = 20,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Workers, and xargs' -P.")] = 20,
    packages: Annotated[
        int, typer.Option("--packages", min=1, max=100_000, help="Packages in each repository.")
    ] = 500,
    runs: Annotated[int, typer.Option("--runs", min=1, max=100, help="Runs of each mode.")] = 3,
    output: FormatOption = Format.TABLE,
) -> None:
    """Seconds for the same repositories: --parallel, --sequential, and xargs -P over single scans."""
    from cortex_git.analysis.bench.scan import bench_scan
    from cortex_git.cli.output import note, print_json, print_line

    machine = machine_now()
    found = bench_scan(repositories, workers, packages, runs, note).to_json()
    if output is Format.JSON:
        print_json({**found, "machine": machine})
        return
    print_line(
        f"Parallel: {found['parallel_s']} s, sequential: {found['sequential_s']} s,"
        f" xargs -P {workers}: {found['xargs_s']} s (median of {runs})"
    )
    print_line(f"Findings: {found['findings']}, the same in every run")
    print_line(f"Parallel ÷ xargs: {found['parallel_to_xargs']}")
