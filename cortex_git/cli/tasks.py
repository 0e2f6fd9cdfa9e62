"""Commands about tasks: `task add`, `task list`, `task show`, `task cancel`, `task retry`.

`task graph` has a module of its own.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.cli import task_graph
from cortex_git.cli.options import DryRunOption, Format, FormatOption, LimitOption, RepositoryOption
from cortex_git.pages.text import counted

if TYPE_CHECKING:
    from cortex_git.models import Task
    from cortex_git.routing.router import Router
    from cortex_git.store.coordination import Coordination

app = typer.Typer(help="Add, look at, cancel and retry tasks.", no_args_is_help=True)
TasksArgument = Annotated[list[str], typer.Argument(metavar="TASK", help="Task ids, or globs in quotes.")]


def register(root: typer.Typer) -> None:
    """Add this module's commands."""
    task_graph.register(app)
    root.add_typer(app, name="task")


@app.command()
def add(
    title: Annotated[str | None, typer.Option("--title", help="What is to be done.")] = None,
    kind: Annotated[
        str | None, typer.Option("--type", "-t", help="Worker type (default: as the title is routed).")
    ] = None,
    labels: Annotated[
        list[str] | None, typer.Option("--label", "-l", help="A label of it, which may say whose it is.")
    ] = None,
    sensitive: Annotated[
        bool | None,
        typer.Option("--sensitive/--not-sensitive", help="Whether it is kept from providers of models."),
    ] = None,
    after: Annotated[
        list[str] | None, typer.Option("--after", metavar="TASK", help="A task that has to end before it.")
    ] = None,
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
    """Add one task, or many from a file. The same task again changes nothing.

    What has a title and no worker type is routed; where several experts share it, each gets a part of its
    own, and the task itself ends with what they found together.
    """
    from functools import partial

    from cortex_git.cli.output import announce
    from cortex_git.errors import BadInput
    from cortex_git.services import open_coordination
    from cortex_git.services.added_before import known_in
    from cortex_git.services.ordering import check_order
    from cortex_git.services.submitting import make_tasks, parse_context, read_tasks

    coordination = open_coordination(repository)
    router = partial(_router, coordination)
    if file is not None:
        if title is not None or task_id is not None:
            raise BadInput("--file goes with neither --title nor --id", "write them into the file's lines")
        made = read_tasks(file, batch, router, known_in(coordination))
    else:
        values = {
            "title": title, "type": kind, "priority": priority, "repo": repo, "runner": runner,
            "budget": budget, "deadline": deadline, "scope": scope, "context": parse_context(context),
            "id": task_id, "master": master, "labels": labels, "sensitive": sensitive,
            "after": after,
        }  # fmt: skip
        made = make_tasks([values], batch, router, known_in(coordination))
    tasks = [task for several in made for task in several]
    check_order(coordination, tasks)
    if dry_run:
        what = f"add {counted(len(tasks), 'task')} to {coordination.repository.folder}"
        announce(what, as_json=output is Format.JSON)
        return
    for name in dict.fromkeys(task.batch for task in tasks):
        coordination.add_tasks([task for task in tasks if task.batch == name])
    if any(task.routing for task in tasks):
        from cortex_git.services.route_feedback import note_routed

        note_routed(coordination.repository, tasks)
    _show_added(made, output)


def _router(coordination: "Coordination") -> "Router":
    """Loaded where something is to be routed."""
    from cortex_git.services.routing import router_for

    return router_for(coordination)


def _show_added(made: "list[list[Task]]", output: Format) -> None:
    """The ids of the tasks that were asked for; of one that was routed, also to whom."""
    from cortex_git.cli.output import note, print_json, print_line

    asked = [several[-1] for several in made]
    route = asked[0].routing if len(asked) == 1 else None
    if output is Format.JSON:
        names = [task.task for several in made for task in several]
        print_json({"batch": asked[0].batch, "tasks": names, "task": asked[0].task, "route": route})
        return
    many = len(asked) > 20
    for name in [f"{len(asked)} tasks added to {asked[0].batch}"] if many else [task.task for task in asked]:
        print_line(name)
    if route is not None:
        chosen = [route["primary"], *route["secondary"]]
        experts = ", ".join(f"{one['expert']} ({one['score']:.0f})" for one in chosen)
        note(f"for {experts}, by {route['layer']}; `cortex-git route --explain` says why")
    if len(asked) == 1 and asked[0].sensitive:
        note("it is sensitive: no provider of models beyond this machine gets it (--not-sensitive overrules)")


@app.command("list")
def list_tasks(
    batch: Annotated[str | None, typer.Option("--batch", help="Only this batch.")] = None,
    tasks: Annotated[str, typer.Option("--tasks", metavar="GLOB", help="Only ids that match.")] = "*",
    status: Annotated[str | None, typer.Option("--status", help="Only this status.")] = None,
    limit: LimitOption = None,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """List tasks with their status, worker, host and attempt."""
    from cortex_git.cli.newer import note_newer
    from cortex_git.cli.output import note, print_json, print_table
    from cortex_git.errors import BadInput
    from cortex_git.services import open_coordination
    from cortex_git.services.looking import STATUSES, left_out, task_rows
    from cortex_git.store.index import Scope

    if status is not None and status not in STATUSES:
        raise BadInput(f"no status {status!r}", f"use one of {', '.join(STATUSES)}")
    coordination = open_coordination(repository)
    scope = Scope(batch=batch, glob=tasks)
    rows = task_rows(coordination, scope, limit if status is None else None)
    note_newer(coordination)
    if (text := left_out(coordination, scope)) is not None:
        note(text)
    if status is not None:
        rows = [row for row in rows if row["status"] == status][-(limit or 0) :]
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

    from cortex_git.cli.newer import note_newer
    from cortex_git.cli.output import print_json, print_lines
    from cortex_git.services import open_coordination
    from cortex_git.services.looking import task_detail

    coordination = open_coordination(repository)
    detail = task_detail(coordination, task)
    note_newer(coordination)
    if output is Format.JSON:
        print_json(detail)
        return
    for section, value in detail.items():
        print_lines(f"{section}: " + (json.dumps(value, indent=2, ensure_ascii=False) if value else "none"))


@app.command()
def cancel(
    tasks: TasksArgument,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
    dry_run: DryRunOption = False,
) -> None:
    """End tasks as cancelled, whoever has them; what a worker on one brings is kept aside, not published."""
    from cortex_git.cli.output import announce
    from cortex_git.models import Result
    from cortex_git.services import open_coordination
    from cortex_git.services.reopening import cancel_tasks, to_cancel

    coordination = open_coordination(repository)
    names = to_cancel(coordination, tasks)
    if dry_run:
        announce(f"cancel {', '.join(names)}", as_json=output is Format.JSON)
        return
    ends = cancel_tasks(coordination, names)
    rows = [
        {"task": name, "batch": end.batch, "status": end.status, "error": None}
        if isinstance(end, Result)
        else {"task": name, "batch": None, "status": None, "error": str(end)}
        for name, end in ends.items()
    ]
    _show(rows, output, [*ends.values()])


@app.command()
def retry(
    tasks: TasksArgument,
    continues: Annotated[
        bool, typer.Option("--continue", help="Go on from the work so far, instead of from the start.")
    ] = False,
    budget: Annotated[
        int | None,
        typer.Option("--budget", "-b", min=0, help="Tokens an attempt may use (default: as before)."),
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option("--deadline", "-d", help="Minutes an attempt may take (default: as before)."),
    ] = None,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
    dry_run: DryRunOption = False,
) -> None:
    """Do again what ended without success: for each a new task that names the old one."""
    from cortex_git.cli.output import announce
    from cortex_git.models import Task
    from cortex_git.services import open_coordination
    from cortex_git.services.reopening import Again, retry_tasks, to_retry

    how = Again(continues, budget, deadline)
    coordination = open_coordination(repository)
    names = to_retry(coordination, tasks)
    if dry_run:
        announce(f"add a new task for each of {', '.join(names)}", as_json=output is Format.JSON)
        return
    found = retry_tasks(coordination, names, how)
    rows = [
        {"task": name, "retry": new.task, "batch": new.batch, "error": None}
        if isinstance(new, Task)
        else {"task": name, "retry": None, "batch": None, "error": str(new)}
        for name, new in found.items()
    ]
    _show(rows, output, [*found.values()])


def _show(rows: list[dict[str, str | None]], output: Format, found: Sequence[object]) -> None:
    """One row for each task, and the exit code of the worst error; an error alone is told like any other."""
    from cortex_git.cli.output import print_json, print_table
    from cortex_git.errors import CortexError

    errors = [value for value in found if isinstance(value, CortexError)]
    if len(errors) == len(rows) == 1:
        raise errors[0]
    if output is Format.JSON:
        print_json({"tasks": rows})
    else:
        columns = [*rows[0]]
        print_table(columns, ([row[column] for column in columns] for row in rows), "no tasks")
    if errors:
        raise typer.Exit(max(error.exit_code for error in errors))
