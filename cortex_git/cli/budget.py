"""Commands about tokens: `budget show`, `budget set`, `budget history`, `budget reclaim`."""

from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.cli.options import DryRunOption, Format, FormatOption, RepositoryOption

if TYPE_CHECKING:
    from cortex_git.services.budgets import BudgetView

app = typer.Typer(help="Tokens: limits, who holds what, what was spent.", no_args_is_help=True)


@app.command()
def show(repository: RepositoryOption = None, output: FormatOption = Format.TABLE) -> None:
    """Show limits, accounts and every host's slice; exit status 4 where a limit is spent."""
    from cortex_git.cli.output import note, print_json
    from cortex_git.errors import ExitCode
    from cortex_git.services import open_coordination
    from cortex_git.services.budgets import look

    found = look(open_coordination(repository))
    if found.problem:
        note(f"the remote does not answer, this is what was seen last: {found.problem}")
    if output is Format.JSON:
        print_json(found.to_json())
    else:
        _print(found)
    if found.level == "out":
        note("a limit is spent: raise it with `cortex-git budget set`")
        raise typer.Exit(ExitCode.LIMIT)


def _print(found: "BudgetView") -> None:
    from cortex_git.cli.output import print_line, print_table

    columns = ["Account", "Limit", "Allocated", "In use", "Available", "Spent", "Level", "This host's"]
    rows = []
    for row in found.accounts:
        every = row.all_hosts
        figures = (row.limit, every.allocated, every.in_use, every.available, every.spent)
        rows.append([row.account, *(f"{tokens:,}" for tokens in figures), row.level, f"{row.here.total:,}"])
    print_table(columns, rows, "no account has a limit")
    for host, held in sorted(found.slices.items()):
        told = found.reported.get(host, {}).get("total", 0)
        mine = " (this one)" if host == found.host else ""
        print_line(f"Host {host}{mine}: slice {held.get('total', 0):,}, spent {told:,} as last reported")
    for one in found.allocations:
        print_line(
            f"{one.worker}: {one.task} has {one.tokens:,} tokens,"
            f" {one.spent:,} spent, {one.reserved:,} reserved"
        )


@app.command("set")
def set_command(
    total: Annotated[int | None, typer.Option("--total", min=0, help="Most tokens in all.")] = None,
    daily: Annotated[
        str | None, typer.Option("--daily", metavar="N|none", help="Most tokens in a day (UTC).")
    ] = None,
    monthly: Annotated[
        str | None, typer.Option("--monthly", metavar="N|none", help="Most tokens in a month (UTC).")
    ] = None,
    master: Annotated[
        list[str] | None,
        typer.Option("--master", metavar="NAME=N", help="Most tokens of a master; may be repeated."),
    ] = None,
    batch: Annotated[
        list[str] | None,
        typer.Option("--batch", metavar="NAME=N", help="Most tokens of a batch; may be repeated."),
    ] = None,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
    dry_run: DryRunOption = False,
) -> None:
    """Set limits for all hosts at once. Below what is spent, nothing more is spent."""
    from cortex_git.cli.output import announce, print_json, print_line
    from cortex_git.errors import BadInput
    from cortex_git.limits import accounts
    from cortex_git.services import open_coordination
    from cortex_git.services.budgets import set_limits
    from cortex_git.services.pool_client import wake_pool

    changes: dict[str, int | None] = {}
    if total is not None:
        changes[accounts.TOTAL] = total
    for name, text in ((accounts.DAILY, daily), (accounts.MONTHLY, monthly)):
        if text is not None:
            changes[name] = _tokens(text, f"--{name}")
    for kind, pairs in ((accounts.master, master), (accounts.batch, batch)):
        for pair in pairs or ():
            name, separator, text = pair.rpartition("=")
            if not separator or not name:
                raise BadInput(f"{pair!r} is not NAME=N", "as in --batch nightly=200000, or nightly=none")
            changes[kind(name)] = _tokens(text, pair)
    coordination = open_coordination(repository)
    if dry_run and changes:
        said = ", ".join(f"{name} to {_said(tokens)}" for name, tokens in changes.items())
        announce(f"set {said}", as_json=output is Format.JSON)
        return
    limits = set_limits(coordination, changes)
    wake_pool(coordination.repository.folder)
    if output is Format.JSON:
        print_json({"limits": limits})
        return
    for name, tokens in limits.items():
        print_line(f"{name}: {_said(tokens)}")


def _tokens(text: str, where: str) -> int | None:
    from cortex_git.errors import BadInput

    if text == "none":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise BadInput(f"{where}: {text!r} is no number of tokens", "give a whole number, or none")
    return int(text)


def _said(tokens: int | None) -> str:
    return "no limit" if tokens is None else f"{tokens:,}"


@app.command()
def history(
    days: Annotated[int, typer.Option("--days", min=1, max=3660, help="Days back, today included.")] = 30,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show what this host spent, by day (UTC), master, batch and model."""
    from cortex_git.cli.output import print_json, print_table
    from cortex_git.services import budgets, open_coordination

    rows = budgets.history(open_coordination(repository), days)
    if output is Format.JSON:
        print_json({"days": days, "spending": rows})
        return
    names = ("day", "master", "batch", "model")
    kinds = ("input", "output", "cache_write", "cache_read", "unknown", "total", "calls")
    print_table(
        [name.replace("_", " ").capitalize() for name in (*names, *kinds)],
        [[*(row[name] for name in names), *(f"{row[kind]:,}" for kind in kinds)] for row in rows],
        f"nothing was spent here in {days} days",
    )


@app.command()
def reclaim(
    host: Annotated[str, typer.Argument(help="The silent host, as `budget show` names it.")],
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
    dry_run: DryRunOption = False,
) -> None:
    """Take the unspent slice of a host that is gone. One that is only cut off may be spending it still."""
    from cortex_git.cli.output import announce, print_json, print_line
    from cortex_git.services import budgets, open_coordination

    found = budgets.reclaim(open_coordination(repository), host, dry_run=dry_run)
    taken = ", ".join(f"{tokens:,} of {account}" for account, tokens in found.taken.items())
    if dry_run:
        announce(f"take {taken} from {host}", as_json=output is Format.JSON)
    elif output is Format.JSON:
        print_json({"host": host, "taken": found.taken, "left": found.left})
    else:
        print_line(f"Taken from {host}: {taken}")
