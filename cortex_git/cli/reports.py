"""Commands about results: `results list` and `results show`."""

from typing import Annotated

import typer

from cortex_git.cli.options import Format, FormatOption, RepositoryOption

app = typer.Typer(help="Look at results.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    """Add this module's commands."""
    root.add_typer(app, name="results")


@app.command("list")
def list_results(
    batch: Annotated[str | None, typer.Option("--batch", help="Only this batch.")] = None,
    tasks: Annotated[str, typer.Option("--tasks", metavar="GLOB", help="Only ids that match.")] = "*",
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """List results in the order they were completed."""
    from cortex_git.cli.output import print_json, print_table
    from cortex_git.services import open_coordination
    from cortex_git.services.looking import result_rows
    from cortex_git.store.index import Scope

    rows = result_rows(open_coordination(repository), Scope(batch=batch, glob=tasks))
    if output is Format.JSON:
        print_json({"results": rows})
        return
    columns = ("task", "batch", "status", "worker", "host", "attempt", "completed_at", "tokens_used")
    print_table(columns, ([row[column] for column in columns] for row in rows), "no results")


@app.command()
def show(
    task: Annotated[str, typer.Argument(help="Task id.")],
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show one result, with everything the worker put into it."""
    import json

    from cortex_git.cli.output import print_json, print_lines
    from cortex_git.errors import BadInput
    from cortex_git.services import open_coordination
    from cortex_git.services.looking import task_detail

    result = task_detail(open_coordination(repository), task)["result"]
    if result is None:
        raise BadInput(f"task {task!r} has no result yet", f"see `cortex-git task show {task}`")
    if output is Format.JSON:
        print_json({"result": result})
        return
    for key, value in result.items():
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        print_lines(f"{key}: {text}")
