"""The command `cortex-git route`: who a text is for, and why."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.cli.options import RepositoryOption

if TYPE_CHECKING:
    from cortex_git.routing import Decision
    from cortex_git.routing.router import Explained


class RouteFormat(StrEnum):
    """How decisions are printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(short_help="Show which expert a text is for, and why.")(route)


def route(
    text: Annotated[
        str | None, typer.Argument(help="What is to be done (after -- where it is a command's word).")
    ] = None,
    labels: Annotated[
        list[str] | None, typer.Option("--label", "-l", help="A label of it, which may say whose it is.")
    ] = None,
    repo: Annotated[str | None, typer.Option("--repo", "-r", help="Repository it is about.")] = None,
    sensitive: Annotated[
        bool | None,
        typer.Option(
            "--sensitive/--not-sensitive", help="Whether it is kept from providers (default: as it looks)."
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show what every layer says, and the reasons.")
    ] = False,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Ask Claude nothing, whatever the settings say.")
    ] = False,
    repository: RepositoryOption = None,
    output: Annotated[
        RouteFormat, typer.Option("--format", help="What to print on stdout.")
    ] = RouteFormat.TABLE,
) -> None:
    """Show which experts a text is for: one, two or three in parallel, or the likeliest where nobody is sure.

    Works in any folder; in a coordination repository by its settings. Nothing is added or started.
    """
    from cortex_git.routing import Request
    from cortex_git.services.routing import router_here

    router = router_here(repository, ask_model=not no_model)
    request = Request(text or "", tuple(labels or ()), repo=repo is not None, sensitive=sensitive)
    if explain:
        _show_explained(router.explain(request), output)
    else:
        _show(router.decide(request), output)


def _show(decision: "Decision", output: RouteFormat) -> None:
    from cortex_git.cli.output import print_json

    if output is RouteFormat.TABLE:
        _print(decision)
    else:
        print_json(decision.to_json())


def _show_explained(explained: "Explained", output: RouteFormat) -> None:
    from cortex_git.cli.output import print_json, print_line

    layers = {
        name: {
            "scores": {one.expert: round(one.score, 1) for one in opinion.scores},
            "reasons": [*opinion.reasons],
        }
        for name, opinion in explained.opinions.items()
    }
    if output is not RouteFormat.TABLE:
        print_json({**explained.decision.to_json(), "layers": layers})
        return
    _print(explained.decision)
    print_line(str(layers))


def _print(decision: "Decision") -> None:
    from cortex_git.cli.output import print_line

    print_line(f"Expert: {decision.primary.expert} ({decision.primary.score:.0f})")
