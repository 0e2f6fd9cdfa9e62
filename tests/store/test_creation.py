"""`init`: a coordination repository from nothing, from what is there, and with remotes of all kinds."""

from pathlib import Path

import pytest
from gitworld import git

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.refs import RemoteUnreachable


def test_alone(tmp_path: Path) -> None:
    created = create(tmp_path / "a b", None)
    assert (created.remote, created.capabilities, created.changed) == (None, None, True)
    assert git(created.folder, "status", "--porcelain") == ""
    assert not create(tmp_path / "a b", None).changed
    assert Coordination.open(created.folder).repository.remote is None


def test_with_an_empty_remote(tmp_path: Path, bare: Path) -> None:
    created = create(tmp_path / "a", str(bare))
    assert created.capabilities is not None and created.capabilities.namespace == "refs/cortex"
    assert git(bare, "ls-tree", "-r", "--name-only", "main").split() == [
        ".gitignore",
        "coordination/README.md",
        "coordination/config.toml",
    ]
    assert git(bare, "for-each-ref", "refs/cortex") == ""


def test_a_second_host_adopts_what_the_remote_has(tmp_path: Path, bare: Path) -> None:
    create(tmp_path / "a", str(bare))
    second = create(tmp_path / "b", str(bare))
    assert not second.changed
    assert git(tmp_path / "a", "rev-parse", "HEAD") == git(tmp_path / "b", "rev-parse", "HEAD")


def test_existing_content_and_staged_changes_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    git(tmp_path, "init", "-q", "-b", "main", "a")
    (folder / "kept.txt").write_text("1\n")
    (folder / ".gitignore").write_text("*.log\n")
    git(folder, "add", "kept.txt")
    create(folder, None)
    assert git(folder, "status", "--porcelain") == "A  kept.txt"
    assert git(folder, "show", "HEAD:.gitignore").splitlines()[0] == "*.log"


def test_an_unreachable_remote_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(RemoteUnreachable):
        create(tmp_path / "a", str(tmp_path / "nowhere.git"))
    assert not (tmp_path / "a" / "coordination").exists()


@pytest.mark.parametrize(
    ("condition", "what"),
    [('[ "$3" = "$zero" ]', "delete"), ('[ "$2" != "$zero" ] && [ "$3" != "$zero" ]', "replace")],
)
def test_a_remote_that_cannot_compare_and_swap_is_refused(
    tmp_path: Path, bare: Path, condition: str, what: str
) -> None:
    hook = bare / "hooks" / "update"
    hook.write_text(f"#!/bin/sh\nzero=$(printf %040d 0)\nif {condition}; then exit 1; fi\nexit 0\n")
    hook.chmod(0o755)
    with pytest.raises(EnvironmentProblem, match=what):
        create(tmp_path / "a", str(bare))


@pytest.mark.parametrize("setting", ["receive.denyDeletes", "receive.denyNonFastForwards"])
def test_settings_that_protect_branches_only_do_not_matter(tmp_path: Path, bare: Path, setting: str) -> None:
    git(bare, "config", setting, "true")
    created = create(tmp_path / "a", str(bare))
    assert created.capabilities is not None and created.capabilities.namespace == "refs/cortex"


def test_a_remote_that_allows_branches_only_gets_the_other_namespace(tmp_path: Path, bare: Path) -> None:
    hook = bare / "hooks" / "update"
    hook.write_text('#!/bin/sh\ncase "$1" in refs/heads/*) exit 0;; esac\necho branches only >&2\nexit 1\n')
    hook.chmod(0o755)
    created = create(tmp_path / "a", str(bare))
    assert created.capabilities is not None and created.capabilities.namespace == "refs/heads/cortex"
    from gitworld import add_tasks, claim_all, finish

    one = Coordination.open(tmp_path / "a")
    add_tasks(one, 2)
    finish(one, claim_all(one))
    assert one.fold() is not None
    assert claim_all(one) == []
    assert "refs/heads/cortex/results/" in git(bare, "for-each-ref", "--format=%(refname)")


def test_another_remote_is_not_replaced(tmp_path: Path, bare: Path) -> None:
    create(tmp_path / "a", str(bare))
    with pytest.raises(BadInput, match="another remote"):
        create(tmp_path / "a", str(tmp_path / "other.git"))


def test_a_remote_with_an_unrelated_history_is_not_touched(tmp_path: Path, bare: Path) -> None:
    person = tmp_path / "person"
    git(tmp_path, "init", "-q", "-b", "main", "person")
    identity = ("-c", "user.name=p", "-c", "user.email=p@example.invalid")
    git(person, *identity, "commit", "-q", "--allow-empty", "-m", "one")
    git(person, "push", "-q", str(bare), "main")
    own = tmp_path / "own"
    git(tmp_path, "init", "-q", "-b", "main", "own")
    git(own, *identity, "commit", "-q", "--allow-empty", "-m", "two")
    before = git(bare, "rev-parse", "main")
    with pytest.raises(EnvironmentProblem, match="different histories"):
        create(own, str(bare))
    assert git(bare, "rev-parse", "main") == before


def test_a_remote_with_content_gets_the_first_commit_on_top(tmp_path: Path, bare: Path) -> None:
    person = tmp_path / "person"
    git(tmp_path, "init", "-q", "-b", "main", "person")
    (person / "code.py").write_text("pass\n")
    git(person, "add", ".")
    identity = ("-c", "user.name=p", "-c", "user.email=p@example.invalid")
    git(person, *identity, "commit", "-qm", "one")
    git(person, "push", "-q", str(bare), "main")
    create(tmp_path / "a", str(bare))
    assert "code.py" in git(bare, "ls-tree", "--name-only", "main")
    assert "coordination" in git(bare, "ls-tree", "--name-only", "main")
