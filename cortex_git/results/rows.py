"""The row of a repository in a result document.

Must never take a row's word for its form: whoever can push can write one, and a bad one must cost no other.
"""

from functools import cache

from pydantic import TypeAdapter, ValidationError

from cortex_git.models import Result
from cortex_git.scan.records import RepositoryScan


@cache
def _rows() -> "TypeAdapter[RepositoryScan]":
    return TypeAdapter(RepositoryScan)


def row_of(result: Result, repo: str) -> RepositoryScan:
    """The row in a result; where the attempt ended without a usable one, a failed row with its error."""
    if result.output.get("repo"):
        try:
            return _rows().validate_python(result.output)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            return RepositoryScan(repo, "failed", error=f"its result cannot be read: {where}: {first['msg']}")
    return RepositoryScan(repo, "failed", error=result.error or result.status, duration_s=result.duration_s)
