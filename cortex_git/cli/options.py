"""Options that several commands share, so that they read and behave the same everywhere."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How a command prints what it found."""

    TABLE = "table"
    JSON = "json"


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
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
