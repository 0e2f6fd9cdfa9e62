"""Claims that are held ahead go to hosts that have nothing to do, and only then."""

from pathlib import Path

import pytest
from gitworld import add_tasks, claims_held, git, new_coordination
from poolworld import until

from cortex_git.state import monotonic
from cortex_git.store import heartbeat
from cortex_git.store.coordination import Coordination
from cortex_git.store.heartbeat import Heart, Signs, beat
from cortex_git.store.hosts import IdleHosts
from cortex_git.store.index import Scope
from cortex_git.workers.claimer import Claimer
from cortex_git.workers.pace import Pace


@pytest.fixture
def pair(tmp_path: Path, bare: Path) -> tuple[Coordination, Coordination]:
    one = Coordination.open(new_coordination(tmp_path / "one", bare))
    git(tmp_path, "clone", "-q", str(bare), "two")
    return one, Coordination.open(tmp_path / "two")


def test_what_is_held_ahead_goes_to_a_host_without_work(
    pair: tuple[Coordination, Coordination], bare: Path
) -> None:
    busy, late = pair
    tasks = add_tasks(busy, 8)
    late.pull()
    hoard = Claimer(busy, Scope(batch="b1"), 4, "busy", lambda: None, 0.2, idle=lambda: 0)
    heart = Heart(late.repository, lambda: Signs(2, 2, "b1"))
    hungry = Claimer(
        late, Scope(batch="b1"), 2, "late", lambda: None, 0.2, idle=lambda: 2, starved=heart.beat_soon
    )
    hoard.start()
    try:
        until(lambda: len(hoard.waiting()) == 8)
        begun = [held.claim.task.task for held in hoard.waiting()[:4]]
        assert all(hoard.take(task) for task in begun)
        heart.start()
        hungry.start()
        until(lambda: hungry.waiting())
        until(lambda: not hoard.waiting())
        got = {held.claim.task.task for held in hungry.waiting()}
        assert got and got <= {task.task for task in tasks} - set(begun)
        assert not hungry.is_starved
    finally:
        hungry.stop()
        heart.stop()
        hoard.stop()
    assert hoard.crash is None and hungry.crash is None
    assert [subject.split()[1] for subject in claims_held(bare)] == [f"{task}:" for task in sorted(begun)]


def test_nothing_is_given_back_for_a_host_that_waits_for_another_batch(
    pair: tuple[Coordination, Coordination],
) -> None:
    busy, late = pair
    add_tasks(busy, 8)
    late.pull()
    assert beat(late.repository, Signs(2, 2, "another"))
    view = busy.pull()
    others = IdleHosts(busy.repository)
    assert others.among(view, "b1") == set()
    assert others.among(view, "another") == others.among(view, None) == {late.repository.host}
    assert IdleHosts(late.repository).among(late.pull(), None) == set(), "it is no help to itself"


def test_a_silent_host_is_not_waited_for(
    pair: tuple[Coordination, Coordination], monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, late = pair
    assert beat(late.repository, Signs(2, 2))
    others = IdleHosts(busy.repository)
    view = busy.pull()
    assert others.among(view, "b1") == {late.repository.host}
    lease_s = busy.repository.settings.leases.lease_s
    monkeypatch.setattr(heartbeat, "monotonic", lambda: monotonic() + lease_s + 1)
    assert others.among(view, "b1") == set()


@pytest.mark.parametrize("body", [b"", b"[1]", b'{"idle": "2"}', b'{"idle": -1}', b"[" * 5000, b"\xff"])
def test_a_heartbeat_that_says_nothing_sensible_is_of_no_idle_host(
    pair: tuple[Coordination, Coordination], bare: Path, body: bytes, tmp_path: Path
) -> None:
    busy, late = pair
    assert beat(late.repository, Signs(2, 2))
    worktree = tmp_path / "odd"
    git(tmp_path, "init", "-q", str(worktree))
    (worktree / "host.json").write_bytes(body)
    git(worktree, "add", "host.json")
    git(worktree, "-c", "user.name=x", "-c", "user.email=x@y", "commit", "-q", "-m", "x")
    git(worktree, "push", "-q", "-f", str(bare), f"HEAD:refs/cortex/hosts/{late.repository.host}")
    assert IdleHosts(busy.repository).among(busy.pull(), None) == set()


def test_news_do_not_wait_for_the_next_beat(pair: tuple[Coordination, Coordination]) -> None:
    busy, late = pair
    said = [Signs(2)]
    assert beat(late.repository, said[0])
    heart = Heart(late.repository, lambda: said[-1])
    heart.start()
    try:
        assert IdleHosts(busy.repository).among(busy.pull(), None) == set()
        said.append(Signs(2, 1))
        heart.beat_soon()
        until(lambda: IdleHosts(busy.repository).among(busy.pull(), None))
    finally:
        heart.stop()


def paced(size: int, every_s: float) -> Pace:
    """A pace of workers that took a claim each `every_s` seconds until the 100th second."""
    pace = Pace(size)
    for n in range(200):
        pace.took(100 - (199 - n) * every_s)
    return pace


def test_short_tasks_are_claimed_by_the_second_long_ones_by_the_worker() -> None:
    pace = paced(4, 0.01)
    pace.open = 10_000
    assert pace.ahead(100, 0) == pytest.approx(200, rel=0.02)
    pace.open = 80
    assert pace.ahead(100, 0) == pytest.approx(40, rel=0.02), "two rounds of 0.2 s"
    assert paced(4, 60).ahead(100, 0) == 4


def test_no_more_than_a_share_is_kept_from_idle_hosts() -> None:
    pace = paced(4, 0.01)
    pace.open, pace.shared_by = 80, 2
    assert pace.ahead(100, 0) == 20
    pace.shared_by = 4
    assert pace.ahead(100, 0) == 10
    assert pace.ahead(100, 4) == 10
    pace.open = 4
    assert (pace.ahead(100, 0), pace.ahead(100, 3)) == (0, 3)
    pace.open, pace.shared_by, pace.cycle_s = 100_000, 2, 60
    assert pace.ahead(100, 0) == 1024, "two pushes' worth, as without sharing"
    long = paced(4, 60)
    long.open, long.shared_by = 80, 2
    assert (long.ahead(100, 0), long.ahead(100, 1)) == (0, 1)


def test_workers_that_ran_dry_have_more_rounds_covered_until_they_no_longer_do() -> None:
    pace = paced(4, 0.01)
    covered = []
    for dry in (True, True, True, True, False, False):
        pace.came(0.2, dry=dry)
        covered.append(pace.ahead(100, 0))
    assert covered[0] < covered[1] < covered[2] == covered[3] > covered[4] > covered[5]
    pace.calm()
    assert pace.ahead(100, 0) == pytest.approx(40, rel=0.02)
