"""Start here: the root command, and the one boundary that turns an error into a line and an exit code."""

import sys
from typing import Annotated

import typer

from cortex_git import __version__
from cortex_git.cli import admin, advisories, bench, reports, scan, tasks, workers
from cortex_git.errors import CortexError, ExitCode

app = typer.Typer(
    name="cortex-git",
    help="Run 1 to 64 workers in parallel with nothing but a git remote between them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (scan, workers, tasks, reports, admin):
    module.register(app)
app.add_typer(advisories.app, name="advisories")
app.add_typer(bench.app, name="bench")

_debug = False


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"cortex-git {__version__}")
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback for errors.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Parallel workers, coordinated through git alone."""
    global _debug
    _debug = debug


def main() -> None:
    """Run the command line and exit: an error is one line on stderr, with the right code."""
    try:
        app(standalone_mode=False)
    except Exception as error:
        _end(error)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(ExitCode.INTERRUPTED)


def _end(error: Exception) -> None:
    import click

    if isinstance(error, typer.Exit | click.exceptions.Exit):
        sys.exit(error.exit_code)
    if isinstance(error, click.exceptions.Abort | typer.Abort):
        sys.exit(ExitCode.INTERRUPTED)
    if isinstance(error, BrokenPipeError):
        sys.stderr.close()
        sys.exit(ExitCode.OK)
    if _debug:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, CortexError):
        from cortex_git.cli.output import note

        note(f"error: {error}")
        sys.exit(error.exit_code)
    if isinstance(error, click.ClickException):
        error.show()
        sys.exit(error.exit_code)
    if not _debug:
        sys.stderr.write(f"internal error: {type(error).__name__}: {error} (--debug shows where)\n")
    sys.exit(ExitCode.INTERNAL)
