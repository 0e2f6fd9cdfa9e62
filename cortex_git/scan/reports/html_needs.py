"""The table of the HTML report that lists what has to be done, over all repositories.

It names a few of the repositories; the list of findings has them all.
"""

from collections.abc import Sequence

from cortex_git.pages.tables import Cell, Column, Table
from cortex_git.pages.text import clip_start
from cortex_git.scan.reports.by_advisory import Need
from cortex_git.scan.reports.html_cells import linked, severity_cell

REPOSITORIES_NAMED = 20
_NAME_LIMIT = 200
_COLUMNS = (
    Column("Vulnerability"),
    Column("Severity", choose=True),
    Column("Repositories", number=True),
    Column("Need", name=True),
    Column("Which", long=True),
    Column("Ecosystem", choose=True),
    Column("Summary", long=True),
)


def table(needs: Sequence[Need], *, left_out: str) -> Table:
    """A row for each need; `left_out` says what is not among them."""
    rows = [_row(need) for need in needs]
    return Table("What is needed, by advisory", _COLUMNS, rows, left_out=left_out, empty="Nothing.")


def _row(need: Need) -> tuple[str | float | Cell | None, ...]:
    named = [clip_start(repo, _NAME_LIMIT) for repo in need.repositories[:REPOSITORIES_NAMED]]
    more = len(need.repositories) - len(named)
    return (
        Cell(linked(need.id), need.id, "id"),
        severity_cell(need.severity),
        len(need.repositories),
        need.sentence,
        ", ".join(named) + (f" and {more:,} more" if more else ""),
        need.ecosystem,
        need.summary,
    )
