"""`gc` as a person meets it: it tells before it does, and what it archived can still be looked at."""

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command
from gitworld import add_tasks, claim_all, finish, git, result_for, start_cortex

from cortex_git.services import collecting
from cortex_git.store.coordination import Coordination

Conforms = Callable[[Any, str], None]


@pytest.fixture
def ended(coordinated: Path) -> Coordination:
    """A repository with a batch that ended, one task of it badly."""
    coordination = Coordination.open(coordinated)
    add_tasks(coordination, 3)
    claims = claim_all(coordination)
    failed = {"status": "failed", "error": "no"}
    coordination.record(
        [
            (one, result_for(coordination, one, **(failed if n == 0 else {})), {})
            for n, one in enumerate(claims)
        ]
    )
    coordination.flush()
    coordination.fold()
    return coordination


def test_without_yes_nothing_is_done(
    cortex: Command, ended: Coordination, bare: Path, conforms: Conforms
) -> None:
    before = git(bare, "for-each-ref")
    told = cortex("gc", "--archive-after", "0")
    assert (told.code, "--yes does it" in told.err) == (0, True)
    assert "3 tasks have ended" in told.out
    document = cortex("gc", "--archive-after", "0", "--format", "json").json()
    conforms(document, "gc")
    assert [(one["kind"], one["what"], one["count"], one["removed"]) for one in document["found"]] == [
        ("archive", "b1", 7, False)
    ]
    assert git(bare, "for-each-ref") == before
    assert cortex("gc", "--dry-run", "--archive-after", "0").out == told.out


@pytest.mark.parametrize("do", ["--yes", "--no-dry-run"])
def test_with_yes_it_is(
    cortex: Command, ended: Coordination, bare: Path, conforms: Conforms, do: str
) -> None:
    document = cortex("gc", do, "--archive-after", "0", "--format", "json").json()
    conforms(document, "gc")
    assert [one["what"] for one in document["found"] if one["removed"]] == ["b1"]
    assert git(bare, "ls-tree", "-r", "--name-only", "main", "coordination/results/") == ""
    assert not (ended.repository.folder / "coordination" / "results").exists()  # the checkout follows
    assert cortex("gc").err.strip() == "nothing to clear away"


def test_an_archived_batch_can_be_looked_at_retried_and_merged(cortex: Command, ended: Coordination) -> None:
    assert cortex("gc", "--yes", "--archive", "b1").code == 0
    listing = cortex("results", "list", "--format", "json")
    assert listing.json()["results"] == []
    assert "3 archived tasks are not listed" in listing.err
    rows = cortex("results", "list", "--batch", "b1", "--format", "json").json()["results"]
    assert sorted(row["task"] for row in rows) == ["b1-t000", "b1-t001", "b1-t002"]
    assert (
        len(cortex("results", "list", "--batch", "b1", "--limit", "2", "--format", "json").json()["results"])
        == 2
    )
    tasks = cortex("task", "list", "--batch", "b1", "--format", "json").json()["tasks"]
    assert sorted(row["status"] for row in tasks) == ["completed", "completed", "failed"]
    failed = next(row["task"] for row in tasks if row["status"] == "failed")
    assert cortex("results", "show", failed, "--format", "json").json()["result"]["error"] == "no"
    assert cortex("task", "show", failed).code == 0
    graph = cortex("task", "graph", "--batch", "b1", "--format", "json").json()
    assert len(graph["nodes"]) == 3
    assert len(cortex("task", "graph", failed, "--format", "json").json()["nodes"]) >= 1
    assert "failed" in cortex("task", "cancel", failed).error(2)
    merged = cortex("results", "merge", "b1", "--dry-run")
    assert merged.code == 0, merged.err
    assert failed in cortex("task", "retry", failed, "--format", "json").out
    again = cortex("task", "add", "--type", "scan-worker", "--title", "x", "--id", "x", "--batch", "b1")
    assert "batch 'b1' is archived" in again.error(2)
    assert "another content" in cortex(
        "task", "add", "--type", "scan-worker", "--title", "x", "--id", failed
    ).error(2)
    after = ("task", "add", "--type", "scan-worker", "--title", "x", "--id", "later", "--after", "b1-t001")
    assert cortex(*after).code == 0


def test_an_archived_scan_can_be_reported_on_again(cortex: Command, coordinated: Path) -> None:
    first = cortex("multi-repo-scan", "--sample", "--batch", "s1", "--workers", "1", "--format", "json")
    assert first.code in (0, 1), first.err
    assert cortex("gc", "--yes", "--archive", "s1").code == 0
    again = cortex("multi-repo-scan", "--resume", "s1", "--format", "json").json()
    assert again["repositories"] == first.json()["repositories"]
    assert again["cves_found"] > 0
    assert "exists already, archived" in cortex("multi-repo-scan", "--sample", "--batch", "s1").error(2)


def test_what_cannot_be_archived_is_said(cortex: Command, ended: Coordination) -> None:
    assert "nobody has added" in cortex("gc", "--archive", "nothing").error(2)
    add_tasks(ended, 1, "b2")
    ended.fold()
    assert "b2-t000 has no result" in cortex("gc", "--yes", "--archive", "b2").error(2)
    shown = cortex("gc", "--archive-after", "0")
    assert "kept: archive: b2: b2-t000 has no result" in shown.out


def test_before_a_named_batch_is_refused_nothing_is_done(
    cortex: Command, ended: Coordination, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "@1000000000 +0000")
    somebody = ("-c", "user.name=x", "-c", "user.email=x@example.invalid")
    old = git(bare, *somebody, "commit-tree", "main^{tree}", "-m", "old")
    monkeypatch.delenv("GIT_COMMITTER_DATE")
    git(bare, "update-ref", "refs/cortex/probe/old", old)
    add_tasks(ended, 1, "b2")
    refused = cortex("gc", "--yes", "--archive", "b1", "--archive", "b2")
    assert "b2-t000 has no result" in refused.error(2)
    assert git(bare, "for-each-ref", "--format=%(refname)", "refs/cortex/probe") == "refs/cortex/probe/old"
    assert git(bare, "for-each-ref", "refs/cortex/archive") == ""
    told = cortex("gc", "--yes", "--archive", "b1", "--format", "json").json()
    assert {(one["kind"], one["removed"]) for one in told["found"]} == {("archive", True), ("probes", True)}


def test_one_kind_that_fails_stops_no_other(
    cortex: Command, ended: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> list[collecting.Finding]:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(collecting.rows, "old_rows", broken)
    done = cortex("gc", "--yes", "--archive-after", "0", "--format", "json")
    assert done.code == 3
    assert [problem["kind"] for problem in done.json()["problems"]] == ["rows"]
    assert [one["what"] for one in done.json()["found"] if one["removed"]] == ["b1"]


def test_without_the_remote_the_clone_alone_is_cleaned(
    cortex: Command, ended: Coordination, bare: Path
) -> None:
    left = ended.repository.private / "host.json.0123abcd"
    left.write_text("{")
    os.utime(left, (0, 0))
    bare.rename(bare.with_name("away"))
    done = cortex("gc", "--yes", "--archive-after", "0", "--format", "json")
    assert (done.code, [one["kind"] for one in done.json()["problems"]]) == (3, ["remote"])
    assert [one["kind"] for one in done.json()["found"]] == ["temporary files"]
    assert not left.exists()


def test_interrupted_it_leaves_nothing_half_done(ended: Coordination, bare: Path, tmp_path: Path) -> None:
    reached = tmp_path / "reached"
    hook = bare / "hooks" / "update"
    hook.write_text(f'#!/bin/sh\n[ "$1" = refs/heads/main ] || exit 0\ntouch {reached}\nexec sleep 60\n')
    hook.chmod(0o755)
    process = start_cortex("gc", "--yes", "--archive-after", "0", cwd=ended.repository.folder)
    while not reached.exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    hook.unlink()
    assert not (ended.repository.folder / ".git" / "index.lock").exists()
    second = start_cortex(
        "gc", "--yes", "--archive-after", "0", "--format", "json", cwd=ended.repository.folder
    )
    out, errors = second.communicate(timeout=60)
    assert second.returncode == 0, errors
    assert json.loads(out)["problems"] == []
    ended.pull()
    assert ended.is_finished("b1-t000")
    assert (
        git(bare, "ls-tree", "--name-only", "main", "coordination/archive/") == "coordination/archive/b1.json"
    )
    finish(ended, claim_all(ended))


@pytest.mark.parametrize("flags", [("--dry-run", "--yes"), ("--yes", "--dry-run")], ids=" ".join)
def test_flags_that_contradict_each_other_are_refused(
    cortex: Command, ended: Coordination, bare: Path, flags: tuple[str, str]
) -> None:
    before = git(bare, "for-each-ref")
    assert "--yes and --dry-run contradict each other" in cortex("gc", *flags, "--archive", "b1").error(2)
    assert git(bare, "for-each-ref") == before


@pytest.mark.usefixtures("coordinated")
def test_ages_that_are_none_are_refused(cortex: Command) -> None:
    for days in ("nan", "inf"):
        assert f"--archive-after {days} is no number of days" in cortex("gc", "--archive-after", days).error(
            2
        )
        assert f"--fenced-after {days} is no number of days" in cortex("gc", "--fenced-after", days).error(2)
    refused = cortex("gc", "--archive", "b1", "--archive-after", "3")
    assert "--archive-after does not go with --archive" in refused.error(2)


@pytest.mark.usefixtures("ended")
def test_what_is_archived_already_is_said(cortex: Command) -> None:
    assert cortex("gc", "--yes", "--archive", "b1").code == 0
    for flags in ((), ("--yes",)):
        refused = cortex("gc", *flags, "--archive", "b1").error(2)
        assert "batch 'b1' is archived already" in refused
        assert "cortex-git results list --batch b1" in refused
