"""Repositories that have not changed: what `multi-repo-scan` takes over, and what a report then says."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMIT, Command, Done
from gitworld import git

from cortex_git.config import cache_folder
from cortex_git.models import Result
from cortex_git.results import taken_over
from cortex_git.results.rows import row_of
from cortex_git.scan import marks
from cortex_git.scan.sources import parse_source
from cortex_git.services import unchanged
from cortex_git.services.scan_request import ScanRequest
from cortex_git.services.scans import prepare_batch
from cortex_git.store import results
from cortex_git.store.coordination import Coordination
from cortex_git.store.tasks import new_batch

Checkout = Callable[..., Path]
Made = dict[str, Path]


@pytest.fixture
def made(coordinated: Path, checkout: Checkout, tmp_path: Path) -> Made:
    """Three repositories, scanned once as batch `first` in the coordination repository one is in."""
    return {name: checkout(name, tmp_path / "repos") for name in ("r1", "r2", "r3")}


@pytest.fixture
def scan(cortex: Command, made: Made) -> Callable[..., Done]:
    """Scan them all."""

    def run(*arguments: str | Path) -> Done:
        return cortex("multi-repo-scan", "--allow-incomplete", "--format", "json", *arguments, *made.values())

    run("--batch", "first")
    return run


def since(report: Any) -> dict[str, str | None]:
    return {Path(row["repo"]).name: row["unchanged_since"] for row in report["repositories"]}


def found(report: Any) -> list[Any]:
    keys = ("repo", "status", "commit", "packages", "findings", "not_scanned", "database")
    return [[row[key] for key in keys] for row in report["repositories"]]


def commit(folder: Path, version: str = "4.17.21") -> None:
    lock = json.loads((folder / "package-lock.json").read_text())
    lock["packages"]["node_modules/lodash"]["version"] = version
    (folder / "package-lock.json").write_text(json.dumps(lock))
    git(folder, *COMMIT, "change", "-a")


def files(coordinated: Path, batch: str) -> list[str]:
    tree = git(coordinated, "ls-tree", "-r", "--name-only", "refs/remotes/origin/main")
    return [path for path in tree.splitlines() if f"/{batch}" in path]


ALL = {"r1": "first", "r2": "first", "r3": "first"}


TIMES = {"batch", "real_time_s", "spawn_overhead_s_avg", "scan_time_s_avg", "parallel_efficiency", "workers"}


def alike(report: Any) -> Any:
    """All of a report that a run in which nothing has changed must say again."""
    rows = [{**row, "unchanged_since": None, "duration_s": 0} for row in report["repositories"]]
    return {**{key: value for key, value in report.items() if key not in TIMES}, "repositories": rows}


@pytest.mark.parametrize("words", [(), ("--changed-since", "first"), ("--changed-since", "24h")], ids=str)
def test_unchanged_repositories_are_taken_over(
    scan: Callable[..., Done],
    conforms: Callable[[Any, str], None],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    again = scan("--rescan", "--batch", "again").json() if words == ("--changed-since", "first") else None
    monkeypatch.setattr("cortex_git.services.batches.open_pool", None)  # no worker is started
    done = scan(*words, "--batch", "second", "--fail-on", "high")
    report = done.json()
    conforms(report, "multi-repo-scan")
    assert (since(report), done.code) == (ALL, 1)
    assert "batch second: 3 repositories, all unchanged (--rescan" in done.err
    if again is not None:
        assert alike(report) == alike(again)
        assert since(again) == dict.fromkeys(ALL)


def test_a_dry_run_says_what_would_be_taken_over(scan: Callable[..., Done], made: Made) -> None:
    commit(made["r2"])
    done = scan("--dry-run")
    plan = done.json()
    taken = "take over 2 rows from batch first (--rescan scans those, too)"
    assert plan["would"] == f"scan 1 repository with 1 worker, and {taken}"
    assert since(plan) == {"r1": "first", "r2": None, "r3": "first"}
    assert f"{made['r1']}, unchanged since batch first: its row would be taken over" in done.err
    assert since(scan("--dry-run", "--rescan").json()) == dict.fromkeys(ALL)
    assert "exists already" in scan("--dry-run", "--batch", "first").error(2)
    assert scan("--dry-run", "--resume", "first").json()["repositories"] == []


def test_only_what_changed_is_scanned_in_the_order_given(scan: Callable[..., Done], made: Made) -> None:
    commit(made["r2"])
    done = scan("--batch", "second")
    assert "1 repository, 2 more are unchanged" in done.err
    assert list(since(done.json()).items()) == [("r1", "first"), ("r2", None), ("r3", "first")]
    assert found(done.json()) == found(scan("--rescan").json())


def test_rows_keep_the_batch_that_scanned_them_over_any_number_of_batches(
    scan: Callable[..., Done], made: Made
) -> None:
    commit(made["r2"])
    scan("--changed-since", "last", "--batch", "second")
    scan("--changed-since", "last", "--batch", "third")
    report = scan("--changed-since", "third", "--batch", "fourth").json()
    assert since(report) == {"r1": "first", "r2": "second", "r3": "first"}


def test_a_batch_with_nothing_to_scan_writes_one_document_and_can_be_reported_again(
    scan: Callable[..., Done], cortex: Command, coordinated: Path
) -> None:
    second = scan("--changed-since", "last", "--batch", "second").json()
    again = cortex("multi-repo-scan", "--resume", "second", "--format", "json", "--allow-incomplete")
    assert found(again.json()) == found(second)
    assert since(again.json()) == ALL
    cortex("multi-repo-scan", "--resume", "first", "--format", "json", "--allow-incomplete")
    cortex("sync")
    assert files(coordinated, "second") == ["coordination/batches/second.json"]
    assert cortex("status", "--format", "json").code == 0
    assert cortex("task", "list", "--batch", "second", "--format", "json").json()["tasks"] == []


def test_a_partly_unchanged_batch_is_resumed_with_all_of_its_rows_and_has_a_summary_of_all(
    scan: Callable[..., Done], cortex: Command, made: Made, coordinated: Path
) -> None:
    commit(made["r3"])
    second = scan("--changed-since", "last", "--batch", "second").json()
    again = cortex("multi-repo-scan", "--resume", "second", "--format", "json", "--allow-incomplete").json()
    assert (found(again), since(again)) == (found(second), since(second))
    summary = json.loads((coordinated / "coordination/results/second/summary.json").read_text())
    assert found(summary) == found(second)


def test_a_force_pushed_branch_is_scanned(scan: Callable[..., Done], made: Made) -> None:
    commit(made["r1"])
    scan("--batch", "newer", "--rescan")
    git(made["r1"], "reset", "-q", "--hard", "HEAD~1")
    report = scan("--changed-since", "newer").json()
    assert since(report) == {"r1": None, "r2": "newer", "r3": "newer"}
    assert report["cves_found"] == 6
    assert since(scan("--changed-since", "first").json()) == ALL


def test_a_repository_replaced_at_the_same_path_is_scanned(
    scan: Callable[..., Done], made: Made, checkout: Checkout
) -> None:
    shutil.rmtree(made["r1"])
    commit(checkout("r1", made["r1"].parent))
    report = scan("--changed-since", "last").json()
    assert since(report) == {"r1": None, "r2": "first", "r3": "first"}
    assert report["repositories"][0]["commit"] == git(made["r1"], "rev-parse", "HEAD")


def test_a_dirty_work_tree_is_not_a_change(scan: Callable[..., Done], made: Made) -> None:
    (made["r1"] / "package-lock.json").write_text("{}")
    assert since(scan("--changed-since", "last").json()) == ALL


def test_a_changed_reader_scans_everything(
    scan: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Sequence[Any]] = []

    def heads(sources: Sequence[Any], *_: Any, **__: Any) -> list[str]:
        asked.append(sources)
        return []

    monkeypatch.setattr(unchanged, "heads_of", heads)
    monkeypatch.setattr(marks, "_row_code", lambda: "other code")
    assert since(scan().json()) == dict.fromkeys(ALL)
    assert asked == [[]]


def test_another_database_scans_everything(
    scan: Callable[..., Done], cortex: Command, tmp_path: Path
) -> None:
    import zipfile

    folder = tmp_path / "dumps" / "npm"
    folder.mkdir(parents=True)
    affected = [
        {
            "package": {"ecosystem": "npm", "name": "lodash"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}],
        }
    ]
    record = {"id": "GHSA-new", "modified": "2026-01-01T00:00:00Z", "affected": affected}
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.writestr("GHSA-new.json", json.dumps(record))
    assert cortex("advisories", "update", "--from", tmp_path / "dumps", "--ecosystem", "npm").code == 0
    report = scan().json()
    assert since(report) == dict.fromkeys(ALL)
    assert [finding["id"] for row in report["repositories"] for finding in row["findings"]] == [
        "GHSA-new"
    ] * 3
    assert set(since(scan("--changed-since", "last").json()).values()) != {None}


def test_failed_and_incomplete_rows_are_scanned_again(
    cortex: Command, scan: Callable[..., Done], made: Made, tmp_path: Path
) -> None:
    (made["r1"] / "Cargo.toml").write_text("[package]\n")  # without a lockfile, which a commit always is
    (made["r3"] / "poetry.lock").symlink_to("elsewhere")
    for name in ("r1", "r3"):
        git(made[name], "add", ".")
        git(made[name], *COMMIT, "no lock")
    hidden = made["r2"] / ".git"
    hidden.rename(tmp_path / "hidden")
    hidden.write_text("no git directory")
    before = scan("--batch", "bad").json()
    assert [row["status"] for row in before["repositories"]] == ["incomplete", "failed", "incomplete"]
    hidden.unlink()
    (tmp_path / "hidden").rename(hidden)
    after = scan().json()
    assert since(after) == {"r1": "bad", "r2": None, "r3": None}
    assert after["repositories"][0]["not_scanned"] == before["repositories"][0]["not_scanned"] != []


def test_another_ref_is_not_the_same_repository(
    cortex: Command, scan: Callable[..., Done], made: Made
) -> None:
    git(made["r1"], "branch", "release")
    names = (f"{made['r1']}@release", made["r2"])
    arguments = ("multi-repo-scan", "--allow-incomplete", "--format", "json", *names)
    assert since(cortex(*arguments, "--changed-since", "first", "--batch", "refs").json()) == {
        "r1": None,
        "r2": "first",
    }
    assert since(cortex(*arguments, "--changed-since", "refs").json()) == {"r1": "refs", "r2": "first"}


def test_the_first_night_scans_all_and_asks_nobody(
    cortex: Command, here: Path, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unchanged, "heads_of", None)
    done = cortex("multi-repo-scan", checkout("r1"), "--allow-incomplete", "--format", "json")
    assert since(done.json()) == {"r1": None}


def test_each_row_comes_from_the_newest_batch_that_is_done_with_the_repository(
    cortex: Command, scan: Callable[..., Done], made: Made, coordinated: Path
) -> None:
    commit(made["r2"])
    cortex("multi-repo-scan", made["r2"], "--allow-incomplete", "--batch", "one")
    coordination = Coordination.open(coordinated)
    sources = [parse_source(str(path)) for path in made.values()]
    prepare_batch(coordination, ScanRequest(sources, batch="never-run", rescan=True))
    coordination.add_batch(new_batch("other-kind", 0, coordination.repository.host), [])
    assert since(scan().json()) == {"r1": "first", "r2": "one", "r3": "first"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--changed-since", "nothing"), 2, "is no scan batch and no moment"),
        (("--changed-since", "first", "--resume", "first"), 2, "leave --changed-since out"),
    ],
    ids=["unknown", "with resume"],
)
def test_what_cannot_be_meant_is_refused(
    scan: Callable[..., Done], arguments: tuple[str, ...], code: int, words: str
) -> None:
    assert words in scan(*arguments).error(code)


@pytest.mark.parametrize(
    "runs",
    [
        ["x"],
        "x",
        [[1, "first-1", -1]],
        [[1, "first-1", 10**9]],
        [[1, "first-9", 1]],
        [[1, "gone", 2]],
        {"a": 1},
    ],
    ids=str,
)
def test_a_reference_that_cannot_be_read_is_a_failed_row(
    scan: Callable[..., Done], cortex: Command, coordinated: Path, runs: object
) -> None:
    coordination = Coordination.open(coordinated)
    batch = new_batch("odd", 0, coordination.repository.host)
    options = {"kind": "scan", "sample": False, "unchanged": runs}
    coordination.add_batch(batch.model_copy(update={"options": options}), [])
    done = cortex("multi-repo-scan", "--resume", "odd", "--format", "json")
    assert done.code == 3
    assert done.json()["repositories_failed"] >= 1


@pytest.mark.parametrize("form", ["table", "markdown", "html"])
def test_every_form_says_what_is_unchanged(
    scan: Callable[..., Done], cortex: Command, made: Made, form: str
) -> None:
    commit(made["r2"])
    done = scan("--format", form)
    expected = {
        "table": "Unchanged, taken over: 2 from batch first (--rescan",
        "markdown": "- Unchanged, taken",
    }
    assert expected.get(form, "scanned, unchanged since first") in done.out


def test_a_row_cannot_say_of_itself_that_it_is_unchanged() -> None:
    output = {"repo": "r", "status": "scanned", "unchanged_since": "<b>"}
    result = Result(
        task="a-1", batch="a", status="completed", worker="w", host="h", nonce="n" * 8, output=output
    )
    assert row_of(result, "r").unchanged_since is None


def test_rows_are_taken_from_the_cache_and_without_it_from_their_results(
    scan: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = results.read_results

    def read(repository: Any, names: Sequence[str]) -> Any:
        asked.append(len(names))
        return real(repository, names)

    monkeypatch.setattr(results, "read_results", read)
    monkeypatch.setattr(taken_over, "_read_before", {})
    kept = scan("--changed-since", "last", "--batch", "second").json()
    assert set(asked) == {0}
    shutil.rmtree(cache_folder())
    monkeypatch.setattr(taken_over, "_read_before", {})
    read_again = scan("--changed-since", "last", "--batch", "third").json()
    assert 3 in asked
    assert (found(read_again), since(read_again)) == (found(kept), ALL)


def test_rows_of_an_archived_batch_are_found_as_well(
    scan: Callable[..., Done], cortex: Command, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = scan("--changed-since", "last", "--batch", "second").json()
    assert cortex("gc", "--archive", "first").code == 0
    shutil.rmtree(cache_folder())
    monkeypatch.setattr(taken_over, "_read_before", {})
    again = cortex("multi-repo-scan", "--resume", "second", "--format", "json", "--allow-incomplete").json()
    assert (found(again), since(again)) == (found(second), ALL)
    commit(made["r1"])
    third = scan("--changed-since", "second", "--batch", "third").json()
    assert since(third) == {"r1": None, "r2": "first", "r3": "first"}
    assert cortex("gc", "--archive", "second").code == 0
