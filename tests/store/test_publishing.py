"""Publishing: one push for many, exactly once whatever is lost on the way, and nothing dropped."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from gitworld import (
    add_tasks,
    assert_sound,
    claim_all,
    finish,
    git,
    lose_acknowledgements,
    python,
    result_commits,
    result_for,
    results_on,
)
from poolworld import until

from cortex_git.errors import EnvironmentProblem
from cortex_git.flocks import try_lock
from cortex_git.store import publishing
from cortex_git.store.coordination import Coordination
from cortex_git.store.publishing import Publisher
from cortex_git.store.refs import Outcome, RemoteUnreachable, Update

Hosts = Callable[[int], list[Coordination]]


def test_one_push_carries_a_commit_for_each_task_and_ends_the_claims(coordination: Coordination) -> None:
    add_tasks(coordination, 3)
    claims = claim_all(coordination)
    coordination.record([(claim, result_for(coordination, claim), {}) for claim in claims])
    report = coordination.flush()
    assert (len(report.done), report.fenced, report.pushes) == (3, [], 1)
    refs = coordination.repository.refs
    refs.fetch()
    seen = refs.seen()
    assert [ref for ref in seen if "/claims/" in ref] == []
    tip = seen[coordination.repository.own_results]
    log = git(coordination.repository.folder, "log", "--format=%s", tip).splitlines()
    expected = {f"feat(security-master): worker-test-001 completed b1-t00{n}" for n in range(3)}
    assert set(log[:3]) == expected
    assert coordination.outbox.count() == 0


def test_flushing_again_changes_nothing(coordination: Coordination) -> None:
    add_tasks(coordination, 2)
    finish(coordination, claim_all(coordination))
    before = coordination.pull().results
    assert coordination.flush().pushes == 0
    assert coordination.pull().results == before


def test_results_that_stream_in_do_not_keep_a_flush(
    hosts: Hosts, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One comes with every push: what a later push does not carry is the next flush's."""
    (coordination,) = hosts(1)
    add_tasks(coordination, 5)
    claims = claim_all(coordination)
    later, push = claims[1:], coordination.repository.refs.transaction

    def pushed(updates: Sequence[Update], *, atomic: bool) -> list[Outcome]:
        outcomes = push(updates, atomic=atomic)
        if later:
            claim = later.pop()
            coordination.record([(claim, result_for(coordination, claim), {})])
        return outcomes

    monkeypatch.setattr(coordination.repository.refs, "transaction", pushed)
    coordination.record([(claims[0], result_for(coordination, claims[0]), {})])
    reports = [coordination.flush() for _ in claims]
    assert [report.pushes for report in reports] == [1] * 5
    done = [nonce for report in reports for nonce in report.done]
    assert sorted(done) == sorted(claim.record.nonce for claim in claims)
    assert len(result_commits(bare)) == 5


def test_what_waits_when_a_flush_begins_is_published_by_it_in_as_many_pushes_as_that_takes(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    (coordination,) = hosts(1)
    monkeypatch.setattr(publishing, "MOST_AT_ONCE", 2)
    add_tasks(coordination, 3)
    claims = claim_all(coordination)
    coordination.record([(claim, result_for(coordination, claim), {}) for claim in claims])
    report = coordination.flush()
    assert (len(report.done), report.pushes) == (3, 2)


def test_whoever_waits_to_publish_is_let_in_before_one_that_comes_back(hosts: Hosts) -> None:
    (coordination,) = hosts(1)
    turns: list[str] = []
    publisher = Publisher(coordination.repository, coordination.outbox)
    private = coordination.repository.private

    def other() -> None:
        with publisher._turn():
            turns.append("other")

    waiting = threading.Thread(target=other)
    with publisher._turn():
        waiting.start()
        until(lambda: is_locked(private / "publish.next"))
    for _ in range(3):
        with publisher._turn():
            turns.append("again")
    waiting.join()
    assert turns == ["other", "again", "again", "again"]


def is_locked(path: Path) -> bool:
    with path.open("a") as handle:
        return not try_lock(handle)


def test_a_lost_acknowledgement_is_noticed_and_published_once(
    hosts: Hosts, tmp_path: Path, bare: Path
) -> None:
    one, two = hosts(2)
    add_tasks(one, 4)
    claims = claim_all(one)
    one.record([(claim, result_for(one, claim), {}) for claim in claims])
    lose_acknowledgements(one.repository.folder, tmp_path)
    report = one.flush()
    assert (sorted(report.done), report.fenced) == (sorted(c.record.nonce for c in claims), [])
    assert len(result_commits(bare)) == 4
    two.pull()
    assert claim_all(two) == []


def test_a_publisher_that_died_after_the_push_landed_is_settled_by_the_next(
    hosts: Hosts, tmp_path: Path, bare: Path
) -> None:
    """The push lands, its answer is lost, and the process is killed while it waits for it."""
    (one,) = hosts(1)
    add_tasks(one, 3)
    claims = claim_all(one)
    one.record([(claim, result_for(one, claim), {}) for claim in claims])
    hook = bare / "hooks" / "post-receive"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/landed\nsleep 30 >/dev/null 2>&1 </dev/null\n")
    hook.chmod(0o755)
    child = python(
        """
        import sys
        from pathlib import Path
        from cortex_git.store.coordination import Coordination
        Coordination.open(Path(sys.argv[1])).flush()
        """,
        str(one.repository.folder),
    )
    wait_for(tmp_path / "landed")
    child.kill()
    child.wait()
    hook.unlink()
    report = one.flush()
    assert (len(report.done), report.fenced, report.pushes) == (3, [], 0)
    assert len(result_commits(bare)) == 3


def wait_for(path: Path) -> None:
    import time

    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


def test_a_superseded_result_is_fenced_and_kept_and_the_others_go_through(hosts: Hosts, bare: Path) -> None:
    one, two = hosts(2)
    add_tasks(one, 3)
    claims = claim_all(one)
    lost = claims[0]
    # Another host takes the task over, rightly or wrongly, and publishes first.
    two.pull()
    two.repository.git.run("fetch", "-q", "origin", f"+{one.repository.claim_ref(lost.task.task)}:refs/x/c")
    two.claims.record(lost.oid)
    taken = two.claims.take_over(lost)
    assert taken is not None
    finish(two, [taken])
    one.record([(claim, result_for(one, claim), {}) for claim in claims])
    report = one.flush()
    assert len(report.done) == 2
    assert report.fenced == [lost.record.nonce]
    fenced = f"refs/cortex/fenced/{lost.task.task}/{lost.record.nonce}"
    assert lost.record.nonce in git(bare, "show", f"{fenced}:coordination/results/b1/{lost.task.task}.json")
    assert sorted(
        set(
            results_on(bare, *git(bare, "for-each-ref", "--format=%(refname)", "refs/cortex/results").split())
        )
    ) == [
        "b1-t000",
        "b1-t001",
        "b1-t002",
    ]
    assert len(result_commits(bare)) == 3


def test_two_results_of_one_task_are_one_published_and_one_fenced(coordination: Coordination) -> None:
    """A worker that outlived its pool saves its result while the task is taken over and run again."""
    add_tasks(coordination, 2)
    claims = claim_all(coordination)
    again = coordination.claims.take_over(claims[0])
    assert again is not None
    both = [*claims, again]
    coordination.record([(claim, result_for(coordination, claim), {}) for claim in both])
    report = coordination.flush()
    assert sorted(report.done) == sorted([claims[1].record.nonce, again.record.nonce])
    assert report.fenced == [claims[0].record.nonce]
    assert coordination.outbox.count() == 0


def test_a_dead_remote_loses_nothing(hosts: Hosts, bare: Path) -> None:
    (one,) = hosts(1)
    add_tasks(one, 2)
    claims = claim_all(one)
    one.record([(claim, result_for(one, claim), {}) for claim in claims])
    bare.rename(bare.with_name("away.git"))
    with pytest.raises(RemoteUnreachable):
        one.flush()
    assert one.outbox.count() == 2
    bare.with_name("away.git").rename(bare)
    assert len(Coordination.open(one.repository.folder).flush().done) == 2
    assert len(result_commits(bare)) == 2


def test_a_remote_that_refuses_is_said_so_and_everything_waits(
    hosts: Hosts, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cortex_git.store.publishing.time.sleep", lambda _: None)
    (one,) = hosts(1)
    add_tasks(one, 1)
    claims = claim_all(one)
    one.record([(claim, result_for(one, claim), {}) for claim in claims])
    hook = bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(EnvironmentProblem, match="pre-receive hook declined"):
        one.flush()
    assert one.outbox.count() == 1
    hook.unlink()
    assert len(one.flush().done) == 1


def test_a_copied_clone_takes_an_id_of_its_own(hosts: Hosts, tmp_path: Path, bare: Path) -> None:
    import shutil

    (one,) = hosts(1)
    add_tasks(one, 4)
    first = claim_all(one, 2)
    one.record([(claim, result_for(one, claim), {}) for claim in first])
    shutil.copytree(one.repository.folder, tmp_path / "copy", symlinks=True)
    copy = Coordination.open(tmp_path / "copy")
    assert copy.repository.host != one.repository.host
    one.flush()
    copied = copy.flush()  # it inherited the outbox rows, and finds them published by nonce
    assert (sorted(copied.done), copied.fenced) == (sorted(c.record.nonce for c in first), [])
    finish(copy, claim_all(copy))
    assert len(result_commits(bare)) == 4


def test_a_host_whose_ref_was_moved_by_a_twin_publishes_under_a_new_id(hosts: Hosts, bare: Path) -> None:
    """A machine image shares every local mark: only the ref itself tells."""
    one, two = hosts(2)
    add_tasks(one, 3)
    finish(one, claim_all(one, 1))
    host = one.repository.host
    two.repository.refs.fetch()
    twin = git(two.repository.folder, "rev-parse", f"refs/cortex-remote/results/{host}")
    forged = git(
        two.repository.folder, "-c", "user.name=x", "-c", "user.email=x@example.invalid",
        "commit-tree", "-p", twin, "-m", "twin", f"{twin}^{{tree}}",
    )  # fmt: skip
    git(two.repository.folder, "push", "-q", "origin", f"{forged}:refs/cortex/results/{host}")
    finish(one, claim_all(one))
    assert one.repository.host != host
    assert one.outbox.count() == 0
    assert len(result_commits(bare)) == 3


def test_killing_publishers_at_random_moments_publishes_each_result_once(hosts: Hosts, bare: Path) -> None:
    """Twelve publishers are killed at different moments; then one finishes what they left."""
    import time

    (one,) = hosts(1)
    add_tasks(one, 36)
    claims = claim_all(one)
    for number in range(12):
        part = claims[number * 3 : number * 3 + 3]
        one.record([(claim, result_for(one, claim), {}) for claim in part])
        child = python(
            """
            import sys
            from pathlib import Path
            from cortex_git.store.coordination import Coordination
            coordination = Coordination.open(Path(sys.argv[1]))
            print("go", flush=True)
            coordination.flush()
            """,
            str(one.repository.folder),
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.012 * number)
        child.kill()
        child.wait()
    one.flush()
    subjects = result_commits(bare)
    assert len(subjects) == len(set(subjects)) == 36
    assert one.outbox.count() == 0
    assert_sound(bare)
