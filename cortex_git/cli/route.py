"""The command `cortex-git route`: who a text is for, and why; of one text, or of many from a file."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.cli.options import RepositoryOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_git.routing import Decision
    from cortex_git.routing.router import Explained


class RouteFormat(StrEnum):
    """How decisions are printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


_COLUMNS = ("text", "expert", "score", "beside", "strategy", "layer", "worker types", "complexity")


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(short_help="Show which experts a text is for, and why.")(route)


def route(
    text: Annotated[
        str | None, typer.Argument(help="What is to be done; `-- TEXT` where it is a command's word.")
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
    file: Annotated[
        str | None,
        typer.Option(
            "--file",
            metavar="JSONL",
            help='Many texts, one {"text": …} a line (- for stdin); no model is asked.',
        ),
    ] = None,
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
    from cortex_git.errors import BadInput
    from cortex_git.routing import Request
    from cortex_git.services.routing import router_here

    if (text is None) == (file is None):
        raise BadInput("give a text, or --file", 'as in `cortex-git route "Fix the login"`')
    if file is not None:
        if explain or labels or repo is not None or sensitive is not None:
            raise BadInput(
                "--file goes with none of --explain, --label, --repo, --sensitive",
                "write labels into its lines",
            )
        _show_many(_decided(file, str(repository) if repository else None), output)
        return
    if text is None or not text.strip():
        raise BadInput("the text is empty", "say what is to be done")
    router = router_here(repository, ask_model=not no_model)
    request = Request(text, tuple(labels or ()), repo=repo is not None, sensitive=sensitive)
    if explain:
        _show_explained(router.explain(request), output)
    else:
        _show(router.decide(request), output)


def _decided(file: str, repository: str | None) -> "Iterator[Decision]":
    """Decisions on the lines of a file, in their order, with progress on a terminal."""
    from pathlib import Path

    from cortex_git.cli.route_progress import Progress
    from cortex_git.services.routing import decide_file, router_here

    router = router_here(Path(repository) if repository else None, ask_model=False)
    with Progress() as progress:
        for decision in decide_file(router, file):
            progress.one_more()
            yield decision


def _show_many(decisions: "Iterator[Decision]", output: RouteFormat) -> None:
    from cortex_git.cli.output import print_json, print_table, write_document

    if output is RouteFormat.JSONL:
        for decision in decisions:
            write_document(_line(decision))
    elif output is RouteFormat.JSON:
        print_json({"decisions": [decision.to_json() for decision in decisions]})
    else:
        print_table([column.capitalize() for column in _COLUMNS], map(_row, decisions), "no texts")


def _line(decision: "Decision") -> str:
    import json

    return json.dumps(decision.to_json(), ensure_ascii=False) + "\n"


def _row(decision: "Decision") -> list[str]:
    text = decision.text if len(decision.text) <= 60 else decision.text[:59] + "…"
    return [
        " ".join(text.split()),
        decision.primary.expert,
        f"{decision.primary.score:.0f}",
        ", ".join(one.expert for one in decision.secondary),
        decision.strategy,
        decision.layer,
        ", ".join(decision.worker_types),
        str(decision.complexity),
    ]


def _show(decision: "Decision", output: RouteFormat) -> None:
    from cortex_git.cli.output import print_json, write_document

    if output is RouteFormat.JSON:
        print_json(decision.to_json())
    elif output is RouteFormat.JSONL:
        write_document(_line(decision))
    else:
        _print(decision)


def _show_explained(explained: "Explained", output: RouteFormat) -> None:
    import json

    from cortex_git.cli.output import print_json, print_table, write_document

    layers = {
        name: {
            "scores": {one.expert: round(one.score, 1) for one in opinion.scores},
            "reasons": list(opinion.reasons),
        }
        for name, opinion in explained.opinions.items()
    }
    document = {**explained.decision.to_json(), "layers": layers}
    if output is RouteFormat.JSON:
        print_json(document)
    elif output is RouteFormat.JSONL:
        write_document(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        _print(explained.decision)
        rows = [
            [
                name,
                ", ".join(f"{one.expert} {one.score:.0f}" for one in opinion.scores),
                "; ".join(opinion.reasons),
            ]
            for name, opinion in explained.opinions.items()
        ]
        print_table(("Layer", "Scores", "Says"), rows, "no layer was asked")


def _print(decision: "Decision") -> None:
    """A decision as a few lines for people."""
    from cortex_git.cli.output import print_line

    told = [f"{one.expert} ({one.score:.0f})" for one in (decision.primary, *decision.secondary)]
    print_line(f"{'Experts' if decision.secondary else 'Expert'}: {', '.join(told)}")
    print_line(f"Strategy: {decision.strategy}, by {decision.layer}")
    print_line(f"Worker types: {', '.join(decision.worker_types)}")
    print_line(f"Complexity: {decision.complexity} of 10, model {decision.model}")
    if decision.sensitive:
        print_line("Sensitive: yes, so no model is asked")
    for reason in decision.reasons:
        print_line(f"Because: {reason}")
