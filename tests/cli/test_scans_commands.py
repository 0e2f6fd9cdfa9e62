"""`scans list`, `scans diff` and `scans trend` over real batches of real repositories."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMIT, Command, Done
from gitworld import git

from cortex_git.config import data_folder

Checkout = Callable[..., Path]
Conforms = Callable[[Any, str], None]
IDS = ["CVE-2020-8203", "CVE-2021-23337"]


def scan(cortex: Command, batch: str, *repos: str) -> None:
    done = cortex("multi-repo-scan", "--allow-incomplete", "--batch", batch, "-o", "/dev/null", *repos)
    assert done.code in (0, 3), done


def pin(repo: Path, version: str) -> None:
    packages = {"": {}, "node_modules/lodash": {"version": version}}
    lock = {"name": "x", "lockfileVersion": 3, "packages": packages}
    (repo / "package-lock.json").write_text(json.dumps(lock))
    git(repo, "add", ".")
    git(repo, *COMMIT, "pin")


@pytest.fixture
def history(cortex: Command, here: Path, checkout: Checkout) -> Path:
    """Three batches: `a` vulnerable; then `a` mended and `b|` new; then `a` gone and `b|` as it was."""
    first = checkout("a", here)
    scan(cortex, "one", "a")
    pin(first, "4.17.21")
    checkout("b|", here)
    scan(cortex, "two", "a", "b|")
    first.rename(here / "elsewhere")
    scan(cortex, "three", "a", "b|")
    return here


def run(cortex: Command, *arguments: str) -> Done:
    return cortex("scans", *arguments)


def test_list_and_trend(cortex: Command, history: Path, conforms: Conforms) -> None:
    value = run(cortex, "list", "--format", "json").json()
    conforms(value, "scans-list")
    rows = value["batches"]
    assert [(row["batch"], row["repositories"], row["repositories_failed"]) for row in rows] == [
        ("one", 1, 0), ("two", 2, 0), ("three", 2, 1),
    ]  # fmt: skip
    assert [row["open"]["high"] for row in rows] == [2, 2, 2]
    newest = run(cortex, "list", "--limit", "2", "--format", "json").json()["batches"]
    assert [row["batch"] for row in newest] == ["two", "three"]
    assert [line.split()[0] for line in run(cortex, "list").out.splitlines()] == [
        "Batch",
        "one",
        "two",
        "three",
    ]
    value = run(cortex, "trend", "--format", "json").json()
    conforms(value, "scans-trend")
    found = [
        (row["new"]["high"], row["fixed"]["high"], row["open"]["high"], row["repositories_first_scanned"])
        for row in value["batches"]
    ]
    assert found == [(2, 0, 2, 1), (2, 2, 2, 1), (0, 0, 2, 0)]
    text = run(cortex, "trend").out
    assert "+2 -2 =2" in text
    assert "| `two` |" in run(cortex, "trend", "--format", "markdown").out


def test_diff(cortex: Command, history: Path, conforms: Conforms) -> None:
    value = run(cortex, "diff", "one", "two", "--format", "json").json()
    conforms(value, "scans-diff")
    assert value["counts"] == {"new": 2, "fixed": 2, "still": 0, "not_compared": 0}
    assert sorted(one["id"] for one in value["fixed"]) == IDS
    assert {one["repo"] for one in value["new"]} == {"b|"}
    assert value["repositories"] == [
        {"repo": "a", "new": 0, "fixed": 2, "still": 0, "not_compared": 0},
        {"repo": "b|", "new": 2, "fixed": 0, "still": 0, "not_compared": 0},
    ]
    assert run(cortex, "diff", "one", "two").out.splitlines()[-1] == (
        "New: 2, Fixed: 2, Still there: 0, Not compared: 0"
    )
    assert "`b\\|`" in run(cortex, "diff", "one", "two", "--format", "markdown").out

    def names(*arguments: str) -> tuple[str, str]:
        value = run(cortex, "diff", *arguments, "--format", "json").json()
        return value["earlier"]["batch"], value["later"]["batch"]

    assert names() == ("two", "three")
    assert names("one") == ("one", "three")
    assert names("one", "two") == ("one", "two")

    # What failed, or is not in the later batch, is not fixed.
    value = run(cortex, "diff", "one", "three", "--format", "json").json()
    assert value["counts"] == {"new": 2, "fixed": 0, "still": 0, "not_compared": 2}
    assert {one["reason"] for one in value["not_compared"]} == {"its repository could not be scanned"}
    back = run(cortex, "diff", "two", "one", "--format", "json").json()
    assert back["counts"] == {"new": 2, "fixed": 0, "still": 0, "not_compared": 2}


def test_a_finding_that_was_out_of_sight_is_not_new_when_it_is_back(
    cortex: Command, here: Path, checkout: Checkout
) -> None:
    made = checkout("a", here)
    scan(cortex, "one", "a")
    made.rename(here / "away")
    scan(cortex, "two", "a")
    (here / "away").rename(made)
    (made / "package-lock.json").write_text("{")
    git(made, "add", ".")
    git(made, *COMMIT, "damaged")
    scan(cortex, "three", "a")
    pin(made, "4.17.15")
    scan(cortex, "four", "a")
    rows = run(cortex, "trend", "--format", "json").json()["batches"]
    assert [(row["new"]["high"], row["fixed"]["high"], row["not_compared"]) for row in rows] == [
        (2, 0, 0), (0, 0, 2), (0, 0, 2), (0, 0, 0),
    ]  # fmt: skip


def test_an_archived_batch_is_compared_by_name(cortex: Command, history: Path) -> None:
    before = run(cortex, "diff", "one", "two", "--format", "json").json()
    done = cortex("gc", "--repository", data_folder() / "embedded", "--yes", "--archive", "one")
    assert done.code == 0, done
    listed = run(cortex, "list", "--format", "json")
    assert [row["batch"] for row in listed.json()["batches"]] == ["two", "three"]
    assert "1 archived batch is not listed: `scans diff` takes it by name" in listed.err
    assert run(cortex, "diff", "one", "two", "--format", "json").json() == before
    again = cortex(
        "multi-repo-scan", "--allow-incomplete", "b|", "--baseline", "one", "--format", "json"
    ).json()
    assert again["baseline"]["not_compared"] == 2


def test_what_is_suppressed_is_in_no_history_and_is_counted(cortex: Command, history: Path) -> None:
    entries = f'[[ignore]]\nid = "{IDS[0]}"\nreason = "r"\n[[ignore]]\nid = "CVE-1"\nreason = "r"\n'
    (history / "i.toml").write_text(entries)
    done = run(cortex, "trend", "--ignore-file", "i.toml", "--format", "json")
    assert [row["open"]["high"] for row in done.json()["batches"]] == [1, 1, 1]
    assert "3 findings in these batches are suppressed and not counted" in done.err
    assert "ignore 2 (CVE-1) applied to nothing" in done.err
    counts = run(cortex, "diff", "one", "two", "--ignore-file", "i.toml", "--format", "json").json()["counts"]
    assert counts == {"new": 1, "fixed": 1, "still": 0, "not_compared": 0}
    assert "gone" in run(cortex, "list", "--ignore-file", "gone").error(2)


def test_nothing_yet_and_what_is_refused(cortex: Command, here: Path) -> None:
    assert run(cortex, "list", "--format", "json").json()["batches"] == []
    assert "no scan batches yet" in run(cortex, "trend").err
    assert "no two finished scan batches" in run(cortex, "diff").error(2)
    assert "there is no batch 'x'" in run(cortex, "diff", "x", "y").error(2)
    cortex("task", "add", "--batch", "other", "--title", "t", "--type", "test-worker")
    assert "other" in run(cortex, "diff", "other", "other").error(2)
