"""Checks of the remote and of what hosts share on refs: each fault made, seen, mended by the protocol."""

import json
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import githttp
import pytest
from doctorworld import COMMIT, age, assert_well, bad, look, mended, one
from gitworld import add_tasks, claim_all, finish, git, python, result_for, results_on

from cortex_git.services.doctor import answering
from cortex_git.services.doctor.findings import Severity
from cortex_git.store import judging
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.heartbeat import Signs, beat
from cortex_git.store.refs import ANY, Update

CHECKS = (
    "reachable", "remote-locks", "capabilities", "namespaces", "clock-skew", "claims", "finished-claims",
    "cancelled-claims", "unreadable-claims", "silent-hosts", "fold", "fenced",
)  # fmt: skip
TASK = "b1-t000"


@pytest.fixture
def coordination(host: Path) -> Coordination:
    """A clone with three tasks to do, of which none is begun."""
    coordination = Coordination.open(host)
    add_tasks(coordination, 3)
    coordination.fold()
    return coordination


@pytest.fixture
def other(coordination: Coordination, bare: Path, tmp_path: Path) -> Coordination:
    """A second host, as it seems on another machine."""
    git(tmp_path, "clone", "-q", str(bare), "other")
    made = Coordination.open(tmp_path / "other")
    assert made.repository.host != coordination.repository.host
    return made


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process of another clone is one of this machine's."""
    monkeypatch.setattr(judging, "process_gone", lambda *_: False)


@pytest.mark.usefixtures("coordination")
@pytest.mark.parametrize("check", CHECKS)
def test_a_sound_remote(host: Path, check: str) -> None:
    assert_well(host, check)


def test_without_a_remote(tmp_path: Path) -> None:
    create(tmp_path / "alone", None)
    coordination = Coordination.open(tmp_path / "alone")
    add_tasks(coordination, 1)
    finish(coordination, claim_all(coordination))
    coordination.fold()
    for check in set(CHECKS) - {"remote-locks", "capabilities"}:
        assert_well(tmp_path / "alone", check)
    for check in ("remote-locks", "capabilities"):
        (found,) = look(tmp_path / "alone", check)
        assert (found.looked, found.severity) == (False, Severity.NOTE)


def test_a_remote_that_is_away(host: Path, bare: Path) -> None:
    bare.rename(bare.with_name("away"))
    found = one(host, "reachable", Severity.PROBLEM)
    assert found.finding.advice == f"git -C {host} ls-remote origin"
    assert found.finding.where == str(bare)
    assert [entry.looked for entry in bad(host, "claims")] == [False]


def test_a_remote_that_hangs(host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "_PATIENCE_S", 0.5)
    with githttp.serve(tmp_path) as server:
        server.hang = True
        git(host, "remote", "set-url", "origin", f"http://me:secret@127.0.0.1:{server.port}/remote.git")
        found = one(host, "reachable", Severity.PROBLEM)
    assert "did not answer within 0.5 s" in found.finding.summary
    assert "secret" not in json.dumps(found.to_json())


def test_a_login_that_is_refused(host: Path, tmp_path: Path) -> None:
    with githttp.serve(tmp_path) as server:
        server.login = "me:right"
        git(host, "remote", "set-url", "origin", f"http://me:wrong@127.0.0.1:{server.port}/remote.git")
        found = one(host, "reachable", Severity.PROBLEM)
    assert "uthentication failed" in found.finding.summary
    assert "wrong" not in json.dumps(found.to_json())


@pytest.fixture
def over_http(host: Path, bare: Path) -> Iterator[githttp.Server]:
    """The clone's remote over HTTP."""
    git(bare, "config", "http.receivepack", "true")
    with githttp.serve(bare.parent) as server:
        git(host, "remote", "set-url", "origin", f"{server.url}/{bare.name}")
        yield server


@pytest.mark.usefixtures("over_http")
def test_the_clock_of_an_http_server(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = look(host, "clock-skew")
    assert found.severity is Severity.OK
    assert "agree within" in found.finding.summary
    monkeypatch.setattr(
        BaseHTTPRequestHandler, "date_time_string", lambda _: formatdate(time.time() + 900, usegmt=True)
    )
    found = one(host, "clock-skew", Severity.NOTE)
    assert found.finding.summary == "this clock is 15 minutes behind the remote's"
    assert "no decision rests on" in found.finding.why


def test_a_lock_file_in_a_remote_folder(host: Path, bare: Path) -> None:
    lock = bare / "refs" / "cortex" / "claims" / "t.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    assert_well(host, "remote-locks")
    age(lock)
    found = one(host, "remote-locks", Severity.WARNING)
    assert found.finding.mend is None  # who works there from elsewhere cannot be seen
    assert found.finding.advice == f"rm {lock}, when no git is at work there"


def test_a_remote_that_keeps_refs_from_being_deleted(host: Path, bare: Path) -> None:
    hook = bare / "hooks" / "update"
    hook.write_text('#!/bin/sh\ncase "$3" in *[!0]*) exit 0;; esac\nexit 1\n')
    hook.chmod(0o755)
    found = bad(host, "capabilities")
    assert [entry.severity for entry in found] == [Severity.PROBLEM]
    assert found[0].finding.summary.startswith("the remote does not delete refs")


def test_a_remote_that_takes_no_push(host: Path, bare: Path) -> None:
    hook = bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho closed for today >&2\nexit 1\n")
    hook.chmod(0o755)
    found = bad(host, "capabilities")
    assert found[0].severity is Severity.PROBLEM
    assert "does not create refs" in found[0].finding.summary


@pytest.mark.usefixtures("coordination")
def test_refs_in_the_other_namespace(host: Path, bare: Path) -> None:
    git(bare, "update-ref", "refs/heads/cortex/claims/b1-t000", "refs/heads/main")
    found = one(host, "namespaces", Severity.WARNING)
    assert found.finding.where == "refs/heads/cortex/claims/b1-t000"


def test_what_others_wrote_lies_in_the_future(
    host: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = git(bare, "rev-parse", "main^{tree}")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2099-01-01T00:00:00Z")
    made = git(bare, *COMMIT[:4], "commit-tree", "-p", "main", "-m", "x", tree)
    git(bare, "update-ref", "refs/cortex/results/fast-1", made)
    found = one(host, "clock-skew", Severity.NOTE)
    assert found.finding.where == "fast-1"
    assert "minutes from now" in found.finding.summary


def _dead(code: str, folder: Path) -> None:
    """Do something in a process that is killed then."""
    process = python(
        f"""
        import os, sys
        from pathlib import Path
        from gitworld import claim_all, result_for
        from cortex_git.store.coordination import Coordination
        coordination = Coordination.open(Path(sys.argv[1]))
        {code}
        os._exit(0)
        """,
        str(folder),
    )
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors


@pytest.mark.usefixtures("coordination")
def test_a_claim_of_a_dead_process(host: Path, bare: Path) -> None:
    _dead("claim_all(coordination, 1)", host)
    found = one(host, "claims", Severity.WARNING)
    task = found.finding.where.rpartition("/")[2]
    assert found.finding.advice == f"cortex-git spawn-workers --tasks {task}"
    assert found.finding.mend is None
    assert git(bare, "for-each-ref", "refs/cortex/claims") != ""


@pytest.mark.usefixtures("far_away")
def test_a_silent_host(host: Path, coordination: Coordination, other: Coordination) -> None:
    config = host / "coordination" / "config.toml"
    (claim,) = claim_all(other, 1)
    beat(other.repository, Signs(1))
    assert_well(host, "silent-hosts")
    assert_well(host, "claims")
    config.write_text(config.read_text() + "\n[leases]\nlease_s = 0.01\n")
    assert_well(host, "claims")  # its claim says that its lease is longer
    found = one(host, "silent-hosts", Severity.NOTE)
    assert found.finding.where == claim.task.task
    assert coordination.repository.host not in found.finding.summary


@pytest.mark.usefixtures("coordination")
def test_a_claim_that_a_publish_left(host: Path, bare: Path) -> None:
    """As of a remote killed in its midst: the result is there, and its claim is still, too."""
    _dead(
        """
        from cortex_git.store.refs import Update, ABSENT
        (claim,) = claim_all(coordination, 1)
        coordination.record([(claim, result_for(coordination, claim), {})])
        coordination.flush()
        ref = coordination.repository.claim_ref(claim.task.task)
        coordination.repository.refs.transaction([Update(ref, claim.oid, ABSENT)], atomic=True)
        """,
        host,
    )
    one(host, "finished-claims", Severity.NOTE)
    assert_well(host, "claims")
    assert mended(host, "finished-claims") == ["ended 0 cancels; 1 claim of ended tasks gone"]
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""


@pytest.mark.usefixtures("coordination")
def test_a_cancel_that_was_left_half_way(host: Path, bare: Path) -> None:
    _dead(
        f"""
        from cortex_git.store import index
        task = index.task_of(coordination.repository, "{TASK}")
        assert coordination.claims.cancel([task], coordination.pull(), "canceller")
        """,
        host,
    )
    found = one(host, "cancelled-claims", Severity.WARNING)
    assert found.finding.where == TASK
    assert mended(host, "cancelled-claims") == ["ended 1 cancel; 1 claim of ended tasks gone"]
    assert results_on(
        bare, *git(bare, "for-each-ref", "--format=%(objectname)", "refs/cortex/results").split()
    ) == [TASK]


def test_a_claim_that_nobody_can_read(host: Path, bare: Path, coordination: Coordination) -> None:
    """It needs no mending: after a lease it is replaced like a silent host's."""
    git(bare, "update-ref", f"refs/cortex/claims/{TASK}", "refs/heads/main")
    found = one(host, "unreadable-claims", Severity.WARNING)
    assert found.finding.mend is None
    assert "after 60 s by this clone's own clock" in found.finding.why
    config = host / "coordination" / "config.toml"
    config.write_text(config.read_text() + "\n[leases]\nlease_s = 0.01\n")
    assert TASK in {claim.task.task for claim in claim_all(Coordination.open(host))}
    assert_well(host, "unreadable-claims")


def test_a_claim_of_a_newer_version_is_left_alone(host: Path, bare: Path, coordination: Coordination) -> None:
    config = host / "coordination" / "config.toml"
    config.write_text(config.read_text() + "\n[leases]\nlease_s = 0.01\n")
    (claim,) = claim_all(coordination, 1)
    body = claim.record.model_copy(update={"schema_version": 99}).to_bytes()
    from cortex_git.store.commits import Draft, singles

    git_ = coordination.repository.git
    (oid,) = singles(git_, coordination.repository.identity.author, [Draft("x", {"claim.json": body})])
    ref = coordination.repository.claim_ref(claim.task.task)
    coordination.repository.refs.transaction([Update(ref, oid, ANY)], atomic=True)
    for _ in range(2):
        found = one(host, "unreadable-claims", Severity.PROBLEM)
        assert found.finding.mend is None
        assert found.finding.advice == "install a newer cortex-git on this host"


def test_results_that_are_not_folded(host: Path, bare: Path, coordination: Coordination) -> None:
    finish(coordination, claim_all(coordination, 2))
    found = one(host, "fold", Severity.NOTE)
    assert "branch main lacks 2 published documents" in found.finding.summary
    mended(host, "fold")
    assert len(results_on(bare, "main")) == 2


def test_a_branch_that_may_not_be_pushed_to(host: Path, bare: Path, coordination: Coordination) -> None:
    finish(coordination, claim_all(coordination, 1))
    hook = bare / "hooks" / "update"
    hook.write_text('#!/bin/sh\n[ "$1" != refs/heads/main ] || { echo protected >&2; exit 1; }\n')
    hook.chmod(0o755)
    found = one(host, "fold", Severity.NOTE)
    assert found.finding.mend is not None
    with pytest.raises(Exception, match="refused the branch main"):
        found.finding.mend.run()


def test_superseded_results(host: Path, coordination: Coordination) -> None:
    (claim,) = claim_all(coordination, 1)
    coordination.cancel([claim.task.task])
    coordination.record([(claim, result_for(coordination, claim), {})])
    coordination.flush()
    found = one(host, "fenced", Severity.NOTE)
    assert found.finding.summary.startswith(f"1 superseded result kept, the newest of {claim.task.task} (")


def test_objects_that_are_damaged(host: Path, bare: Path) -> None:
    (found,) = look(host, "fsck")
    assert not found.looked
    assert_well(host, "fsck", deep=True)
    damaged = next(path for path in (bare / "objects").glob("??/*"))
    damaged.chmod(0o644)
    damaged.write_bytes(b"garbage")
    (found,) = bad(host, "fsck", deep=True)
    assert (found.severity, found.finding.where) == (Severity.PROBLEM, str(bare))
