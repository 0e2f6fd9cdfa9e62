"""Claims: taken once, given back, taken over, and never held on a finished task."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from gitworld import add_tasks, claim_all, finish, git, lose_acknowledgements, python

from cortex_git.gitio import GitFailed
from cortex_git.store import claims, heartbeat, releasing
from cortex_git.store.claim_records import Claim, backoff_s
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.open_tasks import open_tasks
from cortex_git.store.refs import Outcome, RemoteUnreachable, Update

Hosts = Callable[[int], list[Coordination]]


def claim_refs(coordination: Coordination) -> dict[str, str]:
    coordination.repository.refs.fetch()
    seen = coordination.repository.refs.seen()
    return {ref: oid for ref, oid in seen.items() if "/claims/" in ref}


def test_a_claim_is_a_ref_with_its_record_and_a_lock(coordination: Coordination) -> None:
    add_tasks(coordination, 2)
    claims = claim_all(coordination, 1)
    assert len(claims) == 1
    claim = claims[0]
    assert claim_refs(coordination) == {coordination.repository.claim_ref(claim.task.task): claim.oid}
    assert coordination.claims.record(claim.oid) == claim.record
    assert (claim.record.epoch, claim.record.attempt, claim.record.state) == (1, 1, "running")
    assert coordination.locks.path(claim.task.task).is_dir()


def test_what_is_claimed_is_not_claimed_again(coordination: Coordination) -> None:
    add_tasks(coordination, 3)
    first = claim_all(coordination, 2)
    second = claim_all(coordination)
    assert len(first) == 2 and len(second) == 1
    assert claim_all(coordination) == []
    assert len({claim.task.task for claim in first + second}) == 3


def test_a_released_claim_can_be_had_again_as_if_never_taken(coordination: Coordination) -> None:
    add_tasks(coordination, 1)
    coordination.claims.release(claim_all(coordination))
    assert claim_refs(coordination) == {}
    again = claim_all(coordination)
    assert [claim.record.attempt for claim in again] == [1]


def test_what_was_tried_before_keeps_its_attempts_when_it_is_given_back(coordination: Coordination) -> None:
    """Else a task that kills its workers would never end, and one epoch and attempt could be run twice."""
    add_tasks(coordination, 1)
    coordination.claims.release(claim_all(coordination), retry_after_s=0)
    (second,) = claim_all(coordination)
    coordination.claims.release([second])
    (again,) = claim_all(coordination)
    assert (again.record.epoch, again.record.attempt) == (1, 2)
    taken = coordination.claims.take_over(again)
    assert taken is not None
    coordination.claims.release([taken])
    (last,) = claim_all(coordination)
    assert (last.record.epoch, last.record.attempt) == (2, taken.record.attempt)


def test_what_was_begun_is_another_epoch_when_it_is_given_back(coordination: Coordination) -> None:
    """A second Ctrl-C ends a run midway: no attempt is used up, and yet no claim stands for two runs."""
    add_tasks(coordination, 2)
    begun, ahead = claim_all(coordination)
    coordination.claims.started(begun)
    coordination.claims.release([begun, ahead])
    again = {claim.task.task: claim.record for claim in claim_all(coordination)}
    assert (again[begun.task.task].epoch, again[begun.task.task].attempt) == (2, 1)
    assert (again[ahead.task.task].epoch, again[ahead.task.task].attempt) == (1, 1)


def test_what_is_given_back_twice_is_pushed_once(
    hosts: Hosts, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git refuses a push that names a ref twice: none of what the process gives back would ever arrive."""
    (one,) = hosts(1)
    add_tasks(one, 2)
    first, second = claim_all(one)
    refs = one.repository.refs
    with monkeypatch.context() as away:
        away.setattr(refs, "transaction", lambda updates, **_: [Outcome.UNKNOWN] * len(updates))
        one.claims.release([first])
    one.claims.release([first, second])
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""


def test_a_failed_attempt_waits_and_counts(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(coordination, 1)
    coordination.claims.release(claim_all(coordination), retry_after_s=30)
    assert claim_all(coordination) == []
    later = claims_clock(monkeypatch, 31)
    again = claim_all(coordination)
    assert [claim.record.attempt for claim in again] == [2]
    assert later


def claims_clock(monkeypatch: pytest.MonkeyPatch, ahead_s: float) -> bool:
    """Put this process's monotonic clock forward, as if it had waited."""
    from cortex_git import state

    real = state.monotonic
    monkeypatch.setattr(claims, "monotonic", lambda: real() + ahead_s)
    monkeypatch.setattr(heartbeat, "monotonic", lambda: real() + ahead_s)
    return True


def test_taking_over_raises_epoch_and_attempt_and_the_old_claim_is_worth_nothing(
    coordination: Coordination,
) -> None:
    add_tasks(coordination, 1)
    old = claim_all(coordination)[0]
    coordination.claims.started(old)
    new = coordination.claims.take_over(old)
    assert new is not None
    assert (new.record.epoch, new.record.attempt) == (2, 2)
    assert coordination.claims.take_over(old) is None
    assert list(claim_refs(coordination).values()) == [new.oid]


def test_a_finished_task_is_dropped_by_the_look_after_the_claim(hosts: Hosts) -> None:
    """The claim of a finished task succeeds, because publishing deleted its ref; then the pull tells."""
    one, two = hosts(2)
    add_tasks(one, 1)
    stale = two.pull()
    tasks = [claim.task for claim in claim_all(one)]
    finish(one, [Claim(tasks[0], oid, record) for _, oid, record in held(one)])
    claims = two.claims.claim(tasks, stale, lambda _: "worker-test-001")
    assert claims == []
    assert claim_refs(two) == {}
    assert not two.locks.path(tasks[0].task).exists()


def held(coordination: Coordination) -> list[tuple[str, str, object]]:
    found = []
    for ref, oid in claim_refs(coordination).items():
        found.append((ref, oid, coordination.claims.record(oid)))
    return found


def test_without_that_look_a_finished_task_would_be_claimed(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proof that the test above can fail: with the look taken out, the claim stands."""
    one, two = hosts(2)
    add_tasks(one, 1)
    stale = two.pull()
    claims = claim_all(one)
    finish(one, claims)
    monkeypatch.setattr(type(two.claims), "_drop_finished", lambda _self, won: won)
    assert len(two.claims.claim([claims[0].task], stale, lambda _: "w")) == 1


def test_a_claim_whose_acknowledgement_was_lost_is_found_to_be_ours(hosts: Hosts, tmp_path: Path) -> None:
    one, two = hosts(2)
    add_tasks(one, 3)
    one.pull()
    lose_acknowledgements(one.repository.folder, tmp_path)
    claims = claim_all(one)
    assert len(claims) == 3
    assert claim_all(two) == []
    assert sorted(claim_refs(two).values()) == sorted(claim.oid for claim in claims)


def test_claims_made_when_the_remote_falls_silent_are_proven_later(
    hosts: Hosts, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = hosts(1)
    add_tasks(one, 2)
    view = one.pull()
    tasks = list(_tasks(one))
    real = one.repository.refs.transaction

    def push_and_cut(updates: object, *, atomic: bool) -> object:
        outcomes = real(updates, atomic=atomic)  # type: ignore[arg-type]
        bare.rename(bare.with_name("away.git"))
        return outcomes

    monkeypatch.setattr(one.repository.refs, "transaction", push_and_cut)
    with pytest.raises(RemoteUnreachable):
        one.claims.claim(tasks, view, lambda _: "w")
    monkeypatch.setattr(one.repository.refs, "transaction", real)
    bare.with_name("away.git").rename(bare)
    assert len(claim_all(one)) == 2


def test_a_claim_that_lands_late_and_that_nobody_has_in_hand_is_given_back(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = hosts(1)
    add_tasks(one, 1)
    view, tasks = one.pull(), list(_tasks(one))
    with monkeypatch.context() as patch:
        late = hold_up_the_push(one, patch)
        with pytest.raises(RemoteUnreachable):
            one.claims.claim(tasks, view, lambda _: "w")  # not there when it is looked for
    view = one.pull()
    one.repository.refs.transaction(late, atomic=False)
    assert one.claims.claim([], view, lambda _: "w") == []
    assert one.claims.claim([], one.pull(), lambda _: "w") == []
    assert claim_refs(one) == {}


def hold_up_the_push(one: Coordination, monkeypatch: pytest.MonkeyPatch) -> list[Update]:
    """What this host's next push would change, without an answer and not there yet."""
    late: list[Update] = []

    def nothing(updates: Sequence[Update], *, atomic: bool) -> list[Outcome]:
        assert not atomic
        late.extend(updates)
        return [Outcome.UNKNOWN] * len(updates)

    monkeypatch.setattr(one.repository.refs, "transaction", nothing)
    monkeypatch.setattr(one.repository.refs, "refusal", "no answer")
    return late


def test_a_claim_that_is_proven_late_is_not_given_back(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = hosts(1)
    add_tasks(one, 2)
    view, tasks = one.pull(), list(_tasks(one))
    real = one.repository.refs.transaction

    def half(updates: Sequence[Update], *, atomic: bool) -> list[Outcome]:
        late.append(updates[0])
        return [Outcome.UNKNOWN, *real(updates[1:], atomic=atomic)]

    def away(*_: object, **__: object) -> None:
        raise RemoteUnreachable("gone", "")

    late: list[Update] = []
    with monkeypatch.context() as patch:
        patch.setattr(one.repository.refs, "transaction", half)
        patch.setattr(claims, "pull", away)
        with pytest.raises(RemoteUnreachable):
            one.claims.claim(tasks, view, lambda _: "w")
    view = one.pull()
    assert real(late, atomic=False) == [Outcome.APPLIED]
    first = one.claims.claim([], view, lambda _: "w")
    again = one.claims.claim([], one.pull(), lambda _: "w")
    held = {claim.oid for claim in [*first, *again]}
    assert set(claim_refs(one).values()) == held and len(held) == 1


def test_a_cancel_that_lands_late_is_not_given_back(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = hosts(1)
    add_tasks(one, 1)
    view, tasks = one.pull(), list(_tasks(one))
    with monkeypatch.context() as patch:
        late = hold_up_the_push(one, patch)
        assert one.claims.cancel(tasks, view, "w") == []
    assert one.repository.refs.transaction(late, atomic=False) == [Outcome.APPLIED]
    assert one.claims.claim([], one.pull(), lambda _: "w") == []
    assert len(claim_refs(one)) == 1


def _tasks(coordination: Coordination) -> list:  # type: ignore[type-arg]
    return open_tasks(coordination.repository, Scope(batch="b1"), 10)


def test_a_dead_process_of_this_host_is_robbed_and_a_living_one_is_not(coordination: Coordination) -> None:
    add_tasks(coordination, 1)
    child = python(
        """
        import sys, time
        from pathlib import Path
        from gitworld import claim_all
        from cortex_git.store.coordination import Coordination
        print(len(claim_all(Coordination.open(Path(sys.argv[1])))), flush=True)
        time.sleep(60)
        """,
        str(coordination.repository.folder),
    )
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "1"
    assert claim_all(coordination) == []
    child.kill()
    child.wait()
    taken = claim_all(coordination)
    # No worker was on it yet, so no attempt is used up.
    assert [(claim.record.epoch, claim.record.attempt) for claim in taken] == [(2, 1)]


def test_another_host_is_robbed_only_after_a_whole_lease_of_silence(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = hosts(2)
    add_tasks(one, 1)
    old = claim_all(one)[0]
    assert claim_all(two) == []
    claims_clock(monkeypatch, old.record.lease_s - 5)
    assert claim_all(two) == []
    claims_clock(monkeypatch, old.record.lease_s + 5)
    assert [claim.record.epoch for claim in claim_all(two)] == [2]


def test_a_heartbeat_keeps_a_host_from_being_robbed(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = hosts(2)
    add_tasks(one, 1)
    old = claim_all(one)[0]
    assert claim_all(two) == []
    assert heartbeat.beat(one.repository, heartbeat.Signs(1))
    claims_clock(monkeypatch, old.record.lease_s + 5)
    assert claim_all(two) == []  # a heartbeat not seen before: its clock begins now
    claims_clock(monkeypatch, 2 * old.record.lease_s + 10)
    assert [claim.record.epoch for claim in claim_all(two)] == [2]


def test_by_an_old_view_no_living_host_is_robbed(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its heartbeats since are not in that view, which is no silence of its."""
    one, two = hosts(2)
    add_tasks(one, 1)
    old = claim_all(one)[0]
    assert heartbeat.beat(one.repository, heartbeat.Signs(1))
    assert claim_all(two) == []
    view = two.pull()
    claims_clock(monkeypatch, old.record.lease_s + 5)
    stale = replace(view, fetched_at=view.fetched_at - old.record.lease_s)
    assert two.claims.claim([old.task], stale, lambda _: "w") == []
    assert [claim.record.epoch for claim in two.claims.claim([old.task], view, lambda _: "w")] == [2]


def test_the_attempt_of_a_dead_worker_counts_for_who_asks_for_its_task(coordination: Coordination) -> None:
    add_tasks(coordination, 1)
    child = python(
        """
        import sys
        from pathlib import Path
        from gitworld import claim_all
        from cortex_git.store.coordination import Coordination
        coordination = Coordination.open(Path(sys.argv[1]))
        coordination.claims.started(claim_all(coordination)[0])
        """,
        str(coordination.repository.folder),
    )
    assert child.wait(60) == 0
    (task,) = _tasks(coordination)
    taken = coordination.claim_task(task.task, "w")
    assert (taken.record.epoch, taken.record.attempt) == (2, 2)


def test_a_damaged_claim_is_left_alone(hosts: Hosts) -> None:
    one, two = hosts(2)
    add_tasks(one, 1)
    folder = two.repository.folder
    git(folder, "fetch", "-q", "origin")
    git(folder, "push", "-q", "origin", "origin/main:refs/cortex/claims/b1-t000")
    assert claim_all(one) == []


@pytest.mark.parametrize("attempt", [1, 2, 5, 40])
def test_back_off_doubles_up_to_its_limit_with_jitter(attempt: int) -> None:
    full = min(300.0, 1.0 * 2 ** (attempt - 1))
    for _ in range(20):
        assert full / 2 <= backoff_s(attempt, 1.0, 300.0) <= full


def test_a_claim_whose_push_was_sent_twice_is_ours(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second answer says that it is there already, or that it exists: by whom, the nonce tells."""
    add_tasks(coordination, 3)
    refs = coordination.repository.refs
    real = refs.transaction

    def twice(updates: list[Update], *, atomic: bool) -> list[Outcome]:
        real(updates, atomic=atomic)
        return [Outcome.UNCHANGED, Outcome.REFUSED, Outcome.UNKNOWN]

    view = coordination.pull()
    tasks = list(_tasks(coordination))
    monkeypatch.setattr(refs, "transaction", twice)
    claims = coordination.claims.claim(tasks, view, lambda _: "w")
    assert sorted(claim.oid for claim in claims) == sorted(claim_refs(coordination).values())
    assert len(claims) == 3


@pytest.mark.parametrize("answer", [Outcome.UNKNOWN, Outcome.REFUSED], ids=["no-answer", "refused"])
def test_a_claim_that_lands_after_we_let_it_go_is_given_back(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch, answer: Outcome
) -> None:
    """Nobody else may replace it while this process lives, so the task would never end."""
    add_tasks(coordination, 1)
    refs = coordination.repository.refs
    real, late = refs.transaction, []

    def told_that_it_failed(updates: list[Update], *, atomic: bool) -> list[Outcome]:
        late.append(updates)
        return [answer] * len(updates)

    monkeypatch.setattr(refs, "transaction", told_that_it_failed)
    assert claim_all(coordination) == []
    monkeypatch.setattr(refs, "transaction", real)
    assert set(real(late[0], atomic=False)) == {Outcome.APPLIED}
    assert claim_all(coordination) == []
    assert [claim.record.epoch for claim in claim_all(coordination)] == [1]


def test_a_claim_that_lands_late_is_given_back_with_its_numbers(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the attempts that failed before it would be forgotten, and the first be run a second time."""
    add_tasks(coordination, 1)
    coordination.claims.release(claim_all(coordination), retry_after_s=0.0)
    refs = coordination.repository.refs
    real, late = refs.transaction, []

    def silent(updates: list[Update], *, atomic: bool) -> list[Outcome]:
        late.append(updates)
        return [Outcome.UNKNOWN] * len(updates)

    monkeypatch.setattr(refs, "transaction", silent)
    assert claim_all(coordination) == []
    monkeypatch.setattr(refs, "transaction", real)
    assert set(real(late[0], atomic=False)) == {Outcome.APPLIED}
    assert claim_all(coordination) == []
    assert [(claim.record.epoch, claim.record.attempt) for claim in claim_all(coordination)] == [(1, 2)]


def fill_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> list[str]:
        raise GitFailed("fast-import: No space left on device")

    monkeypatch.setattr(releasing, "singles", full)


def test_a_claim_given_back_on_a_full_disk_is_given_back_once_there_is_room(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else may end it while this process lives, and this one would know no more of it."""
    add_tasks(coordination, 1)
    (claim,) = claim_all(coordination)
    lock = coordination.locks.path(claim.task.task)
    with monkeypatch.context() as patch:
        fill_the_disk(patch)
        coordination.claims.release([claim], retry_after_s=0.0)
        assert list(claim_refs(coordination).values()) == [claim.oid] and lock.is_dir()
        with pytest.raises(GitFailed):
            claim_all(coordination)
        assert lock.is_dir()
    assert claim_all(coordination) == []
    assert not lock.exists()
    assert [again.record.attempt for again in claim_all(coordination)] == [2]


def test_what_cannot_be_given_back_yet_costs_no_other_task_its_lock(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(coordination, 2)
    (claim,) = claim_all(coordination, 1)
    with monkeypatch.context() as patch:
        fill_the_disk(patch)
        coordination.claims.release([claim], retry_after_s=0.0)
        with pytest.raises(GitFailed):
            claim_all(coordination)
    assert len(claim_all(coordination)) == 1
    assert len(claim_all(coordination)) == 1


def test_what_is_known_of_claims_does_not_grow_with_those_that_came_and_went(
    coordination: Coordination,
) -> None:
    add_tasks(coordination, 3)
    for _ in range(3):
        (claim,) = claim_all(coordination, 1)
        coordination.claims.standings(coordination.pull())
        finish(coordination, [claim])
    last = coordination.pull()
    assert coordination.claims.standings(last) == {}
    assert coordination.claims._records == {}


def test_a_claim_of_an_earlier_view_is_not_unreadable(hosts: Hosts) -> None:
    """Threads judge by views of their own; who forgets a claim must not take it for nobody's."""
    one, two = hosts(2)
    add_tasks(one, 2)
    (first,) = claim_all(one, 1)
    early = two.pull()
    two.claims.standings(early)
    finish(one, [first])
    claim_all(one, 1)
    two.claims.standings(two.pull())
    assert two.claims._standing(first.task.task, first.oid, early) == "held"


def test_a_claim_that_never_lands_is_forgotten_with_its_task(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = hosts(2)
    add_tasks(one, 1)
    view, tasks = one.pull(), list(_tasks(one))
    with monkeypatch.context() as patch:
        hold_up_the_push(one, patch)
        with pytest.raises(RemoteUnreachable):
            one.claims.claim(tasks, view, lambda _: "w")
    assert len(one.claims._astray) == 1
    one.claims.claim([], one.pull(), lambda _: "w")
    assert len(one.claims._astray) == 1  # it may land yet
    two.pull()
    finish(two, claim_all(two))
    one.claims.claim([], one.pull(), lambda _: "w")
    assert one.claims._astray == {}


def test_a_claim_that_lands_late_is_not_begun_by_another_process_s_lock(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(coordination, 1)
    refs = coordination.repository.refs
    real, late = refs.transaction, []

    def silent(updates: list[Update], *, atomic: bool) -> list[Outcome]:
        late.append(updates)
        return [Outcome.UNKNOWN] * len(updates)

    with monkeypatch.context() as patch:
        patch.setattr(refs, "transaction", silent)
        assert claim_all(coordination) == []
    other = Coordination.open(coordination.repository.folder)
    assert other.locks.acquire("b1-t000")
    other.locks.mark_started("b1-t000")
    assert set(real(late[0], atomic=False)) == {Outcome.APPLIED}
    assert coordination.claims.claim([], coordination.pull(), lambda _: "w") == []
    assert claim_refs(coordination) == {}
