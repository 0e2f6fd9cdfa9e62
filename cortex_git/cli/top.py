"""The command `cortex-git top`: the pool live in the terminal.

Owns what must be there before the dashboard can be drawn. Imports Textual only when it is.
"""

import typer

from cortex_git.cli.options import RepositoryOption


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(short_help="Watch the pool live: workers, queue, throughput, logs.")(top)


def top(repository: RepositoryOption = None) -> None:
    """Watch the pool live in a terminal; keys drain it, cancel a task and retry a failed one."""
    import sys

    from cortex_git.errors import EnvironmentProblem
    from cortex_git.locating import needed, no_repository, private_folder

    folder = needed(repository)
    if private_folder(folder) is None:
        raise no_repository()
    try:
        from cortex_git.cli.dashboard.app import Dashboard
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "textual":
            raise
        raise EnvironmentProblem("`top` needs Textual", "run `pip install 'cortex-git[top]'`") from error
    streams = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
    if not all(stream is not None and stream.isatty() for stream in streams):
        raise EnvironmentProblem(
            "`top` needs a terminal", "run `cortex-git status`, which prints once and ends"
        )
    Dashboard(folder.resolve()).run()
