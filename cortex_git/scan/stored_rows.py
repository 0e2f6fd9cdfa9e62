"""A repository's row read from outside: from a result document that anyone who can push wrote, from a report.

Must never take a row's word for its form: every field is checked, and every figure is a number.
"""

from collections.abc import Iterable
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any

from cortex_git.scan.records import RepositoryScan

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_MOST_REASONS = 20
_MOST_COUNTED = 1 << 50


class BadRow(Exception):
    """What was read is no row; says where and why, in one clause."""


@cache
def _rows() -> "TypeAdapter[RepositoryScan]":
    from pydantic import TypeAdapter

    return TypeAdapter(RepositoryScan)


def stored_row(value: Any) -> RepositoryScan:
    """The row in plain JSON values; unknown keys are ignored, missing ones default. Raises BadRow."""
    from pydantic import ValidationError

    try:
        row = _rows().validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRow(f"{where}: {first['msg']}" if where else first["msg"]) from None
    except RecursionError:
        raise BadRow("it is nested too deeply") from None
    if not all(map(isfinite, _figures(row))):
        # JSON has no such figure, and no report could be written any more.
        raise BadRow("a figure in it is not a finite number")
    if not _countable(row):
        raise BadRow("what it says of secrets has no sense")
    return row


def _countable(row: RepositoryScan) -> bool:
    """Whether what was looked at for secrets can be added up and shown."""
    looked = row.secrets_looked
    counts = [one.number for one in row.secrets]
    if looked is not None:
        counts += [looked.files, looked.size, *(one.files for one in looked.passed_over)]
    few = looked is None or len(looked.passed_over) <= _MOST_REASONS
    return few and all(0 <= count < _MOST_COUNTED for count in counts)


def _figures(row: RepositoryScan) -> Iterable[float]:
    yield row.duration_s
    for finding in row.findings:
        yield from (value for value in (finding.score, finding.epss) if value is not None)
