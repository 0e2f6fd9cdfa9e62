"""The command `cortex-git cost`: what a batch, a period, or work that is only described costs."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.cli.options import Format, FormatOption, RepositoryOption, check_amounts

if TYPE_CHECKING:
    from cortex_git.analysis.cost_document import Cost
    from cortex_git.services.costing import Rates

_MOST_USD = 1_000_000


class Tier(StrEnum):
    """Whose price holds."""

    SMALL = "small"
    LARGE = "large"


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(short_help="Show what a batch cost, or what described work would: tokens and machines.")(cost)


def cost(
    batch: Annotated[str | None, typer.Option("--batch", help="What this batch cost.")] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="What was completed since then cost: 24h, 7d, 2026-11-01 or all (default: 24h).",
            show_default=False,
        ),
    ] = None,
    tasks: Annotated[
        int | None,
        typer.Option("--tasks", min=1, max=10**9, help="Instead: what so many tasks, all alike, would cost."),
    ] = None,
    tokens_per_task: Annotated[
        int | None, typer.Option("--tokens-per-task", min=0, max=10**12, help="Tokens of each of them.")
    ] = None,
    tier: Annotated[
        Tier | None, typer.Option("--tier", help="Model whose price in the settings holds for them.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0, max=10**7, help="Seconds that each of them takes.")
    ] = None,
    instances: Annotated[
        int | None, typer.Option("--instances", min=1, max=10**6, help="Machines that share them.")
    ] = None,
    price_per_1k: Annotated[
        float | None,
        typer.Option(
            "--price-per-1k",
            min=0,
            max=_MOST_USD,
            metavar="USD",
            help="US dollars for 1,000 tokens of any model, instead of the settings' prices.",
        ),
    ] = None,
    instance_hour: Annotated[
        float | None,
        typer.Option(
            "--instance-hour",
            min=0,
            max=_MOST_USD,
            metavar="USD",
            help="An hour of one machine on demand, instead of the settings' price.",
        ),
    ] = None,
    spot_hour: Annotated[
        float | None,
        typer.Option(
            "--spot-hour",
            min=0,
            max=_MOST_USD,
            metavar="USD",
            help="The same of one that may be taken away.",
        ),
    ] = None,
    workers_per_instance: Annotated[
        int | None,
        typer.Option(
            "--workers-per-instance", min=1, max=64, help="Workers that share a machine, as in the settings."
        ),
    ] = None,
    hour_value: Annotated[
        float | None,
        typer.Option(
            "--hour-value",
            min=0,
            max=_MOST_USD,
            metavar="USD",
            help="What an hour less of waiting is worth: shows the return.",
        ),
    ] = None,
    iterations: Annotated[
        int,
        typer.Option("--iterations", min=1, max=10**9, help="Times that the work is done, for the return."),
    ] = 1,
    examples: Annotated[
        bool, typer.Option("--examples", help="Compute the published examples, and show what does not agree.")
    ] = False,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show what a batch or a period cost, or what described work would: tokens by model, and machines.

    Machines are shown one task after another and in parallel. Each figure says where it comes from.
    """
    from cortex_git.cli.cost_view import show, show_examples
    from cortex_git.errors import BadInput
    from cortex_git.services.costing import Rates

    check_amounts(seconds, price_per_1k, instance_hour, spot_hour, hour_value)
    described = {
        "--tokens-per-task": tokens_per_task, "--tier": tier, "--seconds": seconds, "--instances": instances,
    }  # fmt: skip
    if examples:
        asked = {
            "--batch": batch, "--since": since, "--tasks": tasks, **described, "--price-per-1k": price_per_1k,
            "--instance-hour": instance_hour, "--spot-hour": spot_hour,
            "--workers-per-instance": workers_per_instance, "--hour-value": hour_value,
        }  # fmt: skip
        if (extra := _given(asked)) or iterations != 1:
            raise BadInput(f"--examples and {extra or '--iterations'} exclude each other", "give one of them")
        show_examples(output)
        return
    if iterations != 1 and hour_value is None:
        raise BadInput("--iterations is about the return", "give --hour-value too")
    if [batch, since, tasks].count(None) < 2:
        raise BadInput("--batch, --since and --tasks exclude each other", "give one of them")
    rates = Rates(price_per_1k, instance_hour, spot_hour, workers_per_instance, hour_value, iterations)
    if tasks is None:
        if extra := _given(described):
            raise BadInput(f"{extra} describes tasks", "give --tasks too")
        found = _measured(batch, since, rates, repository)
    else:
        from cortex_git.services.costing import Described, cost_of_described

        if tier is not None and price_per_1k is not None:
            raise BadInput("--tier and --price-per-1k are two prices of one thing", "give one of them")
        if tokens_per_task is None and (tier is not None or price_per_1k is not None):
            raise BadInput("a price of tokens is of no use without tokens", "give --tokens-per-task too")
        if seconds is None and instances is not None:
            raise BadInput("--instances share tasks that take time", "give --seconds too")
        chosen = tier.value if tier else None
        work = Described(tasks, tokens_per_task, chosen, seconds, instances or 1)
        found = cost_of_described(work, rates, repository)
    show(found, output)


def _given(options: Mapping[str, object]) -> str | None:
    """The first of them that has a value."""
    return next((name for name, value in options.items() if value is not None), None)


def _measured(batch: str | None, since: str | None, rates: "Rates", repository: Path | None) -> "Cost":
    from cortex_git.cli.newer import note_newer
    from cortex_git.cli.output import note
    from cortex_git.cli.periods import period_of
    from cortex_git.services import open_coordination
    from cortex_git.services.costing import cost_of_batch, cost_since
    from cortex_git.services.overview import look

    period = period_of(since, None, batch)
    coordination = open_coordination(repository)
    _, problem = look(coordination)
    if problem is not None:
        note(f"the remote does not answer; what follows is as of the last time it did: {problem}")
    if batch is not None:
        found = cost_of_batch(coordination, batch, rates)
    else:
        found = cost_since(coordination, period.since, period.at, rates)
    note_newer(coordination)
    return found
