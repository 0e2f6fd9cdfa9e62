"""The command `task graph`."""

from enum import StrEnum
from typing import Annotated

import typer

from cortex_git.cli.options import RepositoryOption


class GraphFormat(StrEnum):
    """How the graph is printed."""

    TABLE = "table"
    JSON = "json"
    MERMAID = "mermaid"
    DOT = "dot"


def register(app: typer.Typer) -> None:
    """Add this module's command to the group `task`."""
    app.command("graph")(graph)


def graph(
    task: Annotated[
        str | None, typer.Argument(help="Only what hangs together with this task (default: all tasks).")
    ] = None,
    batch: Annotated[
        str | None, typer.Option("--batch", help="Only what hangs together with this batch.")
    ] = None,
    repository: RepositoryOption = None,
    output: Annotated[
        GraphFormat, typer.Option("--format", help="What to print on stdout.")
    ] = GraphFormat.TABLE,
) -> None:
    """Show how tasks hang together: parts, follow-ups, what comes after what, and retries."""
    from cortex_git.cli.graph_drawing import dot, mermaid, tree
    from cortex_git.cli.newer import note_newer
    from cortex_git.cli.output import note, print_json, print_line, write_document
    from cortex_git.errors import BadInput
    from cortex_git.services import open_coordination
    from cortex_git.services.graph import task_graph

    if task is not None and batch is not None:
        raise BadInput("--batch does not go with a task", "give one of them")
    coordination = open_coordination(repository)
    found = task_graph(coordination, task, batch)
    note_newer(coordination)
    if output is GraphFormat.JSON:
        print_json(found.to_json())
    elif output is GraphFormat.TABLE:
        for line in tree(found):
            print_line(line)
        if not found.nodes:
            note("no tasks")
    else:
        write_document(mermaid(found) if output is GraphFormat.MERMAID else dot(found))
    if circles := found.circles:
        named = ", ".join(circles[:5]) + (" and others" if len(circles) > 5 else "")
        note(f"nobody can ever claim these, they wait for each other: {named}")
