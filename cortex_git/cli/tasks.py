"""Commands about tasks: `task add`, `task list`, `task show`."""

from typing import Annotated

import typer

from cortex_git.cli.options import DryRunOption, Format, FormatOption, RepositoryOption

app = typer.Typer(help="Add and look at tasks.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    """Add this module's commands."""
    root.add_typer(app, name="task")


@app.command()
def add(
    title: Annotated[str | None, typer.Option("--title", help="What is to be done.")] = None,
    kind: Annotated[str, typer.Option("--type", "-t", help="Worker type.")] = "scan-worker",
    file: Annotated[
        str | None,
        typer.Option("--file", metavar="JSONL", help="Many tasks, one JSON object a line (- for stdin)."),
    ] = None,
    task_id: Annotated[str | None, typer.Option("--id", help="Its id (default: a new one).")] = None,
    batch: Annotated[str, typer.Option("--batch", help="Batch to add to.")] = "tasks",
    priority: Annotated[
        str, typer.Option("--priority", "-p", help="critical, high, medium or low.")
    ] = "medium",
    repo: Annotated[str | None, typer.Option("--repo", "-r", help="Repository it is about.")] = None,
    runner: Annotated[str | None, typer.Option("--runner", help="Runner, instead of the type's own.")] = None,
    master: Annotated[
        str | None, typer.Option("--master", "-m", help="Master, instead of the type's own.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option("--budget", "-b", min=0, help="Tokens an attempt may use.")
    ] = None,
    deadline: Annotated[
        float | None, typer.Option("--deadline", "-d", help="Minutes an attempt may take.")
    ] = None,
    scope: Annotated[
        str | None, typer.Option("--scope", "-s", help="Part of the repository it is about.")
    ] = None,
    context: Annotated[
        str | None, typer.Option("--context", "-c", help="JSON object, or key=value,key=value.")
    ] = None,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
    dry_run: DryRunOption = False,
) -> None:
    """Add one task, or many from a file. The same task again changes nothing."""
    from cortex_git.cli.output import announce, print_json, print_line
    from cortex_git.errors import BadInput
    from cortex_git.services import open_coordination
    from cortex_git.services.submitting import make_task, parse_context, read_tasks

    if file is not None:
        if title is not None or task_id is not None:
            raise BadInput("--file goes with neither --title nor --id", "write them into the file's lines")
        tasks = read_tasks(file, batch)
    else:
        values = {
            "title": title, "type": kind, "priority": priority, "repo": repo, "runner": runner,
            "budget": budget, "deadline": deadline, "scope": scope, "context": parse_context(context),
            "id": task_id, "master": master,
        }  # fmt: skip
        tasks = [make_task(values, batch)]
    coordination = open_coordination(repository)
    if dry_run:
        what = f"add {len(tasks)} tasks to {coordination.repository.folder}"
        announce(what, as_json=output is Format.JSON)
        return
    for name in dict.fromkeys(task.batch for task in tasks):
        coordination.add_tasks([task for task in tasks if task.batch == name])
    names = [task.task for task in tasks]
    if output is Format.JSON:
        print_json({"batch": tasks[0].batch, "tasks": names, "task": names[0]})
        return
    for name in names if len(names) <= 20 else [f"{len(names)} tasks added to {tasks[0].batch}"]:
        print_line(name)


@app.command("list")
def list_tasks(
    batch: Annotated[str | None, typer.Option("--batch", help="Only this batch.")] = None,
    tasks: Annotated[str, typer.Option("--tasks", metavar="GLOB", help="Only ids that match.")] = "*",
    status: Annotated[str | None, typer.Option("--status", help="Only this status.")] = None,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """List tasks with their status, worker, host and attempt."""
    from cortex_git.cli.output import print_json, print_table
    from cortex_git.errors import BadInput
    from cortex_git.services import open_coordination
    from cortex_git.services.looking import STATUSES, task_rows
    from cortex_git.store.index import Scope

    if status is not None and status not in STATUSES:
        raise BadInput(f"no status {status!r}", f"use one of {', '.join(STATUSES)}")
    rows = task_rows(open_coordination(repository), Scope(batch=batch, glob=tasks))
    rows = [row for row in rows if status is None or row["status"] == status]
    if output is Format.JSON:
        print_json({"tasks": rows})
        return
    columns = ("task", "batch", "status", "worker", "host", "attempt", "completed_at")
    print_table(columns, ([row[column] for column in columns] for row in rows), "no tasks")


@app.command()
def show(
    task: Annotated[str, typer.Argument(help="Task id.")],
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show one task: its description, its claim and its result."""
    import json

    from cortex_git.cli.output import print_json, print_lines
    from cortex_git.services import open_coordination
    from cortex_git.services.looking import task_detail

    detail = task_detail(open_coordination(repository), task)
    if output is Format.JSON:
        print_json(detail)
        return
    for section, value in detail.items():
        print_lines(f"{section}: " + (json.dumps(value, indent=2, ensure_ascii=False) if value else "none"))
