"""Merge tasks: carried out by whoever made them ready, once, whatever dies or falls silent meanwhile."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from gitworld import (
    assert_sound,
    cortex,
    git,
    lose_acknowledgements,
    new_coordination,
    outputs_of,
    result_commits,
    results_on,
    start_cortex,
)
from mergeworld import end, whole
from poolworld import pool, until

from cortex_git.models import Result
from cortex_git.services.batches import open_pool
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.results import read_results
from cortex_git.workers.batch import BatchRun
from cortex_git.workers.events import Event

ROUNDS = 8


class Silent:
    """A watcher that keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.note = self.notes.append

    def started(self, task: str, worker: str, repo: str | None) -> None: ...

    def finished(self, result: Result) -> None: ...

    def event(self, event: Event) -> None: ...


@pytest.fixture(params=["remote", "local"])
def coordination(request: pytest.FixtureRequest, tmp_path: Path, bare: Path) -> Coordination:
    new_coordination(tmp_path / "host", bare if request.param == "remote" else None)
    return Coordination.open(tmp_path / "host")


def run(coordination: Coordination, scope: Scope, workers: int = 1) -> dict[str, str]:
    """Run what is open in scope; the status of each result this made."""
    with open_pool(coordination, ["echo"], workers, "scan-worker") as pool:
        report = BatchRun(coordination, pool, scope, watcher=Silent()).run()
    assert (report.waiting, report.fenced) == (0, 0)
    return {task: result.status for task, result in report.results.items()}


def output_of(folder: Path, task: str) -> dict[str, object]:
    coordination = Coordination.open(folder)
    coordination.pull()
    (result,) = read_results(coordination.repository, [task])
    return result.output


def once(bare: Path, task: str = "t") -> None:
    """The task has one result, nobody holds it, and the repository is sound."""
    subjects = [line for line in result_commits(bare) if line.endswith(f" {task}")]
    assert len(subjects) == 1, subjects
    assert git(bare, "for-each-ref", "refs/cortex/claims", "refs/cortex/fenced") == ""
    assert_sound(bare)


def test_a_run_of_everything_ends_with_the_aggregate(coordination: Coordination) -> None:
    coordination.add_tasks(whole())
    assert run(coordination, Scope(), 2) == dict.fromkeys(["t", "t-security", "t-development"], "completed")
    assert coordination.pull().claims == {}


def test_whoever_ends_the_last_part_carries_it_out_though_it_is_not_in_scope(
    coordination: Coordination,
) -> None:
    coordination.add_tasks(whole())
    assert run(coordination, Scope(type="fix-worker")) == {"t-security": "completed"}
    assert sorted(run(coordination, Scope(type="implementation-worker"))) == ["t", "t-development"]


def test_a_run_does_not_wait_for_parts_that_are_not_in_its_scope(coordination: Coordination) -> None:
    coordination.add_tasks(whole())
    assert run(coordination, Scope(glob="t")) == {}


def test_a_merge_task_needs_no_worker(coordination: Coordination) -> None:
    coordination.add_tasks(whole())
    for part in ("t-security", "t-development"):
        end(coordination, part)
    assert run(coordination, Scope(), 0) == {"t": "completed"}


def test_a_pool_of_one_type_carries_it_out_and_can_be_asked_for_it(tmp_path: Path, bare: Path) -> None:
    new_coordination(tmp_path / "host", bare)
    host = Coordination.open(tmp_path / "host")
    with pool(tmp_path / "host", "--type", "implementation-worker", "--min", "1", "--max", "1"):
        host.add_tasks(whole("u"))
        end(host, "u-security")
        until(lambda: host.pull() and host.is_finished("u"))
        host.add_tasks([task.model_copy(update={"type": "fix-worker"}) for task in whole()[:2]] + whole()[2:])
        early = cortex("spawn-worker", "-i", "t", cwd=tmp_path / "host")
        assert (early.returncode, "waits for t-development, t-security" in early.stderr) == (2, True)
        for part in ("t-security", "t-development"):
            end(host, part)
        done = cortex("spawn-worker", "-i", "t", cwd=tmp_path / "host")
        assert (done.returncode, done.stdout.splitlines()[0].split()[1:3]) == (0, ["completed", "t"])
    once(bare, "t")
    once(bare, "u")


LAST_PARTS = """
    import os, sys, time
    from pathlib import Path
    from gitworld import result_for
    from cortex_git.results.merging import merge_results
    from cortex_git.store.coordination import Coordination
    from cortex_git.store.index import Scope
    from cortex_git.workers.merges import claim_joins

    folder, part, rounds, meeting = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    coordination = Coordination.open(folder)
    names = [f"t{number}" for number in range(rounds)]
    claims = {}
    for claim in coordination.claim(Scope(glob=f"*-{part}"), rounds, lambda _: "worker-test-001"):
        claims[claim.task.parent] = claim

    def publish(claim, result, files):
        coordination.record([(claim, result, files)])
        coordination.flush()
        coordination.locks.release(claim.task.task)

    for name in names:
        (meeting / f"{name}-{part}").touch()
        until = time.monotonic() + 60
        while len(list(meeting.glob(f"{name}-*"))) < 2:
            assert time.monotonic() < until
            time.sleep(0.001)
        publish(claims[name], result_for(coordination, claims[name], output={"from": part}), {})
        for claim in claim_joins(coordination, [f"{name}-{part}"], None, "worker-test-001"):
            publish(claim, *merge_results(coordination, claim))
            print(name)
    coordination.fold()
    """


@pytest.mark.race
def test_two_hosts_that_end_the_last_parts_at_once_publish_one_aggregate(
    clones: Callable[[int], list[Path]], bare: Path, tmp_path: Path
) -> None:
    folders = clones(2)
    host = Coordination.open(folders[0])
    host.add_tasks([task for number in range(ROUNDS) for task in whole(f"t{number}")])
    (tmp_path / "meeting").mkdir()
    arguments = [
        [str(folder), part, str(ROUNDS), str(tmp_path / "meeting")]
        for folder, part in zip(folders, ("security", "development"), strict=True)
    ]
    made = outputs_of([(LAST_PARTS, one) for one in arguments])
    names = sorted(f"t{number}" for number in range(ROUNDS))
    assert sorted(" ".join(made).split()) == names
    subjects = result_commits(bare)
    assert len(subjects) == len(set(subjects)) == 3 * ROUNDS
    Coordination.open(folders[1]).fold()
    assert len(results_on(bare, "main")) == 4 * ROUNDS  # an aggregate's text lies beside it
    host.pull()
    for result in read_results(host.repository, names):
        assert (len(result.output["sources"]), result.output["missing"]) == (2, {})
    assert git(bare, "for-each-ref", "refs/cortex/claims", "refs/cortex/fenced") == ""
    assert_sound(bare)


@pytest.mark.race
def test_two_commands_that_end_the_last_parts_at_once(
    clones: Callable[[int], list[Path]], bare: Path
) -> None:
    folders = clones(2)
    Coordination.open(folders[0]).add_tasks(whole())
    commands = [
        start_cortex("spawn-worker", "-i", f"t-{part}", "-t", kind, cwd=folder)
        for folder, part, kind in zip(
            folders, ("security", "development"), ("fix-worker", "implementation-worker"), strict=True
        )
    ]
    for command in commands:
        _, errors = command.communicate(timeout=60)
        assert command.returncode == 0, errors
    once(bare)
    assert output_of(folders[0], "t")["missing"] == {}


def kill_when(bare: Path, pattern: str, pid: Path, mark: Path) -> None:
    """Have the remote kill -9 the process named in the file `pid` once a push that fits `pattern` landed."""
    hook = bare / "hooks" / "post-receive"
    hook.write_text(
        f"#!/bin/sh\ngrep -Eq '{pattern}' || exit 0\n[ -e {mark} ] && exit 0\ntouch {mark}\n"
        f"kill -9 $(cat {pid})\n"
    )
    hook.chmod(0o755)


CLAIMED = "^0{40} [0-9a-f]{40} refs/cortex/claims/t$"
PUBLISHED = "^[0-9a-f]{40} 0{40} refs/cortex/claims/t$"


@pytest.mark.race
@pytest.mark.parametrize("pattern", [CLAIMED, PUBLISHED], ids=["claimed", "published"])
def test_another_host_takes_over_from_one_killed_while_aggregating(
    clones: Callable[[int], list[Path]], bare: Path, tmp_path: Path, pattern: str
) -> None:
    """Killed the moment its claim has landed, or its result has: before it hears of either."""
    folders = clones(2)
    host = Coordination.open(folders[0])
    host.add_tasks(whole())
    end(host, "t-security")
    pid, mark = tmp_path / "pid", tmp_path / "killed"
    kill_when(bare, pattern, pid, mark)
    command = start_cortex(
        "spawn-worker", "-i", "t-development", "-t", "implementation-worker", cwd=folders[0]
    )
    pid.write_text(str(command.pid))
    command.communicate(timeout=60)
    assert (command.returncode, mark.exists()) == (-signal.SIGKILL, True)
    (bare / "hooks" / "post-receive").unlink()
    other = cortex("spawn-workers", "--batch", "b", "--count", "1", "--runner", "echo", cwd=folders[1])
    assert other.returncode == 0, other.stderr
    once(bare)
    assert output_of(folders[1], "t")["missing"] == {}
    # The one that was killed comes back: what it left is settled or dropped, not published again.
    back = cortex("sync", cwd=folders[0])
    assert back.returncode == 0, back.stderr
    once(bare)


@pytest.mark.race
def test_answers_that_are_lost_cost_no_aggregate_and_make_no_second(
    clones: Callable[[int], list[Path]], bare: Path, tmp_path: Path
) -> None:
    folders = clones(2)
    host = Coordination.open(folders[0])
    host.add_tasks(whole())
    end(host, "t-security")
    switch = lose_acknowledgements(folders[0], tmp_path)
    done = cortex("spawn-worker", "-i", "t-development", "-t", "implementation-worker", cwd=folders[0])
    assert switch.exists()
    assert done.returncode in (0, 3), done.stderr
    os.unlink(switch)
    for folder in (folders[1], folders[0]):
        cortex("spawn-workers", "--batch", "b", "--count", "1", "--runner", "echo", cwd=folder)
    once(bare)
    assert output_of(folders[1], "t")["missing"] == {}
