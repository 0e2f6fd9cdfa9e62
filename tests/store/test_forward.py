"""Result refs that move forward onto the branch: under races, kills, lost answers, twins and a moved head."""

import shutil
import signal
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from gitworld import (
    add_tasks,
    assert_sound,
    claim_all,
    finish,
    git,
    lose_acknowledgements,
    outputs_of,
    python,
    result_commits,
    results_on,
)

from cortex_git.models import Task
from cortex_git.store.coordination import Coordination
from cortex_git.store.folding import parents
from cortex_git.store.index import Scope

Hosts = Callable[[int], list[Coordination]]


def known_results(one: Coordination) -> list[str]:
    """What a look shows as finished, by this clone's index."""
    one.pull()
    return sorted(name for (name,) in one.repository.state.execute("SELECT task FROM results"))


def names_of(tasks: list[Task]) -> list[str]:
    return sorted(task.task for task in tasks)


def contained(folder: Path, ancestor: str, descendant: str) -> bool:
    inside = ["git", "-C", str(folder), "merge-base", "--is-ancestor", ancestor, descendant]
    return subprocess.run(inside, check=False).returncode == 0


def own_tip(one: Coordination) -> str:
    found = one.repository.refs.read_back([one.repository.own_results])
    return found[one.repository.own_results]


def test_what_is_published_after_a_fold_builds_on_the_branch(coordination: Coordination) -> None:
    one = coordination
    add_tasks(one, 3)
    finish(one, claim_all(one, 1))
    before = own_tip(one)
    folder = one.repository.folder
    finish(one, claim_all(one, 1))  # the branch does not hold what was published just now: on top of it
    assert git(folder, "rev-parse", f"{own_tip(one)}^") == before
    folded = one.fold()
    assert folded is not None
    one.pull()
    before = own_tip(one)
    finish(one, claim_all(one, 1))
    assert git(folder, "rev-parse", f"{own_tip(one)}^") == folded
    assert contained(folder, before, own_tip(one))  # moved forward, never back
    assert sorted(results_on(folder, own_tip(one))) == ["b1-t000", "b1-t001", "b1-t002"]


def test_a_reader_that_was_away_misses_nothing(hosts: Hosts, bare: Path) -> None:
    """Hosts that moved often, one that never did, one that is gone: old clones and new ones see it all."""
    one, two, gone, away, slow, new = hosts(6)  # a clone knows nothing before its first pull
    names = names_of(add_tasks(one, 12))
    finish(gone, claim_all(gone, 2))
    known_results(slow)
    for number in range(3):
        finish(one, claim_all(one, 1))
        finish(two, claim_all(two, 1))
        if number == 1:
            known_results(slow)
            finish(slow, claim_all(slow, 1))
        (one, two)[number % 2].fold()
    finish(two, claim_all(two, 2))
    assert len(known_results(away)) == 11
    assert known_results(away) == known_results(slow) == known_results(one)
    finish(away, claim_all(away))
    assert known_results(slow) == names
    assert known_results(new) == names
    assert len(result_commits(bare)) == 12


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from gitworld import claim_all, finish
    from cortex_git.store.coordination import Coordination
    one = Coordination.open(Path(sys.argv[1]))
    claims = claim_all(one, 2)
    one.fold()
    one.pull()
    real, when = one.repository.refs.transaction, sys.argv[2]
    def killed(updates, *, atomic):
        if when == "after the push":
            real(updates, atomic=atomic)
        os.kill(os.getpid(), signal.SIGKILL)
    one.repository.refs.transaction = killed
    finish(one, claims)
    """


@pytest.mark.parametrize("when", ["before the push", "after the push"])
def test_killed_between_fold_and_publish(hosts: Hosts, bare: Path, when: str) -> None:
    one, two = hosts(2)
    names = names_of(add_tasks(one, 5))
    finish(one, claim_all(one, 1))
    finish(two, claim_all(two, 1))
    host = one.repository.host
    process = python(KILLED, str(one.repository.folder), when)
    assert process.wait(60) == -signal.SIGKILL
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    one = Coordination.open(one.repository.folder)
    assert len(one.flush().done) == 2
    assert one.repository.host == host
    finish(two, claim_all(two))
    assert known_results(one) == known_results(two) == names
    assert len(result_commits(bare)) == 5
    assert_sound(bare)


def test_a_lost_answer_after_a_move_is_no_reason_to_publish_again(
    hosts: Hosts, bare: Path, tmp_path: Path
) -> None:
    one, two = hosts(2)
    names = names_of(add_tasks(one, 4))
    finish(one, claim_all(one, 1))
    two.fold()
    one.pull()
    claims = claim_all(one, 1)
    switch = lose_acknowledgements(one.repository.folder, tmp_path)
    finish(one, claims)
    switch.unlink()
    assert one.outbox.count() == 0
    two.fold()
    finish(one, claim_all(one, 1))
    finish(two, claim_all(two))
    assert known_results(one) == known_results(two) == names
    assert len(result_commits(bare)) == 4


def test_a_twin_that_publishes_under_our_id_is_noticed_after_a_move_too(
    hosts: Hosts, bare: Path, tmp_path: Path
) -> None:
    """A copy with every mark of the original, as a machine's image has: only the ref tells."""
    one, two = hosts(2)
    names = names_of(add_tasks(one, 6))
    finish(one, claim_all(one, 1))
    two.fold()
    one.pull()
    shutil.copytree(one.repository.folder, tmp_path / "copy", symlinks=True)
    twin = Coordination.open(tmp_path / "copy")
    host = twin.repository.identity = one.repository.identity
    finish(twin, claim_all(twin, 1))  # moved onto the branch under the one id
    two.fold()
    finish(one, claim_all(one, 1))
    assert one.repository.identity != host
    finish(twin, claim_all(twin, 1))
    assert twin.repository.identity == host
    finish(one, claim_all(one))
    finish(two, claim_all(two))
    assert known_results(two) == names
    assert len(result_commits(bare)) == 6
    assert_sound(bare)


def test_a_branch_that_an_outsider_takes_back_loses_nothing(hosts: Hosts, bare: Path) -> None:
    one, two, new = hosts(3)
    names = names_of(add_tasks(one, 4))
    old = git(bare, "rev-parse", "main")
    finish(one, claim_all(one, 1))
    finish(two, claim_all(two, 1))
    one.fold()
    one.pull()
    finish(one, claim_all(one, 1))  # built on what is taken back now
    git(bare, "update-ref", "refs/heads/main", old)
    assert len(known_results(two)) == 3
    finish(two, claim_all(two))
    assert one.fold() is not None
    assert sorted(results_on(bare, "main")) == names
    assert known_results(new) == names
    assert new.fold() is None


def test_a_host_that_is_gone_costs_a_fold_nothing(hosts: Hosts) -> None:
    """Whether its ref is in the branch is asked of git once, not at every fold."""
    one, gone = hosts(2)
    add_tasks(one, 4)
    finish(gone, claim_all(gone, 1))
    asked: list[str] = []
    real = one.repository.git.run

    def counted(*arguments: str, **options: object) -> object:
        asked.extend(
            a for a in arguments[:1] if a == "rev-list" and b"main" not in (options.get("stdin") or b"")
        )
        return real(*arguments, **options)  # type: ignore[arg-type]

    assert one.fold() is not None
    one.repository.git.run = counted  # type: ignore[method-assign, assignment]
    assert one.fold() is None
    finish(one, claim_all(one, 1))
    asked.clear()
    view = one.pull()
    looked = len(asked)
    assert parents(one.repository, view)[1] == [own_tip(one)]
    assert len(asked) == looked + 1  # for our own new tip
    asked.clear()
    assert one.fold() is not None
    view = one.pull()
    asked.clear()
    assert parents(one.repository, view)[1] == []
    assert asked == []


FOLDING = """
    import sys
    from itertools import count
    from pathlib import Path
    from gitworld import work_through
    from cortex_git.store.coordination import Coordination
    one, turns = Coordination.open(Path(sys.argv[1])), count(int(sys.argv[3]) + 1)
    work_through(one, Path(sys.argv[2]), 3, lambda: next(turns) % 3 or one.fold())
    """


@pytest.mark.race
def test_twenty_clones_that_fold_all_the_while_run_each_task_once(
    clones: Callable[[int], list[Path]], bare: Path, tmp_path: Path
) -> None:
    folders = clones(20)
    # Enough for most hosts to publish a second time: the first is not on the branch yet.
    names = names_of(add_tasks(Coordination.open(folders[0]), 90))
    log = tmp_path / "log"
    outputs_of([(FOLDING, [str(folder), str(log), str(n)]) for n, folder in enumerate(folders)])
    assert sorted(log.read_text().split()) == names
    assert len(result_commits(bare)) == 90
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""
    fresh = Coordination.open(folders[7])
    assert known_results(fresh) == names
    fresh.fold()
    assert sorted(results_on(bare, "main")) == names
    moved = [ref for ref in result_refs(bare) if parent_is_a_fold(bare, ref)]
    assert moved, "no host built on the branch: this race races nothing"
    assert fresh.open_count(Scope(batch="b1")) == 0
    assert_sound(bare)


def result_refs(bare: Path) -> list[str]:
    return git(bare, "for-each-ref", "--format=%(refname)", "refs/cortex/results").split()


def parent_is_a_fold(bare: Path, ref: str) -> bool:
    """Whether any commit of the chain has a fold right below it."""
    subjects = git(bare, "log", "--first-parent", "--format=%s", ref).splitlines()
    return any("fold" in below for above, below in pairwise(subjects) if "feat(" in above)
