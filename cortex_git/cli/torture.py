"""`torture`: faults from a seed on real hosts, and what the remote holds in the end."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cortex_git.cli.options import DryRunOption, Format, FormatOption

if TYPE_CHECKING:
    from cortex_git.analysis.torture.plan import Plan
    from cortex_git.analysis.torture.torturing import Report


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(short_help="Test with faults: nothing lost, nothing twice.")(torture)


def torture(
    clones: Annotated[
        int, typer.Option("--clones", min=1, max=64, help="Hosts, each a clone with processes of its own.")
    ] = 5,
    tasks: Annotated[int, typer.Option("--tasks", min=1, max=10_000, help="Short tasks to be done.")] = 100,
    faults: Annotated[
        str,
        typer.Option(
            "--faults",
            metavar="LIST",
            help="all, none, or some by name, with commas: docs/torture.md and a wrong name list them.",
        ),
    ] = "all",
    seed: Annotated[int, typer.Option("--seed", min=0, help="What the plan of faults is made from.")] = 1,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", min=0.0, help="Random seeds, one after another, for so long."),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Leave clones, remote and logs below DIR.")
    ] = None,
    output: FormatOption = Format.TABLE,
    dry_run: DryRunOption = False,
) -> None:
    """Many hosts on one remote while everything fails, then a check of what the remote holds.

    Uses folders of its own only, needs no network, and leaves nothing behind without --keep.
    """
    from cortex_git.analysis.torture.faults import chosen
    from cortex_git.analysis.torture.plan import make_plan
    from cortex_git.cli.output import print_json
    from cortex_git.errors import ExitCode

    plan = make_plan(seed, clones, tasks, chosen(faults))
    if dry_run:
        _show_plan(plan, output)
        return
    if minutes is None:
        report = _one(plan, keep)
        if output is Format.JSON:
            print_json(report.to_json())
        else:
            _show(report)
        failed = report.failed
    else:
        failed = _many(clones, tasks, chosen(faults), minutes, keep, output)
    if failed:
        raise typer.Exit(ExitCode.FINDINGS)


def _one(plan: "Plan", keep: Path | None) -> "Report":
    from cortex_git.analysis.torture.torturing import ground, torture
    from cortex_git.cli.output import note

    asked = "all" if len(plan.faults) > 1 and plan.faults == _all() else ",".join(plan.faults) or "none"
    repeat = (
        f"cortex-git torture --clones {plan.clones} --tasks {plan.tasks} --faults {asked} --seed {plan.seed}"
    )
    with ground(keep) as folder:
        if keep is not None:
            note(f"everything is in {folder}")
        report = torture(plan, folder, note, repeat=repeat)
    if keep is None:
        report.folder = None
    return report


def _all() -> tuple[str, ...]:
    from cortex_git.analysis.torture.faults import FAULTS

    return tuple(FAULTS)


def _many(
    clones: int, tasks: int, faults: tuple[str, ...], minutes: float, keep: Path | None, output: Format
) -> bool:
    """Random seeds until the time is up; whether any failed. The first is run whatever the time is."""
    import secrets
    import time

    from cortex_git.analysis.torture.plan import make_plan
    from cortex_git.cli.output import print_json, print_line

    deadline = time.monotonic() + 60 * minutes
    reports: list[dict[str, Any]] = []
    failed = False
    while not reports or time.monotonic() < deadline:
        report = _one(make_plan(secrets.randbelow(10**9), clones, tasks, faults), keep)
        failed = failed or report.failed
        reports.append(report.to_json())
        if output is Format.TABLE:
            _show(report)
            print_line("")
    if output is Format.JSON:
        print_json({"runs": reports, "failed": sum(bool(report["problems"]) for report in reports)})
    return failed


def _show(report: "Report") -> None:
    from cortex_git.cli.output import print_line

    told = report.to_json()
    runs = told["runs_per_task"]
    print_line(
        f"Seed: {told['seed']}, tasks: {told['tasks']}, results: {told['results']}, lost: {told['lost']},"
        f" duplicates: {told['duplicates']}, double runs: {told['double_runs']}"
    )
    print_line(
        f"Fenced: {told['fenced']}, takeovers: {told['takeovers']}, runs per task: {runs['mean']} on average,"
        f" {runs['least']} to {runs['most']}"
    )
    print_line(
        "Faults: " + (", ".join(f"{name} {count}" for name, count in told["faults"].items()) or "none")
    )
    print_line(f"git fsck: {told['fsck']}, time: {told['wall_s']:.1f} s")
    for name, count in report.waiting.items():
        print_line(f"{name} has {count} results that were not published")
    for task, what in report.problems.items():
        print_line(f"FAILED {task}: {what}")
        for line in report.histories.get(task, []):
            print_line(f"    {line}")
    if report.failed:
        print_line(f"Repeat it with: {report.repeat}")


def _show_plan(plan: "Plan", output: Format) -> None:
    from cortex_git.cli.output import note, print_json, print_line

    note(f"would run {plan.tasks} tasks on {plan.clones} clones with these faults")
    if output is Format.JSON:
        print_json({"dry_run": True, "plan": plan.to_json()})
        return
    print_line(f"Lease: {plan.lease_s:g} s, heartbeat: {plan.heartbeat_s:.2f} s")
    for host in plan.hosts:
        own = " (a file system of its own)" if host.boxed else ""
        clock = f", clock off by {host.clock_s:+.0f} s" if host.clock_s else ""
        print_line(f"{host.name}{own}{clock}: {'; '.join(' '.join(turn) for turn in host.commands)}")
        for kind, numbers in sorted(host.points.items()):
            for number, faults in sorted(numbers.items(), key=lambda item: int(item[0])):
                told = ", ".join(" ".join(str(value) for value in fault.values()) for fault in faults)
                print_line(f"    {kind} {number}: {told}")
    for happening in plan.happenings:
        where = happening.host or "all"
        print_line(f"{happening.at:.0%} finished: {happening.fault} on {where}, {happening.seconds:g} s")
