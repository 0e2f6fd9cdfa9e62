"""`bench limits` and `bench route`: use of a provider's limits, and what the router is worth."""

from pathlib import Path
from typing import Annotated

import typer

from cortex_git.cli.bench_machine import machine_now
from cortex_git.cli.options import Format, FormatOption, check_amounts


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

    machine = machine_now()
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

    machine = machine_now()
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
