"""Commands about the long-lived pool: `pool start`, `pool status`, `pool stop`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.cli.options import DryRunOption, Format, FormatOption, LogFormatOption, RepositoryOption
from cortex_git.pages.text import counted

if TYPE_CHECKING:
    from cortex_git.services.pools import PoolPlan
    from cortex_git.store.coordination import Coordination

app = typer.Typer(help="Keep workers warm, and give them work.", no_args_is_help=True)


@app.command()
def start(
    least: Annotated[
        int | None,
        typer.Option("--min", min=0, max=64, help="Fewest workers (default: 5, or the settings')."),
    ] = None,
    most: Annotated[
        int | None, typer.Option("--max", min=1, max=64, help="Most workers (default: 20, or the settings').")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=64, help="Always so many: policy fixed.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option("--policy", help="activation, tree, fixed or predictive.")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option("--strategy", help="round-robin, least-loaded, type-specific or confidence-weighted."),
    ] = None,
    kind: Annotated[str | None, typer.Option("--type", "-t", help="Only tasks of this worker type.")] = None,
    batch: Annotated[str | None, typer.Option("--batch", help="Only this batch.")] = None,
    tasks: Annotated[str, typer.Option("--tasks", metavar="GLOB", help="Only ids that match.")] = "*",
    detach: Annotated[bool, typer.Option("--detach", help="Go on in the background, with a log.")] = False,
    metrics: Annotated[
        int | None,
        typer.Option("--metrics", metavar="PORT", min=1, max=65535, help="Prometheus metrics on 127.0.0.1."),
    ] = None,
    log_format: LogFormatOption = None,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
    dry_run: DryRunOption = False,
) -> None:
    """Keep a pool of warm workers on all open tasks, until it is stopped."""
    from cortex_git.cli.output import announce
    from cortex_git.errors import BadInput
    from cortex_git.models import WORKER_TYPES
    from cortex_git.services import open_coordination
    from cortex_git.services.pools import plan_pool
    from cortex_git.store.index import Scope

    if kind is not None and kind not in WORKER_TYPES:
        raise BadInput(f"no worker type {kind!r}", f"use one of {', '.join(WORKER_TYPES)}")
    if policy == "fixed" and workers is None:
        raise BadInput("policy fixed needs a number of workers", "give --workers")
    if workers is not None and (policy not in (None, "fixed") or least is not None or most is not None):
        raise BadInput("--workers is a fixed number", "leave --policy, --min and --max out")
    coordination = open_coordination(repository)
    plan = plan_pool(
        coordination.repository.settings.pool,
        Scope(batch=batch, glob=tasks, type=kind),
        policy=policy, strategy=strategy, least=least, most=most, fixed=workers, metrics=metrics,
    )  # fmt: skip
    if dry_run:
        lanes = ", ".join(
            f"{lane.bounds.min} to {lane.bounds.max} workers for {lane.called}" for lane in plan.lanes
        )
        announce(
            f"keep {lanes}: policy {plan.policy}, strategy {plan.strategy}", as_json=output is Format.JSON
        )
        return
    if detach:
        _detach(coordination.repository.folder, coordination.repository.private, log_format, output)
        return
    coordination.pull()
    _keep(coordination, plan, output)


def _keep(coordination: "Coordination", plan: "PoolPlan", output: Format) -> None:
    import os

    from cortex_git.cli.batch_progress import batch_watcher
    from cortex_git.cli.ending import end_batch
    from cortex_git.cli.output import note, print_json
    from cortex_git.services.pools import keep_pool

    def ready() -> None:
        note(f"pool {os.getpid()} is ready: {plan.bounds.min} to {plan.bounds.max} workers")

    with batch_watcher(0, quiet=True) as watcher:
        ended = keep_pool(coordination, plan, watcher, ready)
    report = ended.report
    if output is Format.JSON:
        print_json(
            {
                "completed": report.completed, "failed": report.failed, "published": report.published,
                "fenced": report.fenced, "waiting": report.waiting, "killed": report.killed,
            }
        )  # fmt: skip
    else:
        note(f"the pool has ended: {report.completed} completed, {report.failed} failed")
    end_batch(ended, failed=False)


def _detach(folder: Path, private: Path, log_format: str | None, output: Format) -> None:
    """Start the same command again in the background, and wait until it can be asked for something."""
    import sys

    from cortex_git.cli.output import print_json, print_line
    from cortex_git.services.detaching import start_detached
    from cortex_git.workers.logs import FOLDER, log_path

    arguments = [argument for argument in sys.argv[1:] if argument != "--detach"]
    log = log_path(private / FOLDER, "pool")
    pid = start_detached(folder, [*arguments, "--repository", str(folder)], log)
    if output is Format.JSON:
        print_json({"pid": pid, "log": str(log), "log_format": log_format or "text"})
    else:
        print_line(f"Pool {pid} runs in the background; its log is {log}")


@app.command()
def status(
    explain: Annotated[bool, typer.Option("--explain", help="Say why it has so many workers.")] = False,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show the running pool and its workers; exit status 3 where none runs, 4 where it is behind."""
    from cortex_git.cli.output import note, print_json, print_line, print_table
    from cortex_git.errors import ExitCode
    from cortex_git.locating import needed
    from cortex_git.services.pool_client import pool_status

    found = pool_status(needed(repository))
    if found is None:
        note("no pool runs here: start one with `cortex-git pool start`")
        if output is Format.JSON:
            print_json({"running": False})
        raise typer.Exit(ExitCode.ENVIRONMENT)
    if output is Format.JSON:
        print_json({"running": True, **found})
    else:
        print_line(
            f"Pool {found['pid']} since {found['started_at']}{', draining' if found['draining'] else ''}:"
            f" {counted(len(found['workers']), 'worker')}, target {found['target']}"
            f" ({found['min']} to {found['max']}, {found['policy']}, {found['strategy']})"
        )
        print_line(
            f"Queue: {found['queue']}, completed: {found['completed']}, failed: {found['failed']},"
            f" to be published: {found['unpublished']}"
        )
        if explain:
            for reason in found["reasons"]:
                print_line(f"Why: {reason}")
        print_table(
            ["Worker", "State", "Task", "For s", "Tasks", "MiB"],
            [
                [w["worker"], w["status"], w["task"], f"{w['task_s']:.0f}" if w["task"] else "",
                 w["tasks_done"], f"{w['rss_mib']:.0f}"]
                for w in found["workers"]
            ],
            "no workers just now",
        )  # fmt: skip
        if found["problem"]:
            note(f"the remote does not answer: {found['problem']}")
    if found["alert"]:
        note(f"alert: {found['alert']}")
        raise typer.Exit(ExitCode.LIMIT)


@app.command()
def stop(
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
    dry_run: DryRunOption = False,
) -> None:
    """Drain the pool: what runs ends and is published. A second `pool stop` ends it at once."""
    from cortex_git.cli.output import announce, note, print_json, print_line
    from cortex_git.errors import ExitCode
    from cortex_git.locating import needed
    from cortex_git.services.detaching import wait_for_end
    from cortex_git.services.pool_client import stop_pool

    folder = needed(repository)
    found = stop_pool(folder, dry_run=dry_run)
    if found is None:
        note("no pool runs here")
        if output is Format.JSON:
            print_json({"running": False})
        raise typer.Exit(ExitCode.ENVIRONMENT)
    if dry_run:
        what = "end what it runs at once" if found["state"] == "killing" else "drain it"
        announce(f"tell pool {found['pid']} to {what}", as_json=output is Format.JSON)
        return
    note(f"pool {found['pid']} is {found['state']}: {found['busy']} tasks run")
    wait_for_end(folder, note)
    if output is Format.JSON:
        print_json({"running": False, "stopped": True, **found})
    else:
        print_line(f"Pool {found['pid']} has ended")
