"""Measurements of what coordination costs, of starts, scans, policies, limits and routing."""

from pathlib import Path
from typing import Annotated

import typer

from cortex_git.cli import bench_forecast
from cortex_git.cli.options import Format, FormatOption, check_amounts, numbers_of

app = typer.Typer(help="Measure, side by side with a baseline.", no_args_is_help=True)
bench_forecast.register(app)


@app.command()
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

    counts = _counts(workers)
    machine = _machine()
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


@app.command()
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

    machine = _machine()
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


@app.command()
def spawn(
    runs: Annotated[
        int, typer.Option("--runs", min=1, max=1000, help="Warm runs; a fifth as many cold.")
    ] = 50,
    output: FormatOption = Format.TABLE,
) -> None:
    """Cold against warm start: from the request to a task's first instruction, anthropic imported."""
    from cortex_git.analysis.bench.spawn import bench_spawn
    from cortex_git.cli.output import note, print_json, print_line

    machine = _machine()
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


@app.command(name="all")
def every(
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="NAME", help="Only this table; may be repeated. A wrong name lists them."
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small sizes, to try it out: figures not to be published.")
    ] = False,
    directory: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Write all.json and all.md there, after each table."),
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Every published table, measured on this machine: published, measured and ratio side by side."""
    from cortex_git.analysis.bench.everything import PARTS, Sizes, Table, bench_all, markdown
    from cortex_git.cli.output import json_text, note, print_json, print_line
    from cortex_git.errors import BadInput, ExitCode

    if unknown := [name for name in only or () if name not in PARTS]:
        raise BadInput(f"--only {unknown[0]!r} is no table", f"they are: {', '.join(PARTS)}")
    if directory is not None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:  # before hours of measuring, not after
            raise BadInput(f"--output {directory}: {error.strerror or error}", "name a folder") from None
    machine = _machine()
    tables: list[Table] = []
    document: dict[str, object] = {"quick": quick, "tables": [], "machine": machine}
    for table in bench_all(Sizes.quick() if quick else Sizes(), only or (), note):
        tables.append(table)
        document["tables"] = [one.to_json() for one in tables]
        if directory is not None:
            (directory / "all.json").write_text(json_text(document))
            (directory / "all.md").write_text(markdown(tables, machine))
    if output is Format.JSON:
        print_json(document)
    else:
        print_line(markdown(tables, machine).rstrip())
    if any(table.problem for table in tables):
        raise typer.Exit(ExitCode.ENVIRONMENT)


@app.command()
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
    machine = _machine()
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


@app.command()
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

    counts = _counts(workers)
    machine = _machine()
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


@app.command()
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
    counts = _counts(workers)
    machine = _machine()
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


@app.command()
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

    machine = _machine()
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


@app.command()
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
    machine = _machine()
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


@app.command()
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


@app.command()
def limits(
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=64, help="Worker processes that call as fast as they may.")
    ] = 20,
    minutes: Annotated[
        float, typer.Option("--minutes", min=1.1, max=120, help="Minutes that they do so.")
    ] = 3.0,
    requests: Annotated[int, typer.Option("--requests", min=1, help="Limit of requests a minute.")] = 1_000,
    tokens: Annotated[int, typer.Option("--tokens", min=1, help="Limit of tokens a minute.")] = 400_000,
    task_tokens: Annotated[int, typer.Option("--task-tokens", min=1, help="Tokens of each task.")] = 8_000,
    calls: Annotated[int, typer.Option("--calls", min=1, help="Calls of each task, of equal size.")] = 4,
    call_s: Annotated[
        float,
        typer.Option("--call-s", min=0.0, max=600, help="Mean seconds that the server takes for a call."),
    ] = 1.0,
    minute_s: Annotated[
        float,
        typer.Option("--minute-s", min=0.5, max=60, help="Seconds of a minute: fewer for a quick trial."),
    ] = 60.0,
    output: FormatOption = Format.TABLE,
) -> None:
    """Use of a provider's limits by many workers, and the most in any minute, by a local server's log."""
    check_amounts(minutes, call_s, minute_s)
    from cortex_git.analysis.bench.limits import Load, bench_limits
    from cortex_git.cli.output import note, print_json, print_line

    machine = _machine()
    load = Load(workers, requests, tokens, task_tokens, calls, call_s, minute_s, minutes)
    found = bench_limits(load, note)
    if output is Format.JSON:
        print_json({**found.to_json(), "machine": machine})
        return
    print_line(f"Throughput: {found.throughput:.1%} of the limit, over {found.calls:,} calls")
    for what, by_arrival, by_end, limit in (
        ("requests", found.requests_by_arrival, found.requests_by_end, requests),
        ("tokens", found.tokens_by_arrival, found.tokens_by_end, tokens),
    ):
        print_line(f"Most {what} in any minute: {by_arrival:,} by arrival, {by_end:,} by end, of {limit:,}")
    print_line("No minute exceeds a limit" if found.within else "A minute exceeds a limit")


@app.command()
def route(
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="JSONL", help="Labelled sentences (default: those held out)."),
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """How often the router is right without asking a model, against counting words, and how fast it is."""
    from cortex_git.analysis.bench.routing import bench_route
    from cortex_git.cli.output import print_json, print_line, print_table
    from cortex_git.routing.experts import OUR_NAMES
    from cortex_git.routing.sentences import held_out, read

    machine = _machine()
    found = bench_route(read(file, OUR_NAMES) if file is not None else held_out(OUR_NAMES)).to_json()
    if output is Format.JSON:
        print_json({**found, "machine": machine})
        return
    kinds = {"plain": "One expert", "hard": "One expert, hard", "both": "Two experts, both named"}
    rows = [
        [
            title,
            *("-" if found[who][key] is None else f"{found[who][key]:.1%}" for who in ("router", "baseline")),
        ]
        for key, title in kinds.items()
    ]
    print_table(["Sentences", "Router", "Counting words"], rows, "nothing was measured")
    bins = [[f"{b['from']}-{b['to']}", b["cases"], b["score"], b["right"]] for b in found["reliability"]]
    print_table(["Score", "Decisions", "Mean score", "Right, %"], bins, "nothing was measured")
    print_line(f"Expected calibration error: {found['calibration_error']:.3f}")
    print_line(
        f"Layer 1: {found['keywords_ms']:.3f} ms a text, layer 2: {found['semantic_ms']:.3f} ms a text"
    )
    print_line(
        f"Both loaded in {found['load_ms']:.0f} ms; decided by "
        + ", ".join(f"{layer} {count}" for layer, count in sorted(found["layers"].items()))
    )


def _counts(text: str) -> list[int]:
    from cortex_git.errors import BadInput

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and 1 <= int(part) <= 64 for part in parts):
        raise BadInput(f"--workers {text!r} is not a list of 1 to 64", "write 1,5,10,20,40")
    return [int(part) for part in parts]


def _machine() -> dict[str, str | int | float]:
    """What this is measured on; a note where it has other things to do."""
    from cortex_git.analysis.bench.machine import busy_note, describe
    from cortex_git.cli.output import note

    machine = describe()
    if warning := busy_note(machine):
        note(warning)
    return machine
