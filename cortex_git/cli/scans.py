"""Commands about past scan batches: `scans list`, `scans diff` and `scans trend`."""

from typing import Annotated

import typer

from cortex_git.cli.options import DocumentFormat, DocumentFormatOption, RepositoryOption
from cortex_git.cli.scan_acting import IgnoreFileOption, VexOption

app = typer.Typer(help="Past scan batches: what changed from one to another.", no_args_is_help=True)


NewestOption = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Only the N newest batches.")]


@app.command("list")
def list_scans(
    limit: NewestOption = 20,
    ignore_file: IgnoreFileOption = None,
    vex: VexOption = None,
    repository: RepositoryOption = None,
    output: DocumentFormatOption = DocumentFormat.TABLE,
) -> None:
    """List the scan batches with their findings by severity, oldest first."""
    from cortex_git.cli.scans_view import judging, note_archived, show_list
    from cortex_git.services import open_or_embedded
    from cortex_git.services.scan_history import batch_lines

    coordination = open_or_embedded(repository)
    with judging(ignore_file, vex) as judge:
        found = batch_lines(coordination, limit, judge)
    show_list(found, output.value)
    note_archived(coordination)


@app.command()
def diff(
    earlier: Annotated[
        str | None,
        typer.Argument(
            metavar="EARLIER", help="A scan batch (default: the last but one).", show_default=False
        ),
    ] = None,
    later: Annotated[
        str | None,
        typer.Argument(
            metavar="LATER", help="The one to compare with it (default: the last).", show_default=False
        ),
    ] = None,
    ignore_file: IgnoreFileOption = None,
    vex: VexOption = None,
    repository: RepositoryOption = None,
    output: DocumentFormatOption = DocumentFormat.TABLE,
) -> None:
    """Show what is new, fixed and still there from one scan batch to another, by repository."""
    from cortex_git.cli.scans_view import judging, show_difference
    from cortex_git.services import open_or_embedded
    from cortex_git.services.scan_history import difference, two_of

    coordination = open_or_embedded(repository)
    first, second = two_of(coordination, earlier, later)
    with judging(ignore_file, vex) as judge:
        found = difference(coordination, first, second, judge)
    show_difference(found, output.value)


@app.command()
def trend(
    limit: NewestOption = 10,
    ignore_file: IgnoreFileOption = None,
    vex: VexOption = None,
    repository: RepositoryOption = None,
    output: DocumentFormatOption = DocumentFormat.TABLE,
) -> None:
    """Show new, fixed and open findings by severity over the scan batches, oldest first."""
    from cortex_git.cli.scans_view import judging, note_archived, show_trend
    from cortex_git.services import open_or_embedded
    from cortex_git.services.scan_history import trend as over

    coordination = open_or_embedded(repository)
    with judging(ignore_file, vex) as judge:
        found = over(coordination, limit, judge)
    show_trend(found, output.value)
    note_archived(coordination)
