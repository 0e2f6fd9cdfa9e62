"""Crashes, races, dead remotes and lost answers: no work is lost, and nobody's branch is overwritten."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from codeworld import attempt, bare_of, branches, repository
from githttp import serve
from gitworld import assert_sound, git, hook, python

from cortex_git.runners.agent.checkout import Checkout, NotPublished, Published, leftovers
from cortex_git.runners.agent.clones import FOLDER

WORKER = """
import sys, time
from pathlib import Path
from codeworld import attempt
repo, task, text = sys.argv[1:4]
checkout = attempt(repo, task)
(checkout.folder / "a.txt").write_text(text)
published = checkout.publish(f"Work of {task}")
print(published.branch, published.commit, checkout.leave())
"""


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    source = repository(tmp_path / "source", {"a.txt": "one\n", "b.txt": "two\n"})
    return bare_of(source, tmp_path / "remote.git")


def worked(repo: Path, task: str = "t1", text: str = "changed\n", **fields: object) -> Checkout:
    checkout = attempt(repo, task, **fields)
    (checkout.folder / "a.txt").write_text(text)
    return checkout


def done(checkout: Checkout) -> Published:
    published = checkout.publish("Change")
    assert published is not None and published.pushed
    return published


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.race
def test_many_workers_on_one_repository(remote: Path) -> None:
    workers = [python(WORKER, str(remote), f"t{n}", f"work {n}\n") for n in range(8)]
    for process in workers:
        out, err = process.communicate(timeout=90)
        assert process.returncode == 0, err
        assert out.split()[2] == "None"
    for n in range(8):
        assert git(remote, "show", f"cortex/t{n}-e1:a.txt") == f"work {n}"
    assert len(branches(remote)) == 9
    [clone] = (Path(os.environ["CORTEX_DATA_HOME"]) / FOLDER).glob("*.git")
    assert git(clone, "for-each-ref") == ""
    assert_sound(clone)
    assert_sound(remote)


def test_a_remote_that_is_away_costs_no_work(remote: Path, tmp_path: Path) -> None:
    checkout = worked(remote)
    away = remote.rename(tmp_path / "away.git")
    with pytest.raises(NotPublished, match="does not answer"):
        checkout.publish("Change")
    assert checkout.leave() == checkout.folder
    [left] = leftovers(None)
    assert (left.folder, left.record.pushed) == (checkout.folder, False)
    away.rename(remote)
    published = done(checkout)
    assert branches(remote)[checkout.branch] == published.commit == left.record.commit
    assert checkout.leave() is None
    assert leftovers(None) == []


def test_a_lost_answer_is_no_failure(remote: Path) -> None:
    hook(remote, "post-receive", "kill -9 $PPID")
    checkout = worked(remote)
    first = done(checkout)
    assert branches(remote)[checkout.branch] == first.commit
    (checkout.folder / "a.txt").write_text("more\n")
    second = done(checkout)
    assert branches(remote)[checkout.branch] == second.commit
    assert checkout.leave() is None


def test_an_answer_lost_for_good_is_recognised_by_the_next_push(remote: Path, tmp_path: Path) -> None:
    away = tmp_path / "away.git"
    hook(remote, "post-receive", f"mv '{remote}' '{away}'; kill -9 $PPID")
    checkout = worked(remote)
    with pytest.raises(NotPublished, match="does not answer"):
        checkout.publish("Change")
    away.rename(remote)
    (remote / "hooks" / "post-receive").unlink()
    (checkout.folder / "b.txt").write_text("more\n")
    published = done(checkout)
    assert branches(remote)[checkout.branch] == published.commit
    assert git(remote, "rev-list", "--count", f"main..{checkout.branch}") == "2"


def test_a_superseded_worker_writes_to_its_own_branch_only(remote: Path) -> None:
    old, new = worked(remote, text="old\n", epoch=1), worked(remote, text="new\n", epoch=2)
    assert old.folder != new.folder
    successor = done(new)
    done(old)
    assert branches(remote)["cortex/t1-e2"] == successor.commit
    assert git(remote, "show", "cortex/t1-e1:a.txt") == "old"


def test_a_branch_that_another_wrote_stays_as_it_is(remote: Path) -> None:
    first, second = worked(remote, text="mine\n"), worked(remote, text="theirs\n")
    theirs = done(second)
    with pytest.raises(NotPublished, match=r"holds [0-9a-f]{12}, which another wrote"):
        first.publish("Change")
    with pytest.raises(NotPublished):
        first.publish("Change")
    assert branches(remote)[first.branch] == theirs.commit
    assert first.leave() == first.folder

    git(remote, "update-ref", f"refs/heads/{second.branch}", "main")
    (second.folder / "a.txt").write_text("more\n")
    with pytest.raises(NotPublished, match="another wrote"):
        second.publish("More")
    assert branches(remote)[second.branch] == branches(remote)["main"]


def test_killed_between_commit_and_push(remote: Path, tmp_path: Path) -> None:
    started, go = tmp_path / "started", tmp_path / "go"
    hook(remote, "pre-receive", f"touch '{started}'; while [ ! -e '{go}' ]; do sleep 0.02; done; exit 1")
    process = python(WORKER, str(remote), "t1", "half\n")
    wait_for(started, process)
    assert leftovers(None) == []
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    go.touch()
    (remote / "hooks" / "pre-receive").unlink()
    [left] = leftovers(None)
    assert (left.record.task, left.record.pushed, left.record.live) == ("t1", False, False)
    assert (left.folder / "a.txt").read_text() == "half\n"
    assert list(branches(remote)) == ["main"]

    # The next epoch has a folder of its own; told to continue, it finds the commit on this host.
    fresh = attempt(remote, epoch=2)
    assert (fresh.folder / "a.txt").read_text() == "one\n"
    earlier = {"resume": {"branch": left.record.branch, "commit": left.record.commit}}
    going_on = attempt(remote, "t1-r1", earlier=earlier)
    assert (going_on.folder / "a.txt").read_text() == "half\n"
    published = done(going_on)
    assert (published.commit, published.branch) == (left.record.commit, "cortex/t1-r1-e1")
    assert left.folder.exists()


def test_over_http_with_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = repository(tmp_path / "source", {"a.txt": "one\n"})
    remote = bare_of(source, tmp_path / "srv" / "app.git")
    git(remote, "config", "http.receivepack", "true")
    tool = tmp_path / "askpass"
    tool.write_text('#!/bin/sh\ncase "$1" in Username*) echo me;; *) echo pass-of-nobody;; esac\n')
    tool.chmod(0o755)
    with serve(tmp_path / "srv") as server:
        server.login = "me:pass-of-nobody"
        checkout = attempt(f"{server.url}/app.git", options={"askpass": str(tool)})
        (checkout.folder / "a.txt").write_text("changed\n")
        server.fail_first = 1
        published = checkout.publish("Change")
        assert published is not None
        assert branches(remote)[checkout.branch] == published.commit
        with pytest.raises(Exception, match="could not be fetched") as refused:
            attempt(f"{server.url}/app.git", "t2")
        assert "nobody" not in str(refused.value)
    assert checkout.leave() is None
