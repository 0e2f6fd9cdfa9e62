"""The command `cortex-git bench all`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.cli.bench_machine import machine_now
from cortex_git.cli.options import Format, FormatOption

if TYPE_CHECKING:
    from cortex_git.analysis.bench.tables import Table


def every(
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="NAME", help="Only this table; may be repeated. A wrong name lists them."
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small sizes, to try it out: figures not to be published.")
    ] = False,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="DIR",
            help="Write all.json, all.md and plots (SVG, with cortex-git[report]) there, after each table.",
        ),
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Every published table, measured on this machine: published, measured and ratio side by side."""
    from cortex_git.analysis.bench.everything import PARTS, bench_all
    from cortex_git.analysis.bench.measuring import Sizes
    from cortex_git.analysis.bench.tables import markdown
    from cortex_git.cli.output import note, print_json, print_lines
    from cortex_git.errors import BadInput, ExitCode

    if unknown := [name for name in only or () if name not in PARTS]:
        raise BadInput(f"--only {unknown[0]!r} is no table", f"they are: {', '.join(PARTS)}")
    if directory is not None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:  # before hours of measuring, not after
            raise BadInput(f"--output {directory}: {error.strerror or error}", "name a folder") from None
    machine = machine_now()
    tables: list[Table] = []
    document: dict[str, object] = {"quick": quick, "tables": [], "machine": machine}
    for table in bench_all(Sizes.quick() if quick else Sizes(), only or (), note):
        tables.append(table)
        document["tables"] = [one.to_json() for one in tables]
        if directory is not None:
            _write(directory, document, tables)
    if output is Format.JSON:
        print_json(document)
    else:
        print_lines(markdown(document).rstrip())
    if any(table.problem for table in tables):
        raise typer.Exit(ExitCode.ENVIRONMENT)


def _write(directory: Path, document: dict[str, object], tables: "list[Table]") -> None:
    """What there is so far: the document, the page, and the plots that the page shows."""
    from cortex_git.analysis.bench.plots import pictures
    from cortex_git.analysis.bench.tables import markdown
    from cortex_git.cli.output import json_text

    drawn = pictures(tables)
    for name, text in drawn.items():
        (directory / name).write_text(text, encoding="utf-8")
    (directory / "all.json").write_text(json_text(document), encoding="utf-8")
    (directory / "all.md").write_text(markdown(document, drawn), encoding="utf-8")
