"""Commands about the advisory database, and about the lists that are kept beside it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cortex_git.cli import exploitation
from cortex_git.cli.options import DryRunOption, Format, FormatOption
from cortex_git.pages.text import counted

app = typer.Typer(help="The advisory database.", no_args_is_help=True)
exploitation.register(app)

_CHECKED = {
    "sound": "checked: the database is as it was imported",
    "no digest": "checked: sound in form; it has no digest yet, which the next import brings",
}

if TYPE_CHECKING:
    from pathlib import Path


@app.command()
def update(
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="URL|DIR|ZIP", help="OSV dump to import (default: the public one)."),
    ] = None,
    ecosystem: Annotated[
        list[str] | None, typer.Option("--ecosystem", "-e", metavar="E", help="Only these ecosystems.")
    ] = None,
    output: FormatOption = Format.TABLE,
    dry_run: DryRunOption = False,
) -> None:
    """Download and import advisories in OSV form; the old database serves until the new one is whole."""
    from cortex_git.cli.advisory_progress import AdvisoryProgress
    from cortex_git.cli.output import announce, note, print_json, print_line
    from cortex_git.config import data_folder, load_host_settings
    from cortex_git.scan.advisories.update import update as run

    chosen = source or load_host_settings().advisories_url
    if dry_run:
        what = f"import {', '.join(ecosystem or ['everything'])} from {chosen or 'the public OSV dump'}"
        announce(what, as_json=output is Format.JSON)
        return
    with AdvisoryProgress() as progress:
        done = run(data_folder(), chosen, ecosystem, progress.step)
    if done.was_damaged:
        note("the database was damaged, and nothing of it was kept: check the disk")
    if output is Format.JSON:
        print_json(
            {
                "path": str(done.path),
                "records": done.records,
                "imported": done.imported,
                "unchanged": list(done.unchanged),
                "missing": list(done.missing),
                "unreadable": done.unreadable,
                "withdrawn": done.withdrawn,
                "duration_s": round(done.duration_s, 3),
                "was_damaged": done.was_damaged,
            }
        )
        return
    for name, count in sorted(done.imported.items()):
        print_line(f"{name}: {counted(count, 'record')} imported")
    for name in done.unchanged:
        print_line(f"{name}: unchanged")
    for name in done.missing:
        note(f"{name}: the source has none")
    if done.unreadable:
        verb = "was no OSV record and is" if done.unreadable == 1 else "were no OSV records and are"
        note(f"{counted(done.unreadable, 'file')} {verb} not covered")
    print_line(f"{counted(done.records, 'record')} in {done.path} ({done.duration_s:.1f} s)")


@app.command()
def status(
    output: FormatOption = Format.TABLE,
    check: Annotated[
        bool, typer.Option("--check", help="Read all of it, and compare it with the digest of its import.")
    ] = False,
) -> None:
    """Show which database is used, how old it is and what it covers."""
    from cortex_git.cli.output import note, print_json, print_table
    from cortex_git.config import data_folder
    from cortex_git.scan.advisories.status import status as read

    found = read(data_folder(), check=check)
    if output is Format.JSON:
        rows = [
            {
                "ecosystem": e.ecosystem,
                "records": e.records,
                "newest": e.newest,
                "source": e.source,
                "imported_at": e.imported_at,
                "unreadable": e.unreadable,
                "withdrawn": e.withdrawn,
            }
            for e in found.ecosystems
        ]
        print_json(
            {
                "path": str(found.path),
                "database": "osv" if found.identity else "starter",
                "identity": found.identity,
                "imported_at": found.imported_at.isoformat() if found.imported_at else None,
                "records": found.records,
                "ecosystems": rows,
                "epss": _list_row(data_folder(), "epss"),
                "kev": _list_row(data_folder(), "kev"),
                "checked": found.checked,
            }
        )
        return
    columns = ("Ecosystem", "Records", "Newest", "Imported", "From")
    lines = [(e.ecosystem, f"{e.records:,}", e.newest, e.imported_at, e.source) for e in found.ecosystems]
    print_table(
        columns, lines, "nothing imported: the starter set is used until `cortex-git advisories update`"
    )
    if found.identity:
        note(f"{counted(found.records, 'record')}, {found.size_bytes / 1e6:.1f} MB, {found.path}")
    if found.checked is not None:
        note(_CHECKED[found.checked])
    for kind in ("epss", "kev"):
        row = _list_row(data_folder(), kind)
        told = (
            f"{counted(row['entries'], 'CVE')} of {row['date'] or 'no day given'}" if row else "not imported"
        )
        note(f"{kind}: {told}")


def _list_row(folder: "Path", kind: str) -> dict[str, Any] | None:
    """What `status` says of an imported list; None where there is none."""
    from cortex_git.scan.exploitation.tables import ListTable

    table = ListTable.open(folder, kind)
    if table is None:
        return None
    with table:
        facts = table.facts
    return {
        "entries": facts.entries,
        "date": facts.day or None,
        "version": facts.version,
        "source": facts.origin,
        "imported_at": facts.imported_at,
        "unreadable": facts.unreadable,
    }
