"""Metered work on a real pool: never more than the budget, and going on when there is more."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gitworld import add_tasks, assert_sound, cortex, start_cortex
from modelworld import Answer, MessagesServer, text
from poolworld import pool, until

from cortex_git.limits.ledger import Ledger
from cortex_git.models import Result, Task
from cortex_git.services.budgets import set_limits
from cortex_git.services.pool_client import pool_status
from cortex_git.services.reopening import Again, retry_task
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope

SPENDER = "echo '{\"tokens_used\": 70}'"


def metered(host: Path, count: int, total: int, **fields: object) -> Coordination:
    """A batch of tasks that may use 100 tokens each, and a total."""
    coordination = Coordination.open(host)
    given = {"runner": "command", "type": "fix-worker", "budget": 100, "context": {"command": "spend"}}
    add_tasks(coordination, count, **{**given, **fields})  # type: ignore[arg-type]
    set_limits(coordination, {"total": total})
    return coordination


def ledger(host: Path) -> Ledger:
    repository = Coordination.open(host).repository
    return Ledger(repository.durable_state, repository.host)


def results(host: Path) -> list[Result]:
    coordination = Coordination.open(host)
    coordination.pull()
    return coordination.results(Scope(batch="b1"))


def test_what_a_batch_spends_is_counted(host: Path, commands: Callable[..., None]) -> None:
    commands(spend=SPENDER)
    metered(host, 5, 1000)
    done = cortex("spawn-workers", "-n", "2", "--format", "json", cwd=host)
    assert done.returncode == 0, done.stderr
    assert (json.loads(done.stdout)["tokens_used"], json.loads(done.stdout)["budget"]) == (350, None)
    assert [result.tokens_used for result in results(host)] == [70] * 5
    balance = ledger(host).balance()
    assert (balance.spent, balance.allocated) == (350, 0)


def test_a_batch_ends_when_its_tokens_do_and_goes_on_with_more(
    host: Path, commands: Callable[..., None]
) -> None:
    commands(spend=SPENDER)
    coordination = metered(host, 6, 250)
    free = {"type": "analysis-worker", "runner": "echo"}
    for number in range(3):
        coordination.add_tasks([
            Task.model_validate({"task": f"free-{number}", "batch": "tasks", "title": "x", **free})
        ])  # fmt: skip
    done = cortex("spawn-workers", "-n", "2", "--format", "json", cwd=host)
    assert done.returncode == 4, done.stderr
    said = json.loads(done.stdout)
    # After three attempts 40 are left; each needs 100 to begin with.
    assert (said["completed"], said["tokens_used"]) == (3 + 3, 210)
    assert "3 tasks wait" in done.stderr
    assert "budget set --total" in done.stderr
    assert ledger(host).balance().spent == 210

    one = cortex("spawn-worker", "--task-id", results_missing(host)[0], cwd=host)
    assert one.returncode == 4, one.stderr
    assert len(results_missing(host)) == 3

    assert cortex("budget", "set", "--total", "1000", cwd=host).returncode == 0
    done = cortex("spawn-workers", "-n", "2", "--format", "json", cwd=host)
    assert done.returncode == 0, done.stderr
    assert [result.attempt for result in results(host)] == [1] * 6
    assert ledger(host).balance().spent == 420
    assert_sound(host)


def results_missing(host: Path, count: int = 6) -> list[str]:
    names = {f"b1-t{number:03d}" for number in range(count)}
    return sorted(names - {result.task for result in results(host)})


def test_a_batch_that_is_killed_holds_no_tokens(
    host: Path, commands: Callable[..., None], tmp_path: Path
) -> None:
    commands(spend=f"touch {tmp_path}/$CORTEX_TASK; sleep 60")
    metered(host, 2, 1000)
    process = start_cortex("spawn-workers", "-n", "2", cwd=host)
    until(lambda: len(list(tmp_path.glob("b1-t*"))) == 2)
    assert ledger(host).balance().allocated == 200
    process.kill()
    process.communicate()
    until(lambda: ledger(host).reap() or not ledger(host).balance().allocated)
    balance = ledger(host).balance()
    assert (balance.allocated, balance.spent) == (0, 0)


def test_a_batch_that_is_ended_at_once_says_what_its_calls_may_have_cost(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MessagesServer(lambda _request: Answer([text("late")], hang_s=60.0)) as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key-of-nobody")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        metered(host, 1, 100_000, runner="claude", type="analysis-worker", budget=9000, context={})
        process = start_cortex("spawn-workers", "-n", "1", "--format", "json", cwd=host)
        until(lambda: server.log)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert json.loads(out)["tokens_used"] == ledger(host).balance().spent > 0


def test_a_worker_that_is_killed_gives_its_tokens_back(
    host: Path, commands: Callable[..., None], tmp_path: Path
) -> None:
    spend = f"test -e {tmp_path}/died && {SPENDER} && exit; touch {tmp_path}/died; kill -9 $PPID; sleep 60"
    commands(spend=spend)
    metered(host, 1, 100)
    done = cortex("spawn-workers", "-n", "1", cwd=host)
    assert done.returncode == 0, done.stderr
    # All of the budget was the first attempt's: the second could begin because that was over.
    (result,) = results(host)
    assert (result.attempt, result.tokens_used, ledger(host).balance().spent) == (2, 70, 70)


def test_a_pool_waits_for_a_larger_budget(host: Path, commands: Callable[..., None]) -> None:
    commands(spend=SPENDER)
    metered(host, 2, 150)

    def status() -> dict[str, Any]:
        return pool_status(host) or {}

    with pool(host, "--workers", "2"):
        until(lambda: any("1 task waits" in reason for reason in status()["reasons"]), 30)
        assert status()["completed"] == 1
        free = cortex("spawn-worker", "-t", "analysis-worker", "-i", "free", "--runner", "echo", cwd=host)
        assert free.returncode == 0, free.stderr
        refused = cortex("spawn-worker", "-i", results_missing(host, 2)[0], cwd=host)
        assert refused.returncode == 4, refused.stderr
        assert cortex("budget", "set", "--total", "1000", cwd=host).returncode == 0
        until(lambda: status()["completed"] == 3, 60)
    assert ledger(host).balance().spent == 140


def test_work_so_far_is_published_and_continued(host: Path, commands: Callable[..., None]) -> None:
    commands(spend="echo the first half; exec sleep 60")
    coordination = metered(host, 1, 1000, deadline=0.15)
    done = cortex("spawn-workers", "-n", "1", cwd=host)
    assert done.returncode == 1, done.stderr
    (result,) = results(host)
    assert (result.status, result.output["text"]) == ("timed_out", "the first half\n")
    coordination.pull()
    again = retry_task(coordination, "b1-t000", Again(continues=True, budget=300, deadline=2.0))
    assert (again.continues, again.retry_of, again.budget, again.deadline) == (True, "b1-t000", 300, 2.0)

    from cortex_git.workers.continuing import earlier_output

    assert earlier_output(coordination.repository, again) == {"text": "the first half\n"}


def test_no_secret_is_published(host: Path, commands: Callable[..., None]) -> None:
    commands(spend="echo ghp_" + "0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R")
    metered(host, 1, 1000)
    cortex("spawn-workers", "-n", "1", cwd=host)
    (result,) = results(host)
    assert "ghp_" not in json.dumps(result.model_dump())


def test_without_a_key_nothing_is_claimed(host: Path) -> None:
    metered(host, 1, 1000, runner="")
    for command in (["spawn-workers", "-n", "1"], ["spawn-worker", "-i", "b1-t000"]):
        done = cortex(*command, cwd=host)
        assert done.returncode == 3, done.stderr
        assert "key" in done.stderr
    assert Coordination.open(host).pull().claims == {}
