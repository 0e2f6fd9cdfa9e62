"""Published figures of single pages: the simulation, growth, the router and the forecast, as Markdown."""

# ruff: noqa: E501 - sentences of pages are in one piece

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from figure_sources import Sources, percent, row, table, whole

from cortex_git.analysis.bench.machine import sentence


def simulation(sources: Sources) -> str:
    found = sources.document("simulation")
    rows = [
        [str(one["workers"]), whole(one["real_tasks_per_min"]), whole(one["simulated_tasks_per_min"]),
         f"{100 * one['difference']:+.1f} %", "" if one["bound"] is None else percent(one["bound"], 0)]
        for one in found["rows"]
    ]  # fmt: skip
    told = f"Measured ([the document](benchmarks/simulation.json), {sentence(found['machine'])}), tasks of"
    headings = ["# workers", "# real, tasks/min", "# simulated", "# difference", "# at most"]
    calibrated = ", ".join(map(str, found["calibrated_at"]))
    beyond = f"Costs were measured on {calibrated} workers; beyond the most of these nothing holds them to what is real."
    return f"{told} {found['task_s']:g} s:\n\n{table(headings, rows)}\n\n{beyond}"


def growth(sources: Sources) -> str:
    found = sources.document("growth")
    rows = found["rows"]
    names = {"task_list": "task list --limit 20", "results_list": "results list --limit 20"}
    last = rows[-1]
    lines = [
        [f"`{names.get(key, key)}`", *(whole(one["cost_ms"][key]) for one in rows), f"{last['ratio'][key]:.2f}",
         f"{last['cpu_ratio'][key]:.2f}"]
        for key in rows[0]["cost_ms"]
    ]  # fmt: skip
    for title, key, places in (
        ("a new clone joins, s", "join_s", 2),
        ("git folder of a new clone, MiB", "clone_mib", 1),
        ("remote, MiB", "remote_mib", 1),
    ):
        lines.append([title, *(f"{one[key]:.{places}f}" for one in rows), "", ""])
    headings = [
        "ms",
        *(f"# {whole(one['results'])} results" for one in rows),
        "# times (clock)",
        "# times (processor)",
    ]
    return "\n".join(
        [
            f"`cortex-git bench growth --rounds {found['rounds']}` ([its document](growth.json),"
            f" {sentence(found['machine'])}), {whole(last['claims'])} claims alive, everything in memory (tmpfs);"
            " processor time comes in steps of 10 ms:",
            "",
            table(headings, lines),
            "",
            f"The worst at {whole(last['results'])} results is {last['worst_ratio']} times what it is at"
            f" {whole(rows[0]['results'])} by the clock, {last['worst_cpu_ratio']} times by the processor; the bound is"
            f" {found['bound']:g}.",
        ]
    )


def routing(sources: Sources) -> str:
    found = sources.table("route")
    kinds = {
        "plain": "one expert, plain: the primary is right",
        "hard": "one expert, hard: the primary is right",
        "both": "two experts: both are named",
    }
    rows = [
        [name, percent(found["router"][key]), percent(found["baseline"][key])] for key, name in kinds.items()
    ]
    bins = [
        [f"{one['from']} to {one['to']}", str(one["cases"]), f"{one['score']:.1f}", f"{one['right']:.0f} %"]
        for one in found["reliability"]
    ]
    layers = found["layers"]
    return "\n".join(
        [
            table(["sentences", "router", "counting words"], rows),
            "",
            table(["score", "# decisions", "# mean score", "# right"], bins),
            "",
            f"Expected calibration error {found['calibration_error']:.3f}, over ten bins. Layer 1 takes"
            f" {found['keywords_ms']:.2f} ms a text, layer 2 {found['semantic_ms']:.2f} ms, both are loaded in"
            f" {found['load_ms']:.0f} ms. Of these {found['cases']} texts, {layers.get('keywords', 0)} were decided by"
            f" keywords and {layers.get('semantic', 0)} by the classifier.",
        ]
    )


def forecast(sources: Sources) -> str:
    """How to read the table of docs/forecast.md."""
    rows = sources.document("forecast")["rows"]

    def at(trace: str, method: str, horizon: int = 1) -> Mapping[str, Any]:
        return row(rows, trace=trace, method=method, horizon_min=horizon)

    traces = list(dict.fromkeys(one["trace"] for one in rows))
    best = [
        trace
        for trace in traces
        if all(
            at(trace, "forecast")[key] <= at(trace, other)[key]
            for other in ("naive", "seasonal-naive")
            for key in ("mae", "rmse")
        )
    ]
    burst, later = at("bursts", "forecast"), at("bursts", "forecast", 15)
    return "\n".join(
        [
            "- One minute ahead, which is what the policy asks for, the forecast is the best of the three by both measures on"
            f" {', '.join(f'`{trace}`' for trace in best) or 'no trace'}. On `steady` it misses by"
            f" {at('steady', 'forecast')['mae']:.2f}.",
            f"- On `bursts` its error is {burst['mae']:.2f}, that of the last minute {at('bursts', 'naive')['mae']:.2f}:"
            " nothing announces a burst, and no method foretells one. Fifteen minutes ahead its RMSE is"
            f" {later['rmse']:.2f} against {at('bursts', 'naive', 15)['rmse']:.2f}: a burst that has just begun is taken for"
            " a rise that goes on. The policy does not look that far.",
            f"- On `wave` the day before (MAE {at('wave', 'seasonal-naive')['mae']:.2f}) and the last minute"
            f" ({at('wave', 'naive')['mae']:.2f}) are each one random count. The forecast"
            f" ({at('wave', 'forecast')['mae']:.2f}) averages over many.",
            f"- On `trend` its bias is {at('trend', 'forecast')['bias']:.2f} tasks a minute, that of the season of an hour"
            f" ago {at('trend', 'seasonal-naive')['bias']:.2f}.",
        ]
    )
