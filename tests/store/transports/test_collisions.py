"""What real servers answer when pushes meet on one ref, or meet a lock or a hook: never read as a win."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gitworld import add_tasks, claim_all, git, hook, result_for
from refcontract import A, commits
from transportworld import Way, way_to

from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import Git
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.refs import ABSENT, Outcome, RemoteRefs, Update
from cortex_git.store.tasks import listed

Hosts = Callable[[int], list[Coordination]]
PUSHES = 5


@pytest.fixture(params=["path", "http"])
def way(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    with way_to(request.param, tmp_path, monkeypatch) as found:
        yield found


@pytest.mark.parametrize("atomic", [True, False], ids=["atomic", "one by one"])
def test_pushes_that_meet_on_a_ref_have_one_winner(refs: RemoteRefs, way: Way, atomic: bool) -> None:
    """Every push has read the list of refs before any of them changes one: the lease cannot tell."""
    meeting = way.bare / "meeting"
    meeting.mkdir()
    enough = f"[ $(ls {meeting} | wc -l) -ge {PUSHES} ]"
    wait = f"n=0; until {enough} || [ $n -ge 300 ]; do sleep 0.1; n=$((n+1)); done"
    hook(way.bare, "pre-receive", f"touch {meeting}/$$\n{wait}")
    rivals = commits(refs, PUSHES)

    def push(oid: str) -> tuple[Outcome, str]:
        one = RemoteRefs(Git(refs.git.directory), "origin", "refs/cortex", "main")
        return one.transaction([Update(A, oid, ABSENT)], atomic=atomic)[0], one.refusal

    with ThreadPoolExecutor(PUSHES) as threads:
        answers = list(threads.map(push, rivals))
    outcomes = [outcome for outcome, _ in answers]
    assert sorted(outcome.name for outcome in outcomes) == ["APPLIED"] + ["BUSY"] * (PUSHES - 1)
    assert refs.read_back([A]) == {A: rivals[outcomes.index(Outcome.APPLIED)]}
    assert all("already exists" in refusal for outcome, refusal in answers if outcome is Outcome.BUSY)


def test_a_lock_left_on_the_server_is_said_in_the_end_and_is_no_claim(hosts: Hosts, way: Way) -> None:
    (one,) = hosts(1)
    add_tasks(one, 1)
    lock = way.bare / "refs" / "cortex" / "claims" / "b1-t000.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    for _ in range(4):
        assert claim_all(one) == []
    with pytest.raises(EnvironmentProblem, match=r"cannot lock ref .*b1-t000"):
        claim_all(one)
    lock.unlink()
    assert len(claim_all(one)) == 1


def test_collisions_over_one_task_after_another_are_only_lost(hosts: Hosts, way: Way) -> None:
    """Hosts that work in step collide in every round, and there is nothing wrong with the remote."""
    (one,) = hosts(1)
    add_tasks(one, 8)
    folder = way.bare / "refs" / "cortex" / "claims"
    folder.mkdir(parents=True, exist_ok=True)
    for task in listed(one.repository, Scope(batch="b1")):
        lock = folder / f"{task.task}.lock"
        lock.touch()
        assert one.claims.claim([task], one.pull(), lambda _: "worker-test-001") == []
        lock.unlink()
    assert len(claim_all(one)) == 8


def test_refs_that_are_being_packed_put_a_publish_off(
    hosts: Hosts, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`git pack-refs` on the server holds the one file that a deletion has to change."""
    (one,) = hosts(1)
    add_tasks(one, 1)
    (claim,) = claim_all(one)
    one.record([(claim, result_for(one, claim), {})])
    git(way.bare, "pack-refs", "--all")
    lock = way.bare / "packed-refs.lock"
    lock.touch()
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        lock.unlink(missing_ok=True)

    monkeypatch.setattr("cortex_git.store.publishing.time.sleep", wait)
    report = one.flush()
    assert (len(report.done), report.fenced, bool(waits)) == (1, [], True)


@pytest.mark.parametrize("way", ["path"], indirect=True)
def test_a_reference_transaction_hook_that_refuses_loses_nothing(hosts: Hosts, way: Way) -> None:
    (one,) = hosts(1)
    add_tasks(one, 1)
    refusing = hook(way.bare, "reference-transaction", '[ "$1" != prepared ]')
    with pytest.raises(EnvironmentProblem, match="remote"):
        claim_all(one)
    refusing.unlink()
    assert len(claim_all(one)) == 1


@pytest.mark.parametrize("way", ["path"], indirect=True)
def test_a_shallow_clone_can_work(way: Way, tmp_path: Path, hosts: Hosts) -> None:
    (one,) = hosts(1)
    add_tasks(one, 2)
    one.fold()
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{way.bare}", "shallow")
    shallow = Coordination.open(tmp_path / "shallow")
    claims = claim_all(shallow)
    shallow.record([(claim, result_for(shallow, claim), {}) for claim in claims])
    assert len(shallow.flush().done) == 2
    assert shallow.fold() is not None


@pytest.mark.parametrize("way", ["path"], indirect=True)
def test_git_answers_in_english_whatever_the_person_speaks(
    refs: RemoteRefs, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("LANG", "LC_ALL", "LC_MESSAGES", "LANGUAGE"):
        monkeypatch.setenv(variable, "de_DE.UTF-8")
    said = refs.git.run("-c", "alias.say=!echo $LC_ALL $LANGUAGE", "say").text.split()
    assert said == ["C", "C"]
    one, two = commits(refs, 2)
    refs.transaction([Update(A, one, ABSENT)], atomic=True)
    assert refs.transaction([Update(A, two, ABSENT)], atomic=True) == [Outcome.STALE]
