"""The command `cortex-git status`: one screen of the whole system."""

import typer

from cortex_git.cli.options import Format, FormatOption, RepositoryOption


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(short_help="Show queue, workers, claims, budget, results and hosts on one screen.")(status)


def status(repository: RepositoryOption = None, output: FormatOption = Format.TABLE) -> None:
    """Show queue, workers, claims, budget, last results and hosts; exit status 4 where the pool is behind.

    Without the remote it shows what is known from before, and ends with exit status 3.
    """
    from cortex_git.cli.newer import note_newer
    from cortex_git.cli.output import note, print_json
    from cortex_git.errors import ExitCode
    from cortex_git.services import open_coordination
    from cortex_git.services.overview import overview

    coordination = open_coordination(repository)
    found = overview(coordination)
    note_newer(coordination)
    if output is Format.JSON:
        print_json(found.to_json())
    else:
        from cortex_git.cli.status_view import print_status

        print_status(found)
    if found.problem is not None:
        note(f"the remote does not answer: {found.problem}")
        raise typer.Exit(ExitCode.ENVIRONMENT)
    if found.alert:
        raise typer.Exit(ExitCode.LIMIT)
