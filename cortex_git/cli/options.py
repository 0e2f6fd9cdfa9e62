"""Options that several commands share, so that they read and behave the same everywhere."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cortex_git.cli.events import LogFormat, choose


class Format(StrEnum):
    """How a command prints what it found."""

    TABLE = "table"
    JSON = "json"


class DocumentFormat(StrEnum):
    """The same, of what can be put into a page of Markdown, too."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


def check_amounts(*amounts: float | None) -> None:
    """Raise BadInput for one that is no number: `nan` is within every option's least and most."""
    if any(amount != amount for amount in amounts):
        from cortex_git.errors import BadInput

        raise BadInput("an amount is not a number", "give digits, such as 0.5")


def numbers_of(text: str, option: str, most: int, example: str = "1,10,100") -> list[int]:
    """A list such as `1,10,100`, each from 1 to `most`, in order and once. Raises BadInput."""
    parts = [part.strip() for part in text.split(",")]
    if not all(
        part.isascii() and part.isdigit() and len(part) < 10 and 1 <= int(part) <= most for part in parts
    ):
        from cortex_git.errors import BadInput

        raise BadInput(f"{option} {text!r} is not a list of 1 to {most}", f"write {example}")
    return sorted({int(part) for part in parts})


RepositoryOption = Annotated[
    Path | None,
    typer.Option(
        "--repository",
        metavar="DIR",
        help="Coordination repository (default: $CORTEX_REPOSITORY, else the nearest one upwards).",
        show_default=False,
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", help="What to print on stdout.")]
DocumentFormatOption = Annotated[DocumentFormat, typer.Option("--format", help="What to print on stdout.")]
LogFormatOption = Annotated[
    LogFormat | None,
    typer.Option(
        "--log-format",
        callback=choose,
        is_eager=True,
        help="Notes and events on stderr: lines of text (default), or one JSON object a line.",
        show_default=False,
    ),
]
"""A command only has to name it: parsing it makes the choice, for errors in what follows too."""
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", min=1, help="Only the N newest (default: all).", show_default=False),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
