"""Agents, programs and free work side by side; a host without a key leaves agents' tasks to others."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gitworld import add_tasks, assert_sound, cortex
from modelworld import MessagesServer, submitting
from poolworld import pool, until, with_path

from cortex_git.limits.ledger import Ledger
from cortex_git.models import Task
from cortex_git.services.budgets import set_limits
from cortex_git.services.pool_client import pool_status
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope

AGENTS: dict[str, Any] = {"type": "analysis-worker", "runner": "", "budget": 20_000}


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model that answers every task with the least that its form asks for."""
    with MessagesServer(submitting) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        yield server


def ledger(host: Path) -> Ledger:
    return Ledger.open(host, Coordination.open(host).repository.host)


def test_runners_of_all_kinds_in_one_batch(
    host: Path, model: MessagesServer, commands: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key-of-nobody")
    commands(spend='echo \'{"usage": {"input_tokens": 30, "output_tokens": 40}}\'')
    coordination = Coordination.open(host)
    add_tasks(coordination, 3, **AGENTS)
    others: list[dict[str, Any]] = [
        {"runner": "command", "type": "fix-worker", "budget": 100, "context": {"command": "spend"}},
        {"runner": "echo", "type": "analysis-worker"},
    ]
    coordination.add_tasks([
        Task.model_validate({"task": f"other-{number}", "batch": "tasks", "title": "x", **fields})
        for number, fields in enumerate(others)
    ])  # fmt: skip
    set_limits(coordination, {"total": 200_000})

    done = cortex("spawn-workers", "-n", "2", "--format", "json", cwd=host)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["completed"], said["tokens_used"]) == (5, model.billed + 70)
    assert model.billed > 0
    coordination.pull()
    found = coordination.results(Scope(batch="b1"))
    assert [result.status for result in found] == ["completed"] * 3
    assert sum(result.tokens_used for result in found) == model.billed
    balance = ledger(host).balance()
    assert (balance.spent, balance.allocated, balance.overdrawn) == (model.billed + 70, 0, 0)
    assert_sound(host)


def test_a_pool_without_a_key_leaves_the_task_to_others(
    host: Path, model: MessagesServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", with_path(tmp_path))
    (tmp_path / "sitecustomize.py").write_text("import cortex_git.workers.unready as u; u._LOOK_S = 0.5\n")
    coordination = Coordination.open(host)
    add_tasks(coordination, 1, **AGENTS)
    set_limits(coordination, {"total": 200_000})

    def status() -> dict[str, Any]:
        return pool_status(host) or {}

    with pool(host, "--workers", "1"):
        until(lambda: any("no key for claude" in reason for reason in status()["reasons"]))
        until(lambda: coordination.pull().claims == {})
        free = cortex("spawn-worker", "-t", "analysis-worker", "-i", "free", "--runner", "echo", cwd=host)
        assert free.returncode == 0, free.stderr
        assert coordination.open_count(Scope(batch="b1")) == 1

        key = Path(os.environ["CORTEX_CONFIG_HOME"]) / "anthropic.key"
        key.parent.mkdir(parents=True, exist_ok=True)
        key.touch(mode=0o600)
        key.write_text("test-key-of-nobody")
        until(lambda: coordination.pull() and coordination.is_finished("b1-t000"))
    (result,) = coordination.results(Scope(batch="b1"))
    assert (result.status, result.attempt, result.tokens_used) == ("completed", 1, model.billed)
