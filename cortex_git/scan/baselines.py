"""A baseline: an earlier report, against which only what is new counts.

Owns how a JSON report is read back. Findings that it lists as suppressed are no part of a baseline: when
their entry expires they are new.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cortex_git.errors import BadInput
from cortex_git.scan.comparing import Earlier, settle
from cortex_git.scan.documents import read_json
from cortex_git.scan.fingerprints import name_then, names_now
from cortex_git.scan.records import Finding, RepositoryScan
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.secret_baselines import compare_secrets
from cortex_git.scan.set_aside import Baseline, Placed, Spread
from cortex_git.scan.stored_rows import BadRow, stored_row

MOST_BYTES = 512 << 20
_WHAT = "baseline"
_NOTED = 5
_NAMED = 5


def read_baseline(path: Path) -> tuple[RepositoryScan, ...]:
    """The rows of a JSON report, with the findings that it knew from a baseline of its own.

    Raises BadInput for anything that is not such a report: nothing would be new, or everything.
    """
    document = read_json(path, MOST_BYTES, _WHAT)
    if document.get("schema") != 1 or not isinstance(document.get("repositories"), list):
        raise BadInput(f"{_WHAT} {path} is no report of this program", "make one with --format json")
    rows = _rows(_with_accepted(document), path)
    own = document.get("baseline")
    known = own.get("known", []) if isinstance(own, dict) else []
    if not isinstance(known, list) or not all(isinstance(one, dict) for one in known):
        raise BadInput(f"{_WHAT} {path}: baseline.known is no list of findings", "make it again")
    before = [{"repo": one.get("repo"), "status": "scanned", "findings": [one]} for one in known]
    secrets = own.get("known_secrets", []) if isinstance(own, dict) else []
    if not isinstance(secrets, list) or not all(isinstance(one, dict) for one in secrets):
        raise BadInput(f"{_WHAT} {path}: baseline.known_secrets is no list of secrets", "make it again")
    before += [{"repo": one.get("repo"), "status": "scanned", "secrets": [one]} for one in secrets]
    gaps = {row.repo: row.not_scanned for row in rows}
    known_rows = [replace(row, not_scanned=gaps.get(row.repo, ())) for row in _rows(before, path)]
    return (*rows, *known_rows)


def _with_accepted(document: Mapping[str, Any]) -> list[Any]:
    """The repositories of a report with the gaps that were accepted in it: they hid findings all the same."""
    values: list[Any] = document["repositories"]
    accepted = document.get("accepted")
    by_repo: dict[str, list[Any]] = defaultdict(list)
    for one in accepted if isinstance(accepted, list) else ():
        if isinstance(one, dict) and isinstance(one.get("repo"), str):
            by_repo[one["repo"]].append(one)
    return [_with(value, by_repo) if isinstance(value, dict) else value for value in values]


def _with(value: dict[str, Any], accepted: Mapping[str, list[Any]]) -> dict[str, Any]:
    repo, own = value.get("repo"), value.get("not_scanned", [])
    more = accepted.get(repo, []) if isinstance(repo, str) else []
    return {**value, "not_scanned": [*own, *more]} if more and isinstance(own, list) else value


def _rows(values: Sequence[Any], path: Path) -> list[RepositoryScan]:
    rows = []
    for number, value in enumerate(values):
        try:
            rows.append(replace(stored_row(value), folder=""))
        except BadRow as error:
            raise BadInput(
                f"{_WHAT} {path} cannot be read: repository {number}: {error}", "make it again"
            ) from None
    return rows


def against(
    report: ScanReport, source: str, earlier: Sequence[RepositoryScan], batches: Sequence[str] = ()
) -> ScanReport:
    """The report with only its new findings in the rows, and the known ones apart.

    `source` is what the baseline is called, `batches` those that it is made of. Findings that are suppressed
    now are not counted as fixed.
    """
    before = Earlier(earlier)
    rows: list[RepositoryScan] = []
    known: list[Placed] = []
    spread: list[Spread] = []
    names: dict[str, set[str]] = defaultdict(set)
    for row in report.repositories:
        fresh: list[Finding] = []
        own = names_now(row)
        names[row.repo].update(own)
        for finding in row.findings:
            had = before.had(own, finding)
            if had.known:
                known.append(Placed(row.repo, finding))
                continue
            fresh.append(finding)
            if had.anywhere:
                spread.append(Spread(row.repo, finding, had.new_lockfiles))
        rows.append(replace(row, findings=tuple(fresh)))
    suppressed = tuple(
        replace(one, in_baseline=before.had(names[one.repo] or {one.repo}, one.finding).known)
        for one in report.suppressed
    )
    fixed, unknown = settle(before, report.repositories)
    secrets = compare_secrets(replace(report, repositories=tuple(rows)), source, earlier)
    return replace(
        report,
        repositories=secrets.repositories,
        suppressed=suppressed,
        suppressed_secrets=secrets.suppressed,
        baseline=Baseline(
            source,
            tuple(known),
            fixed,
            len(unknown),
            secrets.known,
            secrets.gone,
            secrets.not_compared,
            tuple(spread),
            tuple(batches),
        ),
        notes=(*report.notes, *secrets.notes, *_elsewhere(report, source, earlier), *_notes(spread)),
    )


def _elsewhere(report: ScanReport, source: str, earlier: Sequence[RepositoryScan]) -> list[str]:
    """Which repositories the baseline has by name alone, of other folders; or that it has none at all."""
    there = {name_then(row.repo, row.folder) for row in earlier}
    shown = {row.repo for row in earlier}
    if earlier and report.repositories and shown.isdisjoint(row.repo for row in report.repositories):
        names = f"it names {earlier[0].repo}, this scan {report.repositories[0].repo}"
        return [f"the baseline {source} has none of these repositories: everything is new ({names})"]
    lines = [
        f"{row.repo} is another folder in the baseline {source}: everything in it is new"
        for row in report.repositories
        if row.repo in shown and not there.intersection(names_now(row))
    ]
    if len(lines) > _NOTED:
        lines[_NOTED:] = [f"{len(lines) - _NOTED:,} more repositories are other folders in the baseline"]
    return lines


def _notes(spread: Sequence[Spread]) -> list[str]:
    """Which lockfiles make known findings new, one line for each of the first findings."""
    lines = []
    for one in spread[:_NOTED]:
        finding, names = one.finding, ", ".join(one.lockfiles[:_NAMED])
        more = len(one.lockfiles) - _NAMED
        names += f" and {more:,} more lockfiles" if more > 0 else ""
        lines.append(f"{finding.package} {finding.id} in {one.repo} was known, and is new in {names}")
    if len(spread) > _NOTED:
        lines.append(f"{len(spread) - _NOTED:,} more known findings are new in another lockfile")
    return lines
