"""How `cortex-git cost` looks: tables and lines for a person, or the document for a program."""

from decimal import Decimal
from typing import TYPE_CHECKING

from cortex_git.cli.options import Format

if TYPE_CHECKING:
    from cortex_git.analysis.cost import ModelCost, Return
    from cortex_git.analysis.cost_document import Cost, Machines


def dollars(amount: Decimal | None) -> str:
    """US dollars to the cent, half a cent up; what rounds to nothing and is not is said to be less."""
    from cortex_git.analysis.cost import cents

    if amount is None:
        return "no price"
    shown = cents(amount)
    if shown == 0 and amount > 0:
        return "<$0.01"
    return f"{'-' if shown < 0 else ''}${abs(shown):,.2f}"


def show_examples(output: Format) -> None:
    """The published examples on stdout, those that do not come out marked."""
    from cortex_git.analysis.cost import cents
    from cortex_git.analysis.cost_document import examples_json
    from cortex_git.analysis.cost_examples import examples
    from cortex_git.cli.output import print_json, print_line, print_table

    found = examples()
    if output is Format.JSON:
        print_json(examples_json(found))
        return
    rows = [
        [
            one.name,
            dollars(one.published),
            dollars(cents(one.computed)),
            "" if one.agrees else dollars(one.difference),
            one.how,
        ]
        for one in found
    ]
    print_table(["Example", "Published", "Computed", "Does not agree by", "How"], rows, "no examples")
    wrong = sum(not one.agrees for one in found)
    print_line(f"{len(found) - wrong} of {len(found)} come out to the cent; {wrong} contradict themselves")


def show(found: "Cost", output: Format) -> None:
    """A cost on stdout, and its warnings as notes."""
    from cortex_git.cli.output import note, print_json, print_line

    for warning in found.warnings:
        note(warning)
    if output is Format.JSON:
        print_json(found.to_json())
        return
    _print_tokens(found)
    if found.machines is None:
        print_line("Machines: no task here has a time")
    else:
        _print_machines(found, found.machines)
    if found.gain is not None:
        print_line(f"Return: {_gained(found.gain)}")


def _gained(gain: "Return") -> str:
    when = "sooner" if gain.saved_s >= 0 else "later"
    more = "more" if gain.cost_usd >= 0 else "less"
    ratio = "" if gain.ratio is None else f", {gain.ratio:,.1f} times what it costs more"
    return (
        f"{gain.iterations:,} x {abs(gain.saved_s):,.1f} s {when} are worth {dollars(gain.value_usd)}"
        f" and cost {dollars(abs(gain.cost_usd))} {more}: {dollars(gain.net_usd)}{ratio}"
    )


def _print_tokens(found: "Cost") -> None:
    from cortex_git.analysis.cost import unpriced_tokens
    from cortex_git.cli.output import print_line, print_table

    columns = [
        "Model",
        "Tier",
        "Tasks",
        "Input",
        "Output",
        "Cache write",
        "Cache read",
        "Unknown",
        "Cost",
        "Price",
    ]
    if found.models:
        print_table(columns, [_row(row) for row in found.models], "no tokens")
    left_out = f"; {found.unreadable:,} results cannot be read" if found.unreadable else ""
    print_line(f"Tasks: {found.tasks:,} ({found.source}){left_out}")
    tokens = sum(row.tokens.total for row in found.models)
    missing = unpriced_tokens(found.models)
    note = f", {missing:,} of them without a price and in no sum" if missing else ""
    bound = " at most" if any(row.upper_bound for row in found.models) else ""
    print_line(f"Tokens: {tokens:,} ({found.source}){note}: {dollars(found.tokens_usd)}{bound}")
    if found.ledger is not None and found.ledger.models:
        from cortex_git.analysis.cost import priced_usd

        booked = found.ledger.models
        since = f" from {found.ledger.since_day} on" if found.ledger.since_day else ""
        print_line(
            f"Booked by this host{since}: {sum(row.tokens.total for row in booked):,} tokens,"
            f" {dollars(priced_usd(booked))}; attempts without a result are in it"
        )


def _row(row: "ModelCost") -> list[object]:
    used = row.tokens
    kinds = (used.input, used.output, used.cache_write, used.cache_read, used.unknown)
    price = row.price
    told = "none" if price is None else f"{price.source}{f', {price.priced_on}' if price.priced_on else ''}"
    return [
        row.model or "(not named)",
        price.tier if price else "",
        f"{row.tasks:,}",
        *(f"{count:,}" for count in kinds),
        dollars(row.usd),
        told,
    ]


def _print_machines(found: "Cost", machines: "Machines") -> None:
    from cortex_git.cli.output import print_line, print_table

    hours = machines.hours
    rows = [
        [
            name,
            f"{stretch.workers:,}",
            f"{stretch.instances:,}",
            f"{stretch.seconds:,.1f}",
            f"{stretch.instance_hours:,.4f}",
            dollars(stretch.usd(hours.on_demand)),
            dollars(stretch.usd(hours.spot)),
            dollars(found.total(stretch, hours.on_demand)),
        ]
        for name, stretch in (("one after another", machines.sequential), ("in parallel", machines.parallel))
    ]
    columns = [
        "Machines", "Workers", "Instances", "Seconds each", "Instance-hours", "On demand", "Spot",
        "With tokens",
    ]  # fmt: skip
    print_table(columns, rows, "no machines")
    prices = [
        f"{dollars(price)} {kind} ({source})"
        for price, kind, source in (
            (hours.on_demand, "on demand", hours.on_demand_source),
            (hours.spot, "spot", hours.spot_source),
        )
        if price is not None
    ]
    shared = hours.workers_per_instance
    parts = machines.by_worker_hour(hours.on_demand), machines.by_worker_hour(hours.spot)
    costs = [
        f"{dollars(part)} {kind}" for part, kind in zip(parts, ("on demand", "spot"), strict=True) if part
    ]
    print_line(f"Worker-hours: {machines.worker_s / 3600:,.4f}" + (f": {', '.join(costs)}" if costs else ""))
    told = f"workers on each: {shared} ({hours.workers_source})" if shared else "a host counts as one"
    print_line(f"Times: {machines.source}; an instance-hour: {' and '.join(prices) or 'no price'}; {told}")
