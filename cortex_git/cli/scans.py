"""Commands about past scan batches: `scans list`, `scans diff` and `scans trend`."""

from enum import StrEnum
from typing import Annotated

import typer

from cortex_git.cli.options import RepositoryOption

app = typer.Typer(help="Past scan batches: what changed from one to another.", no_args_is_help=True)


class HistoryFormat(StrEnum):
    """How a history is printed."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


HistoryFormatOption = Annotated[HistoryFormat, typer.Option("--format", help="What to print on stdout.")]
NewestOption = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Only the N newest batches.")]


@app.command("list")
def list_scans(
    limit: NewestOption = 20,
    repository: RepositoryOption = None,
    output: HistoryFormatOption = HistoryFormat.TABLE,
) -> None:
    """List the scan batches with their findings by severity, oldest first."""
    from cortex_git.cli.scans_view import show_list
    from cortex_git.services import open_or_embedded
    from cortex_git.services.scan_history import batch_lines

    show_list(batch_lines(open_or_embedded(repository), limit), output.value)


@app.command()
def diff(
    earlier: Annotated[str, typer.Argument(metavar="EARLIER", help="A scan batch.")],
    later: Annotated[str, typer.Argument(metavar="LATER", help="The one to compare with it.")],
    repository: RepositoryOption = None,
    output: HistoryFormatOption = HistoryFormat.TABLE,
) -> None:
    """Show what is new, fixed and still there from one scan batch to another, by repository."""
    from cortex_git.cli.scans_view import show_difference
    from cortex_git.services import open_or_embedded
    from cortex_git.services.scan_history import difference

    show_difference(difference(open_or_embedded(repository), earlier, later), output.value)


@app.command()
def trend(
    limit: NewestOption = 10,
    repository: RepositoryOption = None,
    output: HistoryFormatOption = HistoryFormat.TABLE,
) -> None:
    """Show new, fixed and open findings by severity over the scan batches, oldest first."""
    from cortex_git.cli.scans_view import show_trend
    from cortex_git.services import open_or_embedded
    from cortex_git.services.scan_history import trend as over

    show_trend(over(open_or_embedded(repository), limit), output.value)
