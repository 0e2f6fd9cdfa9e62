"""The command `cortex-git report`: how a period or a batch went, what it cost, what needs attention."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.cli.options import RepositoryOption

if TYPE_CHECKING:
    from cortex_git.analysis.statistics import ReportData


class ReportFormat(StrEnum):
    """How a report is written."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(short_help="Show how a period or a batch went, what it cost, and what needs attention.")(
        report
    )


def report(
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="WHEN",
            help="24h, 7d, 90m, 2w, a day or a moment such as 2026-11-01T08:00Z (UTC), or all"
            " (default: 24h; of a batch all).",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="WHEN", help="The same (default: now).", show_default=False),
    ] = None,
    batch: Annotated[str | None, typer.Option("--batch", help="Only this batch.")] = None,
    output: Annotated[ReportFormat, typer.Option("--format", help="What to write.")] = ReportFormat.TABLE,
    file: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write to a file, not to stdout.")
    ] = None,
    charts: Annotated[
        bool | None,
        typer.Option(
            "--charts/--no-charts",
            help="Small charts below the table (default: on a terminal, with cortex-git[report]).",
            show_default=False,
        ),
    ] = None,
    repository: RepositoryOption = None,
) -> None:
    """Report on the results that were completed in a period, or on a batch.

    Without the remote it reports what is known from before, and says so.
    """
    from cortex_git.cli.newer import note_newer
    from cortex_git.cli.output import check_file, note, write_document, write_file
    from cortex_git.cli.periods import period_of
    from cortex_git.errors import BadInput
    from cortex_git.services import open_coordination
    from cortex_git.services.reporting import report as made

    period = period_of(since, until, batch)
    if charts and output is not ReportFormat.TABLE:
        raise BadInput(f"--charts are drawn below a table, not in {output.value}", "leave out one of the two")
    if file is not None:
        check_file(file)
    coordination = open_coordination(repository)
    data, problem = made(coordination, period)
    if problem is not None:
        note(f"the remote does not answer; what follows is as of the last time it did: {problem}")
    note_newer(coordination)
    if output is ReportFormat.TABLE and file is None:
        from cortex_git.cli.report_view import print_report

        print_report(data, charts=charts)
    else:
        text = _text(data, output, charts=bool(charts))
        write_document(text) if file is None else write_file(file, text)
        for line in data.notes[problem is not None :]:  # the first says what was said of the remote
            note(line)


def _text(data: "ReportData", output: ReportFormat, *, charts: bool) -> str:
    """The whole document."""
    if output is ReportFormat.JSON:
        import json

        from cortex_git.cli.output import SCHEMA

        return json.dumps({"schema": SCHEMA, **data.to_json()}, indent=2, ensure_ascii=False) + "\n"
    if output is ReportFormat.MARKDOWN:
        from cortex_git.analysis.report_markdown import markdown

        return markdown(data)
    if output is ReportFormat.HTML:
        from cortex_git.analysis.report_page import page

        return page(data)
    from cortex_git.cli.report_view import plain

    return plain(data, charts=charts)
