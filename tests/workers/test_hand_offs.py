"""Hand-offs in real runs: a chain of reviews, exactly once whatever dies, and nothing of a fenced result."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gitworld import assert_sound, claim_all, cortex, git, result_commits, result_for, start_cortex
from poolworld import until
from test_orphaned_worker import finish_and_leave

from cortex_git.models import Batch, Result, Task
from cortex_git.state import now
from cortex_git.store import index
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.results import read_results
from cortex_git.store.tasks import listed, new_batch
from cortex_git.workers.hand_offs import BATCH, hand_over
from cortex_git.workers.spawning import ColdSpawner

Commands = Callable[..., None]
CHAIN = """
case $CORTEX_TYPE in
scan-worker) next=fix-worker ;;
fix-worker) next=review-worker ;;
*) next= ;;
esac
[ -n "$next" ] && echo '{"summary": "'$CORTEX_TYPE' done", "follow_ups": [
  {"title": "go on", "type": "'$next'", "runner": "command"}]}' || echo '{"summary": "all is well"}'
"""
"""A program that hands a finding to a fix, and the fix to a review."""
FOR_EVER = """echo '{"follow_ups": [{"title": "again", "type": "fix-worker", "runner": "command"}]}'"""


@pytest.fixture
def store(host: Path) -> Coordination:
    return Coordination.open(host)


def command_task(name: str = "t", command: str = "chain", batch: str = "tasks", **fields: Any) -> Task:
    return Task.model_validate(
        {"task": name, "batch": batch, "title": name, "runner": "command", "created_at": now()}
        | {"context": {"command": command}}
        | fields
    )


def all_results(store: Coordination) -> dict[str, Result]:
    store.pull()
    names = [task.task for task in listed(store.repository, Scope())]
    return {result.task: result for result in read_results(store.repository, names)}


def asking(store: Coordination, claim: Any, *wishes: dict[str, Any], **fields: Any) -> tuple[Any, ...]:
    """An outcome that asks for follow-ups, as whoever enters results makes it."""
    wishes = wishes or ({"title": "fix it", "type": "fix-worker"},)
    result = result_for(store, claim, output={"follow_ups": list(wishes)}, **fields)
    return (claim, *hand_over(store.repository, claim.task, result))


def test_a_finding_is_fixed_and_the_fix_is_reviewed_in_one_run(
    store: Coordination, bare: Path, commands: Commands
) -> None:
    commands(chain=CHAIN)
    store.add_tasks([command_task()])
    folder = store.repository.folder
    done = cortex("spawn-workers", "--batch", "tasks", "--count", "2", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "t asks for t-f1" in done.stderr
    found = all_results(store)
    assert {name: (one.type, one.status) for name, one in found.items()} == {
        "t": ("scan-worker", "completed"),
        "t-f1": ("fix-worker", "completed"),
        "t-f1-f1": ("review-worker", "completed"),
    }
    tasks = {task.task: task for task in listed(store.repository, Scope())}
    assert [(t.parent, t.depth, t.budget) for t in tasks.values()] == [
        (None, 0, None), ("t", 1, 5000), ("t-f1", 2, 5000),
    ]  # fmt: skip
    assert tasks["t-f1-f1"].context["handed_over"] == "fix-worker done"
    subjects = result_commits(bare)
    assert len(subjects) == len(set(subjects)) == 3
    assert_sound(bare)


def test_follow_ups_of_one_task_run_side_by_side(
    store: Coordination, commands: Commands, tmp_path: Path
) -> None:
    """Each of three ends only when all three have begun."""
    ask = '{"title": "go on", "type": "fix-worker", "runner": "command"}'
    meet = f"touch {tmp_path}/$CORTEX_TASK; for n in 1 2 3; do"
    meet += f" until [ -e {tmp_path}/t-f$n ]; do sleep 0.05; done; done"
    first = f"echo '{{\"follow_ups\": [{ask}, {ask}, {ask}]}}'"
    commands(chain=f"if [ $CORTEX_TYPE = scan-worker ]; then {first}; else {meet}; fi")
    store.add_tasks([command_task(deadline=1)])
    done = cortex(
        "spawn-workers", "--batch", "tasks", "--count", "3", cwd=store.repository.folder, timeout=50
    )
    assert done.returncode == 0, done.stderr
    assert sorted(all_results(store)) == ["t", "t-f1", "t-f2", "t-f3"]


def test_a_chain_that_would_never_end_ends_at_the_limit(store: Coordination, commands: Commands) -> None:
    commands(chain=FOR_EVER)
    store.add_tasks([command_task()])
    done = cortex("spawn-workers", "--batch", "tasks", "--count", "2", cwd=store.repository.folder)
    assert done.returncode == 0, done.stderr
    found = all_results(store)
    assert sorted(found) == ["t", "t-f1", "t-f1-f1", "t-f1-f1-f1"]
    (refused,) = found["t-f1-f1-f1"].output["follow_ups_refused"]
    assert refused == {"title": "again", "reason": "no more than 3 hand-offs in a row (routing.max_depth)"}


def test_a_run_of_other_tasks_leaves_follow_ups_to_others(store: Coordination, commands: Commands) -> None:
    commands(chain=CHAIN)
    store.add_tasks([command_task("apart")])
    done = cortex("spawn-workers", "--tasks", "*part", "--count", "1", cwd=store.repository.folder)
    assert done.returncode == 0, done.stderr
    assert sorted(all_results(store)) == ["apart"]
    assert store.open_count(Scope()) == 1


def test_a_follow_up_that_cannot_be_run_here_is_left_to_others(
    store: Coordination, commands: Commands
) -> None:
    """It asks for no program of this host, so it is Claude's, and there is no key."""
    commands(chain='echo \'{"follow_ups": [{"title": "go on", "type": "fix-worker"}]}\'')
    store.add_tasks([command_task()])
    cortex("spawn-workers", "--batch", "tasks", "--count", "2", cwd=store.repository.folder, timeout=60)
    assert sorted(all_results(store)) == ["t"]
    assert [task.task for task in listed(store.repository, Scope())] == ["t", "t-f1"]
    assert store.pull().claims == {}


def test_the_task_and_the_result_are_one_commit(store: Coordination) -> None:
    store.add_tasks([command_task()])
    (claim,) = claim_all(store, batch="tasks")
    store.record([asking(store, claim)])  # type: ignore[list-item]
    assert index.find_task(store.repository.state, "t-f1") is None
    store.flush()
    # Known at once, without another pull: the run that published it goes on with it.
    assert index.task_of(store.repository, "t-f1").parent == "t"
    tip = store.pull().results[store.repository.host]
    changed = git(store.repository.folder, "show", "--format=", "--name-only", tip).splitlines()
    assert changed == ["coordination/results/tasks/t.json", "coordination/tasks/tasks/t-f1.json"]


@pytest.mark.parametrize("status", ["failed", "timed_out", "budget_exhausted", "cancelled"])
def test_what_was_not_completed_hands_nothing_over(store: Coordination, status: str) -> None:
    store.add_tasks([command_task()])
    (claim,) = claim_all(store, batch="tasks")
    _, result, files = asking(store, claim, status=status)
    assert (files, "follow_ups_refused" in result.output) == ({}, False)


def test_follow_ups_of_a_sealed_batch_go_to_one_that_every_host_makes_alike(
    clones: Callable[[int], list[Path]], bare: Path
) -> None:
    one, two = [Coordination.open(folder) for folder in clones(2)]
    tasks = [command_task(f"s{n}", batch="sealed") for n in range(2)]
    one.add_batch(new_batch("sealed", 2, one.repository.host), tasks)
    two.pull()
    made = []
    for store, name in ((one, "s0"), (two, "s1")):
        claim = store.claim_task(name, "worker-test-001")
        outcome = asking(store, claim)
        made.append(outcome[2])
        store.record([outcome])  # type: ignore[list-item]
    path = f"coordination/batches/{BATCH}.json"
    assert made[0][path] == made[1][path]
    assert not Batch.parse(made[0][path], path).sealed
    for store in (one, two):
        store.flush()
    for store in (one, two):
        store.pull()
        found = [(task.task, task.batch) for task in listed(store.repository, Scope(batch=BATCH))]
        assert sorted(found) == [("s0-f1", BATCH), ("s1-f1", BATCH)]
    one.fold()
    assert_sound(bare)
    assert git(bare, "show", f"main:{path}").encode() + b"\n" == made[0][path]


def test_an_id_that_somebody_has_taken_stays_theirs(store: Coordination) -> None:
    store.add_tasks([command_task(), command_task("t-f1")])
    claim = store.claim_task("t", "worker-test-001")
    _, result, files = asking(store, claim)
    assert files == {}
    assert result.output["follow_ups_refused"][0]["reason"] == "there is another task 't-f1' already"


def test_a_fenced_result_asks_for_nothing(clones: Callable[[int], list[Path]], bare: Path) -> None:
    one, two = [Coordination.open(folder) for folder in clones(2)]
    one.add_tasks([command_task()])
    (claim,) = claim_all(one, batch="tasks")
    one.record([asking(one, claim)])  # type: ignore[list-item]
    two.pull()
    two.cancel(["t"])
    assert one.flush().fenced == [claim.record.nonce]
    for store in (one, two):
        store.pull()
        assert [task.task for task in listed(store.repository, Scope())] == ["t"]


def test_a_result_that_cannot_be_stored_asks_for_nothing(store: Coordination) -> None:
    store.add_tasks([command_task()])
    (claim,) = claim_all(store, batch="tasks")
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    output = {"follow_ups": [{"title": "x", "type": "fix-worker"}], "deep": deep}
    result = result_for(store, claim).model_copy(update={"output": output})
    (said,) = store.record([(claim, *hand_over(store.repository, claim.task, result))])
    store.flush()
    assert said.status == "failed"
    assert index.find_task(store.repository.state, "t-f1") is None


def test_a_worker_whose_pool_died_enters_the_follow_ups_too(
    store: Coordination, bare: Path, commands: Commands
) -> None:
    commands(once=CHAIN)
    spawner = ColdSpawner(["command"])
    finish_and_leave(store, spawner, {"command": "once"})
    until(lambda: store.outbox.count() > 0, 20)
    assert len(store.flush().done) == 1
    spawner.close()
    store.pull()
    (task,) = listed(store.repository, Scope(batch=BATCH))
    assert (task.task, task.parent, task.type) == ("b1-t000-f1", "b1-t000", "fix-worker")


@pytest.fixture
def slow_remote(bare: Path, tmp_path: Path) -> Iterator[Path]:
    """Pushes of results wait while the returned file exists; each that waits leaves a mark beside it."""
    hold = tmp_path / "hold"
    hook = bare / "hooks" / "pre-receive"
    hook.write_text(
        "#!/bin/sh\nwhile read -r old new ref; do case $ref in refs/cortex/results/*)\n"
        f"git diff-tree -r --name-only --root $new | grep -q coordination/results || continue\n"
        f"touch {hold}.reached; while [ -e {hold} ]; do sleep 0.05; done ;; esac; done\n"
    )
    hook.chmod(0o755)
    yield hold
    hold.unlink(missing_ok=True)


@pytest.mark.race
@pytest.mark.parametrize("when", ["running", "publishing"])
def test_a_command_killed_around_its_result_hands_over_once(
    store: Coordination, bare: Path, commands: Commands, tmp_path: Path, slow_remote: Path, when: str
) -> None:
    """kill -9 before the result is entered, and while it is being pushed; then the same command again."""
    ran = tmp_path / "ran"
    wait = f"[ -e {tmp_path}/go ] || sleep 30\n" if when == "running" else ""
    commands(chain=f"echo $CORTEX_TASK >> {ran}\n{wait}{CHAIN}")
    store.add_tasks([command_task()])
    mark = ran
    if when == "publishing":
        slow_remote.touch()
        mark = slow_remote.with_name("hold.reached")
    arguments = ("spawn-workers", "--batch", "tasks", "--count", "2")
    child = start_cortex(*arguments, cwd=store.repository.folder)
    until(mark.exists)
    child.kill()
    child.communicate()
    slow_remote.unlink(missing_ok=True)
    (tmp_path / "go").touch()
    again = cortex(*arguments, cwd=store.repository.folder)
    assert again.returncode == 0, again.stderr
    assert sorted(all_results(store)) == ["t", "t-f1", "t-f1-f1"]
    subjects = result_commits(bare)
    assert len(subjects) == len(set(subjects)) == 3
    log = git(bare, "log", "--all", "--diff-filter=A", "--format=", "--name-only", "--no-merges")
    added = [Path(line).stem for line in log.splitlines() if line.startswith("coordination/tasks/")]
    assert sorted(added) == ["t", "t-f1", "t-f1-f1"]
    assert json.loads(git(bare, "show", "main:coordination/tasks/tasks/t-f1.json"))["parent"] == "t"
