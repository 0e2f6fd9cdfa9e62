"""What each part of the protocol is there for: every test fails when that one part is taken out."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from gitworld import add_tasks, claim_all, finish, git, lose_acknowledgements, result_commits, result_for

from cortex_git.state import monotonic
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.open_tasks import open_tasks
from cortex_git.store.pulling import pull
from cortex_git.store.refs import Outcome

Hosts = Callable[[int], list[Coordination]]


def test_the_empty_lease_lets_one_of_two_have_a_task(hosts: Hosts) -> None:
    """Both saw it free: the second push must lose, and must leave the first claim alone."""
    one, two = hosts(2)
    add_tasks(one, 1)
    views = [host.pull() for host in (one, two)]
    tasks = open_tasks(one.repository, Scope(batch="b1"), 10)
    (won,) = one.claims.claim(tasks, views[0], lambda _: "w1")
    assert two.claims.claim(tasks, views[1], lambda _: "w2") == []
    assert two.pull().claims == {won.task.task: won.oid}


def test_the_claim_lease_at_publish_stops_a_result_that_was_superseded(hosts: Hosts, bare: Path) -> None:
    """The successor is still at work, so nothing but the claim itself says that the result is late."""
    one, two = hosts(2)
    add_tasks(one, 1)
    (old,) = claim_all(one)
    two.pull()
    new = two.claims.take_over(old)
    assert new is not None
    one.record([(old, result_for(one, old), {})])
    report = one.flush()
    assert (report.done, report.fenced) == ([], [old.record.nonce])
    assert two.pull().claims == {new.task.task: new.oid}
    finish(two, [new])
    assert len(result_commits(bare)) == 1


def test_a_published_result_is_found_by_its_nonce_before_it_is_fenced(hosts: Hosts, bare: Path) -> None:
    """The push landed, its answer was lost, and the note of it too: only the nonce tells."""
    (one,) = hosts(1)
    add_tasks(one, 2)
    claims = claim_all(one)
    finish(one, claims[:1])
    nonce = claims[0].record.nonce
    state = one.repository.durable_state
    state.execute("DELETE FROM outbox WHERE nonce = ?", (nonce,))
    one.record([(claim, result_for(one, claim), {}) for claim in claims])
    report = one.flush()
    assert sorted(report.done) == sorted(claim.record.nonce for claim in claims)
    assert report.fenced == []
    assert git(bare, "for-each-ref", "refs/cortex/fenced") == ""
    assert len(result_commits(bare)) == 2


def test_a_host_with_a_new_id_does_not_publish_again_what_it_had_published(
    hosts: Hosts, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push that lands after it was given up looks like a twin's, and carries our own result."""
    (one,) = hosts(1)
    add_tasks(one, 2)
    first, second = claim_all(one)
    one.record([(first, result_for(one, first), {})])
    real, late = one.repository.refs.transaction, []

    def slow(updates: list, *, atomic: bool) -> list[Outcome]:  # type: ignore[type-arg]
        if not late:
            late.append(updates)
            one.record([(second, result_for(one, second), {})])  # so that the next push is another one
            return [Outcome.UNKNOWN] * len(updates)
        if len(late) == 1:
            late.append([])
            assert set(real(late[0], atomic=True)) == {Outcome.APPLIED}
        return real(updates, atomic=atomic)

    monkeypatch.setattr(one.repository.refs, "transaction", slow)
    monkeypatch.setattr(one.outbox, "intents", lambda _state="open": [])  # its memory of that push is gone
    fenced: list[tuple[list[str], str]] = []
    monkeypatch.setattr(one.outbox, "settle", watched(one.outbox.settle, fenced))
    report = one.flush()
    assert report.done == [first.record.nonce]
    assert (report.fenced, fenced[:1]) == ([], [([first.record.nonce], "done")])
    assert one.flush().done == [second.record.nonce]  # it came during the other flush
    subjects = result_commits(bare)
    assert len(subjects) == len(set(subjects)) == 2


def watched(real: Callable[..., None], calls: list[tuple[list[str], str]]) -> Callable[..., None]:
    def settle(nonces: list[str], state: str) -> None:
        calls.append((list(nonces), state))
        real(nonces, state)

    return settle


def overlap(work: Callable[..., object], inside: list[int], most: list[int]) -> Callable[..., object]:
    """`work` made slow, noting in `most` how many were inside at once."""

    def slow(*arguments: object, **options: object) -> object:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.3)
        try:
            return work(*arguments, **options)
        finally:
            inside.pop()

    return slow


def both(first: Callable[[], object], second: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_fetches_of_one_clone_take_turns(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once, and the slower one would move the tracking refs back behind the faster one's."""
    (one,) = hosts(1)
    other = Coordination.open(one.repository.folder)
    inside: list[int] = []
    most: list[int] = []
    for host in (one, other):
        monkeypatch.setattr(host.repository.refs, "fetch", overlap(host.repository.refs.fetch, inside, most))
    later = monotonic() + 60  # so that neither may do with the other's fetch
    both(lambda: pull(one.repository, not_before=later), lambda: pull(other.repository, not_before=later))
    assert most == [1, 1]


def test_publishers_of_one_clone_take_turns(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at once would both build on the same tip, and the loser would take the winner for a twin."""
    add_tasks(coordination, 2)
    host = coordination.repository.host
    other = Coordination.open(coordination.repository.folder)
    inside: list[int] = []
    most: list[int] = []
    for each in (coordination, other):
        refs = each.repository.refs
        monkeypatch.setattr(refs, "transaction", overlap(refs.transaction, inside, most))
    first, second = claim_all(coordination)
    most.clear()
    both(lambda: finish(coordination, [first]), lambda: finish(other, [second]))
    assert set(most) == {1}
    assert (coordination.repository.host, other.repository.host) == (host, host)


def test_claims_whose_answer_was_lost_and_did_not_land_are_nobody_s(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proving reads the ref back: taking every silence for a win would run what others hold."""
    one, two = hosts(2)
    add_tasks(one, 1)
    one.pull()
    two.pull()
    refs = one.repository.refs
    real = refs.transaction
    monkeypatch.setattr(refs, "transaction", lambda updates, **_: [Outcome.UNKNOWN] * len(updates))
    assert claim_all(one) == []
    monkeypatch.setattr(refs, "transaction", real)
    assert len(claim_all(two)) == 1
    assert claim_all(one) == []


def test_a_lost_answer_leaves_nothing_to_push_again(hosts: Hosts, tmp_path: Path, bare: Path) -> None:
    """The ref is read back at once, so the outbox is empty and the id is the same."""
    (one,) = hosts(1)
    add_tasks(one, 2)
    host, claims = one.repository.host, claim_all(one)
    one.record([(claim, result_for(one, claim), {}) for claim in claims])
    switch = lose_acknowledgements(one.repository.folder, tmp_path)
    report = one.flush()
    assert (len(report.done), report.pushes, one.repository.host) == (2, 1, host)
    switch.unlink()
    assert len(result_commits(bare)) == 2
