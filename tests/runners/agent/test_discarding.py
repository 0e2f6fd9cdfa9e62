"""Work trees that agents left go when nothing in them could be lost; what is nowhere else keeps them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from codeworld import AS_SOMEBODY, attempt, bare_of, repository
from gitworld import assert_sound, git

from cortex_git.runners.agent.checkout import Checkout
from cortex_git.runners.agent.clones import FOLDER
from cortex_git.runners.agent.discarding import agent_clones, discard, left_work_trees, packed, why_kept
from cortex_git.runners.agent.worktrees import folder_for, leftovers
from cortex_git.store.collecting import collect_objects

FILES = {"a.txt": "one\n", "src/b.txt": "two\n", ".gitignore": "out/\n"}


def finished(_task: str) -> bool:
    return True


@pytest.fixture
def left(tmp_path: Path) -> Checkout:
    """A folder whose work is pushed and whose worker was killed then, before it could remove it."""
    remote = bare_of(repository(tmp_path / "source", FILES), tmp_path / "remote.git")
    checkout = attempt(remote)
    (checkout.folder / "a.txt").write_text("changed\n")
    (checkout.folder / "new.txt").write_text("new\n")
    assert checkout.publish("Change it") is not None
    checkout._work.note(pid=0)
    return checkout


def test_what_is_pushed_and_finished_goes_with_all_that_belongs_to_it(left: Checkout) -> None:
    (left.folder / "__pycache__").mkdir()
    (left.folder / "__pycache__" / "a.pyc").write_text("nobody wants this")
    (left.folder / "src").chmod(0o555)
    [(one, why)] = left_work_trees(None or Path("/nowhere"), finished)
    assert why is None
    assert discard(one, finished)
    assert not left.folder.exists()
    assert list(folder_for("").iterdir()) == []
    [clone] = (Path(os.environ["CORTEX_DATA_HOME"]) / FOLDER).glob("*.git")
    assert git(clone, "for-each-ref") == ""
    assert list((clone / "worktrees").iterdir()) == []
    assert_sound(clone)


def uncommitted(folder: Path) -> None:
    (folder / "a.txt").write_text("more\n")


def deleted(folder: Path) -> None:
    (folder / "a.txt").unlink()


def untracked(folder: Path) -> None:
    (folder / "notes").write_text("mine\n")


def ignored(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "measured").write_text("for hours\n")


def hidden(folder: Path) -> None:
    """By settings that an agent can write: they are not looked at."""
    untracked(folder)
    common = Path(git(folder, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    (common / "info" / "exclude").write_text("*\n")
    git(folder, "update-index", "--assume-unchanged", "a.txt", check=False)


def committed(folder: Path) -> None:
    uncommitted(folder)
    git(folder, *AS_SOMEBODY, "commit", "-qam", "by hand")


def committed_and_back(folder: Path) -> None:
    """Only the reflog has it."""
    published = git(folder, "stash", "create")
    committed(folder)
    git(folder, "reset", "-q", "--hard", "HEAD~1")
    git(folder, "checkout", "-q", published, "--", ".", check=False)


def branched(folder: Path) -> None:
    git(folder, "switch", "-q", "-c", "mine")
    committed(folder)


def stashed(folder: Path) -> None:
    git(folder, *AS_SOMEBODY, "stash", "push", "-q")


def nested(folder: Path) -> None:
    git(folder, "init", "-q", "src")


def replaced(folder: Path) -> None:
    (folder / ".git").unlink()
    git(folder, "init", "-q", ".")


def submodule(folder: Path) -> None:
    git(folder, "init", "-q", "lib")
    (folder / "lib" / "x").write_text("x\n")
    git(folder / "lib", "add", "x")
    git(folder / "lib", *AS_SOMEBODY, "commit", "-qm", "x")
    git(folder, "add", "lib", check=False)


@pytest.mark.parametrize(
    ("lose", "why"),
    [
        (uncommitted, "not as published: a.txt"),
        (deleted, "not as published: a.txt"),
        (untracked, "never published: notes"),
        (ignored, "never published: out/measured"),
        (hidden, "never published: notes"),
        (committed, "a commit was made in it by hand"),
        (committed_and_back, "commits were made in it by hand"),
        (branched, "it is on a branch of its own"),
        (stashed, "its clone has a stash"),
        (nested, "src is a repository of its own"),
        (replaced, "the folder is a repository of its own"),
        (submodule, "lib is a repository of its own"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_what_is_nowhere_else_keeps_it(left: Checkout, lose: Callable[[Path], None], why: str) -> None:
    lose(left.folder)
    before = sorted(str(path) for path in left.folder.rglob("*"))
    [one] = leftovers(None)
    assert (why_kept(one, finished) or "").startswith(why)
    assert not discard(one, finished)
    assert sorted(str(path) for path in left.folder.rglob("*")) == before
    assert leftovers(None) == [one]


def test_unfinished_unpushed_and_live_ones_stay(left: Checkout) -> None:
    [one] = leftovers(None)
    assert why_kept(one, lambda _: False) == "task t1 has no result yet"
    left._work.note(pushed=False, reason="the remote is away")
    [one] = leftovers(None)
    assert why_kept(one, finished) == "its work was not pushed (the remote is away)"
    left._work.note(pushed=True, pid=os.getpid(), pid_started=left._work.record.pid_started)
    assert leftovers(None) == []
    assert not discard(one, finished)
    assert left.folder.exists()


def test_a_folder_that_is_gone_already_leaves_its_records(left: Checkout) -> None:
    import shutil

    shutil.rmtree(left.folder)
    [one] = leftovers(None)
    assert discard(one, finished)
    assert list(folder_for("").iterdir()) == []


def test_a_clone_is_packed_and_what_its_work_trees_need_stays(left: Checkout) -> None:
    (left.folder / "a.txt").write_text("more\n")
    [clone] = agent_clones()
    old = os.stat(clone).st_mtime - 100 * 24 * 3600
    for path in clone.rglob("objects/??/*"):
        os.utime(path, (old, old))
    assert packed(clone, collect_objects)
    assert list(clone.glob("objects/[0-9a-f][0-9a-f]/*")) == []
    left._work.note(pid=0)
    published = left.publish("More of it")
    assert published is not None and published.pushed
    assert_sound(clone)
