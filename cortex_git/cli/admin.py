"""Commands about a coordination repository itself: `init` and `sync`."""

from pathlib import Path
from typing import Annotated

import typer

from cortex_git.cli.options import DryRunOption, Format, FormatOption, RepositoryOption


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command(short_help="Make a coordination repository; try out its remote.")(init)
    app.command(short_help="Publish what waits, and fold it into the branch.")(sync)


def init(
    path: Annotated[Path, typer.Argument(help="Folder to coordinate in.")] = Path(),
    remote: Annotated[
        str | None, typer.Option("--remote", metavar="URL", help="Git remote that the hosts share.")
    ] = None,
    branch: Annotated[
        str | None, typer.Option("--branch", help="Branch that results are folded into (default: main).")
    ] = None,
    output: FormatOption = Format.TABLE,
    dry_run: DryRunOption = False,
) -> None:
    """Make a coordination repository, and try out what its remote can do."""
    from cortex_git.cli.output import announce, print_json, print_line
    from cortex_git.config import checked_branch
    from cortex_git.errors import BadInput
    from cortex_git.gitio import redact
    from cortex_git.store.creation import create

    if branch is not None:
        checked_branch(branch)
    if path.exists() and not path.is_dir():
        raise BadInput(f"{path} is not a folder", "give a folder, or one that is to be made")
    remote = _from_here(remote)
    if dry_run:
        along = f" with remote {redact(remote)}" if remote else ""
        announce(f"make {path.resolve()} a coordination repository{along}", as_json=output is Format.JSON)
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
                "remote_can": can.to_json() if can else None,
            }
        )
        return
    print_line(f"{'Made' if created.changed else 'Already'} a coordination repository: {created.folder}")
    if can is None:
        print_line("No remote: processes of this machine coordinate through the repository itself.")
    else:
        print_line(f"Remote {created.remote} can coordinate, with refs under {can.namespace}/:")
        for text in can.lines():
            print_line(f"  {text}")


def _from_here(remote: str | None) -> str | None:
    """A remote given as a path is meant from where the person is; git would take it from the new folder."""
    return str(Path(remote).absolute()) if remote and Path(remote).exists() else remote


def sync(
    repository: RepositoryOption = None, output: FormatOption = Format.TABLE, dry_run: DryRunOption = False
) -> None:
    """Publish what waits in the outbox, carry out merge tasks that are ready, and fold into the branch."""
    from cortex_git.cli.output import announce, note, print_json, print_line
    from cortex_git.services import open_coordination
    from cortex_git.services.batches import finish
    from cortex_git.services.merging import finish_ready, told

    coordination = open_coordination(repository)
    waiting = coordination.outbox.count()
    if dry_run:
        announce(f"publish {waiting} waiting documents and fold", as_json=output is Format.JSON)
        return
    report = coordination.flush()
    coordination.pull()
    notes = [*told(finish_ready(coordination)), *finish(coordination)]
    if output is Format.JSON:
        print_json(
            {"published": len(report.done), "fenced": len(report.fenced), "waiting": 0, "notes": notes}
        )
        return
    print_line(f"Published: {len(report.done)}, fenced: {len(report.fenced)}, still waiting: 0")
    for text in notes:
        note(text)
