"""How a batch command ends: what still waits, notes for the person, and the exit code."""

import typer

from cortex_git.cli.output import note
from cortex_git.errors import ExitCode
from cortex_git.pages.text import counted
from cortex_git.services.batches import Ended


def end_batch(ended: Ended, *, failed: bool) -> None:
    """Say what the person should know, and exit with the right code where it is not 0."""
    for text in ended.notes:
        note(text)
    report = ended.report
    if report.fenced:
        note(
            f"{counted(report.fenced, 'result')} came after another host's, or after a cancel,"
            f" and {'is' if report.fenced == 1 else 'are'} kept aside: see `cortex-git results list --fenced`"
        )
    if report.waiting:
        todo = report.problem or "run `cortex-git sync`"
        note(f"{counted(report.waiting, 'result')} not published yet: {todo}")
    elif report.problem is not None:
        note(str(report.problem))
    if report.interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if report.problem is not None or report.waiting:
        raise typer.Exit(ExitCode.ENVIRONMENT)
    if report.limit is not None:
        note(str(report.limit))
        raise typer.Exit(ExitCode.LIMIT)
    if failed:
        raise typer.Exit(ExitCode.FINDINGS)
