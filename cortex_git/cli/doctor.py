"""The command `cortex-git doctor`: what is wrong, why it matters, and what to do about it."""

from typing import Annotated

import typer

from cortex_git.cli.options import DryRunOption, Format, FormatOption, RepositoryOption


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(short_help="Find what is wrong, explain it, and mend what is safe to mend.")(doctor)


def doctor(
    repository: RepositoryOption = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend what is safe to mend; nothing unpublished is lost.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Leave the remote alone.")] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Check every object, of a remote folder of this machine too.")
    ] = False,
    output: FormatOption = Format.TABLE,
    dry_run: DryRunOption = False,
) -> None:
    """Find what is wrong with this machine, the clone and its remote, and explain it.

    Exit status 3 where a problem stands. Outside of a coordination repository only the machine is looked at.
    """
    from cortex_git.cli.output import note, print_json
    from cortex_git.errors import BadInput, ExitCode
    from cortex_git.services.doctor.examining import Request, examine, plan, treat
    from cortex_git.services.doctor.findings import Severity

    if dry_run and not fix:
        raise BadInput("--dry-run goes with --fix", "without --fix nothing is changed")
    request = Request.of(repository, offline=offline, deep=deep, say=note)
    found = (plan if dry_run else treat if fix else examine)(request)
    if output is Format.JSON:
        print_json({**found.to_json(), "dry_run": dry_run})
    else:
        from cortex_git.cli.doctor_view import print_examination

        print_examination(found, dry_run=dry_run)
    if found.count(Severity.PROBLEM):
        raise typer.Exit(ExitCode.ENVIRONMENT)
