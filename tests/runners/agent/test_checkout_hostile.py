"""Repositories and programs that try to run something, to escape, to fill the disk, or to get a key out."""

import os
import subprocess
from pathlib import Path

import pytest
from codeworld import attempt, bare_of, branches, commit, repository
from gitworld import git
from scan.hostile_repositories import set_traps

from cortex_git.errors import EnvironmentProblem
from cortex_git.runners.agent.checkout import NotPublished, leftovers
from cortex_git.runners.agent.worktrees import WorkTree, folder_for

KEY = "gh" + "p_" + "x7Kd0QmZ3rTfB9aLwUe2Yh5NvCs8Gj1PoI4q"
ATTRIBUTES = "* filter=trap diff=trap merge=trap ident text=auto\n*.bin filter=lfs\n"


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


@pytest.fixture
def trapped(tmp_path: Path, canary: Path) -> Path:
    """A checkout whose own settings and hooks would each start a program."""
    source = repository(
        tmp_path / "trapped", {"a.txt": "one\n", ".gitattributes": ATTRIBUTES, "b.bin": "b\n"}
    )
    set_traps(source, canary)
    return source


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    source = repository(tmp_path / "source", {"a.txt": "one\n", ".gitattributes": ATTRIBUTES})
    return bare_of(source, tmp_path / "remote.git")


def tree(repo: Path, *entries: str) -> str:
    """A tree object with these `git mktree` lines, whatever names they have."""
    lines = "".join(f"{entry}\n" for entry in entries)
    command = ["git", "-C", str(repo), "mktree"]
    return subprocess.run(command, input=lines, text=True, capture_output=True, check=True).stdout.strip()


def main_at(repo: Path, top: str) -> None:
    """Move `main` to a commit of that tree."""
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.invalid")
    git(repo, "update-ref", "refs/heads/main", git(repo, *identity, "commit-tree", "-m", "x", top))


def test_no_setting_hook_or_filter_of_a_checkout_runs(trapped: Path, canary: Path) -> None:
    checkout = attempt(trapped)
    (checkout.folder / "a.txt").write_text("changed\n")
    (checkout.folder / "c.bin").write_text("new\n")
    assert checkout.changes() == ["a.txt", "c.bin"]
    assert b"+changed" in checkout.diff(10_000)
    for path in ("a.txt", "c.bin"):
        (checkout.folder / path).unlink()
    (checkout.folder / "a.txt").write_text("one\n")
    assert checkout.leave() is None
    assert not canary.exists()


def test_nothing_of_the_persons_own_settings_runs(
    remote: Path, canary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = f"!touch {canary}; cat"
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f'[filter "trap"]\n clean = {trap[1:]}\n smudge = {trap[1:]}\n required = true\n'
        f"[core]\n hooksPath = {tmp_path}/hooks\n fsmonitor = {trap[1:]}\n"
        f"[commit]\n gpgSign = true\n[gpg]\n program = touch\n[diff]\n external = touch {canary}\n"
        f'[url "ext::touch {canary} "]\n insteadOf = /\n'
    )
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "pre-push", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {canary}\n")
        (hooks / name).chmod(0o755)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", f"touch {canary}")
    checkout = attempt(remote)
    (checkout.folder / "a.txt").write_text("changed\n")
    assert b"+changed" in checkout.diff(10_000)
    published = checkout.publish("Change")
    assert published is not None and published.pushed
    assert checkout.leave() is None
    assert not canary.exists()


@pytest.mark.parametrize("name", [".git", "GIT~1", ".Git", ".g\u200cit"])
def test_paths_into_git_are_not_checked_out(remote: Path, name: str) -> None:
    blob = git(remote, "rev-parse", "main:a.txt")
    inner = tree(remote, f"100644 blob {blob}\tconfig")
    main_at(remote, tree(remote, f"040000 tree {inner}\t{name}"))
    with pytest.raises(EnvironmentProblem, match="invalid path"):
        attempt(remote)
    assert list(folder_for("").iterdir()) == []


def test_links_are_links_and_submodules_are_empty(tmp_path: Path, canary: Path) -> None:
    source = repository(tmp_path / "source", {"a.txt": "one\n"})
    (source / "out").symlink_to(tmp_path)
    (source / "passwd").symlink_to("/etc/passwd")
    modules = f'[submodule "s"]\n path = s\n url = ext::touch {canary}\n update = !touch {canary}\n'
    (source / ".gitmodules").write_text(modules)
    link = f"160000,{git(source, 'rev-parse', 'HEAD')},s"
    git(source, "update-index", "--add", "--cacheinfo", link)
    commit(source, {})
    git(source, "update-index", "--add", "--cacheinfo", link)
    git(source, "-c", "user.name=a", "-c", "user.email=a@x", "commit", "-q", "--amend", "-m", "with s")
    remote = bare_of(source, tmp_path / "remote.git")
    assert "160000 commit" in git(remote, "ls-tree", "main")
    checkout = attempt(remote)
    assert (checkout.folder / "out").readlink() == tmp_path
    assert (checkout.folder / "passwd").is_symlink()
    assert list((checkout.folder / "s").iterdir()) == []
    (checkout.folder / "a.txt").write_text("changed\n")
    published = checkout.publish("Change")
    assert published is not None
    assert git(remote, "diff", "--name-only", "main", published.branch) == "a.txt"
    assert not canary.exists()


def test_a_tree_that_unfolds_without_end_is_refused(remote: Path) -> None:
    blob = git(remote, "rev-parse", "main:a.txt")
    level = tree(remote, *(f"100644 blob {blob}\tf{n}" for n in range(10)))
    for _ in range(9):
        level = tree(remote, *(f"040000 tree {level}\td{n}" for n in range(10)))
    main_at(remote, level)
    with pytest.raises(EnvironmentProblem, match="more than 200,000 files"):
        attempt(remote)
    assert list(folder_for("").iterdir()) == []


def test_a_deadline_ends_the_wait_for_the_clone(remote: Path) -> None:
    import fcntl

    first = attempt(remote)
    lock = Path(first._work.clone.folder).with_suffix(".lock")
    with lock.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(EnvironmentProblem, match="took over"):
            attempt(remote, "t2", deadline_s=0.2)
    assert first.leave() is None


def test_what_a_program_does_to_gits_files_has_no_effect(remote: Path, canary: Path, tmp_path: Path) -> None:
    checkout = attempt(remote)
    work: WorkTree = checkout._work
    trap = f"touch {canary}; cat"
    common = work.clone.folder / "config"
    common.write_text(
        common.read_text()
        + f'[filter "trap"]\n clean = {trap}\n required = true\n[core]\n sshCommand = {trap}\n'
        + f'[diff "trap"]\n textconv = {trap}\n[url "ext::{trap} "]\n insteadOf = /\n'
        + "[push]\n gpgSign = true\n"
    )
    elsewhere = repository(tmp_path / "elsewhere", {"theirs.txt": "t\n"})
    (checkout.folder / ".git").write_text(f"gitdir: {elsewhere}/.git\n")
    (work.git_folder / "commondir").write_text(f"{elsewhere}/.git\n")
    (work.git_folder / "index").write_bytes(b"DIRC broken")
    (checkout.folder / "a.txt").write_text("changed\n")
    published = checkout.publish("Change")
    assert published is not None
    assert git(remote, "diff", "--name-only", "main", published.branch) == "a.txt"
    assert checkout.leave() is None
    assert not canary.exists()
    assert list(branches(elsewhere)) == ["main"]


@pytest.mark.parametrize("committed", [True, False])
def test_a_repository_made_inside_is_no_part_of_it(remote: Path, committed: bool) -> None:
    checkout = attempt(remote)
    inside = checkout.folder / "inside"
    subprocess.run(["git", "init", "-q", str(inside)], check=True)
    if committed:
        commit(inside, {"lost.txt": "work\n"})
    with pytest.raises(EnvironmentProblem, match="inside"):
        checkout.publish("Change")
    assert checkout.leave() == checkout.folder
    assert list(branches(remote)) == ["main"]


def test_too_much_is_not_pushed(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = attempt(remote)
    with (checkout.folder / "build.o").open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(NotPublished, match="hold 65 MiB"):
        checkout.publish("Change")
    (checkout.folder / "build.o").unlink()
    for number in range(5001):
        (checkout.folder / f"{number}").touch()
    with pytest.raises(NotPublished, match="5,001 files"):
        checkout.publish("Change")
    assert list(branches(remote)) == ["main"]


def test_secrets_are_not_pushed_however_they_are_covered(remote: Path) -> None:
    checkout = attempt(remote)
    (checkout.folder / ".gitattributes").write_text("* -diff -text binary\n")
    (checkout.folder / "b.py").write_bytes(b"\0\n" + b"x = 1\n" * 400_000 + f"TOKEN = '{KEY}'\n".encode())
    with pytest.raises(NotPublished, match=r"secrets: b\.py:400002 \(github") as withheld:
        checkout.publish("Change")
    assert KEY not in str(withheld.value)
    assert withheld.value.published.commit == ""
    assert checkout.leave() == checkout.folder
    [left] = leftovers(None)
    assert "b.py:400002" in left.record.reason and left.record.commit is None
    assert list(branches(remote)) == ["main"]

    again = attempt(remote)
    assert again.folder != checkout.folder
    (again.folder / "link").symlink_to(f"/{KEY}")
    with pytest.raises(NotPublished, match="link:1"):
        again.publish("Change")
    (again.folder / "link").unlink()
    (again.folder / "a.txt").write_text("fine\n")
    for message, path in ((f"Use {KEY}", "c.txt"), ("Change", KEY)):
        (again.folder / path).write_text("c\n")
        with pytest.raises(NotPublished, match="message or a file's name"):
            again.publish(message)
        (again.folder / path).unlink()
    published = again.publish("Change")
    assert published is not None
    assert KEY not in git(remote, "log", "-p", "--all")
    objects = git(remote, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    assert all(KEY not in git(remote, "cat-file", "-p", oid) for oid in objects)
    assert os.listdir(again.folder)
