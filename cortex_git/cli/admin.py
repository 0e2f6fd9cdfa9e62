"""Commands about a coordination repository itself: `init` and `sync`."""

from pathlib import Path
from typing import Annotated

import typer

from cortex_git.cli.options import DryRunOption, Format, FormatOption, RepositoryOption


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(init)
    app.command()(sync)


def init(
    path: Annotated[Path, typer.Argument(help="Folder to coordinate in.")] = Path(),
    remote: Annotated[
        str | None, typer.Option("--remote", metavar="URL", help="Git remote that the hosts share.")
    ] = None,
    branch: Annotated[str, typer.Option("--branch", help="Branch that results are folded into.")] = "main",
    output: FormatOption = Format.TABLE,
    dry_run: DryRunOption = False,
) -> None:
    """Make a coordination repository, and try out what its remote can do."""
    from cortex_git.cli.output import note, print_json, print_line
    from cortex_git.store.creation import create

    if dry_run:
        note(
            f"would make {path.resolve()} a coordination repository"
            + (f" with remote {remote}" if remote else "")
        )
        return
    created = create(path, remote, branch)
    can = created.capabilities
    if output is Format.JSON:
        print_json(
            {
                "folder": str(created.folder),
                "branch": created.branch,
                "remote": created.remote,
                "namespace": can.namespace if can else "refs/cortex",
                "atomic": can.atomic if can else None,
                "created": created.changed,
            }
        )
        return
    print_line(f"{'Made' if created.changed else 'Already'} a coordination repository: {created.folder}")
    if can is None:
        print_line("No remote: processes of this machine coordinate through the repository itself.")
    else:
        print_line(
            f"Remote {created.remote}: can change refs under {can.namespace}, all or none in one push."
        )


def sync(
    repository: RepositoryOption = None, output: FormatOption = Format.TABLE, dry_run: DryRunOption = False
) -> None:
    """Publish what waits in the outbox, and fold the results into the branch."""
    from cortex_git.cli.output import note, print_json, print_line
    from cortex_git.services import open_coordination
    from cortex_git.services.batches import finish

    coordination = open_coordination(repository)
    waiting = coordination.outbox.count()
    if dry_run:
        note(f"would publish {waiting} waiting documents and fold")
        return
    report = coordination.flush()
    coordination.pull()
    notes = list(finish(coordination))
    if output is Format.JSON:
        print_json(
            {"published": len(report.done), "fenced": len(report.fenced), "waiting": 0, "notes": notes}
        )
        return
    print_line(f"Published: {len(report.done)}, fenced: {len(report.fenced)}, still waiting: 0")
    for text in notes:
        note(text)
