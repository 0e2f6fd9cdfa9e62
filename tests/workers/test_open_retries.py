"""The whole of a task waits for what does a part of it again, however it comes to be claimed."""

from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path

import pytest
from gitworld import cortex, new_coordination
from mergeworld import end, trial, whole
from poolworld import Quiet

from cortex_git.errors import BadInput
from cortex_git.models import Task
from cortex_git.services.batches import open_pool
from cortex_git.services.looking import task_detail, task_rows
from cortex_git.services.merging import finish_ready, plan_merge
from cortex_git.services.reopening import cancel_task, retry_task
from cortex_git.state import connect
from cortex_git.store import indexing
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope, View
from cortex_git.store.results import read_results
from cortex_git.workers.batch import BatchRun
from cortex_git.workers.dependencies import Verdict, verdict
from cortex_git.workers.merges import claim_joins


@pytest.fixture
def host(tmp_path: Path, bare: Path) -> Coordination:
    new_coordination(tmp_path / "host", bare)
    return Coordination.open(tmp_path / "host")


@pytest.fixture
def hosts(clones: Callable[[int], list[Path]]) -> list[Coordination]:
    return [Coordination.open(folder) for folder in clones(2)]


def run(
    host: Coordination, scope: Scope, workers: int = 1, given: Sequence[Claim] | None = None
) -> dict[str, str]:
    with open_pool(host, ["echo"], workers, "scan-worker") as pool:
        report = BatchRun(host, pool, scope, watcher=Quiet(), given=given).run()
    return {task: result.status for task, result in report.results.items()}


def one_part_retried(host: Coordination) -> None:
    host.add_tasks(whole())
    end(host, "t-security", status="failed")
    assert retry_task(host, "t-security").task == "t-security-r1"


def sources(host: Coordination, task: str = "t") -> list[str]:
    host.pull()
    (result,) = read_results(host.repository, [task])
    return sorted(source["task"] for source in result.output["sources"])


def statuses(host: Coordination) -> dict[str, str]:
    return {row["task"]: row["status"] for row in task_rows(host, Scope())}


def test_a_run_that_ends_the_other_parts_leaves_the_whole_to_the_retry(host: Coordination) -> None:
    one_part_retried(host)
    assert run(host, Scope(type="implementation-worker")) == {"t-development": "completed"}
    assert statuses(host)["t"] == "waiting"
    assert task_detail(host, "t")["waits_for"] == ["t-security-r1"]
    assert run(host, Scope(glob="t")) == {}  # in the scope of its own, too
    assert finish_ready(host) == []
    assert run(host, Scope(type="fix-worker")) == {"t-security-r1": "completed", "t": "completed"}
    assert sources(host) == ["t-development", "t-security-r1"]


def test_commands_that_are_asked_for_it_say_what_it_waits_for(host: Coordination) -> None:
    one_part_retried(host)
    end(host, "t-development")
    done = cortex("spawn-worker", "-i", "t", cwd=host.repository.folder)
    assert (done.returncode, "'t' waits for t-security-r1" in done.stderr) == (2, True), done.stderr
    synced = cortex("sync", cwd=host.repository.folder)
    assert (synced.returncode, "merged" in synced.stderr) == (0, False), synced.stderr
    assert not host.is_finished("t")
    end(host, "t-security-r1")
    assert "merged: t" in cortex("sync", cwd=host.repository.folder).stderr
    assert sources(host) == ["t-development", "t-security-r1"]


def test_a_retry_that_ends_badly_or_is_cancelled_holds_it_up_no_longer(host: Coordination) -> None:
    one_part_retried(host)
    end(host, "t-development")
    end(host, "t-security-r1", status="timed_out")
    assert retry_task(host, "t-security-r1").task == "t-security-r2"
    assert finish_ready(host) == []
    cancel_task(host, "t-security-r2")  # which ends the last part, and so carries out the whole
    assert sources(host) == ["t-development"]


def test_a_retry_known_only_after_the_claim_is_waited_for(hosts: list[Coordination]) -> None:
    host, other = hosts
    host.add_tasks(whole())
    end(host, "t-security", status="failed")
    end(host, "t-development")
    claim = host.claim_task("t", "worker-test-001")
    retry_task(other, "t-security")
    host.pull()
    assert verdict(host, claim.task) == Verdict(waits=("t-security-r1",))
    assert run(host, Scope(), 0, given=[claim]) == {}
    assert (host.pull().claims, host.is_finished("t")) == ({}, False)
    assert host.claim(Scope(glob="t"), 1, lambda _: "w") == []


def test_a_retry_that_is_added_while_it_is_claimed_is_waited_for(
    hosts: list[Coordination], monkeypatch: pytest.MonkeyPatch
) -> None:
    host, other = hosts
    host.add_tasks(whole())
    end(host, "t-security", status="failed")
    end(host, "t-development")
    claim = host.claims.claim

    def late(tasks: Sequence[Task], view: View, worker: Callable[[Task], str]) -> list[Claim]:
        retry_task(other, "t-security")
        return claim(tasks, view, worker)

    monkeypatch.setattr(host.claims, "claim", late)
    assert claim_joins(host, ["t-development"], None, "w") == []
    assert (host.pull().claims, host.is_finished("t")) == ({}, False)


def test_a_merge_on_request_counts_it_as_not_there_yet(host: Coordination) -> None:
    one_part_retried(host)
    end(host, "t-development")
    for name in ("t", "b"):
        with pytest.raises(BadInput, match=r"1 of the [23] tasks of '.' has no result yet"):
            plan_merge(host, name, "vote")
    assert plan_merge(host, "t", "vote", partial=True).left_out == 1
    end(host, "t-security-r1")
    assert plan_merge(host, "t", "vote").left_out == 0


CHAIN = (trial("x"), trial("x-r1", retry_of="x"), trial("x-r2", retry_of="x-r1"), trial("t", "x"))


@pytest.mark.parametrize("order", [*permutations(range(4))], ids=lambda order: "".join(map(str, order)))
def test_whichever_document_is_seen_first(tmp_path: Path, order: tuple[int, ...]) -> None:
    state = connect(tmp_path / "state.db")
    for number in order:
        body = CHAIN[number].to_bytes()
        indexing.add_document(state, f"coordination/tasks/tasks/{CHAIN[number].task}.json", body, f"{number}")
    found = state.execute("SELECT task, needs FROM waits ORDER BY needs").fetchall()
    assert found == [("t", "x"), ("t", "x-r1"), ("t", "x-r2")]


def test_a_retry_does_not_wait_for_itself(tmp_path: Path) -> None:
    """Somebody pushed one that comes after what it does again, around a circle of retries."""
    state = connect(tmp_path / "state.db")
    for name, of in (("a", "b"), ("b", "a")):
        body = trial(name, of, retry_of=of).to_bytes()
        indexing.add_document(state, f"coordination/tasks/tasks/{name}.json", body, name)
    found = state.execute("SELECT task, needs FROM waits ORDER BY task").fetchall()
    assert found == [("a", "b"), ("b", "a")]
