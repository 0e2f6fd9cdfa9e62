"""`spawn-worker`: one task in one worker, of the running pool where there is one.

Owns what is printed about it. With a pool to ask it loads neither git nor the store.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from cortex_git.cli.options import DryRunOption, Format, FormatOption, LogFormatOption, RepositoryOption


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("spawn-worker", short_help="Run one task in one worker.")(spawn_worker)


def spawn_worker(
    kind: Annotated[str, typer.Option("--type", "-t", help="Worker type.")] = "scan-worker",
    task_id: Annotated[
        str | None,
        typer.Option("--task-id", "-i", help="Task to run; added first if new (default: the next open one)."),
    ] = None,
    master: Annotated[str | None, typer.Option("--master", "-m", help="Master of a new task.")] = None,
    repo: Annotated[
        str | None, typer.Option("--repo", "-r", "-e", help="Repository that a new task is about.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option("--budget", "-b", min=0, help="Tokens this attempt may use.")
    ] = None,
    deadline: Annotated[
        float | None, typer.Option("--deadline", "-d", help="Minutes this attempt may take.")
    ] = None,
    priority: Annotated[str, typer.Option("--priority", "-p", help="Priority of a new task.")] = "medium",
    scope: Annotated[str | None, typer.Option("--scope", "-s", help="Scope of a new task.")] = None,
    context: Annotated[
        str | None,
        typer.Option("--context", "-c", help="Context of a new task: JSON object, or key=value,…."),
    ] = None,
    runner: Annotated[str | None, typer.Option("--runner", help="Runner, instead of the type's own.")] = None,
    cold: Annotated[
        bool, typer.Option("--cold", help="Start a fresh interpreter, though a pool may be running.")
    ] = False,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
    _log_format: LogFormatOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Start one worker for one task, and wait for its published result."""
    from cortex_git.locating import located

    request: dict[str, Any] = {
        "type": kind, "task_id": task_id, "master": master, "repo": repo, "budget": budget,
        "deadline": deadline, "priority": priority, "scope": scope, "context": context, "runner": runner,
    }  # fmt: skip
    folder = located(repository)
    if folder is not None and not cold and not dry_run:
        answer = _ask(folder, request)
        if answer is not None:
            _show(answer, "warm", output)
            _end_warm(answer)
            return
    _spawn_cold(repository, request, output, dry_run=dry_run)


def _ask(folder: Path, request: dict[str, Any]) -> dict[str, Any] | None:
    """The running pool's answer; None where none runs."""
    import time

    from cortex_git.cli.output import note
    from cortex_git.services.pool_client import ask_pool

    requested = time.clock_gettime(time.CLOCK_MONOTONIC)
    return ask_pool(folder, {"kind": "spawn", "requested": requested, **request}, note)


def _spawn_cold(repository: Path | None, request: dict[str, Any], output: Format, *, dry_run: bool) -> None:
    """Start a fresh interpreter for the task, in this command."""
    from cortex_git.cli.batch_progress import batch_watcher
    from cortex_git.cli.ending import end_batch
    from cortex_git.cli.output import announce
    from cortex_git.services import open_coordination
    from cortex_git.services.spawning import Overrides, described_task, known_task, look, spawn_one

    coordination = open_coordination(repository)
    look(coordination)
    task, kind = request["task_id"], request["type"]
    new = None
    if task is not None and not known_task(coordination, task):
        coordination.pull()
        new = None if known_task(coordination, task) else described_task(request)
    if dry_run:
        addition = " and add that task" if new else ""
        what = f"start a {kind} for {task or 'the next open task'}{addition}"
        announce(what, as_json=output is Format.JSON)
        return
    with batch_watcher(1, quiet=True) as progress:
        overrides = Overrides(request["runner"], request["budget"], request["deadline"])
        claim, result, ended = spawn_one(coordination, task, kind, overrides, progress, new=new)
    answer = {
        "task": claim.task.task,
        "status": result.status if result else "released",
        "claim": {
            "batch": claim.task.batch, "worker": claim.record.worker, "host": claim.record.host,
            "attempt": claim.record.attempt,
        },
        "result": result.model_dump(mode="json") if result else None,
        "limit": result is None and ended.report.limit is not None,
    }  # fmt: skip
    _show(answer, "cold", output)
    end_batch(ended, failed=answer["status"] != "completed")


def _show(answer: dict[str, Any], how: str, output: Format) -> None:
    from cortex_git.cli.output import print_json, print_line

    result: dict[str, Any] = answer["result"] or {}
    about: dict[str, Any] = result or answer["claim"]
    spawn_ms = round(result["spawn_s"] * 1000, 3) if result else None
    claim_ms = answer.get("claim_ms")
    if output is Format.JSON:
        print_json(
            {
                "task": answer["task"], "batch": about["batch"], "worker": about["worker"],
                "host": about["host"], "attempt": about["attempt"], "status": answer["status"],
                "spawn": how, "spawn_ms": spawn_ms, "claim_ms": claim_ms,
                "duration_s": result.get("duration_s"), "error": result.get("error"),
                "tokens_used": result.get("tokens_used"),
                "output": result.get("output"),
            }
        )  # fmt: skip
        return
    print_line(f"{about['worker']} {answer['status']} {answer['task']} (attempt {about['attempt']})")
    if not result:
        why = "There are no tokens for it" if answer.get("limit") else "The attempt failed"
        print_line(f"{why}; the task was released to be tried again")
        return
    claimed = "" if claim_ms is None else f"; claim: {claim_ms:.1f} ms"
    ran = f"run: {result['duration_s']:.3f} s"
    print_line(f"Spawn: {how}, {spawn_ms:.1f} ms to the first instruction{claimed}; {ran}")
    if result["error"]:
        print_line(f"Error: {result['error']}")


def _end_warm(answer: dict[str, Any]) -> None:
    """Exit with the right code where it is not 0, having said why."""
    from cortex_git.cli.output import note
    from cortex_git.errors import ExitCode

    state = answer["reason"]
    if state == "fenced":
        note("the result came after another's and is kept aside: see `cortex-git results list --fenced`")
    elif state.startswith("waiting"):
        note(f"the result waits to be published by the pool: {state.removeprefix('waiting: ')}")
        raise typer.Exit(ExitCode.ENVIRONMENT)
    elif answer["result"] is None:
        note(state)
        if answer.get("limit"):
            raise typer.Exit(ExitCode.LIMIT)
    if answer["status"] != "completed":
        raise typer.Exit(ExitCode.FINDINGS)
