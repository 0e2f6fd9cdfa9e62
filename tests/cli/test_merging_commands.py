"""`results merge`, and `spawn-worker` of a merge task."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command
from gitworld import add_tasks, assert_sound, claim_all, finish, git, result_commits, start_cortex
from mergeworld import end, whole

from cortex_git.services import merging
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope


@pytest.fixture
def host(coordinated: Path) -> Coordination:
    """A task of two parts, both completed, and itself not yet."""
    host = Coordination.open(coordinated)
    host.add_tasks(whole())
    end(host, "t-security", {"severity": "high", "text": "Patch."})
    end(host, "t-development", {"severity": "low", "text": "Wait."})
    return host


def merge(cortex: Command, *arguments: str) -> Any:
    return cortex("results", "merge", *arguments, "--format", "json").json()


def test_the_parts_of_a_task(
    cortex: Command, host: Coordination, conforms: Callable[[Any, str], None]
) -> None:
    made = merge(cortex, "t", "--strategy", "vote")
    conforms(made, "results-merge")
    assert (made["fresh"], made["open"], made["batch"], made["strategy"]) == (True, 0, "b", "vote")
    assert made["task"].startswith("t-vote-")
    assert [one["task"] for one in made["output"]["sources"]] == ["t-development", "t-security"]
    shown = cortex("results", "show", made["task"], "--format", "json").json()["result"]
    assert (shown["status"], shown["output"]) == ("completed", made["output"])
    assert host.pull().claims == {}


def test_the_same_results_are_merged_once(cortex: Command, host: Coordination) -> None:
    made = merge(cortex, "t")
    again = cortex("results", "merge", "t", "--format", "json")
    assert again.json() == {**made, "fresh": False}
    assert "merged before" in again.err
    # Another strategy is another aggregate, and so are other results.
    assert merge(cortex, "t", "--strategy", "resolve")["task"] != made["task"]


def test_a_dry_run_shows_it_and_publishes_nothing(cortex: Command, host: Coordination) -> None:
    host.pull()
    before = git(host.repository.folder, "for-each-ref")
    tried = cortex("results", "merge", "t", "--dry-run", "--format", "markdown")
    assert "Patch." in tried.out and "would publish this as t-weighted-" in tried.err
    assert merge(cortex, "t", "--dry-run")["dry_run"] is True
    assert git(host.repository.folder, "for-each-ref") == before
    assert merge(cortex, "t")["fresh"] is True


def test_as_lines(cortex: Command, host: Coordination) -> None:
    lines = cortex("results", "merge", "t").out.splitlines()
    assert lines[0].endswith(": 2 results made one by weighted")
    assert lines[1].startswith("Differs: severity: high (t-security), not low (t-development)")


def test_a_sealed_batch(cortex: Command, coordinated: Path) -> None:
    host = Coordination.open(coordinated)
    add_tasks(host, 3)
    finish(host, claim_all(host, 2))
    refused = cortex("results", "merge", "b1").error(2)
    assert refused.startswith("1 of the 3 tasks of 'b1' has no result yet") and "--partial" in refused
    made = cortex("results", "merge", "b1", "--partial", "--format", "json")
    assert (made.json()["batch"], made.json()["open"]) == ("merges", 1)
    assert len(made.json()["output"]["sources"]) == 2
    assert "1 task without a result yet is not in it" in made.err
    # A batch's merges are no opinions in it.
    assert "no task with results to merge" in cortex("results", "merge", "merges").error(2)


def test_a_batch_counts_parts_and_not_what_was_made_of_them(cortex: Command, host: Coordination) -> None:
    merge(cortex, "t")
    made = merge(cortex, "b")
    assert [one["task"] for one in made["output"]["sources"]] == ["t-development", "t-security"]


def test_what_was_cancelled_is_nobody_s_opinion_and_a_retry_is(cortex: Command, coordinated: Path) -> None:
    host = Coordination.open(coordinated)
    host.add_tasks([*whole("u"), *whole("v")])
    end(host, "u-security", {"a": 1})
    end(host, "u-development", status="failed", error="no key")
    assert cortex("task", "cancel", "v-security", "v-development").code == 0
    assert cortex("task", "retry", "u-development").code == 0
    end(host, "u-development-r1", {"a": 1})
    made = merge(cortex, "b")
    assert [one["task"] for one in made["output"]["sources"]] == ["u-development-r1", "u-security"]
    assert made["output"]["missing"] == {}


def test_what_cannot_be_merged(cortex: Command, host: Coordination) -> None:
    add_tasks(host, 1, "b2")
    for name, why in (
        ("nope", "no task or batch 'nope'"),
        ("t-security", "task 't-security' has no parts"),
        ("b2", "none of the 1 task of 'b2' has a result yet"),
    ):
        assert cortex("results", "merge", name).error(2).startswith(why)
    (claim,) = claim_all(host, batch="b2")
    host.record([(claim, claim.ended("failed", "no key"), {})])
    host.flush()
    assert "b2-t000 (failed: no key)" in cortex("results", "merge", "b2").error(2)
    assert cortex("results", "merge", "t", "--strategy", "loudest").code == 2


def test_a_cancel_of_the_last_part_carries_the_merge_task_out(cortex: Command, coordinated: Path) -> None:
    host = Coordination.open(coordinated)
    host.add_tasks(whole())
    end(host, "t-security", {"a": 1})
    assert cortex("task", "cancel", "t-development").code == 0
    shown = cortex("results", "show", "t", "--format", "json").json()["result"]
    assert list(shown["output"]["missing"]) == ["t-development"]


def test_sync_carries_out_what_nobody_else_did(cortex: Command, host: Coordination) -> None:
    done = cortex("sync")
    assert (done.code, "merged: t" in done.err) == (0, True)
    assert "merged" not in cortex("sync").err
    host.pull()
    assert host.is_finished("t")


@pytest.mark.race
def test_two_people_at_once_make_one(clones: Callable[[int], list[Path]], bare: Path) -> None:
    folders = clones(2)
    host = Coordination.open(folders[0])
    host.add_tasks(whole())
    for part in ("t-security", "t-development"):
        end(host, part)
    commands = [start_cortex("results", "merge", "b", "--format", "json", cwd=folder) for folder in folders]
    said = [command.communicate(timeout=60) for command in commands]
    assert [command.returncode for command in commands] == [0, 0], said
    assert len([line for line in result_commits(bare) if " b-weighted-" in line]) == 1
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""
    assert_sound(bare)


def test_spawn_worker_carries_a_merge_task_out_or_says_whom_it_waits_for(
    cortex: Command, coordinated: Path
) -> None:
    host = Coordination.open(coordinated)
    host.add_tasks(whole())
    end(host, "t-security")
    early = cortex("spawn-worker", "-i", "t").error(2)
    assert early.startswith("task 't' waits for t-development")
    end(host, "t-development")
    done = cortex("spawn-worker", "-i", "t", "--format", "json").json()
    assert (done["task"], done["status"]) == ("t", "completed")
    assert host.pull().claims == {}
    assert [result.task for result in host.results(Scope(glob="t"))] == ["t"]


def test_more_sources_than_a_task_can_come_after(
    cortex: Command, host: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "MOST_AFTER", 1)
    made = merge(cortex, "t")
    document = cortex("task", "show", made["task"], "--format", "json").json()["task"]
    assert (document["after"], document["context"]) == (["t-development"], {"sources": ["t-security"]})
    assert len(made["output"]["sources"]) == 2
