"""Fix campaigns whose command or worker is killed: nothing lost, one branch that counts."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from gitworld import cortex, git, new_coordination, start_cortex

COMMIT = ("-c", "user.name=a", "-c", "user.email=a@example.invalid", "commit", "-q", "-m")


@pytest.fixture
def scanned(tmp_path: Path, bare: Path) -> tuple[Path, Path]:
    """A coordination clone that knows a vulnerable repository, and that repository."""
    host = new_coordination(tmp_path / "host", bare)
    work, target = tmp_path / "work", tmp_path / "target.git"
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    (work / "requirements.txt").write_text("jinja2==2.10\n")
    git(work, "add", ".")
    git(work, *COMMIT, "x")
    git(tmp_path, "clone", "-q", "--bare", str(work), str(target))
    done = cortex("multi-repo-scan", "--allow-incomplete", str(target), cwd=host)
    assert done.returncode == 0, done.stderr
    return host, target


def started(host: Path, mark: Path) -> "subprocess.Popen[str]":
    """A campaign that is inside its test."""
    code = f"import pathlib, time; pathlib.Path({str(mark)!r}).write_text('x'); time.sleep(60)"
    child = start_cortex(
        "multi-repo-fix",
        "-a",
        "CVE-2019-10906",
        "--batch",
        "fix-1",
        "--test",
        f'python3 -c "{code}"',
        cwd=host,
    )
    ends = time.monotonic() + 60
    while not mark.exists():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < ends
        time.sleep(0.05)
    return child


def test_a_killed_campaign_is_gone_on_with(scanned: tuple[Path, Path], tmp_path: Path) -> None:
    host, target = scanned
    child = started(host, tmp_path / "mark")
    child.kill()
    child.communicate()
    done = cortex("multi-repo-fix", "--resume", "fix-1", "--format", "json", cwd=host)
    (row,) = json.loads(done.stdout)["rows"]
    assert (done.returncode, row["status"]) == (0, "fixed"), done.stderr
    assert git(target, "show", f"{row['branch']}:requirements.txt") == "jinja2==2.10.1"
    branches = git(target, "branch", "--list", "cortex/*", "--format=%(refname:short)").split()
    assert branches == [row["branch"]]


def test_a_campaign_that_is_interrupted_says_how_to_go_on(scanned: tuple[Path, Path], tmp_path: Path) -> None:
    host, _ = scanned
    child = started(host, tmp_path / "mark")
    for _ in range(2):
        os.kill(child.pid, signal.SIGINT)
        time.sleep(0.5)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert "interrupted; go on with --resume fix-1" in err
    done = cortex("multi-repo-fix", "--resume", "fix-1", "--format", "json", cwd=host)
    assert json.loads(done.stdout)["rows"][0]["status"] == "fixed", done.stderr


def test_a_repository_that_takes_no_branch_keeps_the_work_here(
    scanned: tuple[Path, Path], tmp_path: Path
) -> None:
    host, target = scanned
    hook = target / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no pushes here >&2\nexit 1\n")
    hook.chmod(0o755)
    done = cortex("multi-repo-fix", "-a", "CVE-2019-10906", "--format", "json", cwd=host)
    (row,) = json.loads(done.stdout)["rows"]
    assert (done.returncode, row["status"]) == (1, "failed"), done.stderr
    assert "no pushes here" in row["error"]
    kept = list((host / ".git" / "cortex" / "worktrees").glob("*/requirements.txt"))
    assert "jinja2==2.10.1\n" in [path.read_text() for path in kept]
