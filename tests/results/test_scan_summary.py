"""Results of a scan batch become rows of a report, and its last task publishes the summary."""

import json
from pathlib import Path

import pytest
from gitworld import git, new_coordination, result_for

from cortex_git.results import scan_summary
from cortex_git.results.rows import row_of
from cortex_git.results.scan_gaps import KEY, gaps_of, written
from cortex_git.results.scan_summary import merge_scan, rows_of
from cortex_git.scan.records import NotScanned, RepositoryScan
from cortex_git.scan.sources import parse_source
from cortex_git.services.scan_request import ScanRequest
from cortex_git.services.scans import prepare_batch
from cortex_git.store import index
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope

FINDING = {
    "id": "CVE-1", "aliases": ["GHSA-1"], "severity": "high", "score": 7.5, "ecosystem": "npm",
    "package": "p", "version": "1", "fixed": None, "lockfile": "package-lock.json", "line": 3,
}  # fmt: skip


@pytest.fixture
def scanned(tmp_path: Path, bare: Path) -> Coordination:
    """A batch of three: one scanned, one that failed, one whose worker published nothing readable."""
    new_coordination(tmp_path / "host", bare)
    host = Coordination.open(tmp_path / "host")
    sources = [parse_source(f"https://h.example/{name}") for name in "abc"]
    prepare_batch(host, ScanRequest(sources=sources, batch="weekly"))
    claims = sorted(host.claim(Scope(merges=False), 3, lambda _: "w"), key=lambda claim: claim.task.task)
    rows = [
        RepositoryScan("https://h.example/a", "scanned", commit="c" * 40, packages=7).to_json(),
        {},
        {"repo": 5},
    ]
    fields = [{}, {"status": "failed", "error": "no answer"}, {}]
    host.record(
        [
            (claim, result_for(host, claim, output=row, **more), {})
            for claim, row, more in zip(claims, rows, fields, strict=True)
        ]
    )
    host.flush()
    host.pull()
    return host


def test_rows_in_the_order_of_the_tasks(scanned: Coordination) -> None:
    batch = index.batch_of(scanned.repository, "weekly")
    rows = rows_of(scanned, batch, scanned.results(Scope(batch="weekly", merges=False)))
    assert [(row.status, row.packages) for row in rows] == [("scanned", 7), ("failed", 0), ("failed", 0)]
    assert rows[1].repo == "https://h.example/b"
    assert rows[1].error == "no answer"
    assert rows[2].repo == "https://h.example/c"
    assert "cannot be read" in (rows[2].error or "")


def test_the_gaps_of_a_batch_come_back_with_their_kinds(scanned: Coordination) -> None:
    gaps = (
        NotScanned("/srv/x", "the folder cannot be read", "folder", "/srv/x"),
        NotScanned("github:acme", "could not be listed", "listing"),
    )
    batch = index.batch_of(scanned.repository, "weekly")
    kept = batch.model_copy(update={"options": {KEY: written(gaps)}})
    assert gaps_of(kept) == gaps
    older = batch.model_copy(update={"options": {KEY: [["x", "as older versions write it"]]}})
    assert [gap.kind for gap in gaps_of(older)] == ["other"]


def test_a_row_comes_back_as_it_was_published(scanned: Coordination) -> None:
    gap = {"what": "poetry.lock", "reason": "too large"}
    row = {"repo": "x", "status": "incomplete", "findings": [FINDING], "not_scanned": [gap]}
    result = scanned.results(Scope(batch="weekly", merges=False))[0].model_copy(update={"output": row})
    assert row_of(result, "shown") == RepositoryScan.from_json(row)


@pytest.mark.parametrize(
    "output",
    [
        {"repo": "x"},
        {"repo": "x", "status": "fine"},
        {"repo": ["x"], "status": "scanned"},
        {"repo": {"a": 1}},
        {"repo": "x", "status": "scanned", "packages": "many"},
        {"repo": "x", "status": "scanned", "findings": 3},
        {"repo": "x", "status": "scanned", "findings": [{}]},
        {"repo": "x", "status": "scanned", "findings": [FINDING | {"severity": "super"}]},
        {"repo": "x", "status": "scanned", "not_scanned": [{"what": "x"}]},
        {"repo": "x", "status": "scanned", "duration_s": float("inf")},
        {"repo": "x", "status": "scanned", "findings": [FINDING | {"score": float("nan")}]},
    ],
)
def test_a_row_that_somebody_pushed_by_hand_costs_itself_only(
    scanned: Coordination, output: dict[str, object]
) -> None:
    result = scanned.results(Scope(batch="weekly", merges=False))[0].model_copy(update={"output": output})
    row = row_of(result, "shown")
    assert (row.repo, row.status) == ("shown", "failed")
    assert "cannot be read" in (row.error or "")


@pytest.mark.parametrize(("most", "left_out"), [(0, []), (-1, ["summary.json", "results.sarif"])])
def test_of_very_many_findings_the_last_task_publishes_less_and_says_so(
    scanned: Coordination, monkeypatch: pytest.MonkeyPatch, most: int, left_out: list[str]
) -> None:
    monkeypatch.setattr(scan_summary, "MOST_FINDINGS", most)
    claim = scanned.claim(Scope(batch="weekly"), 1, lambda _: "w")[0]
    result, files = merge_scan(scanned, claim, "database line")
    assert result.output["left_out"] == left_out
    published = {path.rpartition("/")[2] for path in files}
    assert published == {"summary.json", "summary.md", "results.sarif"} - {*left_out}


def test_the_last_task_publishes_the_summary(scanned: Coordination, bare: Path) -> None:
    claim = scanned.claim(Scope(batch="weekly"), 1, lambda _: "w")[0]
    assert claim.task.task == "weekly.merge"
    result, files = merge_scan(scanned, claim, "database line")
    assert result.output["sources"] == ["weekly-1", "weekly-2", "weekly-3"]
    assert (result.output["repositories"], result.output["failed"]) == (3, 2)
    scanned.record([(claim, result, files)])
    scanned.flush()
    scanned.fold()
    folder = "main:coordination/results/weekly"
    summary = json.loads(git(bare, "show", f"{folder}/summary.json"))
    assert (summary["repositories_scanned"], summary["repositories_failed"]) == (1, 2)
    assert "database line" in git(bare, "show", f"{folder}/summary.md")
    assert json.loads(git(bare, "show", f"{folder}/results.sarif"))["version"] == "2.1.0"
