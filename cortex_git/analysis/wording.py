"""How a report says numbers, the same in every format: spans of time, shares, money, moments.

Owns rounding for people; nothing is rounded before.
"""

from decimal import Decimal

from cortex_git.analysis.statistics import Period, ReportData, moment

_UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s"))
NONE = "–"
"""What has no value, because nothing is known to make one of."""


def span(seconds: float | None) -> str:
    """`0.520s`, `5s`, `12.3s`, `3m05s`, `2h10m`, `5d02h`."""
    if seconds is None:
        return NONE
    for size, unit, part, below in _UNITS:
        if seconds >= size:
            whole = int(seconds)
            return f"{whole // size}{unit}{whole % size // part:02d}{below}"
    if 0 < seconds < 0.001:
        return "<0.001s"
    if seconds == int(seconds):
        return f"{int(seconds)}s"
    return f"{seconds:.1f}s" if seconds >= 10 else f"{seconds:.2f}s" if seconds >= 1 else f"{seconds:.3f}s"


def percent(share: float | None) -> str:
    """A fraction as a whole percentage; one that is not quite all, or not quite nothing, says so."""
    if share is None:
        return NONE
    whole = round(share * 100)
    if (whole, share < 1) == (100, True):
        return f"{int(share * 1000) / 10:.1f}%"
    return "<1%" if whole == 0 and share > 0 else f"{whole}%"


def money(amount: Decimal | None) -> str:
    """US dollars, to the cent from a dollar on, finer below."""
    if amount is None:
        return NONE
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.4f}"


def number(value: float | None) -> str:
    """A rate: three digits that count, and thousands apart."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def heading(period: Period) -> str:
    """What the report is about; the batch is told where it can be escaped."""
    until = moment(period.until)
    if period.since is None:
        return "from the first result on" if period.batch is None else "the whole batch"
    return f"{moment(period.since)} to {until}"


def pace(data: ReportData) -> str:
    """Ended tasks in an hour, or in a minute where it was not for an hour, and over what time."""
    per_hour, wall_s = data.totals.throughput_per_hour, data.period.wall_s
    if per_hour is None or wall_s is None:
        return NONE
    if wall_s < 3600:
        return f"{number(per_hour / 60)} a minute over {span(wall_s)}"
    return f"{number(per_hour)} an hour over {span(wall_s)}"


def workers(data: ReportData) -> str | None:
    """How many workers a batch had, and how busy they were; None where nobody can tell."""
    found = next((one for one in data.scaling if one.batch == data.period.batch), None)
    if found is None:
        return None
    return f"{found.workers}, on a task in {percent(1 - found.overhead)} of the time (parallel efficiency)"


def no_pool(data: ReportData) -> str:
    """Why nothing is said of the use of pools."""
    return "none of this clone's ran" if data.period.batch is None else "too short a batch to be sampled"


def cost(data: ReportData) -> str:
    """The cost, with what is not in it."""
    tally = data.totals.tally
    if tally.unpriced_tokens == tally.tokens and tally.tokens:
        return "no price here for any of the models"
    missing = (
        f", without {tally.unpriced_tokens:,} tokens that have no price" if tally.unpriced_tokens else ""
    )
    return money(tally.cost_usd) + missing


def statuses(data: ReportData) -> str:
    """How many tasks ended how: `110 completed, 8 failed, 2 timed out`."""
    return ", ".join(
        f"{count:,} {status.replace('_', ' ')}" for status, count in data.totals.by_status.items()
    )
