"""Faults of the store that are known and not mended yet: each test states what should hold.

All are strict: whoever mends one is told so by this file, and moves the test beside its kin.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from gitworld import add_tasks, claim_all, cortex, finish, git, python, result_for, start_cortex

from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import Completed, GitFailed, GitTimedOut
from cortex_git.models import Task
from cortex_git.state import machine_id, monotonic, now, own_process
from cortex_git.store import claims as claims_module
from cortex_git.store import heartbeat, index
from cortex_git.store.archiving import archive
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.index import Scope
from cortex_git.store.open_tasks import open_tasks
from cortex_git.store.refs import Outcome
from cortex_git.store.tasks import new_batch

Hosts = Callable[[int], list[Coordination]]


def test_claims_outlive_a_look_that_timed_out(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = hosts(1)
    add_tasks(one, 1)
    view = one.pull()
    tasks = open_tasks(one.repository, Scope(batch="b1"), 10)
    real = one.repository.refs.fetch

    def slow() -> None:
        monkeypatch.setattr(one.repository.refs, "fetch", real)
        raise GitTimedOut("git fetch took over 120 s")

    monkeypatch.setattr(one.repository.refs, "fetch", slow)
    with pytest.raises(GitTimedOut):
        one.claims.claim(tasks, view, lambda _: "w")
    assert [len(claim_all(one)) for _ in range(3)].count(1) == 1


def test_a_claim_that_could_not_be_written_frees_its_lock(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(coordination, 1)
    real = coordination.repository.git.run

    def full(*arguments: str, **options: object) -> Completed:
        if arguments[0] == "fast-import":
            raise GitFailed("No space left on device")
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(coordination.repository.git, "run", full)
    with pytest.raises(GitFailed):
        claim_all(coordination)
    monkeypatch.setattr(coordination.repository.git, "run", real)
    assert len(claim_all(coordination)) == 1


@pytest.mark.parametrize("path", ["coordination/tasks/b1/b1-t000.json", "coordination/archive/b1.json"])
def test_an_object_that_is_lost_is_told_in_one_line(hosts: Hosts, path: str) -> None:
    """A thread of a pool that pulls goes on after an error that is told, and ends with any other."""
    one, late = hosts(2)
    add_tasks(one, 1)
    if "archive" in path:
        finish(one, claim_all(one))
        archive(one.repository, 0.0)
    one.fold()
    late.repository.refs.fetch()
    folder = late.repository.folder
    oid = git(folder, "rev-parse", f"refs/cortex-remote/trunk:{path}")
    (folder / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    with pytest.raises(EnvironmentProblem, match=f"{oid[:12]}, which is {path}") as caught:
        late.pull()
    assert (caught.value.hint, "\n" in str(caught.value)) == ("run `cortex-git doctor`", False)


def test_a_twin_with_our_id_is_not_robbed_at_once(
    tmp_path: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(tmp_path / "a", str(bare))
    one = Coordination.open(tmp_path / "a")
    add_tasks(one, 1)
    one.fold()
    create(tmp_path / "b", str(bare))
    private = tmp_path / "b" / ".git" / "cortex"
    private.mkdir(parents=True, exist_ok=True)
    marks = private.stat()
    twin_identity = {"host": one.repository.host, "machine": machine_id()}
    twin_identity |= {"device": marks.st_dev, "inode": marks.st_ino}  # type: ignore[dict-item]
    (private / "host.json").write_text(json.dumps(twin_identity))
    twin = Coordination.open(tmp_path / "b")
    assert twin.repository.host == one.repository.host
    pid, started, _ = own_process()
    monkeypatch.setattr(claims_module, "own_process", lambda: (pid, started, "the twin's boot"))
    assert len(claim_all(twin)) == 1
    assert claim_all(one) == []


def test_a_process_in_another_pid_namespace_is_not_robbed_at_once(coordination: Coordination) -> None:
    apart = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespaces here")
    add_tasks(coordination, 1)
    code = (
        "import sys; from pathlib import Path; from gitworld import claim_all;"
        "from cortex_git.store.coordination import Coordination;"
        "print(len(claim_all(Coordination.open(Path(sys.argv[1])))), flush=True); sys.stdin.read()"
    )
    tests = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": f"{os.environ['PYTHONPATH']}{os.pathsep}{tests}"}
    with subprocess.Popen(
        [*apart, sys.executable, "-c", code, str(coordination.repository.folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    ) as child:  # fmt: skip
        assert child.stdin is not None and child.stdout is not None
        try:
            if child.stdout.readline().strip() != "1":
                pytest.skip("git does not work in a namespace here")
            assert claim_all(coordination) == []
        finally:
            child.stdin.close()


def test_a_push_that_lands_late_is_known_as_our_own(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = hosts(1)
    add_tasks(one, 2)
    host, refs = one.repository.host, one.repository.refs
    first, second = claim_all(one)
    one.record([(first, result_for(one, first), {})])
    real, late = refs.transaction, []

    def slow(updates: object, *, atomic: bool) -> list[Outcome]:
        if not late:
            late.append(updates)
            one.record([(second, result_for(one, second), {})])  # another worker ends meanwhile
            return [Outcome.UNKNOWN] * len(updates)  # type: ignore[arg-type]
        if len(late) == 1:
            late.append(None)
            assert set(real(late[0], atomic=True)) == {Outcome.APPLIED}  # type: ignore[arg-type]
        return real(updates, atomic=atomic)  # type: ignore[arg-type]

    monkeypatch.setattr(refs, "transaction", slow)
    assert one.flush().done == [first.record.nonce]
    assert one.flush().done == [second.record.nonce]
    assert one.repository.host == host


def test_claims_of_a_host_that_took_a_new_id_stay_its_own(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = hosts(2)
    add_tasks(one, 1)
    lease = claim_all(one)[0].record.lease_s
    assert claim_all(two) == []
    one.repository.take_new_identity()
    assert heartbeat.beat(one.repository, heartbeat.Signs(1))
    for module in (claims_module, heartbeat):
        monkeypatch.setattr(module, "monotonic", lambda: monotonic() + lease + 5)
    assert claim_all(two) == []


def test_a_dead_git_s_lock_on_a_tracking_ref_is_cleared(hosts: Hosts) -> None:
    (one,) = hosts(1)
    add_tasks(one, 1)
    one.pull()
    lock = one.repository.git_dir / "refs" / "cortex-remote" / "trunk.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    os.utime(lock, (1, 1))
    one.fold()
    one.pull()


def test_a_fetch_that_outlived_its_process_moves_nothing_back(hosts: Hosts, tmp_path: Path) -> None:
    one, two = hosts(2)
    add_tasks(two, 2)
    claims = claim_all(two)
    folder, told = one.repository.folder, tmp_path / "told"
    script = tmp_path / "upload-pack"
    script.write_text(f'#!/bin/sh\n(touch {told}; exec git-upload-pack "$@") | (head -c 400; sleep 2; cat)\n')
    script.chmod(0o755)
    git(folder, "config", "protocol.version", "0")
    git(folder, "config", "remote.origin.uploadpack", str(script))
    child = python(
        """
        import sys
        from pathlib import Path
        from cortex_git.store.coordination import Coordination
        Coordination.open(Path(sys.argv[1])).pull()
        """,
        str(folder),
    )
    while not told.exists():
        time.sleep(0.01)
    time.sleep(0.3)
    child.kill()
    child.wait()
    git(folder, "config", "--unset", "remote.origin.uploadpack")
    finish(two, claims)
    one.pull()
    before = one.repository.refs.seen()
    time.sleep(3)
    assert one.repository.refs.seen() == before


def test_ctrl_c_leaves_the_checkout_usable(hosts: Hosts) -> None:
    (one,) = hosts(1)
    folder = one.repository.folder
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "attributes").write_text("coordination/tasks/** filter=slow\n")
    git(folder, "config", "filter.slow.smudge", "sh -c 'sleep 0.1; cat'")
    add_tasks(one, 40)
    child = start_cortex("sync", cwd=folder)
    while not (folder / ".git" / "index.lock").exists() and child.poll() is None:
        time.sleep(0.01)
    time.sleep(0.5)
    os.kill(child.pid, signal.SIGINT)
    child.communicate(timeout=60)
    assert not (folder / ".git" / "index.lock").exists()


def test_git_has_ended_when_git_has_ended(hosts: Hosts, bare: Path, tmp_path: Path) -> None:
    (one,) = hosts(1)
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\n(sleep 4 </dev/null >/dev/null &)\nfor a; do :; done\nexec sh -c "$a"\n')
    ssh.chmod(0o755)
    git(one.repository.folder, "remote", "set-url", "origin", f"ssh://host{bare}")
    one.repository.git.environment["GIT_SSH_COMMAND"] = str(ssh)
    began = time.monotonic()
    one.pull()
    assert time.monotonic() - began < 3


def test_a_submodule_where_a_document_should_be_stops_nobody(hosts: Hosts) -> None:
    (one,) = hosts(1)
    add_tasks(one, 1)
    folder = one.repository.folder
    entry = f"160000,{git(folder, 'rev-parse', 'HEAD')[::-1]},coordination/tasks/b1/sub.json"
    git(folder, "update-index", "--add", "--cacheinfo", entry)
    identity = ("-c", "user.name=p", "-c", "user.email=p@example.invalid")
    git(folder, *identity, "commit", "-qm", "odd")
    git(folder, "push", "-q", "origin", "main")
    one.pull()
    assert len(claim_all(one)) == 1


def trial(name: str, batch: str, title: str = "trial") -> Task:
    return Task(task=name, batch=batch, title=title, runner="echo", created_at=now())


def test_a_batch_added_by_two_hosts_at_once_is_not_summarised_early(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = hosts(2)
    one.pull()
    two.pull()
    one.add_batch(new_batch("n", 1, "one", merge=True), [trial("a0", "n")])
    with monkeypatch.context() as patch:
        patch.setattr(two, "pull", lambda **_: None)  # it had looked before the other one published
        try:
            two.add_batch(new_batch("n", 3, "two", merge=True), [trial(f"b{n}", "n") for n in range(3)])
        except Exception:  # a refusal would do as well
            return
    one.pull()
    finish(one, claim_all(one, 1, "n"))
    still = [task.task for task in open_tasks(one.repository, Scope(batch="n"), 10)]
    assert len(still) < 2 or "n.merge" not in still


def test_all_hosts_end_up_with_the_same_document_under_one_id(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = hosts(2)
    one.pull()
    two.pull()
    one.add_tasks([trial("same", "x", "one's")])
    with monkeypatch.context() as patch:
        patch.setattr(two, "pull", lambda **_: None)
        try:
            two.add_tasks([trial("same", "y", "two's")])
        except Exception:  # a refusal would do as well
            return
    one.fold()
    for host in (one, two):
        host.pull()
    assert index.task_of(one.repository, "same") == index.task_of(two.repository, "same")


def test_a_host_that_sees_both_documents_at_once_chooses_like_the_others(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = hosts(3)
    for host in (one, two):
        with monkeypatch.context() as patch:
            patch.setattr(host, "pull", lambda **_: None)
            host.add_tasks([trial(f"same-{n}", "x", host.repository.host) for n in range(12)])
    for host in (one, two, three):
        host.pull()
    for n in range(12):
        assert len({index.task_of(h.repository, f"same-{n}").title for h in (one, two, three)}) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_heart_goes_on_after_an_error_of_the_database(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases = coordination.repository.settings.leases.model_copy(update={"heartbeat_s": 0.05})
    coordination.repository.settings = coordination.repository.settings.model_copy(update={"leases": leases})
    beats: list[int] = []

    def beat(_repository: object, _signs: heartbeat.Signs, *, anew: bool) -> bool:
        beats.append(1)
        if len(beats) == 1:
            raise sqlite3.OperationalError("database or disk is full")
        return True

    monkeypatch.setattr(heartbeat, "beat", beat)
    heart = heartbeat.Heart(coordination.repository, lambda: heartbeat.Signs(1))
    heart.start()
    time.sleep(0.6)
    heart.stop()
    assert len(beats) > 2


def test_a_local_claim_is_ours_though_git_was_killed_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(tmp_path / "alone", None)
    alone = Coordination.open(tmp_path / "alone")
    add_tasks(alone, 1)
    real = alone.repository.git.run

    def killed(*arguments: str, **options: object) -> Completed:
        done = real(*arguments, **options)  # type: ignore[arg-type]
        if arguments[0] != "update-ref":
            return done
        monkeypatch.setattr(alone.repository.git, "run", real)
        return Completed(-9, b"", "")

    monkeypatch.setattr(alone.repository.git, "run", killed)
    assert [len(claim_all(alone)) for _ in range(3)].count(1) == 1


def test_a_remote_that_hides_what_was_pushed_is_refused(tmp_path: Path, bare: Path) -> None:
    for namespace in ("refs/cortex", "refs/heads/cortex"):
        git(bare, "config", "--add", "uploadpack.hideRefs", namespace)
    with pytest.raises(EnvironmentProblem):
        create(tmp_path / "a", str(bare))


def test_a_damaged_database_is_said_so(hosts: Hosts) -> None:
    (one,) = hosts(1)
    add_tasks(one, 200)
    one.repository.state.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = one.repository.private / "state.db"
    pages = bytearray(path.read_bytes())
    pages[4096 * 2 : 4096 * 8] = b"\xff" * 4096 * 6
    path.write_bytes(pages)
    done = cortex("task", "list", cwd=one.repository.folder)
    assert done.returncode == 3, done.stderr
