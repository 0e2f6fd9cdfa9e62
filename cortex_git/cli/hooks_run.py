"""What git hooks run: `hooks run pre-push` and `hooks run pre-commit`, and `hooks run files` for pre-commit.

The environment is read first: it says which repository and which index the calling git means, and importing
the wrapper of git drops it.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.cli.options import Format, FormatOption

if TYPE_CHECKING:
    from cortex_git.services.hooks.pushing import Verdict
    from cortex_git.services.hooks.repository import Repository
    from cortex_git.services.hooks.settings import HookSettings

app = typer.Typer(help="What the hooks run; git starts these.", no_args_is_help=True)

_FROM, _TO, _REMOTE = "PRE_COMMIT_FROM_REF", "PRE_COMMIT_TO_REF", "PRE_COMMIT_REMOTE_NAME"
"""What the pre-commit framework says of a push, or of two commits to look between."""


@app.command("pre-push")
def pre_push(
    remote: Annotated[str, typer.Argument(metavar="REMOTE", help="Name of the remote.")] = "",
    _url: Annotated[str, typer.Argument(metavar="URL", help="Its address.")] = "",
    output: FormatOption = Format.TABLE,
) -> None:
    """Tell which findings a push brings in the lockfiles it changes; reads git's lines on standard input."""
    from cortex_git.services.hooks.repository import Repository, hook_environment

    repository = Repository(Path.cwd(), hook_environment())
    settings = _settings(repository)
    from cortex_git.services.hooks.pushing import Update, check_push, parse_updates

    if os.environ.get(_TO):
        updates = [Update("", os.environ[_TO], os.environ.get(_FROM))]
        remote = remote or os.environ.get(_REMOTE, "")
    else:
        updates = parse_updates(sys.stdin.buffer.read().decode("utf-8", "backslashreplace"))
    _end(settings, lambda: check_push(repository, settings, remote, updates), output)


@app.command("files")
def files(
    paths: Annotated[list[str] | None, typer.Argument(metavar="FILE", help="Staged lockfiles.")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Tell which findings staged lockfiles bring: new ones where they changed, else all (for pre-commit)."""
    from cortex_git.services.hooks.repository import Repository, hook_environment

    repository = Repository(Path.cwd(), hook_environment())
    settings = _settings(repository)
    from cortex_git.services.hooks.pushing import Update, check_files, check_push

    if os.environ.get(_TO):
        update = Update("", os.environ[_TO], os.environ.get(_FROM))
        remote = os.environ.get(_REMOTE, "")
        _end(settings, lambda: check_push(repository, settings, remote, [update]), output)
        return
    _end(settings, lambda: check_files(repository, settings, paths or []), output)


@app.command("pre-commit")
def pre_commit(output: FormatOption = Format.TABLE) -> None:
    """Stop a commit that adds a secret, or a file of coordination that is one clone's own."""
    from cortex_git.services.hooks.repository import Repository, hook_environment

    repository = Repository(Path.cwd(), hook_environment())
    settings = _settings(repository)
    from cortex_git.cli.hooks_view import guard_lines
    from cortex_git.cli.output import note, print_json, print_line
    from cortex_git.scan.records import NotScanned
    from cortex_git.services.hooks.guarding import Guarded, guard
    from cortex_git.services.hooks.pushing import unlooked_reason

    between = [os.environ[_FROM], os.environ[_TO]] if os.environ.get(_TO) and os.environ.get(_FROM) else []
    try:
        found = guard(repository, settings, between)
    except Exception as problem:
        # Whatever it is, it must be seen, and stops a commit only where the settings say so.
        found = Guarded(not_scanned=(NotScanned("all of it", unlooked_reason(problem)),), settings=settings)
    if output is Format.JSON:
        print_json(found.to_json())
    else:
        for text in guard_lines(found):
            print_line(text)
    if found.not_scanned:
        count = len(found.not_scanned)
        goes_on = "stops" if found.settings.incomplete == "block" else "does not stop"
        note(f"{count} not looked at, which {goes_on} the commit (git setting cortex-git.incomplete)")
    if found.code:
        raise typer.Exit(found.code)


def _settings(repository: "Repository") -> "HookSettings":
    from cortex_git.services.hooks.settings import read_settings

    return read_settings(repository.git)


def _end(settings: "HookSettings", look: "Callable[[], Verdict]", output: Format) -> None:
    """Print a verdict and end with its code."""
    from cortex_git.cli.hooks_view import verdict_lines
    from cortex_git.cli.output import note, print_json, print_line
    from cortex_git.errors import BadInput
    from cortex_git.services.hooks.pushing import unlooked

    try:
        verdict = look()
    except BadInput:
        raise
    except Exception as problem:
        # Whatever it is, it must be seen, and stops a push only where the settings say so.
        verdict = unlooked(problem, settings)
    if output is Format.JSON:
        print_json(verdict.to_json())
    else:
        for text in verdict_lines(verdict):
            print_line(text)
    for text in verdict.notes:
        note(text)
    if verdict.code:
        raise typer.Exit(verdict.code)
