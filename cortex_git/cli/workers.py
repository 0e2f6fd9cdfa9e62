"""Commands about workers: `spawn-workers`, `activation`; `spawn-worker` has a module of its own."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.cli import spawn_worker
from cortex_git.cli.options import DryRunOption, Format, FormatOption, LogFormatOption, RepositoryOption
from cortex_git.pages.text import counted

if TYPE_CHECKING:
    from cortex_git.workers.attempts import BatchReport


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    spawn_worker.register(app)
    app.command("spawn-workers", short_help="Run all open tasks in scope in parallel.")(spawn_workers)
    app.command("parallel_spawn_workers", hidden=True)(spawn_workers)
    app.command()(activation)


def spawn_workers(
    kind: Annotated[str | None, typer.Option("--type", "-t", help="Only tasks of this worker type.")] = None,
    count: Annotated[
        int | None,
        typer.Option("--count", "-n", min=1, max=64, help="Workers (default: what --policy answers)."),
    ] = None,
    tasks: Annotated[str, typer.Option("--tasks", metavar="GLOB", help="Only ids that match.")] = "*",
    batch: Annotated[str | None, typer.Option("--batch", help="Only this batch.")] = None,
    policy: Annotated[str, typer.Option("--policy", help="activation, tree or predictive.")] = "activation",
    strategy: Annotated[
        str,
        typer.Option("--strategy", help="round-robin, least-loaded, type-specific or confidence-weighted."),
    ] = "least-loaded",
    runner: Annotated[
        str | None, typer.Option("--runner", help="Runner, instead of each task's own.")
    ] = None,
    cold: Annotated[bool, typer.Option("--cold", help="Start a fresh interpreter for each worker.")] = False,
    engine: Annotated[
        str, typer.Option("--engine", help="local, or dask://HOST:PORT: on the workers of a Dask cluster.")
    ] = "local",
    economy: Annotated[
        bool,
        typer.Option(
            "--economy", help="Have what can wait answered through Claude's message batches, at their price."
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Agree to what it will cost, whatever `preflight` says.")
    ] = False,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
    _log_format: LogFormatOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Run all open tasks in scope in parallel, until each has a published result."""
    from cortex_git.cli.batch_progress import batch_watcher
    from cortex_git.cli.ending import end_batch
    from cortex_git.cli.events import tell
    from cortex_git.cli.output import announce, note
    from cortex_git.cli.preflight import approve, look_ahead
    from cortex_git.errors import BadInput
    from cortex_git.services import open_coordination
    from cortex_git.services.batches import settle
    from cortex_git.services.engines import checked_engine, run_on_engine
    from cortex_git.services.joining import Work
    from cortex_git.services.ordering import waiting_note
    from cortex_git.services.spawning import check_scope, sized
    from cortex_git.store.index import Scope
    from cortex_git.workers.balancing import checked_strategy
    from cortex_git.workers.events import batch_started

    balance = checked_strategy(strategy)
    place = checked_engine(engine)
    if economy:
        from cortex_git.services.economy import run_economy, ways

        if place.scheduler is not None:
            raise BadInput("--economy hands in from this clone", "leave out --engine")
    coordination = open_coordination(repository)
    coordination.pull()
    wanted = Scope(batch=batch, glob=tasks, type=kind)
    check_scope(coordination, wanted)
    paid = coordination.claims.handed_in()
    if paid and not economy:
        note(
            f"{counted(len(paid), 'task is', 'tasks are')} left alone:"
            " --economy has handed them in, and fetches them when run again"
        )
        wanted = replace(wanted, apart=tuple(paid))
    queue = coordination.open_count(replace(wanted, merges=False))
    target = sized(queue, policy, count, coordination.repository.settings.pool.max)
    ahead = look_ahead(coordination, wanted, target.target, runner)
    if dry_run:
        what = f"run {queue} open tasks on {target.target} workers{place.where}: {'; '.join(target.reasons)}"
        if economy:
            what += f"; {ways(coordination, wanted, runner)}"
        announce(what, as_json=output is Format.JSON, more={"preflight": ahead.to_json()} if ahead else {})
        return
    if queue == 0 and not (economy and paid):
        note("no open task")
        ended = settle(coordination)
        _show_run(ended.report, 0, output, cold=cold)
        end_batch(ended, failed=False)
        return
    if ahead is not None:
        approve(ahead, yes=yes)
    text = f"{queue} open tasks, {target.target} workers{place.where}: {'; '.join(target.reasons)}"
    tell(batch_started(text, queue, target.target, batch))
    with batch_watcher(queue) as progress:
        work = Work(wanted, target.target, runner, cold, target.policy, balance)
        if economy:
            ended = run_economy(coordination, work, progress)
        else:
            ended = run_on_engine(place, coordination, work, progress)
    failed = _show_run(ended.report, queue, output, cold=cold)
    if not ended.report.interrupted and (left := waiting_note(coordination, wanted)) is not None:
        note(left)
    end_batch(ended, failed=failed > 0)


def _show_run(report: "BatchReport", queue: int, output: Format, *, cold: bool) -> int:
    """Print what a run of `queue` tasks did; how many of them failed."""
    from cortex_git.cli.output import print_json, print_line

    failed = sum(result.status != "completed" for result in report.results.values())
    done = len(report.results)
    spawn_ms = 1000 * sum(r.spawn_s for r in report.results.values()) / max(done, 1)
    if output is Format.JSON:
        print_json(
            {
                "tasks": queue, "workers": report.workers_used, "completed": done - failed,
                "failed": failed, "published": report.published, "fenced": report.fenced,
                "waiting": report.waiting, "pushes": report.pushes, "wall_s": round(report.wall_s, 3),
                "spawn": "cold" if cold else "warm", "spawn_ms_avg": round(spawn_ms, 3),
                "tokens_used": report.tokens_used, "budget": str(report.limit) if report.limit else None,
            }
        )  # fmt: skip
        return failed
    print_line(f"Tasks: {done}, completed: {done - failed}, failed: {failed}, workers: {report.workers_used}")
    print_line(f"Published: {report.published} in {report.pushes} pushes, waiting: {report.waiting}")
    if report.metered:
        print_line(f"Tokens used: {report.tokens_used:,}")
    print_line(f"Real time: {report.wall_s:.2f} s, worker spawn overhead: {spawn_ms:.1f} ms avg")
    return failed


def activation(
    queue: Annotated[int, typer.Option("--queue", help="Tasks waiting.")],
    policy: Annotated[str, typer.Option("--policy", help="activation or tree.")] = "activation",
    capacity: Annotated[int, typer.Option("--capacity", help="Workers at full activation.")] = 64,
    explain: Annotated[bool, typer.Option("--explain", help="Say why.")] = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show how many workers a queue deserves."""
    from cortex_git.cli.output import note, print_json, print_line
    from cortex_git.errors import BadInput
    from cortex_git.workers.activation import checked_policy, target

    if policy not in ("activation", "tree"):
        raise BadInput(f"no policy {policy!r} answers that", "use activation or tree")
    answer = target(queue, policy=checked_policy(policy), capacity=capacity)
    if output is Format.JSON:
        print_json(
            {
                "queue": answer.queue, "capacity": answer.capacity,
                "utilization": round(answer.utilization, 4), "rate": answer.rate, "workers": answer.workers,
                "policy": answer.policy, "target": answer.target, "alert": answer.alert,
                "reasons": list(answer.reasons),
            }
        )  # fmt: skip
        return
    print_line(f"{answer.target} workers (utilization {answer.utilization:.0%}, rate {answer.rate:.0%})")
    if explain:
        for reason in answer.reasons:
            print_line(reason)
    if answer.alert:
        note("alert: the queue is beyond what the tree can clear")
