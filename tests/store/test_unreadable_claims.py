"""Claim refs that somebody pushed by hand: nobody's, so they hold a task up for a lease and no longer."""

import json
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from gitworld import add_tasks, assert_sound, claim_all, finish, git, result_commits, start_cortex

from cortex_git import state
from cortex_git.errors import EnvironmentProblem
from cortex_git.models import Result
from cortex_git.store import claims, heartbeat
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.open_tasks import open_tasks

Hosts = Callable[[int], list[Coordination]]
KINDS = ("no record", "no JSON", "another task's", "no commit")


def junk(repository: Path, task: str, kind: str, mark: str = "") -> str:
    """Put something in the place of the task's claim where claims are arbitrated; its object id."""
    record = {"task": "another", "host": "a" * 12, "nonce": "n" * 32, "worker": "w", "lease_s": 1e9}
    text = "{" if kind == "no JSON" else json.dumps(record)
    blob = write(repository, "hash-object", "-w", "--stdin", given=text + mark)
    name = "other.json" if kind == "no record" else "claim.json"
    tree = write(repository, "mktree", given=f"100644 blob {blob}\t{name}\n")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.invalid")
    made = blob if kind == "no commit" else write(repository, *who, "commit-tree", tree, given="by hand")
    git(repository, "update-ref", f"refs/cortex/claims/{task}", made)
    return made


def write(repository: Path, *arguments: str, given: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(repository), *arguments], input=given, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def arbiter(coordination: Coordination) -> Path:
    """The repository whose refs decide."""
    where = git(coordination.repository.folder, "config", "remote.origin.url", check=False)
    return Path(where) if where else coordination.repository.folder


def later(monkeypatch: pytest.MonkeyPatch, ahead_s: float) -> None:
    """Put this process's monotonic clock forward, as if it had waited."""
    real = state.monotonic
    monkeypatch.setattr(claims, "monotonic", lambda: real() + ahead_s)
    monkeypatch.setattr(heartbeat, "monotonic", lambda: real() + ahead_s)


def lease_s(coordination: Coordination) -> float:
    return coordination.repository.settings.leases.lease_s


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_replaced_once_it_has_stood_for_a_lease(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    add_tasks(coordination, 1)
    junk(arbiter(coordination), "b1-t000", kind)
    assert claim_all(coordination) == []
    later(monkeypatch, lease_s(coordination) - 5)
    assert claim_all(coordination) == []
    later(monkeypatch, lease_s(coordination) + 5)
    (claim,) = claim_all(coordination)
    assert (claim.record.task, claim.record.epoch, claim.record.attempt) == ("b1-t000", 1, 1)
    finish(coordination, [claim])
    assert coordination.pull().claims == {}
    assert len(result_commits(arbiter(coordination))) == 1


def test_another_one_in_its_place_is_waited_for_anew(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(coordination, 1)
    junk(arbiter(coordination), "b1-t000", "no JSON")
    assert claim_all(coordination) == []
    later(monkeypatch, lease_s(coordination) + 5)
    junk(arbiter(coordination), "b1-t000", "no JSON", mark="{")
    assert claim_all(coordination) == []


def test_one_of_a_newer_version_has_an_owner(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(coordination, 1)
    repository = arbiter(coordination)
    blob = write(repository, "hash-object", "-w", "--stdin", given='{"schema": 99}')
    tree = write(repository, "mktree", given=f"100644 blob {blob}\tclaim.json\n")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.invalid")
    made = write(repository, *who, "commit-tree", tree, given="newer")
    git(repository, "update-ref", "refs/cortex/claims/b1-t000", made)
    for ahead in (0, 10):
        later(monkeypatch, ahead * lease_s(coordination))
        assert claim_all(coordination) == []


def test_a_ref_below_a_task_s_claim_is_in_its_way_for_a_lease(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No ref can lie beside a folder of its name, so the task could not be claimed as long as it is there."""
    add_tasks(coordination, 1)
    junk(arbiter(coordination), "b1-t000/x", "no record")
    for ahead_s in (0, lease_s(coordination) / 2):
        later(monkeypatch, ahead_s)
        with suppress(EnvironmentProblem):  # git says what is in the way
            assert claim_all(coordination) == []
    later(monkeypatch, lease_s(coordination) + 5)
    (claim,) = claim_all(coordination)
    assert coordination.pull().claims == {"b1-t000": claim.oid}


def test_of_a_finished_task_it_is_deleted(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(coordination, 2)
    finish(coordination, claim_all(coordination, 1))
    (done,) = (name for name in ("b1-t000", "b1-t001") if coordination.is_finished(name))
    junk(arbiter(coordination), done, "no JSON")
    claim_all(coordination)
    assert done in coordination.pull().claims
    later(monkeypatch, lease_s(coordination) + 5)
    claim_all(coordination)
    assert done not in coordination.pull().claims


@pytest.mark.parametrize("kind", KINDS)
def test_its_task_can_be_cancelled_at_once(coordination: Coordination, kind: str) -> None:
    add_tasks(coordination, 1)
    junk(arbiter(coordination), "b1-t000", kind)
    end = coordination.cancel(["b1-t000"])["b1-t000"]
    assert isinstance(end, Result), end
    assert (end.status, end.error) == ("cancelled", "cancelled; its claim could not be read")
    assert coordination.pull().claims == {}


@pytest.mark.parametrize("first", ["claim", "cancel"])
def test_a_claim_and_a_cancel_of_its_task_do_not_both_replace_it(
    hosts: Hosts, bare: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    one, two = hosts(2)
    tasks = add_tasks(one, 1)
    junk(bare, "b1-t000", "no JSON")
    views = [host.pull() for host in (one, two)]
    assert [host.claims.unavailable(view) for host, view in zip((one, two), views, strict=True)] == [
        ["b1-t000"], ["b1-t000"],
    ]  # fmt: skip
    later(monkeypatch, lease_s(one) + 5)
    ways = {
        "claim": lambda: one.claims.claim(open_tasks(one.repository, Scope(), 1), views[0], lambda _: "w"),
        "cancel": lambda: two.claims.cancel(tasks, views[1], "canceller"),
    }
    (won,) = ways.pop(first)()
    (other,) = ways.values()
    assert other() == []
    assert two.pull().claims == {"b1-t000": won.oid}


@pytest.mark.race
def test_of_two_hosts_that_wait_for_it_one_has_each_task(
    clones: Callable[[int], list[Path]], bare: Path
) -> None:
    folders = clones(2)
    count = 2 * len(KINDS)
    for folder in folders:
        config = folder / "coordination" / "config.toml"
        config.write_text(f"{config.read_text()}\n[leases]\nlease_s = 2\nheartbeat_s = 1\n")
    tasks = add_tasks(Coordination.open(folders[0]), count)
    for number, task in enumerate(tasks):
        junk(bare, task.task, KINDS[number % len(KINDS)])
    runs = [start_cortex("spawn-workers", "--count", "2", cwd=folder) for folder in folders]
    for run in runs:
        _, errors = run.communicate(timeout=100)
        assert run.returncode == 0, errors
    subjects = [line.rpartition(" ")[2] for line in result_commits(bare)]
    assert sorted(subjects) == [task.task for task in tasks]
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""
    assert_sound(bare)
