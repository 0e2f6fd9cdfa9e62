"""`bench queue`, `latency`, `overhead` and `growth`: what coordination costs."""

from pathlib import Path
from typing import Annotated

import typer

from cortex_git.cli.bench_machine import counts_of, machine_now
from cortex_git.cli.options import Format, FormatOption, check_amounts, numbers_of


def queue(
    workers: Annotated[
        str, typer.Option("--workers", metavar="N,…", help="Numbers of workers, one row for each.")
    ] = "1,5,10,20,40",
    tasks: Annotated[
        int | None,
        typer.Option(
            "--tasks",
            min=1,
            help="Tasks of each run (default: 500 of ours, what the loop begins in 10 s).",
            show_default=False,
        ),
    ] = None,
    clones: Annotated[
        bool, typer.Option("--clones", help="Also ours with N clones, each a host with one worker.")
    ] = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """No-op tasks a minute: ours against a shell loop of pull, add, commit, push, retry in N clones."""
    from cortex_git.analysis.bench.hosts import bench_hosts
    from cortex_git.analysis.bench.queue import bench_queue, rows_to_json
    from cortex_git.cli.output import note, print_json, print_table

    counts = counts_of(workers)
    machine = machine_now()
    rows = rows_to_json(bench_queue(counts, tasks, note))
    hosts = [row.to_json() for row in bench_hosts(counts, tasks, note)] if clones else None
    if output is Format.JSON:
        more = {"clones_rows": hosts} if hosts is not None else {}
        print_json({"rows": rows, **more, "machine": machine})
        return
    headings = {
        "workers": "Workers", "ours_tasks_per_min": "Ours, tasks/min",
        "loop_tasks_per_min": "Loop, tasks/min", "ratio": "Ratio",
        "ratio_to_best_loop": "Ratio to the loop's best",
    }  # fmt: skip
    print_table(
        [*headings.values()], [[row[key] for key in headings] for row in rows], "nothing was measured"
    )
    if hosts is not None:
        headings = {
            "workers": "Clones", "tasks_per_min": "Ours, tasks/min", "tasks": "Tasks", "start_s": "Start, s"
        }  # fmt: skip
        print_table([*headings.values()], [[row[key] for key in headings] for row in hosts], "no clones")


def latency(
    delay_ms: Annotated[
        int, typer.Option("--delay-ms", min=0, max=10_000, help="Added to each operation on the remote.")
    ] = 300,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Workers, and clones.")] = 20,
    tasks: Annotated[int, typer.Option("--tasks", min=1, max=100_000, help="Tasks of ours.")] = 2_000,
    window_s: Annotated[
        float, typer.Option("--window-s", min=1, max=600, help="Seconds in which the loop begins tasks.")
    ] = 20.0,
    output: FormatOption = Format.TABLE,
) -> None:
    """No-op tasks behind a slow remote: ours against the shell loop, and what one worker waits for."""
    check_amounts(window_s)
    from cortex_git.analysis.bench.latency import bench_latency
    from cortex_git.cli.output import note, print_json, print_line, print_table

    machine = machine_now()
    found = bench_latency(workers, delay_ms, tasks, note, window_s)
    document = found.to_json()
    if output is Format.JSON:
        print_json({**document, "machine": machine})
        return
    headings = {
        "workers": "Workers", "tasks": "Tasks", "tasks_per_min": "Tasks/min",
        "operations_per_task": "Remote operations a task",
    }  # fmt: skip
    rows = [("ours", found.ours), *(("loop", run) for run in found.loops)]
    cells = [[who, *(run.to_json()[key] for key in headings)] for who, run in rows]
    print_table(["", *headings.values()], cells, "nothing was measured")
    print_line(
        f"Ratio: {document['ratio']}, to the loop's best ({document['best_loop_workers']} clones):"
        f" {document['ratio_to_best_loop']}"
    )
    for single in found.singles:
        print_line(
            f"One by one ({single.how}): waited for {max(single.waits)} remote operations at most"
            f" until a result was there"
        )


def overhead(
    workers: Annotated[
        str, typer.Option("--workers", metavar="N,…", help="Numbers of workers, one row for each.")
    ] = "5,10,20,30,40,64",
    task_s: Annotated[
        float, typer.Option("--task-s", min=0.01, max=3600, help="Seconds that each task takes.")
    ] = 1.2,
    tasks_per_worker: Annotated[
        int,
        typer.Option(
            "--tasks-per-worker",
            min=4,
            max=1000,
            help="Tasks of each worker; its first and last do not count.",
        ),
    ] = 12,
    output: FormatOption = Format.TABLE,
) -> None:
    """Share of the workers' time that coordination takes, publishing included, while tasks sleep."""
    check_amounts(task_s)
    from cortex_git.analysis.bench.overhead import bench_overhead
    from cortex_git.cli.output import note, print_json, print_table

    counts = counts_of(workers)
    machine = machine_now()
    rows = [row.to_json() for row in bench_overhead(counts, note, task_s, tasks_per_worker)]
    if output is Format.JSON:
        print_json({"task_s": task_s, "rows": rows, "machine": machine})
        return
    headings = {
        "workers": "Workers", "tasks_per_min": "Tasks/min", "overhead": "Overhead", "bound": "At most",
        "published_comparison": "Published comparison", "publish_lag_ms_p50": "End to publish, ms",
    }  # fmt: skip
    percent = {"overhead", "bound", "published_comparison"}
    cells = (
        [f"{value:.1%}" if key in percent and isinstance(value, float) else value for key, value in picked]
        for picked in ([(key, row[key]) for key in headings] for row in rows)
    )
    print_table([*headings.values()], cells, "nothing was measured")


def growth(
    sizes: Annotated[
        str, typer.Option("--sizes", metavar="N,…", help="Numbers of results, one row for each.")
    ] = "100,1000,10000,100000",
    claims: Annotated[
        int, typer.Option("--claims", min=0, max=100_000, help="Claims alive all the while.")
    ] = 1_000,
    open_tasks: Annotated[
        int, typer.Option("--open", min=100, max=1_000_000, help="Tasks that nobody has yet.")
    ] = 2_000,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, max=1_000, help="Times that each size is visited.")
    ] = 7,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw the costs too (svg, png or pdf).")
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """What pulling, claiming, publishing, folding and looking cost as the history grows."""
    from cortex_git.analysis.bench.growth import BOUND, bench_growth
    from cortex_git.analysis.bench.growth_history import Past
    from cortex_git.cli.output import note, print_json, print_line, print_table

    numbers = numbers_of(sizes, "--sizes", 1_000_000, "100,1000,10000")
    if plot is not None:
        from cortex_git.analysis.bench.growth_plot import check_plot

        check_plot(plot)
    machine = machine_now()
    found = bench_growth([Past(number, claims, open_tasks) for number in numbers], rounds, note)
    rows = [row.to_json(found[0]) for row in found]
    if plot is not None:
        from cortex_git.analysis.bench.growth_plot import draw

        draw(found, plot)
    if output is Format.JSON:
        print_json({"rounds": rounds, "bound": BOUND, "rows": rows, "machine": machine})
        return
    headings = ["Results", *(name.replace("_", " ") for name in found[0].cost_ms), "Joining, s", "Clone, MiB"]
    cells = [
        [
            f"{row.past.results:,}",
            *(f"{row.cost_ms[name]:.0f} ({ratio})" for name, ratio in shown["ratio"].items()),
            shown["join_s"],
            shown["clone_mib"],
        ]
        for row, shown in zip(found, rows, strict=True)
    ]
    print_table(headings, cells, "nothing was measured")
    print_line("Milliseconds, and times what it took at the first size.")
    for row in rows[1:]:
        print_line(
            f"{row['results']:,} results: at most {row['worst_ratio']} times as long,"
            f" {row['worst_cpu_ratio']} times the processors' work (bound {BOUND:g})"
        )
