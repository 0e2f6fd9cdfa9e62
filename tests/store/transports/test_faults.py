"""Faults on the way to a remote: lost answers, wrong passwords, servers and proxies that answer nonsense."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from githttp import HTML, Answer
from gitworld import add_tasks, claim_all, cortex, finish, git, result_commits, result_for
from transportworld import Way, cut_after_landing

from cortex_git.errors import EnvironmentProblem
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.refs import RemoteUnreachable

Hosts = Callable[[int], list[Coordination]]


@pytest.mark.parametrize("way", ["http-proxy", "ssh-proxy"], indirect=True, ids=lambda kind: kind)
def test_a_connection_cut_after_refs_changed_is_no_loss(hosts: Hosts, way: Way, tmp_path: Path) -> None:
    """The claim and the publish both land, and neither is acknowledged."""
    (one,) = hosts(1)
    assert way.proxy is not None
    add_tasks(one, 1)
    switch = cut_after_landing(way, tmp_path)
    claims = claim_all(one)
    assert len(claims) == 1, "found to be ours by looking"
    before = way.proxy.dropped
    assert before >= 1
    one.record([(claim, result_for(one, claim), {}) for claim in claims])
    report = one.flush()
    assert way.proxy.dropped > before
    assert (len(report.done), report.fenced) == (1, [])
    switch.unlink()
    assert len(result_commits(way.bare)) == 1
    assert git(way.bare, "for-each-ref", "refs/cortex/claims") == ""


@pytest.mark.parametrize("way", ["http-proxy", "ssh-proxy"], indirect=True, ids=lambda kind: kind)
def test_a_remote_that_is_away_is_said_and_everything_waits(hosts: Hosts, way: Way) -> None:
    (one,) = hosts(1)
    assert way.proxy is not None
    add_tasks(one, 1)
    claims = claim_all(one)
    one.record([(claim, result_for(one, claim), {}) for claim in claims])
    way.proxy.down = True
    with pytest.raises(RemoteUnreachable, match="remote"):
        one.flush()
    with pytest.raises(RemoteUnreachable):
        one.pull()
    way.proxy.down = False
    assert len(one.flush().done) == 1


@pytest.mark.parametrize("way", ["http"], indirect=True)
def test_an_answer_lost_by_the_web_server(hosts: Hosts, way: Way) -> None:
    (one,) = hosts(1)
    assert way.http is not None
    add_tasks(one, 2)
    way.http.answer = lambda _method, path: Answer(lost=True) if path.endswith("/git-receive-pack") else None
    finish(one, claim_all(one))
    way.http.answer = lambda _method, _path: None
    assert one.outbox.count() == 0
    assert len(result_commits(way.bare)) == 2


NONSENSE = {
    "500": Answer(500, b"oops"),
    "429": Answer(429, b"slow down", {"Retry-After": "1"}),
    "403": Answer(403, b"no"),
    "html": Answer(200, HTML, {"Content-Type": "text/html"}),
    "html posing as git": Answer(200, HTML, {"Content-Type": "application/x-git-receive-pack-result"}),
}


@pytest.mark.parametrize("way", ["http"], indirect=True)
@pytest.mark.parametrize("when", ["at once", "at the push"])
@pytest.mark.parametrize("kind", list(NONSENSE))
def test_nonsense_is_no_answer(hosts: Hosts, way: Way, kind: str, when: str) -> None:
    (one,) = hosts(1)
    assert way.http is not None
    add_tasks(one, 1)
    claims = claim_all(one)
    one.record([(claim, result_for(one, claim), {}) for claim in claims])
    answer = NONSENSE[kind]
    way.http.answer = lambda method, _path: answer if when == "at once" or method == "POST" else None
    with pytest.raises((RemoteUnreachable, EnvironmentProblem)) as raised:
        one.flush()
    assert "\n" not in str(raised.value)
    assert one.outbox.count() == 1
    way.http.answer = lambda _method, _path: None
    assert len(one.flush().done) == 1
    assert len(result_commits(way.bare)) == 1


def helper(folder: Path, password: str) -> None:
    git(folder, "config", "credential.helper", f"!f() {{ echo username=me; echo password={password}; }}; f")


@pytest.mark.parametrize("way", ["http"], indirect=True)
def test_passwords_come_from_a_helper_and_wrong_ones_are_one_line(way: Way, tmp_path: Path) -> None:
    create(tmp_path / "a", way.url)
    assert way.http is not None
    way.http.login = "me:s3cr3t-right"
    helper(tmp_path / "a", "s3cr3t-right")
    assert cortex("sync", cwd=tmp_path / "a").returncode == 0
    for wrong in ("s3cr3t-wrong", ""):
        if wrong:
            helper(tmp_path / "a", wrong)
        else:
            git(tmp_path / "a", "config", "--unset", "credential.helper")
        done = cortex("sync", cwd=tmp_path / "a")
        assert done.returncode == 3
        assert done.stderr.count("\n") == 1 and "s3cr3t" not in done.stderr
        assert "credential" in done.stderr


@pytest.mark.parametrize("way", ["http"], indirect=True)
def test_user_info_in_the_address_is_shown_nowhere(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert way.http is not None
    way.http.login = "me:s3cr3t"
    with_password = way.url.replace("http://", "http://me:s3cr3t@")
    done = cortex("init", "a", "--remote", with_password, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    again = cortex("init", "a", "--remote", with_password, "--format", "json", cwd=tmp_path)
    status = cortex("status", cwd=tmp_path / "a")
    way.http.login = "me:changed"
    refused = cortex("sync", cwd=tmp_path / "a")
    elsewhere = cortex("init", "b", "--remote", with_password, cwd=tmp_path)
    assert (refused.returncode, elsewhere.returncode) == (3, 3)
    for one in (done, again, status, refused, elsewhere):
        assert "s3cr3t" not in one.stdout + one.stderr
    assert "s3cr3t" not in git(way.bare, "log", "--all", "-p")


@pytest.mark.parametrize("way", ["http"], indirect=True)
def test_no_program_of_the_desktop_is_asked(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(tmp_path / "a", way.url)
    assert way.http is not None
    way.http.login = "me:secret"
    asked = tmp_path / "asked"
    program = tmp_path / "askpass"
    program.write_text(f"#!/bin/sh\ntouch {asked}\necho secret\n")
    program.chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(program))
    monkeypatch.setenv("DISPLAY", ":0")
    assert cortex("sync", cwd=tmp_path / "a").returncode == 3
    assert not asked.exists()
    assert os.environ["SSH_ASKPASS"]


@pytest.mark.parametrize("way", ["ssh"], indirect=True)
def test_ssh_says_why_it_was_not_let_in(way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create(tmp_path / "a", way.url)
    assert way.ssh is not None
    other = tmp_path / "ssh" / "other"
    (tmp_path / "ssh" / "id").rename(other)
    done = cortex("sync", cwd=tmp_path / "a")
    assert done.returncode == 3
    assert "Permission denied" in done.stderr and done.stderr.count("\n") == 1
    # The person's own way of calling ssh, in git's own settings, is the one that is used.
    command = way.ssh.command.replace(str(tmp_path / "ssh" / "id"), str(other))
    monkeypatch.delenv("GIT_SSH_COMMAND")
    git(tmp_path / "a", "config", "core.sshCommand", command)
    assert cortex("sync", cwd=tmp_path / "a").returncode == 0
