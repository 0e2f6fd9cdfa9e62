"""Tasks through message batches: one batch for many repositories, each paid once, each with one result."""

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gitworld import add_tasks, python, start_cortex
from modelworld import Answer, MessagesServer, Serve, _Handler, submitting

from cortex_git.cli.main import main
from cortex_git.limits.ledger import Ledger
from cortex_git.models import Result, Task
from cortex_git.services.budgets import set_limits
from cortex_git.services.economy import run_economy, ways
from cortex_git.services.joining import Work
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope

REPOSITORIES = ("/srv/a.git", "/srv/b.git", "/srv/c.git")


class Notes:
    """A watcher that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def started(self, task: str, worker: str, repo: str | None) -> None: ...
    def finished(self, result: Result) -> None: ...
    def event(self, event: object) -> None: ...
    def note(self, text: str) -> None:
        self.said.append(text)


def reviews(host: Path, total: int = 1_000_000, count: int = 3) -> Coordination:
    """Reviews of diffs from several repositories, each with its text, and a total of tokens."""
    config = host / "coordination/config.toml"
    config.write_text(config.read_text() + "\n[leases]\nretry_base_s = 0.01\nretry_max_s = 0.02\n")
    coordination = Coordination.open(host)
    coordination.add_tasks([
        Task.model_validate({
            "task": f"review-{n}", "batch": "b1", "title": "Review", "type": "review-worker",
            "budget": 20_000, "repo": REPOSITORIES[n % 3], "context": {"diff": f"+ change {n}"},
        })
        for n in range(count)
    ])  # fmt: skip
    set_limits(coordination, {"total": total})
    return coordination


def go(coordination: Coordination, scope: Scope = Scope(batch="b1")) -> tuple[Any, list[str]]:
    notes = Notes()
    coordination.pull()
    return run_economy(coordination, Work(scope, 1), notes).report, notes.said


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.2)


def command_line(host: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The whole command line in this process; its exit status."""
    monkeypatch.chdir(host)
    monkeypatch.setattr(sys, "argv", ["cortex-git", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def results(host: Path) -> dict[str, Result]:
    coordination = Coordination.open(host)
    coordination.pull()
    return {result.task: result for result in coordination.results(Scope())}


def assert_paid(host: Path, server: MessagesServer) -> None:
    """The ledger says what the server billed, and holds nothing back."""
    repository = Coordination.open(host).repository
    balance = Ledger(repository.durable_state, repository.host).balance()
    assert (balance.spent, balance.allocated, balance.in_use) == (server.billed, 0, server.billed)


def test_tasks_of_three_repositories_go_in_one_batch(host: Path, serve: Serve) -> None:
    server = serve()
    report, said = go(reviews(host))
    assert (report.completed, report.published, report.waiting) == (3, 3, 0)
    assert [len(batch.requests) for batch in server.batches.values()] == [3]
    assert any("3 calls about 3 repositories" in one for one in said)
    found = results(host)
    assert sorted(found) == ["review-0", "review-1", "review-2"]
    for result in found.values():
        usage = result.output["usage"]
        assert (result.status, result.output["economy"], result.attempt) == ("completed", True, 1)
        assert result.tokens_used == sum(usage.values())
        # Half of what the large model costs (2 and 10 dollars for a million).
        assert result.output["cost_usd"] == pytest.approx(
            (usage["input"] + 5 * usage["output"]) / 1e6, abs=2e-6
        )
    assert_paid(host, server)


def test_answers_reach_their_own_tasks_in_any_order(host: Path, serve: Serve) -> None:
    def echo(request: dict[str, Any]) -> list[dict[str, Any]]:
        said = json.dumps(request["messages"])
        return submitting(request, summary=next(f"saw {n}" for n in range(5) if f"change {n}" in said))

    serve(echo)
    go(reviews(host, count=5))
    summaries = {name: result.output["summary"] for name, result in results(host).items()}
    assert summaries == {f"review-{n}": f"saw {n}" for n in range(5)}


def test_calls_that_failed_or_expired_are_tried_again(host: Path, serve: Serve) -> None:
    asked: dict[str, int] = {}

    def script(request: dict[str, Any]) -> Answer | list[dict[str, Any]]:
        said = json.dumps(request["messages"])
        which = next(n for n in ("0", "1", "2") if f"change {n}" in said)
        asked[which] = asked.get(which, 0) + 1
        if which == "2" or (which == "1" and asked[which] == 1):
            return Answer(status=410 if which == "1" else 500)
        return submitting(request)

    server = serve(script)
    report, _ = go(reviews(host))
    assert asked == {"0": 1, "1": 2, "2": 3}
    found = results(host)
    assert {name: (one.status, one.attempt) for name, one in found.items()} == {
        "review-0": ("completed", 1), "review-1": ("completed", 2), "review-2": ("failed", 3),
    }  # fmt: skip
    assert (report.completed, report.failed) == (2, 1)
    assert_paid(host, server)


def test_a_batch_whose_making_was_not_acknowledged_is_found_again(
    host: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(batch_delay_s=1.0)
    whole = _Handler._send
    cut: list[str] = []

    def send(self: Any, status: int, value: Any, headers: Any = None) -> None:
        if self.command == "POST" and self.path.endswith("/batches") and not cut:
            cut.append(self.path)
            self.close_connection = True
            self.connection.close()
            return
        whole(self, status, value, headers)

    monkeypatch.setattr(_Handler, "_send", send)
    report, said = go(reviews(host))
    assert cut
    assert any("looked up" in one for one in said)
    assert (report.completed, len(server.batches)) == (3, 1)
    assert_paid(host, server)


def test_a_command_that_ends_early_goes_on_without_paying_twice(
    host: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    server = serve(batch_delay_s=3600)
    coordination = reviews(host)
    first = start_cortex("spawn-workers", "--economy", "-n", "1", cwd=host)
    until(lambda: bool(server.batches))
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=60)
    assert first.returncode == 130, said
    assert "`cortex-git spawn-workers --economy` again" in said

    before = coordination.pull().claims
    second = start_cortex("spawn-workers", "--economy", "-n", "1", cwd=host)
    until(lambda: all(before[task] != oid for task, oid in coordination.pull().claims.items()))
    second.kill()
    second.communicate(timeout=60)
    # Nobody else of this clone runs them meanwhile, nor counts their tokens as spent.
    assert set(coordination.claims.unavailable(coordination.pull())) == set(before)
    ledger = Ledger(coordination.repository.durable_state, coordination.repository.host)
    assert (ledger.reap(), ledger.balance().spent) == (0, 0)
    assert command_line(host, monkeypatch, "spawn-workers", "-n", "1") == 0
    assert "3 tasks are left alone" in capfd.readouterr().err

    server._batch_delay_s = 0.0
    report, _ = go(Coordination.open(host))
    assert report.completed == 3
    assert len(server.batches) == 1
    assert {name: (one.status, one.attempt) for name, one in results(host).items()} == {
        f"review-{n}": ("completed", 1) for n in range(3)
    }
    assert_paid(host, server)


@pytest.mark.parametrize(
    "point", ["cortex_git.llm.claude:Claude.create_batch", "cortex_git.workers.answered:Answered.take"]
)
def test_killed_at_the_worst_moment_all_is_paid_once(host: Path, serve: Serve, point: str) -> None:
    """The calls are written down and not handed in; or their tokens are booked and there is no result yet."""
    server = serve()
    reviews(host)
    code = """
        import os, sys
        from importlib import import_module
        folder, module, name = sys.argv[1:]
        os.chdir(folder)
        kind, method = name.split(".")
        setattr(getattr(import_module(module), kind), method, lambda *_: os._exit(9))
        sys.argv = ["cortex-git", "spawn-workers", "--economy", "-n", "1"]
        from cortex_git.cli.main import main
        main()
    """
    command = python(code, str(host), *point.split(":"))
    _, said = command.communicate(timeout=60)
    assert command.returncode == 9, said
    report, _ = go(Coordination.open(host))
    assert (report.completed, len(server.batches)) == (3, 1)
    assert_paid(host, server)


def test_a_budget_too_small_leaves_tasks_open(
    host: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    reviews(host, total=100)
    assert command_line(host, monkeypatch, "spawn-workers", "--economy", "-n", "1") == 4
    assert not server.batches
    coordination = Coordination.open(host)
    assert coordination.pull().claims == {}
    assert coordination.open_count(Scope(batch="b1")) == 3


def test_a_dry_run_says_which_way_tasks_go(
    host: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    reviews(host)
    arguments = ("spawn-workers", "--economy", "-n", "1", "--dry-run", "--format", "json")
    assert command_line(host, monkeypatch, *arguments) == 0
    said = json.loads(capfd.readouterr().out)
    assert "3 tasks can wait for the provider's batches, 0 run on workers" in json.dumps(said)


def test_what_needs_a_worker_runs_beside(host: Path, serve: Serve) -> None:
    server = serve()
    coordination = reviews(host)
    add_tasks(coordination, 2, batch="b2", runner="echo")
    report, said = go(coordination, Scope())
    assert (report.completed, len(server.batches)) == (5, 1)
    assert any("3 tasks can wait for the provider's batches, 2 run on workers" in one for one in said)


def test_only_what_one_call_can_do_waits(host: Path) -> None:
    coordination = Coordination.open(host)
    given: dict[str, dict[str, object]] = {
        "code": {"type": "fix-worker", "repo": "/srv/a.git"},
        "in-checkout": {"type": "review-worker", "repo": "/srv/a.git"},
        "by-text": {"type": "analysis-worker", "repo": "/srv/a.git", "context": {"text": "x"}},
        "plain": {"type": "analysis-worker"},
        "triage": {"type": "scan-worker", "runner": "claude", "context": {"findings": []}},
        "scan": {"type": "scan-worker", "repo": "/srv/a.git"},
        "other": {"type": "analysis-worker", "runner": "echo"},
    }
    coordination.add_tasks(
        [
            Task.model_validate({"task": name, "batch": "b1", "title": name, **more})
            for name, more in given.items()
        ]
    )
    coordination.pull()
    chosen = ways(coordination, Scope(), None)
    assert set(chosen.waiting) == {"by-text", "plain", "triage"}
    assert set(chosen.now) == set(given) - set(chosen.waiting)
