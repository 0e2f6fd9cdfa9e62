"""Folding: the union of all hosts' results on the branch, whoever folds and whoever moved it meanwhile."""

from collections.abc import Callable
from pathlib import Path

import pytest
from gitworld import add_tasks, assert_sound, claim_all, finish, git, python, results_on

from cortex_git.errors import EnvironmentProblem
from cortex_git.store.coordination import Coordination

Hosts = Callable[[int], list[Coordination]]


def trunk(coordination: Coordination) -> str:
    coordination.pull()
    return coordination.repository.refs.trunk()[0]


def test_every_host_s_results_reach_the_branch(hosts: Hosts, bare: Path) -> None:
    one, two, three = hosts(3)
    add_tasks(one, 6)
    for host in (one, two, three):
        finish(host, claim_all(host, 2))
    assert three.fold() is not None
    assert sorted(results_on(bare, "main")) == [f"b1-t00{n}" for n in range(6)]
    assert git(bare, "log", "-1", "--format=%s", "main").endswith("[skip ci]")
    parents = git(bare, "log", "-1", "--format=%P", "main").split()
    assert len(parents) == 4  # the branch and three hosts
    assert_sound(bare)


def test_folding_again_changes_nothing(coordination: Coordination) -> None:
    add_tasks(coordination, 2)
    finish(coordination, claim_all(coordination))
    assert coordination.fold() is not None
    before = trunk(coordination)
    assert coordination.fold() is None
    assert trunk(coordination) == before


def test_an_outsider_s_commit_on_the_branch_survives(hosts: Hosts, bare: Path, tmp_path: Path) -> None:
    (one,) = hosts(1)
    add_tasks(one, 2)
    one.fold()
    other = tmp_path / "person"
    git(tmp_path, "clone", "-q", str(bare), str(other))
    (other / "README.md").write_text("hello\n")
    git(other, "add", "README.md")
    git(other, "-c", "user.name=p", "-c", "user.email=p@example.invalid", "commit", "-qm", "Say hello")
    finish(one, claim_all(one))
    git(other, "push", "-q", "origin", "main")
    one.fold()
    assert git(bare, "show", "main:README.md") == "hello"
    assert len(results_on(bare, "main")) == 2


def test_many_folding_at_once_lose_nothing(hosts: Hosts, bare: Path) -> None:
    several = hosts(6)
    add_tasks(several[0], 12)
    for host in several:
        finish(host, claim_all(host, 2))
    code = """
        import sys
        from pathlib import Path
        from cortex_git.store.coordination import Coordination
        Coordination.open(Path(sys.argv[1])).fold()
        """
    children = [python(code, str(host.repository.folder)) for host in several]
    for child in children:
        _, errors = child.communicate(timeout=60)
        assert child.returncode == 0, errors
    assert sorted(results_on(bare, "main")) == [f"b1-t{n:03d}" for n in range(12)]
    assert_sound(bare)


def test_a_protected_branch_is_said_so_and_results_stay_readable(hosts: Hosts, bare: Path) -> None:
    one, two = hosts(2)
    add_tasks(one, 1)
    hook = bare / "hooks" / "update"
    hook.write_text('#!/bin/sh\n[ "$1" = refs/heads/main ] && exit 1\nexit 0\n')
    hook.chmod(0o755)
    finish(one, claim_all(one))
    with pytest.raises(EnvironmentProblem, match="branch main"):
        one.fold()
    two.pull()
    assert claim_all(two) == []


def test_a_clean_checkout_follows_and_a_changed_one_is_left_alone(coordination: Coordination) -> None:
    folder = coordination.repository.folder
    add_tasks(coordination, 1)
    coordination.fold()
    coordination.pull()
    assert coordination.follow() is None
    assert (folder / "coordination/tasks/b1/b1-t000.json").is_file()
    (folder / "coordination/config.toml").write_text("schema = 1\n# mine\n")
    finish(coordination, claim_all(coordination))
    coordination.fold()
    coordination.pull()
    note = coordination.follow()
    assert note is not None and "git merge --ff-only" in note
    assert (folder / "coordination/config.toml").read_text() == "schema = 1\n# mine\n"
    assert not (folder / "coordination/results").exists()


def test_without_remote_a_person_s_commit_and_the_fold_come_together(tmp_path: Path) -> None:
    from cortex_git.store.creation import create

    create(tmp_path / "alone", None)
    alone = Coordination.open(tmp_path / "alone")
    add_tasks(alone, 2)
    finish(alone, claim_all(alone, 1))
    alone.fold()
    (tmp_path / "alone" / "notes.txt").write_text("mine\n")
    git(tmp_path / "alone", "add", "notes.txt")
    identity = ("-c", "user.name=p", "-c", "user.email=p@example.invalid")
    git(tmp_path / "alone", *identity, "commit", "-qm", "Take notes")
    finish(alone, claim_all(alone))
    alone.fold()
    assert alone.follow() is None
    assert len(results_on(tmp_path / "alone", "HEAD")) == 2
    assert (tmp_path / "alone" / "notes.txt").read_text() == "mine\n"


def test_a_foreign_path_on_a_result_ref_is_not_folded(hosts: Hosts, bare: Path, tmp_path: Path) -> None:
    """Whoever can push is trusted, yet a strange path must not break everybody's folds."""
    one, two = hosts(2)
    add_tasks(one, 1)
    finish(one, claim_all(one))
    folder = two.repository.folder
    (folder / "coordination" / "odd\nname.json").write_text("{}")
    git(folder, "add", "-A")
    identity = ("-c", "user.name=p", "-c", "user.email=p@example.invalid")
    git(folder, *identity, "commit", "-qm", "odd")
    git(folder, "push", "-q", "origin", "HEAD:refs/cortex/results/stranger")
    one.fold()
    assert results_on(bare, "main") == ["b1-t000"]
    assert "odd" not in git(bare, "ls-tree", "-r", "--name-only", "main")


def test_a_lock_left_on_the_branch_is_said(hosts: Hosts, bare: Path) -> None:
    """A killed push can leave one at the remote: folds that never come about must not be taken for done."""
    (one,) = hosts(1)
    add_tasks(one, 1)
    finish(one, claim_all(one))
    lock = bare / "refs/heads/main.lock"
    lock.touch()
    with pytest.raises(EnvironmentProblem, match="could not move the branch main"):
        one.fold()
    lock.unlink()
    assert one.fold() is not None
    assert results_on(bare, "main") == ["b1-t000"]
