"""`torture`: faults from a seed on real hosts, and what the remote holds in the end."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cortex_git.cli.options import DryRunOption, Format, FormatOption
from cortex_git.pages.text import counted

if TYPE_CHECKING:
    from cortex_git.analysis.torture.directed import Race
    from cortex_git.analysis.torture.plan import Plan
    from cortex_git.analysis.torture.report import Report


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
    directed: Annotated[
        bool,
        typer.Option(
            "--directed/--no-directed", help="First the races that need one part of the protocol each."
        ),
    ] = True,
    output: FormatOption = Format.TABLE,
    dry_run: DryRunOption = False,
) -> None:
    """Many hosts on one remote while everything fails, then a check of what the remote holds.

    Uses folders of its own only, needs no network, and leaves nothing behind without --keep.
    """
    from cortex_git.analysis.torture.directed import races_of
    from cortex_git.analysis.torture.faults import chosen
    from cortex_git.analysis.torture.plan import make_plan
    from cortex_git.cli.output import print_json
    from cortex_git.errors import BadInput, ExitCode

    if minutes is not None and not math.isfinite(minutes):
        raise BadInput(f"--minutes is {minutes}", "give a number of minutes, as 60 or 0.5")
    plan = make_plan(seed, clones, tasks, chosen(faults))
    races = races_of(plan.faults) if directed else ()
    if dry_run:
        _show_plan(plan, races, output)
        return
    if minutes is None:
        report = _one(plan, races, keep)
        if output is Format.JSON:
            print_json(report.to_json())
        else:
            _show(report)
        failed = report.failed
    else:
        failed = _many(plan, races, minutes, keep, output)
    if failed:
        raise typer.Exit(ExitCode.FINDINGS)


def _one(plan: "Plan", races: Sequence["Race"], keep: Path | None) -> "Report":
    """The races, and then the plan; the report of the first that fails, or else the plan's."""
    from cortex_git.analysis.torture.directed import face, face_all
    from cortex_git.analysis.torture.torturing import ground, torture
    from cortex_git.cli.output import note

    done, failed = face_all(
        races, lambda race: face(race, note, seed=plan.seed, keep=keep, repeat=_command(plan, race))
    )
    if failed is not None:
        _leave(failed, keep)
        if failed.folder is not None:
            note(f"everything is in {failed.folder}")
        return failed
    with ground(keep) as folder:
        if keep is not None:
            note(f"everything is in {folder}")
        report = torture(plan, folder, note, repeat=_command(plan))
    report.directed = [faced.to_json() for faced in done]
    _leave(report, keep)
    return report


def _leave(report: "Report", keep: Path | None) -> None:
    """Write the report into the folder that is kept."""
    if keep is None or report.folder is None:
        report.folder = None
        return
    (Path(report.folder) / "report.json").write_text(json.dumps(report.to_json(), indent=2) + "\n")


def _command(plan: "Plan", race: "Race | None" = None) -> str:
    """What runs a plan again, or one race with the plan after it."""
    if race is not None:
        return f"cortex-git torture --faults {race.fault['fault']} --seed {plan.seed}"
    asked = "all" if len(plan.faults) > 1 and plan.faults == _all() else ",".join(plan.faults) or "none"
    sizes = f"--clones {plan.clones} --tasks {plan.tasks}"
    return f"cortex-git torture {sizes} --faults {asked} --seed {plan.seed} --no-directed"


def _all() -> tuple[str, ...]:
    from cortex_git.analysis.torture.faults import FAULTS

    return tuple(FAULTS)


def _many(sizes: "Plan", races: Sequence["Race"], minutes: float, keep: Path | None, output: Format) -> bool:
    """The races once, and random seeds until the time is up; whether any failed.

    The first is run whatever the time is.
    """
    import secrets
    import time

    from cortex_git.analysis.torture.plan import make_plan
    from cortex_git.cli.output import print_json, print_line

    deadline = time.monotonic() + 60 * minutes
    reports: list[dict[str, Any]] = []
    failed = False
    while not reports or time.monotonic() < deadline:
        plan = make_plan(secrets.randbelow(10**9), sizes.clones, sizes.tasks, sizes.faults)
        report = _one(plan, () if reports else races, keep)
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
    if report.directed:
        print_line("Races: " + ", ".join(_told(faced) for faced in report.directed))
    if report.race:
        print_line(f"The race {report.race} failed, so nothing else was run; the numbers are its own.")
    print_line(
        f"Seed: {told['seed']}, tasks: {told['tasks']}, results: {told['results']}, lost: {told['lost']},"
        f" duplicates: {told['duplicates']}, double runs: {told['double_runs']}"
    )
    print_line(
        f"Fenced: {told['fenced']}, takeovers: {told['takeovers']}, runs per task: {runs['mean']} on average,"
        f" {runs['least']} to {runs['most']}{_without(told['without_run'])}"
    )
    print_line(
        "Faults: " + (", ".join(f"{name} {count}" for name, count in told["faults"].items()) or "none")
    )
    print_line(f"git fsck: {told['fsck']}, time: {told['wall_s']:.1f} s")
    for name, count in report.waiting.items():
        print_line(f"{name} has {counted(count, 'result that was', 'results that were')} not published")
    in_full = next((task for task in report.problems if report.histories.get(task)), None)
    for task, what in report.problems.items():
        print_line(f"FAILED {task}: {what}")
        for line in report.histories[task] if task == in_full else []:
            print_line(f"    {line}")
    if report.failed:
        if len(report.histories) > 1:
            print_line("The other histories are in the report of --format json, and below --keep DIR.")
        print_line(f"Repeat it with: {report.repeat}")


def _told(faced: dict[str, Any]) -> str:
    """One race: that its fault struck, or that it did not."""
    if faced["problems"]:
        return f"{faced['name']} FAILED"
    return f"{faced['name']} {faced['struck']}" + ("" if faced["struck"] else f" (in {faced['runs']} runs)")


def _without(tasks: dict[str, str]) -> str:
    """Of the tasks that nobody ran, as what they were finished."""
    counted = Counter(tasks.values())
    told = ", ".join(f"{count} {status}" for status, count in sorted(counted.items()))
    return f"; without a run: {told}" if told else ""


def _show_plan(plan: "Plan", races: Sequence["Race"], output: Format) -> None:
    from cortex_git.cli.output import note, print_json, print_line

    note(f"would run {counted(plan.tasks, 'task')} on {counted(plan.clones, 'clone')} with these faults")
    if output is Format.JSON:
        print_json({"dry_run": True, "directed": [race.name for race in races], "plan": plan.to_json()})
        return
    for race in races:
        print_line(f"Race {race.name} ({race.fault['fault']}): {race.about}")
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
