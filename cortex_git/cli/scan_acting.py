"""Options of a scan about what its findings are worth, and about where its reports go."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.errors import BadInput

if TYPE_CHECKING:
    from cortex_git.services.acting import Said

IgnoreFileOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--ignore-file",
        metavar="FILE",
        help="TOML entries of what does not count, each with a reason (may be repeated).",
        show_default=False,
    ),
]
VexOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--vex",
        metavar="FILE",
        help="OpenVEX or CycloneDX VEX in JSON: what it says is not affected, or fixed, does not count.",
        show_default=False,
    ),
]
BaselineOption = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="FILE|BATCH",
        help="Count only what is new against a JSON report, a batch, or `last`.",
        show_default=False,
    ),
]
FailOnKevOption = Annotated[
    bool,
    typer.Option(
        "--fail-on-kev", help="Exit with 1 for findings known to be exploited (advisories import-kev)."
    ),
]
ScannerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scanner",
        metavar="NAME",
        help="Ask osv-scanner, trivy, grype, pip-audit or npm-audit, too; arguments may follow the name.",
        show_default=False,
    ),
]
SecretsOption = Annotated[
    bool,
    typer.Option("--secrets", help="Look for keys and passwords in all files, too; each counts as critical."),
]
ByVoteOption = Annotated[
    bool,
    typer.Option("--by-vote", help="Count only what at least half of the scanners found that could have."),
]
OutputsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write the report here (- is stdout); several times for several forms, by their endings.",
        show_default=False,
    ),
]

_GROUPED = frozenset({"table", "markdown", "html", "json"})
"""Forms that can be grouped; JSON always has both."""
_FORMS = {
    ".cdx.json": "cyclonedx-vex",
    ".vex.json": "cyclonedx-vex",
    ".sarif.json": "sarif",
    ".sarif": "sarif",
    ".json": "json",
    ".md": "markdown",
    ".html": "html",
    ".htm": "html",
    ".csv": "csv",
    ".txt": "table",
}


def form_of(path: Path) -> str | None:
    """The form that a file's ending asks for, None where it asks for none."""
    name = path.name.lower()
    return next((form for ending, form in _FORMS.items() if name.endswith(ending)), None)


def forms_of(outputs: Sequence[Path], chosen: str | None) -> list[tuple[Path, str]]:
    """Each file with its form: of one file the form chosen, of several by their endings.

    What neither tells, such as a pipe or a name without an ending, is a table.
    """
    if len(outputs) == 1 and chosen is not None:
        return [(outputs[0], chosen)]
    return [(path, form_of(path) or chosen or "table") for path in outputs]


def refuse_vain(
    *,
    by_vote: bool,
    scanners: Sequence[object],
    resume: str | None,
    grouped: bool,
    outputs: Sequence[Path],
    chosen: str | None,
) -> None:
    """Raises BadInput for options that would have no effect on what is asked for, or an unexpected one."""
    _refuse_unknown_endings(outputs, None if chosen == "github" else chosen)
    if by_vote and not scanners and resume is None:
        raise BadInput("--by-vote without another scanner", "name one with --scanner")
    forms = {form for _, form in forms_of(outputs, chosen)} or {chosen or "table"}
    if grouped and not forms & _GROUPED:
        named = ", ".join(sorted(forms))
        raise BadInput(f"--group-by has no effect on {named}", "it is for tables, Markdown, HTML and JSON")


def _refuse_unknown_endings(outputs: Sequence[Path], chosen: str | None) -> None:
    """A file whose ending says another form than ours would silently become a table."""
    if chosen is not None:
        return
    for path in outputs:
        if path.suffix and form_of(path) is None:
            endings = ", ".join(_FORMS)
            raise BadInput(f"the ending of {path} says no form", f"give --format, or one of {endings}")


def read_all(
    ignore_files: Sequence[Path], vex: Sequence[Path], baseline: str | None, *, needs_kev: bool
) -> "Said":
    """What the named files say; a note where a file is there that people may think is read."""
    from cortex_git.cli.output import note
    from cortex_git.scan.suppressing.ignore_file import NAME
    from cortex_git.services.acting import ActingRequest, read_said

    if not ignore_files and Path(NAME).is_file():
        note(f"{NAME} in this folder is not used: name it with --ignore-file if it is yours")
    return read_said(ActingRequest(ignore_files, vex, baseline, needs_kev))
