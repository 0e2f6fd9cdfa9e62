"""Commands that teach the router: `route feedback`, `route train`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.cli.options import DryRunOption, Format, FormatOption, RepositoryOption

if TYPE_CHECKING:
    from cortex_git.routing.judging import Judgement
    from cortex_git.services.route_feedback import Feedback
    from cortex_git.services.route_training import Trained
    from cortex_git.store.coordination import Coordination


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("route feedback", short_help="Say which expert a task or a text was for.")(feedback)
    app.command("route train", short_help="Have the router learn what this host was told and saw.")(train)


def feedback(
    task: Annotated[
        str | None, typer.Argument(help="A task; its title is the text.", show_default=False)
    ] = None,
    experts: Annotated[
        list[str] | None,
        typer.Option("--expert", "-e", metavar="NAME", help="Whose it is, the first of all first."),
    ] = None,
    text: Annotated[str | None, typer.Option("--text", help="A text, instead of a task's title.")] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Take back what was said of it.")] = False,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
    dry_run: DryRunOption = False,
) -> None:
    """Say which experts a task or a text was for; without either, show what was said here.

    It stays on this host, in the place of what was said of the same before. `route train` learns from it.
    """
    from cortex_git.cli.output import announce
    from cortex_git.errors import BadInput
    from cortex_git.services import open_coordination
    from cortex_git.services.route_feedback import feedback_on, keep, listed_feedback

    coordination = open_coordination(repository)
    if task is None and text is None and not experts and not forget:
        _list(listed_feedback(coordination.repository), output)
        return
    if forget:
        if experts:
            raise BadInput("--forget goes without --expert", "leave one of them out")
        _forget(coordination, task, text, output, dry_run=dry_run)
        return
    given = feedback_on(coordination, task, text, experts or ())
    if dry_run:
        announce(f"keep that {_said(given)}", as_json=output is Format.JSON)
        return
    keep(coordination, given)
    _show(given, output)


def _forget(
    coordination: "Coordination", task: str | None, text: str | None, output: Format, *, dry_run: bool
) -> None:
    from cortex_git.cli.output import announce, print_json, print_line
    from cortex_git.errors import BadInput
    from cortex_git.services.route_feedback import forget

    if (task is None) == (text is None):
        raise BadInput("give a task or --text, and not both", "as in `route feedback TASK --forget`")
    if dry_run:
        announce(f"forget what was said of {task or text}", as_json=output is Format.JSON)
        return
    forgotten = forget(coordination, task, text)
    if output is Format.JSON:
        print_json({"forgotten": forgotten})
    else:
        print_line("Forgotten" if forgotten else "Nothing was said of that here")


def _show(given: "Feedback", output: Format) -> None:
    from cortex_git.cli.output import note, print_json, print_line

    if output is Format.JSON:
        print_json({"feedback": [given.to_json()]})
        return
    print_line(f"Kept: {_said(given)}")
    if given.chosen:
        note(f"the router had chosen {', '.join(given.chosen)}, by {given.layer}")
    note("`cortex-git route train` has the router learn it")


def _list(found: "list[Feedback]", output: Format) -> None:
    from cortex_git.cli.output import print_json, print_table

    if output is Format.JSON:
        print_json({"feedback": [one.to_json() for one in found]})
        return
    print_table(
        ["Task", "Text", "Experts", "Router's", "At"],
        [[one.task, one.text, ", ".join(one.experts), ", ".join(one.chosen), one.at] for one in found],
        "nothing was said here yet",
    )


def _said(given: "Feedback") -> str:
    of = f"task {given.task}" if given.task else repr(given.text)
    return f"{of} is for {' and '.join(given.experts)}"


def train(
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data", metavar="JSONL", help='Sentences of your own, {"text": …, "experts": […]} a line.'
        ),
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Go back to the packaged model.")] = False,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
    dry_run: DryRunOption = False,
) -> None:
    """Train the router's second layer on the packaged sentences, your own, feedback and outcomes.

    The model stays on this host. One that is worse on the sentences held out is refused, with exit status 1,
    and the old one stays. With --dry-run it is made and judged, and thrown away.
    """
    from cortex_git.cli.output import note
    from cortex_git.errors import BadInput, ExitCode
    from cortex_git.services import open_coordination
    from cortex_git.services import route_training as training

    coordination = open_coordination(repository)
    if reset:
        if data:
            raise BadInput("--reset goes without --data", "leave one of them out")
        _show_reset(training.reset(coordination, dry_run=dry_run), output, dry_run=dry_run)
        return
    found = training.train(coordination, data or (), dry_run=dry_run, on_step=note)
    _show_trained(found, output, dry_run=dry_run)
    if found.worse is not None:
        note(f"the new model is worse and is not used: {found.worse}")
        raise typer.Exit(ExitCode.FINDINGS)


def _show_reset(had_one: bool, output: Format, *, dry_run: bool) -> None:
    from cortex_git.cli.output import announce, print_json, print_line

    if dry_run:
        what = "go back to the packaged model" if had_one else "change nothing: the packaged model is in use"
        announce(what, as_json=output is Format.JSON)
    elif output is Format.JSON:
        print_json({"reset": had_one})
    else:
        print_line(
            "The packaged model is in use again" if had_one else "The packaged model was in use already"
        )


def _show_trained(found: "Trained", output: Format, *, dry_run: bool) -> None:
    from cortex_git.cli.output import note, print_json, print_table

    if output is Format.JSON:
        print_json({**found.to_json(), "dry_run": dry_run})
        return
    print_table(["On sentences held out", "Before", "After"], _rows(found.before, found.after), "")
    if found.worse is None:
        note("would be used from now on" if dry_run else f"used from now on: {found.path}")


def _rows(before: "Judgement", after: "Judgement") -> list[list[str]]:
    names = {
        "right": "Expert found",
        "single": "Expert found, for one alone",
        "hard": "Expert found, hard ones",
        "both": "Both found, for several",
    }
    rows = [[told, *(f"{getattr(one, name):.1%}" for one in (before, after))] for name, told in names.items()]
    rows.append(["Calibration error", *(f"{one.calibration_error:.3f}" for one in (before, after))])
    return rows
