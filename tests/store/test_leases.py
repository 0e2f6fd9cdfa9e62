"""Leases: whose silence counts, by whose clock, and for how long; and what a claim's takeovers end in."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from gitworld import add_tasks, claim_all, cortex, git
from mergeworld import end, whole
from poolworld import Quiet, until

from cortex_git import state
from cortex_git.models import Result
from cortex_git.services import merging
from cortex_git.services.batches import open_pool
from cortex_git.store import claims, heartbeat
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.workers.batch import BatchRun

Hosts = Callable[[int], list[Coordination]]


def leases(host: Coordination, **seconds: float) -> None:
    """Other settings for this process alone."""
    settings = host.repository.settings
    changed = settings.leases.model_copy(update=seconds)
    host.repository.settings = settings.model_copy(update={"leases": changed})


def later(monkeypatch: pytest.MonkeyPatch, ahead_s: float) -> None:
    """Put this process's monotonic clock forward, as if it had waited."""
    real = state.monotonic
    monkeypatch.setattr(claims, "monotonic", lambda: real() + ahead_s)
    monkeypatch.setattr(heartbeat, "monotonic", lambda: real() + ahead_s)


def heartbeats(bare: Path) -> dict[str, str]:
    lines = git(bare, "for-each-ref", "--format=%(refname:lstrip=3) %(objectname)", "refs/cortex/hosts")
    return dict(line.split(" ") for line in lines.splitlines())


def test_the_silence_of_a_host_adds_up_over_commands(clones: Callable[[int], list[Path]]) -> None:
    """Each is a process of its own, that looks once: what an earlier one saw counts."""
    folders = clones(3)
    host = Coordination.open(folders[0])
    leases(host, lease_s=3.0)
    add_tasks(host, 1)
    assert len(claim_all(host)) == 1
    take = ("spawn-worker", "--type", "scan-worker", "--runner", "echo", "--cold")
    assert "running" in cortex("task", "list", cwd=folders[1]).stdout
    time.sleep(3.2)
    unseen = cortex(*take, cwd=folders[2])
    assert (unseen.returncode, "no open task" in unseen.stderr) == (3, True), unseen.stderr
    done = cortex(*take, cwd=folders[1])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("wrong", ["1999-01-01T00:00:00Z", "2999-01-01T00:00:00Z"], ids=["behind", "ahead"])
def test_what_the_clock_of_another_host_says_counts_for_nothing(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    one, two = hosts(2)
    add_tasks(one, 1)
    for module in (claims, heartbeat):
        monkeypatch.setattr(module, "now", lambda: wrong)
    (old,) = claim_all(one)
    assert heartbeat.beat(one.repository, heartbeat.Signs(1))
    monkeypatch.undo()
    assert old.record.claimed_at == wrong
    assert claim_all(two) == []
    later(monkeypatch, old.record.lease_s - 5)
    assert claim_all(two) == []
    later(monkeypatch, old.record.lease_s + 5)
    assert [claim.record.epoch for claim in claim_all(two)] == [2]


def test_all_processes_of_a_clone_beat_as_one(
    clones: Callable[[int], list[Path]], bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = clones(1)
    one, two = (Coordination.open(folder) for _ in range(2))
    assert heartbeat.beat(one.repository, heartbeat.Signs(1))
    first = heartbeats(bare)
    assert list(first) == [one.repository.host]
    assert heartbeat.beat(two.repository, heartbeat.Signs(1))
    assert heartbeats(bare) == first
    later(monkeypatch, heartbeat.interval_s(one.repository))
    assert heartbeat.beat(two.repository, heartbeat.Signs(1))
    assert list(heartbeats(bare)) == list(first)
    assert heartbeats(bare) != first


def test_a_host_is_heard_three_times_in_a_lease(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings that name a short lease alone once made every living host look silent."""
    leases(coordination, lease_s=0.3)
    beats: list[int] = []
    monkeypatch.setattr(heartbeat, "beat", lambda _repository, signs, **_: beats.append(signs.workers))
    heart = heartbeat.Heart(coordination.repository, lambda: heartbeat.Signs(7))
    heart.start()
    until(lambda: len(beats) > 2, seconds=15)
    heart.stop()
    assert set(beats) == {7}


def test_a_task_whose_hosts_fall_silent_one_after_another_is_not_run_once_more(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = hosts(4)
    add_tasks(several[0], 1, max_attempts=3)
    taken: list[Claim] = []
    for number, host in enumerate(several):
        later(monkeypatch, 100.0 * number)
        assert len(taken) == number
        for other in several[number:]:
            other.claims.unavailable(other.pull())  # everybody who may take it over has seen it by now
        later(monkeypatch, 100.0 * number + 90)
        taken += claim_all(host)
    assert [(claim.record.epoch, claim.record.attempt) for claim in taken] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    with open_pool(several[3], ["echo"], 1, "scan-worker") as pool:
        report = BatchRun(several[3], pool, Scope(), watcher=Quiet(), given=taken[3:]).run()
    (result,) = report.results.values()
    assert (result.status, result.attempt, result.output) == ("failed", 3, {})
    assert result.error == "its worker died in each of 3 attempts"


def test_each_host_counts_the_pause_before_the_next_attempt_from_when_it_saw_it(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = hosts(2)
    add_tasks(one, 1)
    one.claims.release(claim_all(one), retry_after_s=30)
    later(monkeypatch, 1000)  # nobody has looked until now
    for host in (one, two):
        assert claim_all(host) == []
    later(monkeypatch, 1029)
    assert claim_all(two) == []
    later(monkeypatch, 1031)
    assert [(claim.record.attempt, claim.record.epoch) for claim in claim_all(two)] == [(2, 1)]


@pytest.mark.parametrize("way", ["sync", "on request"])
def test_whoever_merges_for_long_is_heard_meanwhile(
    hosts: Hosts, bare: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A command without workers holds claims too, up to 256 merges at a time."""
    (host,) = hosts(1)
    host.add_tasks(whole())
    for part in ("t-security", "t-development"):
        end(host, part, {"a": 1})
    planned = merging.plan_merge(host, "t", "vote")
    leases(host, lease_s=0.6)
    merge = merging.merge_results

    def slow(coordination: Coordination, claim: Claim) -> tuple[Result, dict[str, bytes]]:
        seen: set[str] = set()
        until(lambda: seen.update(heartbeats(bare).values()) or len(seen) > 1, seconds=20)
        return merge(coordination, claim)

    monkeypatch.setattr(merging, "merge_results", slow)
    if way == "sync":
        assert [result.status for result in merging.finish_ready(host)] == ["completed"]
    else:
        assert merging.carry_out(host, planned).result.status == "completed"
