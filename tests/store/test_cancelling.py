"""Cancelling: one result a task whoever has it; a cancel that was begun is brought to its end by anybody."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from gitworld import (
    add_tasks,
    assert_sound,
    claim_all,
    cortex,
    finish,
    git,
    lose_acknowledgements,
    outputs_of,
    python,
    result_commits,
    result_for,
)

from cortex_git import state
from cortex_git.errors import BadInput, CortexError, EnvironmentProblem
from cortex_git.models import Result
from cortex_git.store import cancelling, heartbeat, index, judging
from cortex_git.store.cancelling import WORKER
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.index import Scope
from cortex_git.store.open_tasks import open_tasks
from cortex_git.store.publishing import Published
from cortex_git.store.refs import RemoteUnreachable

Hosts = Callable[[int], list[Coordination]]
TASK = "b1-t000"


def cancelled(coordination: Coordination, task: str = TASK) -> Result:
    end = coordination.cancel([task])[task]
    assert isinstance(end, Result), end
    assert end.status == "cancelled"
    return end


def refused(coordination: Coordination, task: str = TASK) -> CortexError:
    end = coordination.cancel([task])[task]
    assert isinstance(end, CortexError), end
    return end


def refs_of(coordination: Coordination, kind: str) -> dict[str, str]:
    where = coordination.repository.remote and coordination.repository.git.text("remote", "get-url", "origin")
    folder = Path(where) if where else coordination.repository.folder
    lines = git(folder, "for-each-ref", "--format=%(refname) %(objectname)", f"refs/cortex/{kind}")
    return dict(line.split(" ") for line in lines.splitlines())


def outcomes(coordination: Coordination) -> dict[str, str]:
    coordination.pull()
    return {result.task: result.status for result in coordination.results(Scope())}


def later(monkeypatch: pytest.MonkeyPatch, ahead_s: float) -> None:
    """Put this process's clock forward, as if it had waited."""
    real = state.monotonic
    monkeypatch.setattr(heartbeat, "monotonic", lambda: real() + ahead_s)


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process judge claims as one on another machine does: it cannot see who is dead there."""
    monkeypatch.setattr(judging, "process_gone", lambda _pid, _started, _boot: False)


def left_behind(coordination: Coordination, count: int = 1) -> list[Claim]:
    """Cancelled claims whose result was never written, as by a process that went away."""
    view = coordination.pull()
    tasks = open_tasks(coordination.repository, Scope(batch="b1"), count)
    return coordination.claims.cancel(tasks, view, WORKER)


def test_what_nobody_has(coordination: Coordination) -> None:
    add_tasks(coordination, 2)
    end = cancelled(coordination)
    assert (end.worker, end.attempt, end.error) == (WORKER, 1, "cancelled before anybody took it")
    assert outcomes(coordination) == {TASK: "cancelled"}
    assert refs_of(coordination, "claims") == {}
    assert [claim.task.task for claim in claim_all(coordination)] == ["b1-t001"]


def test_what_a_living_worker_has_is_fenced_when_it_ends(coordination: Coordination) -> None:
    add_tasks(coordination, 1)
    (old,) = claim_all(coordination)
    coordination.claims.started(old)
    other = Coordination.open(coordination.repository.folder)
    end = cancelled(other)
    assert end.epoch == 2
    assert end.error == f"cancelled while worker-test-001 of {old.record.host} had it (attempt 1)"
    coordination.record([(old, result_for(coordination, old), {})])
    report = coordination.flush()
    assert (report.done, report.fenced) == ([], [old.record.nonce])
    assert [*refs_of(coordination, "fenced")] == [f"refs/cortex/fenced/{TASK}/{old.record.nonce}"]
    assert outcomes(coordination) == {TASK: "cancelled"}


@pytest.mark.parametrize("retry_after_s", [None, 0.0])
def test_a_busy_worker_does_not_bring_the_claim_back(
    coordination: Coordination, retry_after_s: float | None
) -> None:
    """Its attempt failed and is given back, or it died and its host would go on with the next one."""
    add_tasks(coordination, 1)
    (old,) = claim_all(coordination)
    cancelled(Coordination.open(coordination.repository.folder))
    coordination.claims.release([old], retry_after_s=retry_after_s)
    assert refs_of(coordination, "claims") == {}
    assert coordination.claims.take_over(old) is None
    assert refs_of(coordination, "claims") == {}
    assert claim_all(coordination) == []


def test_what_waits_for_its_next_attempt(coordination: Coordination) -> None:
    add_tasks(coordination, 1)
    coordination.claims.release(claim_all(coordination), retry_after_s=300)
    assert cancelled(coordination).error == "cancelled while it waited for attempt 2"
    assert refs_of(coordination, "claims") == {}


def test_another_host_s_task(hosts: Hosts, bare: Path) -> None:
    one, two = hosts(2)
    add_tasks(one, 1)
    (old,) = claim_all(one)
    cancelled(two)
    finish(one, [old])
    assert outcomes(one) == outcomes(two) == {TASK: "cancelled"}
    assert [line.split(" ")[1:] for line in result_commits(bare)] == [[WORKER, "cancelled", TASK]]


def test_a_claim_that_cannot_be_read(hosts: Hosts) -> None:
    one, two = hosts(2)
    add_tasks(one, 1)
    git(two.repository.folder, "push", "-q", "origin", f"origin/main:refs/cortex/claims/{TASK}")
    assert cancelled(one).error == "cancelled; its claim could not be read"
    assert refs_of(one, "claims") == {}


def test_what_is_finished_is_left_as_it_is(coordination: Coordination) -> None:
    add_tasks(coordination, 1)
    finish(coordination, claim_all(coordination))
    error = refused(coordination)
    assert isinstance(error, BadInput)
    assert "finished already (completed)" in str(error)
    assert outcomes(coordination) == {TASK: "completed"}


def test_what_this_host_has_finished_is_finished_though_it_waits(coordination: Coordination) -> None:
    add_tasks(coordination, 1)
    (claim,) = claim_all(coordination)
    coordination.record([(claim, result_for(coordination, claim), {})])
    assert "completed" in str(refused(coordination))
    assert outcomes(coordination) == {TASK: "completed"}


def test_once_more_changes_nothing(coordination: Coordination) -> None:
    add_tasks(coordination, 1)
    first = cancelled(coordination)
    before = refs_of(coordination, "")
    assert cancelled(coordination) == first
    assert refs_of(coordination, "") == before


def test_each_of_several_has_its_own_end_and_one_push_carries_many(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(coordination, 30)
    finish(coordination, claim_all(coordination, 1))
    (done,) = outcomes(coordination)
    refs, pushes = coordination.repository.refs, []
    real = refs.transaction
    monkeypatch.setattr(
        refs, "transaction", lambda updates, atomic: pushes.append(1) or real(updates, atomic=atomic)
    )
    names = [*(f"b1-t{number:03d}" for number in range(30)), "nope"]
    ends = coordination.cancel(names)
    assert [*ends] == names
    assert {name for name, end in ends.items() if not isinstance(end, Result)} == {done, "nope"}
    assert "no task 'nope'" in str(ends["nope"])
    assert len(pushes) == 2
    assert sorted(outcomes(coordination).values()) == ["cancelled"] * 29 + ["completed"]


def test_the_look_after_the_claim_drops_what_is_finished(hosts: Hosts) -> None:
    """Publishing deletes the claim, so that an old view lets one put a cancelled one there."""
    one, two = hosts(2)
    add_tasks(one, 1)
    stale = two.pull()
    (claim,) = claim_all(one)
    finish(one, [claim])
    assert two.claims.cancel([claim.task], stale, WORKER) == []
    assert refs_of(two, "claims") == {}
    assert "finished already" in str(refused(two))


def test_without_that_look_a_finished_task_would_be_cancelled(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proof that the test above can fail."""
    one, two = hosts(2)
    add_tasks(one, 1)
    stale = two.pull()
    (claim,) = claim_all(one)
    finish(one, [claim])
    monkeypatch.setattr(type(two.claims), "_drop_finished", lambda _self, won: won)
    assert len(two.claims.cancel([claim.task], stale, WORKER)) == 1


def test_a_claim_that_changed_hands_meanwhile_is_looked_at_again(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = hosts(2)
    add_tasks(one, 1)
    real, taken = two.claims.cancel, []

    def late(*arguments: object) -> list[Claim]:
        if not taken:
            taken.extend(claim_all(one))
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(two.claims, "cancel", late)
    assert (
        cancelled(two).error == f"cancelled while worker-test-001 of {one.repository.host} had it (attempt 1)"
    )


def test_a_claim_that_always_changes_hands_is_given_up(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(coordination, 1)
    monkeypatch.setattr(cancelling, "_PAUSE_S", 0.0)
    monkeypatch.setattr(coordination.claims, "cancel", lambda *_: [])
    assert isinstance(refused(coordination), EnvironmentProblem)
    assert outcomes(coordination) == {}


def test_what_is_being_cancelled_is_not_run_and_waits_for_its_canceller(coordination: Coordination) -> None:
    add_tasks(coordination, 1)
    (claim,) = left_behind(coordination)
    other = Coordination.open(coordination.repository.folder)
    assert claim_all(other) == claim_all(coordination) == []
    task = index.task_of(other.repository, TASK)
    assert other.claims.claim([task], other.pull(), lambda _: "w") == []
    with pytest.raises(EnvironmentProblem):
        other.claim_task(TASK, "w")
    assert (other.outbox.count(), [*refs_of(other, "claims").values()]) == (0, [claim.oid])


def test_whoever_finds_a_cancel_left_behind_publishes_it_and_never_runs_it(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its age decides alone: a host that lives on may have forgotten it."""
    one, two = hosts(2)
    add_tasks(one, 1)
    (claim,) = left_behind(one)
    assert claim_all(two, batch="another") == []
    later(monkeypatch, claim.record.lease_s - 5)
    assert heartbeat.beat(one.repository, heartbeat.Signs(1))
    assert (claim_all(two), two.outbox.count()) == ([], 0)
    later(monkeypatch, claim.record.lease_s + 5)
    assert heartbeat.beat(one.repository, heartbeat.Signs(1))
    assert (claim_all(two, batch="another"), two.outbox.count()) == ([], 1)
    two.flush()
    (result,) = [*two.results(Scope())]
    assert (result.status, result.host, result.epoch) == ("cancelled", two.repository.host, 2)
    assert result.error == f"cancelled from {one.repository.host}, which did not come to say so"


def test_a_cancel_whose_result_waits_here_is_not_taken_over_by_its_own_host(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(coordination, 1)
    with monkeypatch.context() as patch:
        patch.setattr(cancelling, "_PAUSE_S", 0.0)
        patch.setattr(type(coordination._publisher), "flush", lambda _: Published())
        refused(coordination)
    later(monkeypatch, 1000)
    before = refs_of(coordination, "claims")
    assert claim_all(coordination) == []
    assert refs_of(coordination, "claims") == before
    assert (len(coordination.flush().done), outcomes(coordination)) == (1, {TASK: "cancelled"})


def test_somebody_else_s_cancel_may_come_to_its_own_end(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = hosts(2)
    add_tasks(one, 1)
    (claim,) = left_behind(one)
    result = result_for(one, claim, status="cancelled")

    def end(_seconds: float) -> None:
        one.record([(claim, result, {})])
        one.flush()

    monkeypatch.setattr(cancelling, "time", SimpleNamespace(sleep=end))
    assert cancelled(two) == result
    assert refs_of(one, "fenced") == {}


def test_somebody_else_s_cancel_is_taken_over_when_it_does_not_end(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = hosts(2)
    add_tasks(one, 1)
    (claim,) = left_behind(one)
    monkeypatch.setattr(cancelling, "_PATIENCE_S", 0.3)
    assert cancelled(two).epoch == 2
    # The first one was only slow: its own result comes too late, and changes nothing.
    result = result_for(one, claim, status="cancelled")
    one.record([(claim, result, {})])
    assert one.flush().fenced == [claim.record.nonce]
    assert cancelled(one).host == two.repository.host


def test_a_canceller_that_was_overtaken_answers_with_the_result_that_stands(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = hosts(2)
    add_tasks(one, 1)
    monkeypatch.setattr(cancelling, "_PATIENCE_S", 0.0)
    real, overtaken = one._publisher.flush, []

    def slow() -> Published:
        if one.outbox.count() and not overtaken:
            overtaken.append(cancelled(two))
        return real()

    monkeypatch.setattr(one._publisher, "flush", slow)
    assert cancelled(one) == overtaken[0]
    assert outcomes(two) == {TASK: "cancelled"}


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from cortex_git.store.coordination import Coordination
    from cortex_git.store.outbox import Outbox
    Outbox.add = lambda self, entries: os.kill(os.getpid(), signal.SIGKILL)
    Coordination.open(Path(sys.argv[1])).cancel([sys.argv[2]])
    """


def test_killed_between_claim_and_publish_its_own_host_finishes_at_once(
    hosts: Hosts, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(monkeypatch)
    one, two = hosts(2)
    add_tasks(one, 2)
    child = python(KILLED, str(one.repository.folder), TASK)
    assert child.wait(timeout=60) == -signal.SIGKILL
    assert [*refs_of(one, "claims")] == [f"refs/cortex/claims/{TASK}"]
    (claim,) = claim_all(two)
    assert claim.task.task == "b1-t001"
    two.claims.release([claim])
    done = cortex(
        "spawn-workers", "--count", "1", "--batch", "b1", "--format", "json",
        cwd=one.repository.folder, timeout=one.repository.settings.leases.lease_s - 15,
    )  # fmt: skip
    assert (done.returncode, json.loads(done.stdout)["completed"]) == (0, 1), done
    assert outcomes(two) == {TASK: "cancelled", "b1-t001": "completed"}
    assert len(result_commits(bare)) == 2
    assert_sound(bare)


def test_killed_between_claim_and_publish_another_host_finishes_after_the_lease(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(monkeypatch)
    one, two = hosts(2)
    add_tasks(one, 1)
    child = python(KILLED, str(one.repository.folder), TASK)
    assert child.wait(timeout=60) == -signal.SIGKILL
    with pytest.raises(EnvironmentProblem):
        two.claim_task(TASK, "w")
    later(monkeypatch, one.repository.settings.leases.lease_s + 5)
    assert two.claims.claim([index.task_of(two.repository, TASK)], two.pull(), lambda _: "w") == []
    with pytest.raises(BadInput, match="finished already"):
        two.claim_task(TASK, "w")
    assert outcomes(two) == {TASK: "cancelled"}
    assert not two.locks.path(TASK).exists()


def test_every_answer_lost(hosts: Hosts, tmp_path: Path, bare: Path) -> None:
    one, two = hosts(2)
    add_tasks(one, 3)
    one.pull()
    lose_acknowledgements(one.repository.folder, tmp_path)
    ends = one.cancel([f"b1-t{number:03d}" for number in range(3)])
    assert {end.status for end in ends.values() if isinstance(end, Result)} == {"cancelled"}
    assert outcomes(two) == dict.fromkeys(ends, "cancelled")
    assert (len(result_commits(bare)), refs_of(one, "claims"), refs_of(one, "fenced")) == (3, {}, {})


def away(bare: Path) -> Path:
    return bare.rename(bare.with_name("away.git"))


@contextmanager
def gone_after_a_push(
    coordination: Coordination, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Within the block the remote goes away as soon as a push has arrived; it is back after it."""
    refs = coordination.repository.refs
    real = refs.transaction

    def push_and_cut(updates: object, *, atomic: bool) -> object:
        found = real(updates, atomic=atomic)  # type: ignore[arg-type]
        away(bare)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(refs, "transaction", push_and_cut)
        yield
    bare.with_name("away.git").rename(bare)


def test_with_the_remote_away_nothing_changes(hosts: Hosts, bare: Path) -> None:
    (one,) = hosts(1)
    add_tasks(one, 1)
    gone = away(bare)
    with pytest.raises(RemoteUnreachable):
        one.cancel([TASK])
    gone.rename(bare)
    assert (one.outbox.count(), refs_of(one, "claims"), outcomes(one)) == (0, {}, {})


def test_a_remote_that_falls_silent_after_the_claim(
    hosts: Hosts, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the claim arrived is not known, so nothing is published; once more finishes it."""
    (one,) = hosts(1)
    add_tasks(one, 1)
    with gone_after_a_push(one, bare, monkeypatch):
        assert isinstance(refused(one), RemoteUnreachable)
    assert (one.outbox.count(), len(refs_of(one, "claims"))) == (0, 1)
    assert claim_all(one) == []  # never to be run
    monkeypatch.setattr(cancelling, "_PATIENCE_S", 0.1)
    cancelled(one)
    assert (outcomes(one), refs_of(one, "claims")) == ({TASK: "cancelled"}, {})


def test_a_remote_that_falls_silent_before_the_publish(
    hosts: Hosts, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result is in the outbox, and whatever publishes next carries it."""
    (one,) = hosts(1)
    add_tasks(one, 1)
    real = one.outbox.add

    def enter_and_cut(entries: object) -> None:
        real(entries)  # type: ignore[arg-type]
        away(bare)

    with monkeypatch.context() as patch:
        patch.setattr(one.outbox, "add", enter_and_cut)
        error = refused(one)
    assert "waits to be published" in str(error) and "cortex-git sync" in str(error)
    bare.with_name("away.git").rename(bare)
    assert one.outbox.count() == 1
    assert len(Coordination.open(one.repository.folder).flush().done) == 1
    assert (outcomes(one), refs_of(one, "claims")) == ({TASK: "cancelled"}, {})


def test_claims_that_were_in_doubt_stay_with_those_who_asked_for_them(
    hosts: Hosts, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancel in between proves them along the way, and must not keep them."""
    (one,) = hosts(1)
    add_tasks(one, 2)
    with gone_after_a_push(one, bare, monkeypatch), pytest.raises(RemoteUnreachable):
        claim_all(one, 1)
    (claimed,) = refs_of(one, "claims")
    other = ({"b1-t000", "b1-t001"} - {claimed.rpartition("/")[2]}).pop()
    cancelled(one, other)
    assert [claim.task.task for claim in claim_all(one)] == [claimed.rpartition("/")[2]]


RUN = """
    import sys, time
    from pathlib import Path
    from gitworld import claim_all, finish
    from cortex_git.store.coordination import Coordination
    from cortex_git.store.index import Scope
    coordination = Coordination.open(Path(sys.argv[1]))
    until = time.monotonic() + 90
    while time.monotonic() < until:
        for claim in claim_all(coordination, 2):
            coordination.claims.started(claim)
            print("ran", claim.task.task)
            time.sleep(0.1)
            finish(coordination, [claim])
            coordination.locks.release(claim.task.task)
        coordination.pull()
        if coordination.open_count(Scope(batch="b1")) == 0:
            break
        time.sleep(0.02)
    """
CANCEL = """
    import sys
    from pathlib import Path
    from cortex_git.models import Result
    from cortex_git.store.coordination import Coordination
    coordination = Coordination.open(Path(sys.argv[1]))
    for task, end in coordination.cancel(sys.argv[2:]).items():
        print("cancelled" if isinstance(end, Result) else type(end).__name__, task)
    """


def race(folders: list[Path], names: list[str]) -> list[tuple[str, str]]:
    """Every second process cancels the tasks and the others run them; what each said of which task."""
    printed = outputs_of([
        (CANCEL, [str(folder), *names]) if number % 2 else (RUN, [str(folder)])
        for number, folder in enumerate(folders)
    ])  # fmt: skip
    lines = [line.partition(" ") for out in printed for line in out.splitlines()]
    return [(word, task) for word, _, task in lines]


def check_race(
    coordination: Coordination, repository: Path, names: list[str], said: list[tuple[str, str]]
) -> None:
    found = outcomes(coordination)
    assert sorted(found) == names
    assert len(result_commits(repository)) == len(names)
    assert refs_of(coordination, "claims") == {}
    told = {task: {word for word, other in said if other == task} for task in names}
    for task, status in found.items():
        if status == "cancelled":
            assert told[task] <= {"cancelled", "ran"}
        else:
            assert status == "completed" and told[task] == {"BadInput", "ran"}
    # Each worker that was on a cancelled task has its result kept aside.
    ran_in_vain = sum(word == "ran" and found[task] == "cancelled" for word, task in said)
    kept = [ref for ref in refs_of(coordination, "fenced") if not _is_cancelled(repository, ref)]
    assert len(kept) == ran_in_vain
    assert_sound(repository)


def _is_cancelled(repository: Path, ref: str) -> bool:
    return f"{WORKER} cancelled" in git(repository, "log", "-1", "--format=%s", ref)


@pytest.mark.race
@pytest.mark.parametrize("count", [1, 30])
def test_twenty_clones_some_cancel_and_some_run(
    clones: Callable[[int], list[Path]], bare: Path, count: int
) -> None:
    folders = clones(20)
    first = Coordination.open(folders[0])
    names = sorted(task.task for task in add_tasks(first, count))
    check_race(first, bare, names, race(folders, names))


@pytest.mark.race
@pytest.mark.parametrize("count", [1, 30])
def test_twenty_processes_of_one_repository_some_cancel_and_some_run(tmp_path: Path, count: int) -> None:
    create(tmp_path / "alone", None)
    alone = Coordination.open(tmp_path / "alone")
    names = sorted(task.task for task in add_tasks(alone, count))
    check_race(alone, tmp_path / "alone", names, race([tmp_path / "alone"] * 20, names))
