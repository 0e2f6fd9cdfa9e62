"""Eight hosts with real processes over real servers: each task once, also where connections are dropped."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gitworld import add_tasks, assert_sound, git, outputs_of, result_commits, results_on
from transportworld import Way, way_to

from cortex_git.store.coordination import Coordination

HOSTS = 8
TASKS = 40

WORKER = """
    import sys, time
    from pathlib import Path
    from gitworld import claim_all, finish
    from cortex_git.errors import CortexError
    from cortex_git.store.coordination import Coordination
    from cortex_git.store.index import Scope
    coordination = Coordination.open(Path(sys.argv[1]))
    log = open(sys.argv[2], "a")
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            claims = claim_all(coordination, 5)
            for claim in claims:
                log.write(claim.task.task + "\\n")
                log.flush()
            if claims:
                finish(coordination, claims)
                for claim in claims:
                    coordination.locks.release(claim.task.task)
            else:
                coordination.flush()
                coordination.pull()
                if coordination.open_count(Scope(batch="b1")) == 0:
                    break
                time.sleep(0.1)
        except CortexError:
            time.sleep(0.1)  # the line is bad: what waits is published in the next round
    else:
        raise SystemExit("it did not come to an end")
    """


@pytest.fixture(params=["http", "ssh", "http-proxy"])
def way(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    with way_to(request.param, tmp_path, monkeypatch) as found:
        yield found


@pytest.mark.race
def test_each_task_is_run_and_published_once(
    clones: Callable[[int], list[Path]], way: Way, tmp_path: Path
) -> None:
    folders = clones(HOSTS)
    names = [task.task for task in add_tasks(Coordination.open(folders[0]), TASKS)]
    if way.proxy:
        way.proxy.chance = random.Random(7)
        way.proxy.drop = 0.1
    outputs_of([(WORKER, [str(folder), str(tmp_path / "log")]) for folder in folders])
    if way.proxy:
        assert way.proxy.dropped > 0
        way.proxy.drop = 0.0
    ran = (tmp_path / "log").read_text().split()
    assert sorted(ran) == sorted(names)
    assert len(result_commits(way.bare)) == TASKS
    refs = git(way.bare, "for-each-ref", "--format=%(refname)", "refs/cortex/results").split()
    assert sorted(set(results_on(way.bare, *refs))) == sorted(names)
    Coordination.open(folders[1]).fold()
    assert sorted(results_on(way.bare, "main")) == sorted(names)
    assert git(way.bare, "for-each-ref", "refs/cortex/claims") == ""
    assert_sound(way.bare)
