"""Races with real processes: many hosts, many processes of one host, one result for each task."""

from collections.abc import Callable
from pathlib import Path

import pytest
from gitworld import add_tasks, assert_sound, git, outputs_of, result_commits, results_on

from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create

WORKER = """
    import sys
    from pathlib import Path
    from gitworld import work_through
    from cortex_git.store.coordination import Coordination
    work_through(Coordination.open(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3]))
    """


def race(folders: list[Path], log: Path, size: int) -> list[str]:
    """One process in each folder works until nothing is open; the tasks that were run, in order."""
    outputs_of([(WORKER, [str(folder), str(log), str(size)]) for folder in folders])
    return log.read_text().split()


def published(repository: Path) -> list[str]:
    refs = git(repository, "for-each-ref", "--format=%(refname)", "refs/cortex/results").split()
    return sorted(set(results_on(repository, *refs)))


@pytest.mark.race
@pytest.mark.parametrize(("tasks", "size"), [(1, 1), (100, 10)])
def test_twenty_clones_run_each_task_once(
    clones: Callable[[int], list[Path]], bare: Path, tmp_path: Path, tasks: int, size: int
) -> None:
    folders = clones(20)
    names = [task.task for task in add_tasks(Coordination.open(folders[0]), tasks)]
    ran = race(folders, tmp_path / "log", size)
    assert sorted(ran) == sorted(names)
    assert published(bare) == sorted(names)
    assert len(result_commits(bare)) == tasks
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""
    Coordination.open(folders[3]).fold()
    assert sorted(results_on(bare, "main")) == sorted(names)
    assert_sound(bare)


@pytest.mark.race
@pytest.mark.parametrize(("tasks", "size"), [(1, 1), (200, 10)])
def test_twenty_processes_of_one_repository_run_each_task_once(tmp_path: Path, tasks: int, size: int) -> None:
    folder = tmp_path / "alone"
    create(folder, None)
    alone = Coordination.open(folder)
    names = [task.task for task in add_tasks(alone, tasks)]
    ran = race([folder] * 20, tmp_path / "log", size)
    assert sorted(ran) == sorted(names)
    assert published(folder) == sorted(names)
    assert len(result_commits(folder)) == tasks
    assert_sound(folder)
