"""Secrets compared with those of an earlier scan: known ones, new ones, and those that are gone.

Must never call one gone that was not looked for again, and in all files.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cortex_git.scan.fingerprints import name_then, names_now, numbered, secret_fingerprint
from cortex_git.scan.records import RepositoryScan
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.set_aside import PlacedSecret, SuppressedSecret


@dataclass(frozen=True, slots=True)
class SecretsCompared:
    """What became of the secrets since the earlier scan."""

    repositories: tuple[RepositoryScan, ...]
    """The later scan's rows with their new secrets only."""
    known: tuple[PlacedSecret, ...]
    suppressed: tuple[SuppressedSecret, ...]
    """Those of the later scan, each with whether the earlier one had it."""
    gone: tuple[PlacedSecret, ...]
    not_compared: int
    notes: tuple[str, ...] = ()


def compare_secrets(report: ScanReport, source: str, earlier: Sequence[RepositoryScan]) -> SecretsCompared:
    """The report's secrets beside those of `earlier`, which is called `source`.

    The same place, kind and number is the same secret: what replaces one in its place is not told from it.
    """
    before = {
        secret_fingerprint(name_then(row.repo, row.folder), one): (row, one)
        for row in earlier
        for one in numbered(row.secrets)
    }
    rows: list[RepositoryScan] = []
    known: list[PlacedSecret] = []
    met: set[str] = set()
    names: dict[str, set[str]] = defaultdict(set)
    for row in report.repositories:
        fresh = []
        names[row.repo].update(names_now(row))
        for one in numbered(row.secrets):
            marks = {secret_fingerprint(name, one) for name in names_now(row)}
            met |= marks
            if marks & before.keys():
                known.append(PlacedSecret(row.repo, one))
            else:
                fresh.append(one)
        rows.append(replace(row, secrets=tuple(fresh)))
    suppressed = []
    for aside in report.suppressed_secrets:
        own = names[aside.repo] or {aside.repo}
        marks = {secret_fingerprint(name, aside.secret) for name in own}
        met |= marks
        suppressed.append(replace(aside, in_baseline=bool(marks & before.keys())))
    left = [placed for mark, placed in before.items() if mark not in met]
    again = _looked_through(report)
    gone = tuple(
        PlacedSecret(row.repo, one) for row, one in left if again.get(name_then(row.repo, row.folder))
    )
    notes: tuple[str, ...] = ()
    looked_then = before or any(row.secrets_looked for row in earlier)
    if report.secrets_found and not looked_then:
        notes = (f"secrets were not looked for in the baseline {source}: all are new",)
    return SecretsCompared(tuple(rows), tuple(known), tuple(suppressed), gone, len(left) - len(gone), notes)


def _looked_through(report: ScanReport) -> dict[str, bool]:
    """By the names of each repository: whether all of it that should be was looked through for secrets."""
    found: dict[str, bool] = defaultdict(lambda: True)
    for row in report.repositories:
        looked = row.secrets_looked
        whole = row.status != "failed" and looked is not None and looked.whole
        for name in names_now(row):
            found[name] = found[name] and whole
    return found
