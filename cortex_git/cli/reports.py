"""Commands about results: `results list`, `results show` and `results merge`."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.cli.options import (
    DocumentFormat,
    DocumentFormatOption,
    DryRunOption,
    Format,
    FormatOption,
    LimitOption,
    RepositoryOption,
)
from cortex_git.pages.text import counted

if TYPE_CHECKING:
    from cortex_git.services.merging import Merge, Merged

app = typer.Typer(help="Look at results, and make one of many.", no_args_is_help=True)

FencedOption = Annotated[
    bool,
    typer.Option("--fenced", help="Those that came too late instead: after another result, or a cancel."),
]


class Strategy(StrEnum):
    """How many results are made one."""

    VOTE = "vote"
    WEIGHTED = "weighted"
    RESOLVE = "resolve"


def register(root: typer.Typer) -> None:
    """Add this module's commands."""
    root.add_typer(app, name="results")


@app.command("list")
def list_results(
    batch: Annotated[str | None, typer.Option("--batch", help="Only this batch.")] = None,
    tasks: Annotated[str, typer.Option("--tasks", metavar="GLOB", help="Only ids that match.")] = "*",
    fenced: FencedOption = False,
    limit: LimitOption = None,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """List results in the order they were completed."""
    from cortex_git.cli.newer import note_newer
    from cortex_git.cli.output import note, print_json, print_table
    from cortex_git.services import open_coordination
    from cortex_git.services.looking import left_out, result_rows
    from cortex_git.store.index import Scope

    coordination = open_coordination(repository)
    scope = Scope(batch=batch, glob=tasks)
    if fenced:
        from cortex_git.cli.fenced import print_rows
        from cortex_git.services.fenced import fenced_rows

        late = fenced_rows(coordination, scope)
        print_json({"fenced": late}) if output is Format.JSON else print_rows(late)
        return
    rows = result_rows(coordination, scope, limit)
    note_newer(coordination)
    if (text := left_out(coordination, scope)) is not None:
        note(text)
    if output is Format.JSON:
        print_json({"results": rows})
        return
    columns = ("task", "batch", "status", "worker", "host", "attempt", "completed_at", "tokens_used")
    print_table(columns, ([row[column] for column in columns] for row in rows), "no results")


@app.command()
def show(
    task: Annotated[str, typer.Argument(help="Task id.")],
    fenced: FencedOption = False,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show one result, with everything the worker put into it."""
    import json

    from cortex_git.cli.output import print_json, print_lines
    from cortex_git.errors import BadInput
    from cortex_git.services import open_coordination
    from cortex_git.services.looking import task_detail
    from cortex_git.services.upgrading import refuse_newer_result

    coordination = open_coordination(repository)
    if fenced:
        from cortex_git.cli.fenced import print_whole
        from cortex_git.services.fenced import fenced_of

        late = fenced_of(coordination, task)
        print_json({"fenced": late}) if output is Format.JSON else print_whole(late)
        return
    result = task_detail(coordination, task)["result"]
    if result is None:
        refuse_newer_result(coordination, task)
        if coordination.is_finished(task):
            raise BadInput(
                f"task {task!r} has ended, and its result cannot be read",
                "run `cortex-git doctor`: it says why",
            )
        raise BadInput(f"task {task!r} has no result yet", f"see `cortex-git task show {task}`")
    if output is Format.JSON:
        print_json({"result": result})
        return
    for key, value in result.items():
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        print_lines(f"{key}: {text}")


@app.command()
def merge(
    name: Annotated[
        str, typer.Argument(metavar="BATCH|TASK", help="A batch, or a task with parts (looked for first).")
    ],
    strategy: Annotated[Strategy, typer.Option("--strategy", help="What becomes of differences.")] = (
        Strategy.WEIGHTED
    ),
    partial: Annotated[
        bool, typer.Option("--partial", help="Merge what is there, though tasks have no result yet.")
    ] = False,
    repository: RepositoryOption = None,
    output: DocumentFormatOption = DocumentFormat.TABLE,
    dry_run: DryRunOption = False,
) -> None:
    """Make one result of many, and publish it as a task's of its own; the same results make the same task."""
    from cortex_git.cli.output import note
    from cortex_git.services import open_coordination
    from cortex_git.services.merging import carry_out, plan_merge

    coordination = open_coordination(repository)
    planned = plan_merge(coordination, name, strategy.value, partial=partial)
    merged = None
    if dry_run:
        note(f"would publish this as {planned.task.task} in batch {planned.task.batch}")
    else:
        merged = carry_out(coordination, planned)
        for text in merged.notes:
            note(text)
        if not merged.fresh:
            note(f"{planned.task.task} is there already: these results were merged before")
    if planned.left_out:
        verb = "is" if planned.left_out == 1 else "are"
        note(f"{counted(planned.left_out, 'task')} without a result yet {verb} not in it")
    _show_merge(planned, merged, output)
    if merged is not None and merged.result.status != "completed":
        from cortex_git.errors import ExitCode

        raise typer.Exit(ExitCode.FINDINGS)


def _show_merge(planned: "Merge", merged: "Merged | None", output: DocumentFormat) -> None:
    from cortex_git.cli.output import print_json, print_line, write_document
    from cortex_git.results.aggregation.strategies import to_markdown, to_output

    aggregate, task = planned.aggregate, planned.task
    if output is DocumentFormat.MARKDOWN:
        write_document(to_markdown(aggregate))
        return
    if output is DocumentFormat.JSON:
        print_json(
            {
                "task": task.task, "batch": task.batch, "strategy": task.strategy,
                "dry_run": merged is None, "fresh": merged is not None and merged.fresh,
                "open": planned.left_out,
                "output": to_output(aggregate) if merged is None else merged.result.output,
            }
        )  # fmt: skip
        return
    print_line(f"{task.task}: {counted(len(aggregate.voices), 'result')} made one by {task.strategy}")
    findings = aggregate.output.get("findings")
    if isinstance(findings, list):
        print_line(f"Findings: {len(findings)}")
    for one in aggregate.contradictions:
        sides = (f"{side.value} ({', '.join(side.sources)})" for side in one.sides)
        about = f" of {one.finding}" if one.finding else ""
        print_line(f"Differs: {one.field}{about}: {', not '.join(sides)}; {one.reason}")
    for name, reason in aggregate.missing.items():
        print_line(f"Missing: {name}: {reason}")
    print_line(f"All of it: `cortex-git results show {task.task}`" if merged else "Nothing was published")
