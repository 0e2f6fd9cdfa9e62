"""Start here: the root command, and the one boundary that turns an error into a line and an exit code."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from cortex_git import __version__
from cortex_git.cli.commands import TwoWords, add_commands
from cortex_git.cli.events import LogFormat, as_json, choose, tell
from cortex_git.cli.leaving import listen
from cortex_git.cli.options import LogFormatOption
from cortex_git.cli.streams import prepare_streams
from cortex_git.errors import CortexError, ExitCode

_debug = False


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"cortex-git {__version__}")
        raise typer.Exit


def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback for errors.")] = False,
    _log_format: LogFormatOption = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Parallel workers, coordinated through git alone."""
    global _debug
    _debug = debug


def build(arguments: Sequence[str] = ()) -> typer.Typer:
    """The command line: all of it, or as much as `arguments` need."""
    app = typer.Typer(
        name="cortex-git",
        cls=TwoWords,
        help="Run 1 to 64 workers in parallel with nothing but a git remote between them.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(root)
    add_commands(app, arguments)
    return app


def main() -> None:
    """Run the command line and exit: an error is one line on stderr, with the right code."""
    prepare_streams()
    choose(LogFormat.TEXT)
    code: object = ExitCode.INTERRUPTED
    told = False
    try:
        run = build(sys.argv[1:])
        listen()
        # What a command exits with is returned here, not raised.
        code = run(prog_name="cortex-git", standalone_mode=False) or ExitCode.OK
    except KeyboardInterrupt:
        _say("interrupted", ExitCode.INTERRUPTED)
    except Exception as error:
        code = _end(error)
        told = isinstance(error, OSError)
    try:
        sys.stdout.flush()
    except OSError as error:  # what was printed is not whole: the disk behind it is full
        code = _told_of_output(error, told=told)
    sys.exit(code if isinstance(code, int) else ExitCode.OK)


def _told_of_output(error: OSError, *, told: bool) -> int:
    """Say once that standard output is not whole, and let nothing write the rest of it again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if told:
        return ExitCode.ENVIRONMENT
    why = error.strerror or str(error)
    return _say(f"error: standard output cannot be written: {why}: free some space", ExitCode.ENVIRONMENT)


def _end(error: Exception) -> int:
    """Say what went wrong in one line; the exit code for it."""
    trace = None
    if _debug:
        import traceback

        trace = "".join(traceback.format_exception(error))
        if not as_json():
            sys.stderr.write(trace)
    if isinstance(error, typer.Abort):
        return ExitCode.INTERRUPTED
    if hasattr(error, "format_message"):  # typer's usage errors have no public base class
        return _show_usage(error.format_message(), getattr(error, "ctx", None))
    text, code = _told(error)
    return _say(text, code, traceback=trace)


def _told(error: Exception) -> tuple[str, int]:
    """What is said of an error, and its exit code."""
    if isinstance(error, CortexError):
        return f"error: {error}", error.exit_code
    if isinstance(error, UnicodeEncodeError):  # bytes that are no text come in as lone surrogates
        return f"error: {error.object!a} is not valid {error.encoding}: give plain text", ExitCode.USAGE
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        what = f"{where}{error.strerror}: check that path, its permissions and the free space"
        return f"error: {what}", ExitCode.ENVIRONMENT
    if type(error).__module__ == "sqlite3":  # named, not imported: most commands have no database open
        what = f"a database of this host cannot be used: {error}: see docs/coordination.md, state.db"
        return f"error: {what}", ExitCode.ENVIRONMENT
    text = f"internal error: {type(error).__name__}: {error} (--debug shows where)"
    return text, ExitCode.INTERNAL


def _say(text: str, code: int, *, traceback: str | None = None) -> int:
    """Tell how the command ends; `code` again."""
    from cortex_git.workers import events

    tell(events.error(text, int(code), traceback=traceback))
    return code


def _show_usage(message: str, context: typer.Context | None) -> int:
    """A wrong use in one line. Where no command was given, the message is the help, or was printed."""
    if "\n" in message.strip():
        sys.stderr.write(message)
    elif message.strip():
        command = context.command_path if context else "cortex-git"
        _say(f"error: {message.strip().rstrip('.')}: see `{command} --help`", ExitCode.USAGE)
    return ExitCode.USAGE
