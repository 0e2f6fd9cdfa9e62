"""What this host's clock can be held against: the days of imports, and batches that were begun before.

Expiries are judged by the latest day that is known to have come: a clock that is behind must not make an
entry last. Must never fail for a date, whatever it says.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from cortex_git.config import data_folder
from cortex_git.errors import CortexError
from cortex_git.models import Batch
from cortex_git.scan.scan_report import ScanReport
from cortex_git.store import index
from cortex_git.store.coordination import Coordination

_TOLERANCE = timedelta(minutes=5)
"""By which clocks of different machines may differ without a word."""
_NAMED = 5


def today(report: ScanReport | None = None) -> tuple[date, tuple[str, ...]]:
    """The day (UTC) by which expiries are judged, and a note where that is not the clock's.

    The latest of the clock's day, that of the advisories' import, and those of the EPSS and KEV lists.
    """
    clock = datetime.now(UTC).date()
    known = {clock: ""}
    if (imported := _imported()) is not None:
        known[imported] = "the advisories were imported"
    for text, what in ((report.epss_date, "EPSS"), (report.kev_date, "KEV")) if report else ():
        if (day := _day(text)) is not None:
            known.setdefault(day, f"the {what} list was made")
    latest = max(known)
    if latest == clock:
        return clock, ()
    behind = f"this host's clock says {clock}, and {known[latest]} on {latest}"
    return latest, (f"{behind}: entries that expire are judged by that day; set the clock",)


def noted(report: ScanReport, coordination: Coordination) -> ScanReport:
    """The report with a note on batches from the future, of those that its rows and its baseline are from."""
    names = dict.fromkeys(row.unchanged_since for row in report.repositories if row.unchanged_since)
    if report.baseline is not None:
        names |= dict.fromkeys(report.baseline.batches)
    limit = datetime.now(UTC) + _TOLERANCE
    ahead = []
    for name in names:
        batch = _batch(coordination, name)
        begun = None if batch is None else _moment(batch.created_at)
        if begun is not None and begun > limit:
            ahead.append(f"{name} ({begun:%Y-%m-%d %H:%M} UTC)")
    if not ahead:
        return report
    more = f" and {len(ahead) - _NAMED:,} more" if len(ahead) > _NAMED else ""
    listed = ", ".join(ahead[:_NAMED])
    text = f"begun in the future by this host's clock, so `last` and moments may mean others: {listed}{more}"
    return replace(report, notes=(*report.notes, text))


def _batch(coordination: Coordination, name: str) -> Batch | None:
    try:
        return index.any_batch(coordination.repository, name)
    except CortexError:
        return None


def _imported() -> date | None:
    from cortex_git.scan.advisories.database import open_default

    try:
        found = open_default(data_folder())
    except CortexError:
        return None
    if found is None:
        return None
    with found:
        return found.built_at.astimezone(UTC).date()


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
