"""The guard of commits: secrets in what is added, and files of coordination that are strays."""

import secrets
from pathlib import Path

import pytest
from hookworld import Worked, worked

from cortex_git.services.hooks.guarding import Guarded, guard
from cortex_git.services.hooks.repository import Repository, hook_environment
from cortex_git.services.hooks.settings import HookSettings

KEY = "AKIA" + "IOSFODNN7QYXAMPL"
"""Of the form that a detector knows; nobody's."""


@pytest.fixture
def work(tmp_path: Path) -> Worked:
    return worked(tmp_path)


def look(work: Worked, **settings: tuple[str, ...]) -> Guarded:
    return guard(Repository(work.top, {}), HookSettings(**settings))  # type: ignore[arg-type]


def places(guarded: Guarded) -> list[tuple[str, int | None]]:
    return [(one.path, one.line) for one in guarded.caught]


def test_nothing_staged(work: Worked) -> None:
    assert look(work) == Guarded()


def test_only_lines_that_are_added_count_and_none_is_shown(work: Worked) -> None:
    work.commit("old", f"first\nkey = {KEY}\nlast\n")
    work.write("old", f"first\nkey = {KEY}\nlast\nmore\n")
    work.write("a b/new", f"one\ntwo\nurl = https://me:{secrets.token_hex(12)}@host.example/x\n")
    work.git("add", "old", "a b/new")
    found = look(work)
    assert places(found) == [("a b/new", 3)]
    assert "@host" not in repr(found)
    work.write("old", f"first\nkey = {KEY}\nlast\n{KEY}\n")
    work.git("add", "old")
    assert places(look(work)) == [("a b/new", 3), ("old", 4)]
    assert look(work).code == 1
    assert KEY not in repr(look(work))


def test_a_file_that_is_moved_or_deleted_adds_nothing(work: Worked) -> None:
    work.commit("old", f"key = {KEY}\n" + "filling\n" * 20)
    work.git("mv", "old", "new")
    assert places(look(work)) == []
    work.git("rm", "-qf", "new")
    assert places(look(work)) == []


def test_what_is_in_the_work_tree_alone_does_not_count(work: Worked) -> None:
    work.write("readme", KEY)
    assert places(look(work)) == []


def test_paths_that_the_settings_leave_out(work: Worked) -> None:
    work.write("fixtures/deep/key", KEY)
    work.write("key", KEY)
    work.git("add", ".")
    assert places(look(work, exclude=("fixtures/**",))) == [("key", 1)]
    assert places(look(work, exclude=("**/key",))) == []


@pytest.mark.parametrize(
    "setting", ["diff.noprefix", "diff.mnemonicPrefix", "color.diff=always", "diff.external=false"]
)
def test_a_persons_settings_of_diff_change_nothing(work: Worked, setting: str) -> None:
    name, _, value = setting.partition("=")
    work.git("config", name, value or "true")
    work.write("new", KEY)
    work.git("add", "new")
    assert places(look(work)) == [("new", 1)]


def test_what_a_person_meant_for_other_paths(work: Worked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    work.write("new", KEY)
    work.git("add", "new")
    assert places(look(work)) == [("new", 1)]


def test_what_is_not_looked_at_is_said(work: Worked) -> None:
    (work.top / "image").write_bytes(b"\0\1" * 50)
    work.write("large", "x" * (9 << 20))
    work.git("add", "image", "large")
    found = look(work)
    assert [gap.what for gap in found.not_scanned] == ["image", "large"]
    assert (found.code, look(work, incomplete="block").code) == (0, 3)  # type: ignore[arg-type]


def test_a_detector_that_fails_is_a_gap(work: Worked, monkeypatch: pytest.MonkeyPatch) -> None:
    from cortex_git.errors import EnvironmentProblem
    from cortex_git.scan import secret_detector as detector

    def fails(_diff: bytes) -> list[detector.Secret]:
        raise EnvironmentProblem("the detector of secrets failed", "RuntimeError")

    monkeypatch.setattr(detector, "in_diff", fails)
    work.write("new", KEY)
    work.git("add", "new")
    assert [gap.what for gap in look(work).not_scanned] == ["secrets in what is added"]


STRAYS = [
    "coordination/locks/t.lock/pid",
    "coordination/worker-pool.json",
    "sub/coordination/token-budget.json",
]
DOCUMENT = "coordination/results/b1/t1.json"


def test_files_of_one_clone(work: Worked) -> None:
    for path in (
        *STRAYS,
        "coordination/locks.md",
        "my-coordination/worker-pool.json",
        "docs/coordination/x.json",
    ):
        work.write(path, "{}")
    work.git("add", "-f", ".")
    assert [path for path, _ in places(look(work))] == STRAYS


def test_documents_in_a_repository_of_another_kind(work: Worked) -> None:
    work.write(DOCUMENT, '{"schema": 1, "task": "t1"}')
    work.write("coordination/results/b1/theirs.json", '{"a": 1}')
    work.git("add", "-f", ".")
    assert places(look(work)) == [(DOCUMENT, None)]
    work.git("reset", "-q")
    work.commit("coordination/config.toml", "schema = 1\n")
    work.git("add", "-f", ".")
    assert places(look(work)) == []


def test_the_index_that_the_calling_git_names(work: Worked, monkeypatch: pytest.MonkeyPatch) -> None:
    """`git commit FILE` has an index of its own while the hook runs."""
    from hookworld import run

    other = work.top / ".git" / "other-index"
    work.write("new", KEY)
    run(["git", "add", "new"], work.top, {"GIT_INDEX_FILE": str(other)})
    assert places(look(work)) == []
    environment = hook_environment({"GIT_INDEX_FILE": str(other)})
    assert places(guard(Repository(work.top, environment), HookSettings())) == [("new", 1)]


def test_between_two_commits(work: Worked) -> None:
    old = work.git("rev-parse", "HEAD")
    new = work.commit("key", KEY)
    found = guard(Repository(work.top, {}), HookSettings(), [old, new])
    assert places(found) == [("key", 1)]
