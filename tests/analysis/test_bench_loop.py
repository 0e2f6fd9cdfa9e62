"""The shell loop is a real baseline: every task lands once, and a loop that loses one is caught."""

from pathlib import Path

import pytest

from cortex_git.analysis.bench import loop
from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import Git


def test_every_task_lands_in_a_commit_of_its_own(tmp_path: Path) -> None:
    done = loop.run_loop(tmp_path, clones=3, tasks=7, window_s=60)
    assert done.tasks == 7
    assert done.pushes >= 7
    assert done.seconds > 0
    names = Git(tmp_path / "remote.git").text("ls-tree", "--name-only", "main:results").splitlines()
    assert sorted(names) == [
        "README", "w0-1.json", "w0-2.json", "w0-3.json", "w1-1.json", "w1-2.json", "w2-1.json", "w2-2.json",
    ]  # fmt: skip


def test_no_task_is_begun_after_the_window(tmp_path: Path) -> None:
    done = loop.run_loop(tmp_path, clones=2, tasks=None, window_s=1)
    assert 0 < done.tasks < 1000


def test_a_window_in_which_nothing_was_begun_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="the loop with 2 clones did no task in its window of -2 s"):
        loop.run_loop(tmp_path, clones=2, tasks=None, window_s=-2)


def test_a_loop_that_does_not_push_is_no_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SCRIPT", loop.SCRIPT.replace("until git push -q", "until true"))
    with pytest.raises(EnvironmentProblem, match="the loop did 2 tasks, the remote has 0"):
        loop.run_loop(tmp_path, clones=1, tasks=2, window_s=60)


def test_a_loop_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SCRIPT", "echo the disk is full >&2; exit 7")
    with pytest.raises(EnvironmentProblem, match="status 7: the disk is full"):
        loop.run_loop(tmp_path, clones=1, tasks=1, window_s=60)
