"""What every ref store must do, whatever carries it: tests for whoever has a `refs` fixture."""

import pytest

from cortex_git.store.commits import Draft, singles
from cortex_git.store.refs import ABSENT, ANY, Outcome, RefStore, Update

A, B = "refs/cortex/claims/a", "refs/cortex/claims/b"


def commits(refs: RefStore, count: int) -> list[str]:
    drafts = [Draft(f"trial {n}", {"claim.json": f"{n}\n".encode()}) for n in range(count)]
    return singles(refs.git, "t <t@example.invalid>", drafts)


def test_create_replace_delete(refs: RefStore) -> None:
    one, two = commits(refs, 2)
    assert refs.transaction([Update(A, one, ABSENT)], atomic=True) == [Outcome.APPLIED]
    assert refs.read_back([A]) == {A: one}
    assert refs.transaction([Update(A, two, one)], atomic=True) == [Outcome.APPLIED]
    assert refs.transaction([Update(A, None, two)], atomic=True) == [Outcome.APPLIED]
    assert refs.read_back([A]) == {}


@pytest.mark.parametrize("atomic", [True, False])
def test_a_wrong_expectation_changes_nothing(refs: RefStore, atomic: bool) -> None:
    one, two, three = commits(refs, 3)
    refs.transaction([Update(A, one, ABSENT)], atomic=True)
    for expected in (ABSENT, two):
        assert refs.transaction([Update(A, three, expected)], atomic=atomic) == [Outcome.STALE]
    assert refs.transaction([Update(A, None, two)], atomic=atomic) == [Outcome.STALE]
    assert refs.transaction([Update(B, None, two)], atomic=atomic) == [Outcome.STALE]
    assert refs.read_back([A, B]) == {A: one}


def test_one_by_one_applies_what_it_can(refs: RefStore) -> None:
    one, two, three = commits(refs, 3)
    refs.transaction([Update(A, one, ABSENT)], atomic=True)
    outcomes = refs.transaction([Update(A, two, ABSENT), Update(B, three, ABSENT)], atomic=False)
    assert outcomes == [Outcome.STALE, Outcome.APPLIED]
    assert refs.read_back([A, B]) == {A: one, B: three}


def test_all_or_nothing_applies_nothing(refs: RefStore) -> None:
    one, two, three = commits(refs, 3)
    refs.transaction([Update(A, one, ABSENT)], atomic=True)
    outcomes = refs.transaction([Update(A, two, ABSENT), Update(B, three, ABSENT)], atomic=True)
    assert outcomes == [Outcome.STALE, Outcome.BYSTANDER]
    assert refs.read_back([A, B]) == {A: one}


def test_any_replaces_whatever_is_there(refs: RefStore) -> None:
    one, two = commits(refs, 2)
    assert refs.transaction([Update(A, one, ANY)], atomic=True) == [Outcome.APPLIED]
    assert refs.transaction([Update(A, two, ANY)], atomic=True) == [Outcome.APPLIED]
    assert refs.read_back([A]) == {A: two}


def test_what_was_fetched_is_seen_and_what_is_gone_is_not(refs: RefStore) -> None:
    one, two = commits(refs, 2)
    refs.transaction([Update(A, one, ABSENT), Update(B, two, ABSENT)], atomic=True)
    refs.fetch()
    assert refs.seen() == {A: one, B: two}
    refs.transaction([Update(A, None, one)], atomic=True)
    refs.fetch()
    assert refs.seen() == {B: two}


def test_the_trunk_moves_only_from_what_it_was(refs: RefStore) -> None:
    refs.fetch()
    old = next(iter(refs.trunk()), None)
    one, two = commits(refs, 2)
    assert refs.move_trunk(one, old) is Outcome.APPLIED
    assert refs.move_trunk(two, old) is Outcome.STALE
    refs.fetch()
    assert refs.trunk()[0] == one


def test_no_updates_is_no_call(refs: RefStore) -> None:
    assert refs.transaction([], atomic=True) == []
