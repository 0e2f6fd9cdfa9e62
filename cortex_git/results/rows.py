"""The row of a repository in a result document: a bad one costs no other."""

from dataclasses import replace
from typing import Any

from cortex_git.models import Result
from cortex_git.scan.records import RepositoryScan
from cortex_git.scan.stored_rows import BadRow, stored_row

_shared: dict[str, str] = {}
_MOST_SHARED = 50_000


def _sharing(output: dict[str, Any]) -> dict[str, Any]:
    """The output with one text for equal ones: a thousand repositories have the same advisories."""
    found = output.get("findings")
    if not isinstance(found, list):
        return output
    if len(_shared) > _MOST_SHARED:
        _shared.clear()
    return {**output, "findings": [_shared_values(one) if isinstance(one, dict) else one for one in found]}


def _shared_values(finding: dict[str, Any]) -> dict[str, Any]:
    return {k: _shared.setdefault(v, v) if isinstance(v, str) else v for k, v in finding.items()}


def row_of(result: Result, repo: str) -> RepositoryScan:
    """The row in a result; where the attempt ended without a usable one, a failed row with its error."""
    if result.output.get("repo"):
        try:
            # That a row was taken over is for the batch to say, which names a task, and the folder for the
            # task: never for the row.
            return replace(stored_row(_sharing(result.output)), unchanged_since=None, folder="")
        except BadRow as error:
            return RepositoryScan(repo, "failed", error=f"its result cannot be read: {error}")
    return RepositoryScan(repo, "failed", error=result.error or result.status, duration_s=result.duration_s)
