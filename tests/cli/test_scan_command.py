"""`multi-repo-scan` through the command line: which repositories, which output, which exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command, Done
from gitworld import git

Checkout = Callable[..., Path]
ALLOW = "--allow-incomplete"
"""The starter set alone makes a scan incomplete."""


def scan(cortex: Command, *arguments: str | Path) -> Done:
    return cortex("multi-repo-scan", *arguments)


def as_json(cortex: Command, *arguments: str | Path) -> Any:
    return scan(cortex, ALLOW, "--format", "json", *arguments).json()


def repos(report: Any) -> list[str]:
    return [row["repo"] for row in report["repositories"]]


def test_table(cortex: Command, here: Path, checkout: Checkout) -> None:
    checkout("r 1", here)
    done = scan(cortex, "r 1", ALLOW)
    assert done.code == 0
    assert [line.split(":")[0] for line in done.out.splitlines()[-7:]] == [
        "Repositories scanned", "CVEs found", "Critical", "Real time", "Worker spawn overhead",
        "Scan time per repo", "Parallel efficiency",
    ]  # fmt: skip
    assert "CVEs found: 2" in done.out
    assert done.err.startswith("batch scan-")


def test_json_is_as_published(
    cortex: Command, here: Path, checkout: Checkout, conforms: Callable[[Any, str], None]
) -> None:
    report = as_json(cortex, checkout("r1"))
    conforms(report, "multi-repo-scan")
    assert (report["cves_found"], report["repositories_scanned"]) == (2, 1)


@pytest.mark.parametrize(
    ("form", "starts"),
    [("sarif", "{"), ("markdown", "# Vulnerability scan of 1 of 1"), ("html", "<!doctype html>\n<html")],
)
def test_other_forms(cortex: Command, here: Path, checkout: Checkout, form: str, starts: str) -> None:
    done = scan(cortex, checkout("r1"), ALLOW, "--format", form)
    assert done.code == 0
    assert done.out.startswith(starts)


def test_one_repository_named_in_four_ways_is_scanned_once(
    cortex: Command, here: Path, checkout: Checkout
) -> None:
    made = checkout("r1", here)
    assert repos(as_json(cortex, "r1", "./r1", made, f"file://{made}")) == ["r1"]


def test_repositories_file(cortex: Command, here: Path, checkout: Checkout) -> None:
    checkout("r1", here)
    second = checkout("r2")
    text = f"# ours\nr1\n\n{second}@main  # pinned\n"
    (here / "list").write_text(text)
    assert repos(as_json(cortex, "--repos-file", "list")) == ["r1", str(second)]
    done = cortex("multi-repo-scan", ALLOW, "--format", "json", "--repos-file", "-", stdin=text)
    assert done.code == 0, done
    assert repos(done.json()) == ["r1", str(second)]


def test_root(cortex: Command, here: Path, checkout: Checkout) -> None:
    checkout("a/r1", here)
    checkout("r2", here)
    assert repos(as_json(cortex, "--root", ".")) == [str(here / "a/r1"), str(here / "r2")]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--sample"),
        (["--", "-x"], "option"),
        (["ext::sh -c id"], "remote helper"),
        (["https://u:hunter2@h.example/x"], "password"),
        (["--repos-file", "gone"], "gone"),
        (["--repos-file", "bad"], "bad:2"),
        (["--root", "gone"], "gone"),
        (["--sample", "x"], "--sample"),
        (["x", "--workers", "0"], "--workers"),
        (["x", "--workers", "65"], "--workers"),
        (["x", "--format", "xml"], "--format"),
        (["x", "--fail-on", "bad"], "--fail-on"),
        (["x", "--batch", "B A"], "batch"),
        (["x", "--batch", "last"], "last"),
        (["--resume", "nope"], "nope"),
        (["--resume", "last"], "last"),
        (["--resume", "a", "--batch", "b"], "--batch"),
        (["x", "--output", "."], "folder"),
        (["x", "--output", "gone/report"], "gone"),
    ],
)
def test_what_is_refused(cortex: Command, here: Path, arguments: list[str], told: str) -> None:
    (here / "bad").write_text("fine\next::x\n")
    text = scan(cortex, *arguments).error(2)
    assert told in text
    assert "hunter2" not in text


def test_what_cannot_be_read_costs_its_own_row_and_the_exit_code(
    cortex: Command, here: Path, checkout: Checkout
) -> None:
    checkout("good", here)
    (here / "empty").mkdir()
    done = scan(cortex, "good", "gone", "empty", "good@nobranch", "--format", "json")
    report = done.json()
    assert done.code == 3
    assert {row["repo"]: row["status"] for row in report["repositories"][:3]} == {
        "good": "scanned",
        "gone": "failed",
        "empty": "incomplete",
    }
    assert "nobranch" in report["repositories"][3]["error"]
    assert (report["repositories_failed"], report["cves_found"]) == (2, 2)


def test_starter_set_alone_is_incomplete(cortex: Command, here: Path, checkout: Checkout) -> None:
    made = checkout("r1")
    done = scan(cortex, made)
    assert done.code == 3
    assert "starter set" in done.out
    assert scan(cortex, made, ALLOW).code == 0


@pytest.mark.parametrize(("severity", "code"), [("critical", 0), ("high", 1), ("medium", 1), ("unknown", 1)])
def test_fail_on(cortex: Command, here: Path, checkout: Checkout, severity: str, code: int) -> None:
    made = checkout("r1")
    assert scan(cortex, made, ALLOW, "--fail-on", severity).code == code


def test_incomplete_beats_findings(cortex: Command, here: Path, checkout: Checkout) -> None:
    assert scan(cortex, checkout("r1"), "--fail-on", "low").code == 3


def test_sample_in_both_modes_finds_the_same(cortex: Command, here: Path) -> None:
    def findings(*mode: str) -> tuple[int, str, int, set[str]]:
        done = scan(cortex, "--sample", "--format", "json", *mode)
        report = done.json()
        found = {f"{row['repo']} {one['id']}" for row in report["repositories"] for one in row["findings"]}
        return done.code, report["mode"], report["workers"], found

    code, mode, workers, found = findings("--sequential")
    assert (code, mode, workers, len(found) > 20) == (0, "sequential", 1, True)
    code, mode, workers, parallel = findings("--parallel", "--workers", "4")
    assert (code, mode, parallel) == (0, "parallel", found)
    assert 1 < workers <= 4


def test_report_to_a_file(cortex: Command, here: Path, checkout: Checkout) -> None:
    made = checkout("r1")
    done = scan(cortex, made, ALLOW, "--format", "json", "--output", "report.json")
    assert json.loads((here / "report.json").read_text())["cves_found"] == 2
    assert done.out.splitlines()[0] == "Repositories scanned: 1"
    assert "report written to report.json" in done.err
    assert [path.name for path in here.iterdir()] == ["report.json"]
    assert (here / "report.json").stat().st_mode & 0o777 == 0o666 & ~umask()
    table = scan(cortex, made, ALLOW, "--output", "report.txt")
    assert table.code == 0
    assert "lodash" in (here / "report.txt").read_text()


def umask() -> int:
    import os

    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_report_to_something_that_is_there_and_no_file(
    cortex: Command, here: Path, checkout: Checkout
) -> None:
    import os
    import threading

    os.mkfifo("pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_text()))
    reader.start()
    assert scan(cortex, checkout("r1"), ALLOW, "--format", "json", "--output", "pipe").code == 0
    reader.join()
    assert json.loads(read[0])["cves_found"] == 2
    assert (here / "pipe").is_fifo()


def test_batch_name_once(cortex: Command, here: Path, checkout: Checkout) -> None:
    made = checkout("r1")
    assert scan(cortex, made, ALLOW, "--batch", "weekly").err.startswith("batch weekly: 1 repository")
    assert "--resume" in scan(cortex, made, "--batch", "weekly").error(2)


def test_resume_of_a_finished_batch_reports_it_again(cortex: Command, here: Path, checkout: Checkout) -> None:
    made = checkout("r1")
    first = as_json(cortex, made, "--batch", "weekly")
    again = as_json(cortex, "--resume", "weekly")
    assert again["repositories"] == first["repositories"]
    assert "last" in scan(cortex, "--resume", "last").error(2)


def test_resume_goes_on_with_what_is_open(cortex: Command, here: Path, checkout: Checkout) -> None:
    """A batch that was made and never run, as a killed command leaves it."""
    from cortex_git.scan.sources import parse_source
    from cortex_git.services import open_or_embedded
    from cortex_git.services.scan_request import ScanRequest
    from cortex_git.services.scans import prepare_batch

    sources = [parse_source(str(checkout(name))) for name in ("r1", "r2")]
    prepare_batch(open_or_embedded(None), ScanRequest(sources=sources, batch="weekly"))
    done = scan(cortex, "--resume", "last", ALLOW, "--format", "json")
    assert done.err.startswith("batch weekly: 2 repositories")
    assert done.json()["repositories_scanned"] == 2


def test_resume_of_an_unknown_batch_with_repositories_starts_it(
    cortex: Command, here: Path, checkout: Checkout
) -> None:
    assert as_json(cortex, checkout("r1"), "--resume", "weekly")["batch"] == "weekly"


def test_in_a_coordination_repository_the_results_are_published(
    cortex: Command, coordinated: Path, bare: Path, checkout: Checkout
) -> None:
    scan(cortex, checkout("r1"), ALLOW, "--batch", "weekly")
    names = git(bare, "ls-tree", "-r", "--name-only", "main", "coordination/results/weekly").splitlines()
    assert [Path(name).name for name in names] == [
        "results.sarif", "summary.json", "summary.md", "weekly-1.json", "weekly.merge.json",
    ]  # fmt: skip
    assert git(coordinated, "status", "--porcelain") == ""
    summary = json.loads(git(bare, "show", "main:coordination/results/weekly/summary.json"))
    assert summary["cves_found"] == 2


def test_dry_run(cortex: Command, here: Path, checkout: Checkout) -> None:
    done = scan(cortex, checkout("r1"), "--dry-run", "--format", "json")
    assert done.json()["would"] == "scan 1 repository with 1 worker"
    assert "would scan" in done.err
    assert scan(cortex, "--resume", "last").code == 2


def test_a_remote_that_went_away(cortex: Command, coordinated: Path, bare: Path, checkout: Checkout) -> None:
    bare.rename(bare.with_suffix(".away"))
    assert "remote" in scan(cortex, checkout("r1"), ALLOW).error(3)
