"""Archiving against everything else at the same time, and archiving that is killed, unheard or overtaken."""

import os
import signal
import time
from collections.abc import Callable
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
)

from cortex_git.errors import BadInput
from cortex_git.models import Tombstone
from cortex_git.store.archiving import archive
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.index import Scope
from cortex_git.store.refs import Outcome

Hosts = Callable[[int], list[Coordination]]
Clones = Callable[[int], list[Path]]

ARCHIVE = """
    import sys
    from pathlib import Path
    from cortex_git.store.archiving import archive
    from cortex_git.store.coordination import Coordination
    print(*(one.stone.name for one in archive(Coordination.open(Path(sys.argv[1])).repository, 0.0).done))
    """
ARCHIVE_ALL = """
    import sys, time
    from pathlib import Path
    from cortex_git.store.archiving import archive
    from cortex_git.store.coordination import Coordination
    coordination = Coordination.open(Path(sys.argv[1]))
    until = time.monotonic() + 60
    while time.monotonic() < until:
        archive(coordination.repository, 0.0)
        count = coordination.repository.state.execute("SELECT count(*) FROM archived").fetchone()[0]
        if count == int(sys.argv[2]):
            break
        time.sleep(0.05)
    """
WORK = """
    import sys, time
    from pathlib import Path
    from gitworld import finish
    from cortex_git.store.coordination import Coordination
    from cortex_git.store.index import Scope
    coordination = Coordination.open(Path(sys.argv[1]))
    first = coordination.pull()
    until = time.monotonic() + 60
    turn = 0
    while time.monotonic() < until:
        turn += 1
        view = first if turn % 2 else None  # every other claim is made by the oldest view there is
        claims = coordination.claim(Scope(), 3, lambda _: "w", view=view)
        for claim in claims:
            print(claim.task.task, flush=True)
        if claims:
            finish(coordination, claims)
            for claim in claims:
                coordination.locks.release(claim.task.task)
        else:
            coordination.pull()
            if coordination.open_count(Scope()) == 0:
                break
    """


def tombstones_on(repository: Path, revision: str) -> dict[str, Tombstone]:
    listing = git(repository, "ls-tree", "-r", "--name-only", revision, "coordination/archive/").splitlines()
    return {
        Path(path).stem: Tombstone.parse(git(repository, "show", f"{revision}:{path}").encode(), path)
        for path in listing
    }


def assert_archived(repository: Path, revision: str, tasks: list[str]) -> None:
    """Each of the tasks is in one tombstone, with a result that can be read, and nothing else is left."""
    stones = tombstones_on(repository, revision)
    assert sorted(task for stone in stones.values() for task in stone.tasks) == sorted(tasks)
    for name, stone in stones.items():
        commit = git(repository, "rev-parse", f"refs/cortex/archive/{name}")
        held = git(repository, "ls-tree", "-r", commit, "coordination/results/")
        assert all(result in held for _, result in stone.tasks.values())
    assert git(repository, "ls-tree", "-r", "--name-only", revision, "coordination/results/") == ""
    assert_sound(repository)


@pytest.mark.race
@pytest.mark.parametrize("kind", ["remote", "local"])
def test_hosts_that_archive_at_once_make_one_archive(
    kind: str, clones: Clones, bare: Path, tmp_path: Path
) -> None:
    if kind == "remote":
        folders, shared, revision = clones(5), bare, "main"
    else:
        create(tmp_path / "alone", None)
        folders, shared = [tmp_path / "alone"] * 5, tmp_path / "alone"
        revision = "refs/cortex/main"
    first = Coordination.open(folders[0])
    names = [task.task for batch in ("b1", "b2") for task in add_tasks(first, 3, batch)]
    finish(first, [*claim_all(first), *claim_all(first, batch="b2")])
    outputs_of([(ARCHIVE, [str(folder)]) for folder in folders])
    assert_archived(shared, revision, names)
    assert len(git(shared, "log", "--format=%s", f"{revision}", "--grep=archive").splitlines()) <= 2


@pytest.mark.race
def test_work_goes_on_while_it_is_archived(clones: Clones, bare: Path) -> None:
    """Workers that claim by old views and fold, against two that archive whatever has ended."""
    folders = clones(5)
    first = Coordination.open(folders[0])
    names = [task.task for n in range(5) for task in add_tasks(first, 3, f"b{n}")]
    workers = [(WORK, [str(folder)]) for folder in folders[:3]]
    archivers = [(ARCHIVE_ALL, [str(folder), str(len(names))]) for folder in folders[3:]]
    ran = " ".join(outputs_of([*workers, *archivers])[:3]).split()
    assert sorted(ran) == sorted(names)
    assert len(result_commits(bare)) == len(names)
    assert_archived(bare, "main", names)
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""


def test_killed_between_ref_and_branch_it_goes_on(hosts: Hosts, bare: Path, tmp_path: Path) -> None:
    one, two = hosts(2)
    names = [task.task for task in add_tasks(one, 2)]
    finish(one, claim_all(one))
    one.fold()
    reached = tmp_path / "reached"
    hook = bare / "hooks" / "update"
    hook.write_text(f'#!/bin/sh\n[ "$1" = refs/heads/main ] || exit 0\ntouch {reached}\nsleep 60\nexit 1\n')
    hook.chmod(0o755)
    process = python(ARCHIVE, str(one.repository.folder))
    while not reached.exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    hook.unlink()
    assert git(bare, "for-each-ref", "--format=%(refname)", "refs/cortex/archive") == "refs/cortex/archive/b1"
    assert tombstones_on(bare, "main") == {}
    held = git(bare, "rev-parse", "refs/cortex/archive/b1")
    finish(two, [claim for _ in [add_tasks(two, 1, "b2")] for claim in claim_all(two, batch="b2")])
    assert {due.stone.name for due in archive(two.repository, 0.0).done} == {"b1", "b2"}
    assert tombstones_on(bare, "main")["b1"].commit == held
    assert_archived(bare, "main", [*names, "b2-t000"])


def test_lost_acknowledgements_of_both_pushes_are_recognised(
    hosts: Hosts, bare: Path, tmp_path: Path
) -> None:
    (one,) = hosts(1)
    names = [task.task for task in add_tasks(one, 2)]
    finish(one, claim_all(one))
    one.fold()
    lose_acknowledgements(one.repository.folder, tmp_path)
    assert [due.stone.name for due in archive(one.repository, 0.0).done] == ["b1"]
    assert_archived(bare, "main", names)
    assert len(git(bare, "log", "--format=%s", "main", "--grep=archive").splitlines()) == 1


def test_a_branch_that_moved_is_looked_at_again(hosts: Hosts, bare: Path) -> None:
    """By an outsider's commit between the look and the push, which survives."""
    (one,) = hosts(1)
    names = [task.task for task in add_tasks(one, 2)]
    finish(one, claim_all(one))
    one.fold()
    refs = one.repository.refs
    move = refs.move_trunk
    met: list[Outcome] = []

    def moved(new: str, old: str | None) -> Outcome:
        if not met:
            tree = git(bare, "rev-parse", "main^{tree}")
            identity = ("-c", "user.name=p", "-c", "user.email=p@example.invalid")
            by_hand = git(bare, *identity, "commit-tree", tree, "-p", "main", "-m", "by hand")
            git(bare, "update-ref", "refs/heads/main", by_hand)
        met.append(move(new, old))
        return met[-1]

    refs.move_trunk = moved  # type: ignore[method-assign]
    archive(one.repository, 0.0)
    assert met == [Outcome.STALE, Outcome.APPLIED]
    assert "by hand" in git(bare, "log", "--format=%s", "main").splitlines()
    assert_archived(bare, "main", names)


def test_a_ref_of_another_content_is_not_taken_for_the_archive(hosts: Hosts, bare: Path) -> None:
    """An older commit of the branch is moved on; what is none of it is left, and said."""
    (one,) = hosts(1)
    add_tasks(one, 1)
    git(bare, "update-ref", "refs/cortex/archive/b1", "main")
    finish(one, claim_all(one))
    archive(one.repository, 0.0)
    assert_archived(bare, "main", ["b1-t000"])
    add_tasks(one, 1, "b2")
    finish(one, claim_all(one, batch="b2"))
    empty = git(bare, "hash-object", "-t", "tree", "-w", "/dev/null")
    identity = ("-c", "user.name=p", "-c", "user.email=p@example.invalid")
    git(bare, "update-ref", "refs/cortex/archive/b2", git(bare, *identity, "commit-tree", empty, "-m", "x"))
    finish(one, [claim for _ in [add_tasks(one, 1, "b3")] for claim in claim_all(one, batch="b3")])
    report = archive(one.repository, 0.0)
    assert [due.stone.name for due in report.done] == ["b3"]
    assert [kept.batch for kept in report.kept if "something else" in kept.reason] == ["b2"]
    with pytest.raises(BadInput, match="something else"):
        archive(one.repository, 0.0, ["b2"])
    assert one.open_count(Scope()) == 0
