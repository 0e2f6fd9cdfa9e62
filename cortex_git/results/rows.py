"""The row of a repository in a result document: a bad one costs no other."""

from cortex_git.models import Result
from cortex_git.scan.records import RepositoryScan
from cortex_git.scan.stored_rows import BadRow, stored_row


def row_of(result: Result, repo: str) -> RepositoryScan:
    """The row in a result; where the attempt ended without a usable one, a failed row with its error."""
    if result.output.get("repo"):
        try:
            return stored_row(result.output)
        except BadRow as error:
            return RepositoryScan(repo, "failed", error=f"its result cannot be read: {error}")
    return RepositoryScan(repo, "failed", error=result.error or result.status, duration_s=result.duration_s)
