"""One given task is claimed by what was seen last, and looked for anew only where that can help."""

from collections.abc import Callable

import pytest
from gitworld import add_tasks, claim_all

from cortex_git.errors import EnvironmentProblem
from cortex_git.store.claims import ClaimLost
from cortex_git.store.coordination import Coordination
from cortex_git.store.refs import Outcome, Update

Hosts = Callable[[int], list[Coordination]]
TASK = "b1-t000"


def test_a_claim_that_is_free_by_now_is_had_by_a_new_look(hosts: Hosts) -> None:
    one, two = hosts(2)
    add_tasks(one, 1)
    claims = claim_all(two)
    assert TASK in one.pull().claims
    two.claims.release(claims)
    assert one.claim_seen(TASK, "w").task.task == TASK


def test_what_was_just_looked_at_is_not_looked_at_again(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = hosts(2)
    add_tasks(two, 1)
    claim_all(two)
    real, looks = one.pull, []
    monkeypatch.setattr(one, "pull", lambda: looks.append(1) or real())
    with pytest.raises(ClaimLost, match="another host"):
        one.claim_seen(TASK, "w")
    assert len(looks) == 1


def test_a_lock_in_use_is_waited_for_once(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(coordination, 1)
    coordination.pull()
    waits: list[str] = []
    monkeypatch.setattr(coordination.locks, "wait", waits.append)  # which answers None: not had
    with pytest.raises(EnvironmentProblem, match="locked by another process"):
        coordination.claim_seen(TASK, "w")
    assert waits == [TASK]


def test_a_remote_that_refuses_claims_is_asked_once(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = hosts(1)
    add_tasks(one, 1)
    one.pull()
    pushes: list[list[Update]] = []

    def refused(updates: list[Update], *, atomic: bool) -> list[Outcome]:
        pushes.append(updates)
        return [Outcome.REFUSED] * len(updates)

    monkeypatch.setattr(one.repository.refs, "transaction", refused)
    monkeypatch.setattr(one.repository.refs, "refusal", "not allowed here")
    with pytest.raises(EnvironmentProblem, match="refuses claims"):
        one.claim_seen(TASK, "w")
    assert len(pushes) == 1
