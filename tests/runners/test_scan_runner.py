"""The `scan` runner's side of the protocol; what a scan finds is tested with the scanner."""

from pathlib import Path
from typing import Any

import pytest

from cortex_git.errors import EnvironmentProblem
from cortex_git.runners import RunContext, RunOutcome
from cortex_git.runners import scan as runner


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    return {"database": "starter", "cache_dir": str(tmp_path / "cache"), "data_dir": str(tmp_path / "data")}


def run(options: dict[str, Any], **task: Any) -> RunOutcome:
    return runner.run(task, RunContext("w", 1, 60.0, 0, options))


def test_a_repository(options: dict[str, Any], tmp_path: Path) -> None:
    from gitworld import git

    repo = tmp_path / "repo"
    repo.mkdir()
    git(repo, "init", "-q", "-b", "main")
    (repo / "requirements.txt").write_text("django==1.2\n")
    git(repo, "add", ".")
    git(repo, "-c", "user.name=a", "-c", "user.email=a@example.invalid", "commit", "-qm", "x")
    outcome = run(options, repo="shop", context={"url": str(repo)})
    assert (outcome.status, outcome.error, outcome.tokens_used) == ("completed", None, 0)
    assert (outcome.output["repo"], outcome.output["packages"]) == ("shop", 1)
    assert "no commit is called" in (
        run(options, repo="shop", context={"url": str(repo), "ref": "v9"}).error or ""
    )


def test_one_that_cannot_be_read_is_its_own_row(options: dict[str, Any], tmp_path: Path) -> None:
    outcome = run(options, repo="gone", context={"url": str(tmp_path / "gone")})
    assert (outcome.status, outcome.retry, outcome.output["status"]) == ("failed", False, "failed")
    assert outcome.error == outcome.output["error"] is not None


@pytest.mark.parametrize(
    "task",
    [
        {"repo": "x", "context": {}},
        {"repo": None, "context": {"url": "x"}},
        {"repo": "x", "context": {"url": "ext::sh -c id"}},
        {"repo": "x", "context": {"url": ["x"]}},
        {"repo": "x", "context": {"url": "x", "ref": "--upload-pack=id"}},
    ],
)
def test_a_task_that_is_none_is_not_tried_again(options: dict[str, Any], task: dict[str, Any]) -> None:
    outcome = run(options, **task)
    assert (outcome.status, outcome.retry) == ("failed", False)
    assert outcome.error


def test_a_task_brings_no_program_for_credentials(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(runner, "scan_row", lambda payload: seen.update(payload) or {"status": "scanned"})
    run(
        options | {"askpass": "ours"},
        repo="x",
        askpass="theirs",
        helper="theirs",
        context={"url": "x", "askpass": "theirs", "helper": "theirs", "database": "/theirs"},
    )
    assert seen == options | {"askpass": "ours", "repo": "x", "url": "x", "ref": None}


def test_without_a_database(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="advisories update"):
        run(options | {"database": ""}, repo="x", context={"url": str(tmp_path)})
