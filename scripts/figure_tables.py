"""Published figures as Markdown: for each name that a page's marks have, the text between them.

Owns the words around figures. What is said of a figure is said by what it is, so that it is true of the next
run, too.
"""

# ruff: noqa: E501 - sentences of pages are in one piece

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from figure_pages import forecast, growth, routing, simulation
from figure_sources import NotMeasured, Sources, percent, row, short, table, whole

from cortex_git.analysis.bench.machine import sentence
from cortex_git.analysis.bench.tables import IMITATED, picture


def machine(sources: Sources) -> str:
    """What everything of `bench all` was measured on."""
    said = sentence(sources.document("all")["machine"])
    return f"One run of `cortex-git bench all` {said}. [The document](all.json), [as a page](all.md)."


def queue(sources: Sources) -> str:
    rows = [
        [
            str(one["workers"]), whole(one["ours_tasks_per_min"]), whole(one["loop_tasks_per_min"]),
            f"{one['ratio']:.1f}", f"{one['ratio_to_best_loop']:.1f}",
            ", ".join(f"{seconds:.1f}" for seconds in one["ours_runs_s"]), str(one["ours_pushes"]),
            f"{whole(one['loop_tasks'])}, {whole(one['loop_pushes'])}",
        ]
        for one in sources.table("queue")["rows"]
    ]  # fmt: skip
    headings = [
        "# workers", "# ours, tasks/min", "# loop, tasks/min", "# ratio", "# ratio to the loop's best",
        "ours: seconds of the three runs", "# ours: pushes", "loop: tasks, pushes tried",
    ]  # fmt: skip
    return _picture(sources, "queue", "No-op tasks a minute by workers, ours and the loop") + table(
        headings, rows
    )


def spawn(sources: Sources) -> str:
    found = sources.table("spawn")
    return (
        f"`cortex-git bench spawn` ({found['warm_runs']} warm runs): cold {short(found['cold_ms_p50'])} ms, warm"
        f" {short(found['warm_ms_p50'])} ms, ratio {whole(found['ratio'])}; the whole command"
        f" {short(found['command_ms_p50'])} ms, {short(found['command_to_typer'])} times `import typer`"
        f" ({short(found['typer_ms_p50'])} ms); dispatch {short(found['dispatch_ms_p50'])} ms, fork"
        f" {short(found['fork_ms_p50'])} ms, claim {short(found['claim_ms_p50'])} ms."
    )


def latency(sources: Sources) -> str:
    found = sources.document("latency")
    kinds = [("ours, one host", found["ours"]), *(("loop", one) for one in found["loop"])]
    rows = [
        [name, str(one["workers"]), *(whole(one[key]) for key in ("tasks_per_min", "tasks")), short(one["seconds"]),
         str(one["fetches"]), str(one["pushes"])]
        for name, one in kinds
    ]  # fmt: skip
    headings = ["", "# clones or workers", "# tasks/min", "# tasks", "# s", "# fetches", "# pushes"]
    waits = max(single["most_waited_for"] for single in found["one_by_one"])
    return "\n".join(
        [
            f"`cortex-git bench latency` ([its document](latency.json), {sentence(found['machine'])}),"
            f" {found['delay_ms']} ms before each operation on the remote:",
            "",
            table(headings, rows),
            "",
            f"Ours does {short(found['ratio'])} times what the loop does at {found['ours']['workers']}, and"
            f" {short(found['ratio_to_best_loop'])} times its best, which is at {found['best_loop_workers']}. One"
            f" `spawn-worker` waits for {waits} operations.",
        ]
    )


def overhead(sources: Sources) -> str:
    found = sources.table("overhead")
    rows = []
    for one in found["rows"]:
        bound, published = one["bound"], one["published_comparison"]
        above = " (above it)" if bound is not None and one["overhead"] > bound else ""
        cells = [percent(share, 0) if share is not None else "" for share in (bound, published)]
        rows.append(
            [
                str(one["workers"]),
                f"{one['tasks_per_min']:,.1f}",
                percent(one["overhead"]),
                cells[0] + above,
                cells[1],
            ]
        )
    headings = ["# workers", "# tasks/min", "# overhead", "# at most", "# published comparison"]
    return (
        f"`cortex-git bench overhead`, tasks of {found['task_s']:g} s:\n\n"
        + _picture(sources, "overhead", "Overhead by workers, ours and the published comparison")
        + table(headings, rows)
    )


def limits(sources: Sources) -> str:
    found = sources.table("limits")
    requests, tokens = found["most_requests"], found["most_tokens"]
    return (
        f"`cortex-git bench limits`: {found['workers']} workers, limits of {whole(found['requests'])} requests and"
        f" {whole(found['tokens'])} tokens a minute, tasks of {whole(found['task_tokens'])} tokens in"
        f" {found['calls']} calls of about {found['call_s']:g} s, for {found['windows']:g} minutes:"
        f" {percent(found['throughput'])} of the limit used; at most {whole(tokens['by_arrival'])} tokens and"
        f" {whole(requests['by_arrival'])} requests in any 60 seconds by arrival, {whole(tokens['by_end'])} and"
        f" {whole(requests['by_end'])} by end."
    )


def scan(sources: Sources) -> str:
    found = sources.table("scan")
    runs = sum(len(seconds) for seconds in found["runs_s"].values())
    drawn = _picture(sources, "scan", "Seconds of a real scan: one by one, in parallel, and with xargs")
    return drawn + (
        f"`cortex-git bench scan` ({found['repositories']} repositories, {found['workers']} workers,"
        f" {found['packages']} packages each): parallel {short(found['parallel_s'])} s, sequential"
        f" {short(found['sequential_s'])} s, `xargs -P {found['workers']}` {short(found['xargs_s'])} s; parallel takes"
        f" {short(found['parallel_to_xargs'])} of what xargs takes, sequential"
        f" {short(found['sequential_to_parallel'])} of what parallel takes. {found['findings']} findings in each of the"
        f" {runs} runs. Database: {found['database']}."
    )


def batches(sources: Sources) -> str:
    rows = []
    for key, name in (("ten-tasks", "ten tasks"), ("audit", "twenty repositories")):
        alone, together = sources.table(key)["runs"]
        rows.append(
            [
                f"{name} of {alone['task_s']:g} s", short(alone["wall_s"]), short(together["wall_s"]),
                f"{alone['wall_s'] / together['wall_s']:.1f}", percent(together["efficiency"]),
            ]
        )  # fmt: skip
    headings = ["", "# one worker, s", "# twenty, s", "# speed-up", "# parallel efficiency"]
    drawn = _picture(sources, "audit", "Seconds of twenty repositories, one after another and in parallel")
    told = f"`cortex-git bench all --only ten-tasks --only audit` ({IMITATED}):"
    return f"{told}\n\n{drawn}{table(headings, rows)}"


def memory(sources: Sources) -> str:
    found, again = sources.table("memory"), sources.table("recycling")
    return (
        f"Memory of each of {found['workers']} warm workers: {short(found['warm_own_mib'])} MiB of its own,"
        f" {short(found['warm_resident_mib'])} MiB resident; a cold one has {short(found['cold_own_mib'])} MiB of its"
        f" own. Published: 400 MB a worker. Replacing a worker costs a batch {short(again['replacement_ms'])} ms"
        f" ({again['replaced']} replaced in {again['tasks']} no-op tasks)."
    )


def peers(sources: Sources) -> str:
    found = sources.table("peers")
    rows = [
        [one["name"], one["version"] or "", one["keeps"], f"{one['task_s']:g}", whole(one["tasks"]),
         *(("–", "–") if one["tasks_per_s"] is None else (short(one["tasks_per_s"]), short(one["ratio"]))),
         one["note"] or ""]
        for one in found["rows"]
    ]  # fmt: skip
    headings = ["", "version", "keeps", "# task, s", "# tasks", "# tasks/s", "# ours in times of it", ""]
    return (
        f"`cortex-git bench peers`, {found['workers']} workers each:\n\n"
        + _picture(sources, "peers", "No-op tasks a second by queue")
        + table(headings, rows)
    )


def policies(sources: Sources) -> str:
    found = sources.table("policies")
    keys = ("worker_hours", "wait_p50_s", "wait_p95_s")
    rows = [
        [one["trace"], one["policy"], *(f"{one[key]:.2f}" for key in keys), str(one["changes"]),
         str(one["most_changes_per_cooldown"]), str(one["peak"])]
        for one in found["rows"]
    ]  # fmt: skip
    headings = [
        "trace", "policy", "# worker-hours", "# wait p50, s", "# wait p95, s", "# changes",
        "# most per cool-down", "# peak",
    ]  # fmt: skip
    return (
        f"`cortex-git bench policies` (seed {found['seed']}; the same on every machine):\n\n"
        + table(headings, rows)
        + f"\n\n{predictive(sources)}"
    )


def predictive(sources: Sources) -> str:
    """What `predictive` gains over `activation`, trace by trace."""
    rows = sources.table("policies")["rows"]
    said = []
    for trace in dict.fromkeys(one["trace"] for one in rows):
        ours, other = (row(rows, trace=trace, policy=policy) for policy in ("predictive", "activation"))
        hours = 1 - ours["worker_hours"] / other["worker_hours"]
        waits = ours["wait_p95_s"] - other["wait_p95_s"]
        longer = f"{abs(waits):.2f} s {'longer' if waits > 0 else 'shorter'}"
        fewer = f"{abs(hours):.1%}".replace("%", " %") + (" fewer" if hours >= 0 else " more")
        said.append(f"on `{trace}` {fewer} worker-hours and a 95th percentile wait that is {longer}")
    return f"`predictive` against `activation`: {'; '.join(said)}."


def utilization(sources: Sources) -> str:
    found = sources.table("utilization")
    return (
        f"A pool over a day (`{found['trace']}`, `{found['policy']}`, {IMITATED}): {short(found['average_active'])} busy"
        f" workers on average, {found['peak_active']} at most; light {percent(found['light'])} of the time, medium"
        f" {percent(found['medium'])}, heavy {percent(found['heavy'])}; efficiency {percent(found['efficiency'])}."
    )


def _picture(sources: Sources, key: str, title: str, folder: str = "") -> str:
    return f"{picture(key, title, folder)}\n\n" if sources.pictures(key) else ""


Writer = Callable[[Sources], str]
TABLES: dict[str, Writer] = {
    writer.__name__: writer
    for writer in (
        machine, queue, spawn, latency, overhead, limits, scan, batches, memory, peers, policies, predictive,
        utilization, simulation, growth, routing, forecast,
    )
}  # fmt: skip


def written(name: str, writer: Writer, sources: Sources) -> str:
    """The text, or that it was not measured."""
    try:
        return writer(sources)
    except NotMeasured as why:
        return f"*Not measured yet ({name}): {why}*"
