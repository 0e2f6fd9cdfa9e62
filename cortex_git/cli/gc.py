"""The command `gc`: clear away what was left behind, and archive what ended long ago."""

from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.cli.options import Format, FormatOption, RepositoryOption

if TYPE_CHECKING:
    from cortex_git.services.collecting import Collected

_SHOWN = 20
_DAY_S = 24 * 3600.0


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(short_help="Clear away what was left behind; archive what ended long ago.")(gc)


def gc(
    dry_run: Annotated[
        bool | None,
        typer.Option("--dry-run/--no-dry-run", help="Say what would be done, and do nothing: the default."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it; the same as --no-dry-run.")] = False,
    archive: Annotated[
        list[str] | None,
        typer.Option("--archive", metavar="BATCH", help="Archive this batch whatever its age, and no other."),
    ] = None,
    archive_after: Annotated[
        float | None,
        typer.Option(
            "--archive-after",
            metavar="DAYS",
            min=0,
            help="Archive what ended so long ago (default: `archive_after_days` in the settings).",
        ),
    ] = None,
    fenced_after: Annotated[
        float | None,
        typer.Option(
            "--fenced-after",
            metavar="DAYS",
            min=0,
            help="Delete superseded results kept for so long (default: none).",
        ),
    ] = None,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Clear away what was left behind, and archive what ended long ago. Unpushed work is never touched.

    Without --yes nothing is done: it only says what would be.
    """
    from cortex_git.cli.output import note, print_json
    from cortex_git.errors import BadInput, ExitCode
    from cortex_git.services import open_coordination
    from cortex_git.services.collecting import Wanted, collect

    if yes and dry_run:
        raise BadInput("--yes and --dry-run contradict each other", "give one of them; nothing was done")
    if archive and archive_after is not None:
        raise BadInput(
            "--archive-after does not go with --archive", "a batch that is named is archived whatever its age"
        )
    for name, days in (("--archive-after", archive_after), ("--fenced-after", fenced_after)):
        if days is not None and not isfinite(days):
            raise BadInput(f"{name} {days} is no number of days", "give how many days ago, such as 90")
    wanted = Wanted(
        dry_run=not yes and dry_run is not False,
        archive=tuple(archive or ()),
        archive_after_s=None if archive_after is None else archive_after * _DAY_S,
        fenced_after_s=None if fenced_after is None else fenced_after * _DAY_S,
    )
    found = collect(open_coordination(repository), wanted)
    if output is Format.JSON:
        print_json(found.to_json())
    else:
        _show(found)
    for text in found.notes:
        note(text)
    for kind, error in found.problems:
        note(f"{kind}: {error}")
    if found.dry_run and any(not one.kept for one in found.findings):
        note("nothing was done: --yes does it")
    if found.problems:
        raise typer.Exit(ExitCode.ENVIRONMENT)


def _show(found: "Collected") -> None:
    """By kind what goes, then one line for each thing that stays."""
    from cortex_git.cli.output import note, print_line, print_table

    print_table(
        ("kind", "count", "size", "would go" if found.dry_run else "gone", "why"),
        _rows(found),
        "nothing to clear away",
    )
    kept = [one for one in found.findings if one.kept]
    for one in kept[:_SHOWN]:
        print_line(f"kept: {one.kind}: {one.what}: {one.reason}")
    if len(kept) > _SHOWN:
        note(f"{len(kept) - _SHOWN} more are kept: --format json names them")


def _rows(found: "Collected") -> Iterator[tuple[str, int, str, int, str]]:
    kinds: dict[str, list[int]] = {}
    for number, one in enumerate(found.findings):
        if not one.kept:
            kinds.setdefault(one.kind, []).append(number)
    for kind, numbers in kinds.items():
        these = [found.findings[number] for number in numbers]
        gone = len(these) if found.dry_run else len(found.removed.intersection(numbers))
        size = sum(one.bytes for one in these)
        shown = f"{size / 1024:,.0f} KiB" if size else ""
        example = f"{these[0].what}: {these[0].reason}" + (", ..." if len(these) > 1 else "")
        yield kind, sum(one.count for one in these), shown, gone, example
