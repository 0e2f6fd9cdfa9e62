"""Git hooks: put into a repository, taken away, shown; and what git runs by them (`hooks run`)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.cli import hooks_run
from cortex_git.cli.options import DryRunOption, Format, FormatOption

if TYPE_CHECKING:
    from cortex_git.services.hooks.installing import HookReport

app = typer.Typer(help="Git hooks that look at what a push or a commit brings.", no_args_is_help=True)
app.add_typer(hooks_run.app, name="run")

PathArgument = Annotated[
    Path, typer.Argument(metavar="PATH", help="The repository.", show_default="where you are")
]


def register(root: typer.Typer) -> None:
    """Add the group alone: hooks have to start fast."""
    root.add_typer(app, name="hooks")


@app.command()
def install(
    path: PathArgument = Path(),
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="HOOK", help="Only this hook: pre-push or pre-commit."),
    ] = None,
    output: FormatOption = Format.TABLE,
    dry_run: DryRunOption = False,
) -> None:
    """Have `git push` scan changed lockfiles and `git commit` guarded; hooks that are there stay and run."""
    from cortex_git.errors import BadInput
    from cortex_git.services.hooks.installing import install as run
    from cortex_git.services.hooks.scripts import HOOKS

    for name in only or ():
        if name not in HOOKS:
            raise BadInput(f"there is no hook {name!r} of ours", f"--only takes {' or '.join(HOOKS)}")
    _show(run(path, tuple(only or HOOKS), dry_run=dry_run), output)


@app.command()
def uninstall(
    path: PathArgument = Path(), output: FormatOption = Format.TABLE, dry_run: DryRunOption = False
) -> None:
    """Take the hooks away again: what was there before stands as it stood, to the byte."""
    from cortex_git.services.hooks.installing import uninstall as run

    _show(run(path, dry_run=dry_run), output)


@app.command()
def status(path: PathArgument = Path(), output: FormatOption = Format.TABLE) -> None:
    """Show which hooks are installed, where, and which others they run too."""
    from cortex_git.services.hooks.installing import status as run

    _show(run(path), output)


def _show(report: "HookReport", output: Format) -> None:
    from cortex_git.cli.output import note, print_json, print_table

    for text in report.steps:
        note(f"would {text}" if report.dry_run else text)
    for text in report.notes:
        note(text)
    if output is Format.JSON:
        print_json(report.to_json())
        return
    rows = [(one.hook, one.state, one.path, one.before or "-") for one in report.hooks]
    print_table(("Hook", "State", "Where", "Runs too"), rows, "no hooks")
