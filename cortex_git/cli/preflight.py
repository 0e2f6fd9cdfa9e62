"""The command `cortex-git preflight`, and the question that `spawn-workers` asks before it spends."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.cli.options import Format, FormatOption, RepositoryOption

if TYPE_CHECKING:
    from cortex_git.analysis.preflight import Estimate
    from cortex_git.services.preflight import Preflight
    from cortex_git.store.coordination import Coordination
    from cortex_git.store.index import Scope


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(short_help="Show what the open tasks will cost, and which limits they will meet.")(preflight)


def preflight(
    tasks: Annotated[str, typer.Option("--tasks", metavar="GLOB", help="Only ids that match.")] = "*",
    batch: Annotated[str | None, typer.Option("--batch", help="Only this batch.")] = None,
    kind: Annotated[str | None, typer.Option("--type", "-t", help="Only tasks of this worker type.")] = None,
    count: Annotated[
        int | None,
        typer.Option("--count", "-n", min=1, max=64, help="Workers (default: what --policy answers)."),
    ] = None,
    policy: Annotated[str, typer.Option("--policy", help="activation, tree or predictive.")] = "activation",
    runner: Annotated[
        str | None, typer.Option("--runner", help="Runner, instead of each task's own.")
    ] = None,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show what the open tasks in scope are expected to take: tokens, money, time, and limits they will meet.

    Rests on past results, and says on how many. Starts nothing, and works without the remote.
    """
    from cortex_git.cli.output import note, print_json, print_line
    from cortex_git.services import open_coordination
    from cortex_git.services.overview import look
    from cortex_git.services.preflight import preflight as expected
    from cortex_git.services.spawning import check_scope, sized
    from cortex_git.store.index import Scope

    coordination = open_coordination(repository)
    _, problem = look(coordination)
    if problem is not None:
        note(f"the remote does not answer; what follows is as of the last time it did: {problem}")
    scope = Scope(batch=batch, glob=tasks, type=kind, merges=False)
    check_scope(coordination, scope)
    queue = coordination.open_count(scope)
    workers = sized(queue, policy, count, coordination.repository.settings.pool.max).target
    found = expected(coordination, scope, workers=workers, runner=runner)
    if output is Format.JSON:
        print_json(found.to_json())
    elif found.metered:
        print_preflight(found)
    else:
        print_line(f"{queue} open tasks, none of them metered work: nothing to pay")


def print_preflight(found: "Preflight") -> None:
    """The whole of it on stdout."""
    from cortex_git.cli.output import print_line, print_table
    from cortex_git.cli.status_view import duration

    print_table(
        ["Worker type", "Runner", "Model", "Tasks", "Tokens each (median, p90)", "Tokens", "Cost", "Basis"],
        [_row(one) for one in found.kinds],
        "nothing",
    )
    free = found.tasks - found.metered
    print_line(f"Tasks: {found.metered:,} metered" + (f", {free:,} that cost nothing" if free else ""))
    print_line(f"Tokens: {found.tokens:,} expected, {found.tokens_most:,} at the 90th percentile")
    print_line(f"Cost: {_cost(found)}")
    print_line(f"Time: about {duration(found.time.seconds)} on {found.workers} workers")
    for limit in found.limits:
        print_line(f"Limit: {limit.text}" + ("" if limit.sure else " (perhaps)"))
    if not found.limits:
        print_line("Limits: none will be met, as far as this host knows")


def _row(one: "Estimate") -> list[object]:
    each = f"{one.tokens_median:,}, {one.tokens_p90:,}"
    cost = "no price" if one.cost_usd is None else dollars(one.cost_usd)
    return [one.type, one.runner, one.model, f"{one.tasks:,}", each, f"{one.tokens:,}", cost, one.basis]


def _cost(found: "Preflight") -> str:
    most = f"{dollars(found.cost_usd)} expected, {dollars(found.cost_most_usd)} at the 90th percentile"
    if found.unpriced:
        most += f"; {found.unpriced:,} tokens of models without a price here are not in it"
    return most


def dollars(amount: float) -> str:
    """US dollars, to the cent from a dollar on, finer below."""
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def look_ahead(
    coordination: "Coordination", scope: "Scope", workers: int, runner: str | None
) -> "Preflight | None":
    """Say in a line what the metered tasks in scope will take, and the limits they meet; None without any."""
    from cortex_git.cli.output import note
    from cortex_git.cli.status_view import duration
    from cortex_git.services.preflight import is_metered
    from cortex_git.services.preflight import preflight as look

    if not is_metered(coordination, scope, runner):
        return None
    found = look(coordination, scope, workers=workers, runner=runner)
    note(
        f"{found.metered:,} metered tasks: {found.tokens:,} tokens, {dollars(found.cost_usd)},"
        f" about {duration(found.time.seconds)} ({found.basis})"
    )
    for limit in found.limits:
        note(f"limit: {limit.text}")
    return found


def approve(found: "Preflight", *, yes: bool) -> None:
    """Have a person agree where it costs more than `confirm_above_usd`.

    Raises BadInput where nobody can be asked, Abort where the answer is no.
    """
    from cortex_git.cli.output import note
    from cortex_git.errors import BadInput

    if yes or not found.asks:
        return
    cost = (
        f"this may cost {dollars(found.cost_usd)}, more than confirm_above_usd = {found.confirm_above_usd:g}"
    )
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadInput(f"{cost}, and nobody can be asked", "look at `cortex-git preflight`, then say --yes")
    if not typer.confirm(f"{cost}. Start?", default=False, err=True):
        note("nothing was started")
        raise typer.Abort
