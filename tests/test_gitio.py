"""The one wrapper around git: its environment, its time limit, its errors, and reading what git says."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gitworld import git as plain_git
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.gitio import (
    ENVIRONMENT,
    REPOSITORY_VARIABLES,
    Git,
    GitFailed,
    GitTimedOut,
    PushedRef,
    blob_id,
    parse_push,
    redact,
    telling_line,
)


@pytest.fixture
def repository(tmp_path: Path) -> Git:
    folder = tmp_path / "repo"
    folder.mkdir()
    plain_git(folder, "init", "-q", "-b", "main")
    (folder / "file").write_bytes(b"one\n\0two")
    plain_git(folder, "add", ".")
    plain_git(folder, "-c", "user.name=a", "-c", "user.email=a@example.invalid", "commit", "-q", "-m", "x")
    return Git(folder)


def alias(repository: Git, script: str) -> str:
    """A git command of this repository that runs a shell script."""
    repository.run("config", "alias.trial", f"!{script}")
    return "trial"


def test_output_and_status(repository: Git) -> None:
    done = repository.run("rev-parse", "--abbrev-ref", "HEAD")
    assert (done.status, done.stdout, done.stderr) == (0, b"main\n", "")
    assert repository.text("rev-parse", "--abbrev-ref", "HEAD") == "main"
    assert repository.run("rev-parse", "--verify", "nope", check=False).status == 128


def test_a_failure_says_why_and_what_was_run(repository: Git) -> None:
    with pytest.raises(GitFailed) as caught:
        repository.run("rev-parse", "--verify", "nope")
    assert (caught.value.message, caught.value.status) == ("Needed a single revision", 128)
    assert "git rev-parse" in caught.value.hint


def test_a_folder_that_is_not_there(repository: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitPython would run git where this process is, which may be somebody's work."""
    monkeypatch.chdir(repository.directory)
    for name in ("gone", "file"):
        with pytest.raises(GitFailed, match="not a folder"):
            Git(repository.directory / name).run("rev-parse", "HEAD")


def test_out_of_time_ends_the_whole_group(repository: Git, tmp_path: Path) -> None:
    name = alias(repository, f"sh -c 'sleep 60 & echo $! > {tmp_path}/pid; wait'")
    with pytest.raises(GitTimedOut, match="over 1 s"):
        repository.run(name, timeout=1.0)
    pid = int((tmp_path / "pid").read_text())
    while _runs(pid):
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_streaming_ends_with_its_block(repository: Git) -> None:
    with repository.streaming("cat-file", "--batch") as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"HEAD:file\n")
        process.stdin.flush()
        assert process.stdout.readline().split()[1:] == [b"blob", b"8"]
    assert process.poll() is not None


def test_much_input_and_much_output_do_not_block_each_other(repository: Git) -> None:
    lines = repository.run("rev-parse", "HEAD:file").stdout * 10_000
    assert repository.run("cat-file", "--batch-check", stdin=lines).stdout.count(b"\n") == 10_000


def test_neither_hooks_nor_prompts(repository: Git, tmp_path: Path) -> None:
    hook = repository.directory / ".git/hooks/pre-push"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    plain_git(tmp_path, "init", "-q", "--bare", "remote.git")
    repository.run("push", "-q", str(tmp_path / "remote.git"), "main")
    assert not (tmp_path / "ran").exists()
    assert repository.environment["GIT_TERMINAL_PROMPT"] == "0"


def test_what_a_calling_hook_left_in_the_environment_is_dropped(repository: Git, tmp_path: Path) -> None:
    """In a process of its own, because it happens at the import."""
    left = dict.fromkeys(REPOSITORY_VARIABLES, str(tmp_path / "elsewhere"))
    code = (
        "import sys, pathlib; from cortex_git.gitio import Git;"
        "print(Git(pathlib.Path(sys.argv[1])).text('log', '--format=%s'))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(repository.directory)],
        env={**os.environ, **left},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (out.stdout, out.returncode) == ("x\n", 0), out.stderr


def test_every_variable_that_git_calls_local_is_dropped() -> None:
    local = subprocess.check_output(["git", "rev-parse", "--local-env-vars"], text=True).split()
    assert set(local) <= {*REPOSITORY_VARIABLES, *ENVIRONMENT}, "or set by us in every call"


def test_blobs(repository: Git) -> None:
    oid = repository.text("rev-parse", "HEAD:file")
    found = repository.blobs([oid, "HEAD:file", "HEAD:gone", "HEAD", oid, "0" * 40])
    assert found == {oid: b"one\n\0two", "HEAD:file": b"one\n\0two"}
    assert repository.blobs([]) == {}
    assert blob_id(b"one\n\0two", oid) == oid


def test_refs(repository: Git) -> None:
    repository.run("update-ref", "refs/cortex/x", "HEAD")
    head = repository.text("rev-parse", "HEAD")
    assert repository.refs("refs/cortex/") == {"refs/cortex/x": head}
    assert repository.refs() == {"refs/cortex/x": head, "refs/heads/main": head}
    assert repository.refs("refs/none/") == {}


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://user:hunter2@h.example/x", "https://h.example/x"),
        ("fatal: 'https://token@h/x' and ssh://git@h/y", "fatal: 'https://h/x' and ssh://h/y"),
        ("https://h.example/a@b", "https://h.example/a@b"),
        ("no URL, a@b", "no URL, a@b"),
        (
            "fatal: unable to access 'https://u@h/x.git?private_token=glpat-a'b#c/': Failed",
            "fatal: unable to access 'https://h/x.git': Failed",
        ),
        ("https://h/x#access_token=t, see https://h/docs#id", "https://h/x, see https://h/docs#id"),
        ('{"at":"https://h?t=1","said":"why?"}', '{"at":"https://h","said":"why?"}'),
    ],
)
def test_redact(text: str, clean: str) -> None:
    assert redact(text) == clean


@given(st.text(st.characters(exclude_characters="/@ \t\n\r'\"", exclude_categories=["Z", "C"]), min_size=1))
def test_no_user_info_is_left(secret: str) -> None:
    assert redact(f"x https://{secret}@h.example/y") == "x https://h.example/y"


def test_no_password_in_a_failure(repository: Git) -> None:
    with pytest.raises(GitFailed) as caught:
        repository.run("fetch", "http://user:hunter2@127.0.0.1:9/x")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("stderr", "line"),
    [
        ("warning: a\nfatal: b\nmore", "b"),
        ("hint: a\nerror: c\nerror: d", "c"),
        ("remote: no\n", "no"),
        ("plain\nlast", "last"),
        ("", "git failed without a word"),
    ],
)
def test_the_telling_line(stderr: str, line: str) -> None:
    assert telling_line(stderr) == line


def test_lines_of_a_push() -> None:
    text = (
        "To ../remote.git\n"
        "*\tabc:refs/cortex/a\t[new reference]\n"
        "=\tabc:refs/cortex/b\t[up to date]\n"
        " \tabc:refs/heads/main\tabc..def\n"
        "+\tabc:refs/cortex/c\tabc...def (forced update)\n"
        "-\t:refs/cortex/d\t[deleted]\n"
        "!\tabc:refs/cortex/e\t[rejected] (stale info)\n"
        "!\tabc:refs/cortex/f\t[rejected] (atomic push failed)\n"
        "Done\n"
    )
    lines = parse_push(text)
    assert [(line.flag, line.ref) for line in lines] == [
        ("*", "refs/cortex/a"),
        ("=", "refs/cortex/b"),
        (" ", "refs/heads/main"),
        ("+", "refs/cortex/c"),
        ("-", "refs/cortex/d"),
        ("!", "refs/cortex/e"),
        ("!", "refs/cortex/f"),
    ]
    assert [line.ref[-1] for line in lines if line.stale] == ["e"]
    assert [line.ref[-1] for line in lines if line.bystander] == ["f"]


@given(st.text())
def test_other_output_is_passed_over(text: str) -> None:
    assert all(isinstance(line, PushedRef) and line.flag in " +-*!=" for line in parse_push(text))


def test_a_real_push_is_understood(repository: Git, tmp_path: Path) -> None:
    plain_git(tmp_path, "init", "-q", "--bare", "remote.git")
    remote = str(tmp_path / "remote.git")

    def push(*arguments: str) -> list[tuple[str, bool]]:
        out = repository.run("push", "--porcelain", *arguments, check=False).text
        return [(line.flag, line.stale) for line in parse_push(out)]

    assert push("--force-with-lease=refs/cortex/a:", remote, "main:refs/cortex/a") == [("*", False)]
    assert push(remote, "main:refs/cortex/a") == [("=", False)]
    repository.run("-c", "user.name=a", "-c", "user.email=a@b.invalid", "commit", "--allow-empty", "-qm", "y")
    assert push("--force-with-lease=refs/cortex/a:", remote, "main:refs/cortex/a") == [("!", True)]
    assert push("--force-with-lease=refs/cortex/b:" + "1" * 40, remote, ":refs/cortex/b") == [("!", True)]
