"""What a report says of keys and passwords in files: where they stand and what they look like.

Escaped for a terminal. There is nothing else to show: the secrets themselves were never kept.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator

from cortex_git.scan.records import RepositoryScan, SecretFound
from cortex_git.scan.reports.escape import clip, terminal
from cortex_git.scan.scan_report import ScanReport

SHOWN = 20
_TEXT_LIMIT = 300


def secrets_of(report: ScanReport) -> Iterator[tuple[RepositoryScan, SecretFound]]:
    """Every secret with the row of its repository."""
    for row in report.repositories:
        for one in row.secrets:
            yield row, one


def secret_lines(report: ScanReport, limit: int | None = SHOWN) -> list[str]:
    """`Secrets (N):` and a line for each of the first `limit`; nothing where there is none."""
    found = list(secrets_of(report))
    if not found:
        return []
    shown = found if limit is None else found[:limit]
    lines = [f"Secrets ({len(found):,}):"]
    lines += [f"  - {_clipped(row.repo)}: {_clipped(one.path)}:{one.line}: {one.kind}" for row, one in shown]
    if len(found) > len(shown):
        lines.append(f"  ... and {len(found) - len(shown):,} more (see --format json)")
    return lines


def fingerprints(repo: str, secrets: tuple[SecretFound, ...]) -> list[str]:
    """One for each: of the repository, the path, the kind, and which of that kind it is in the file.

    Lines may move.
    """
    counts: Counter[tuple[str, str]] = Counter()
    marks: list[str] = []
    for one in secrets:
        counts[one.path, one.kind] += 1
        parts = [repo, one.path, one.kind, counts[one.path, one.kind]]
        marks.append(hashlib.sha256(json.dumps(parts).encode()).hexdigest())
    return marks


def _clipped(text: str) -> str:
    return terminal(clip(text, _TEXT_LIMIT))
