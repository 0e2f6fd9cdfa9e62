"""The runners `claude`, `openai` and `replay`: whether they can work here, and a task from start to end."""

import json
from pathlib import Path
from typing import Any

import pytest
from modelworld import MessagesServer, use

from cortex_git.config import Models
from cortex_git.errors import BadInput
from cortex_git.limits.ledger import Ledger
from cortex_git.llm import NoKey
from cortex_git.runners import RunContext, RunOutcome, claude, openai, replay
from cortex_git.store.coordination import Coordination

NONCE = "nonce-of-the-attempt"


@pytest.fixture
def context(host: Path) -> RunContext:
    """An attempt with 8,000 tokens on a coordination repository."""
    name = Coordination.open(host).repository.host
    ledger = Ledger.open(host, name)
    ledger.grant({"total": 100_000})
    assert ledger.allocate(
        NONCE, task="t", batch="b", master="m", worker="w", tokens=8000, accounts=["total"]
    )
    return RunContext("w", 1, 60.0, 8000, host=name, nonce=NONCE, folder=str(host))


def run(
    attempt: RunContext, said: Any, monkeypatch: pytest.MonkeyPatch, /, **task: Any
) -> tuple[RunOutcome, str]:
    """The outcome, and what the model was told first."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key")
    with MessagesServer(said) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        outcome = claude.run({"task": "t", "batch": "b", "title": "Do it"} | task, attempt)
        assert outcome.tokens_used == server.billed
        return outcome, server.requests[0]["messages"][0]["content"][0]["text"]


def test_without_a_key_they_are_not_ready() -> None:
    for runner in (claude, openai):
        with pytest.raises(NoKey):
            runner.ready()


def test_with_a_key_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key")
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    claude.ready()
    openai.ready()


def test_a_recording_is_named_on_this_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="--runner replay=FILE"):
        replay.ready()
    with pytest.raises(BadInput, match="no recording"):
        replay.ready(str(tmp_path / "none"))
    (tmp_path / "odd").write_text("{}\n")
    with pytest.raises(BadInput, match="odd:1: no recorded exchange"):
        replay.ready(str(tmp_path / "odd"))
    (tmp_path / "one").touch()
    monkeypatch.setenv("CORTEX_REPLAY", str(tmp_path / "one"))
    assert replay.recording("") == tmp_path / "one"
    (tmp_path / "two").touch()
    assert replay.recording(str(tmp_path / "two")) == tmp_path / "two"


def test_a_task_without_a_repository_is_answered_from_its_text(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome, first = run(
        context, [[use("submit", summary="42")]], monkeypatch, type="analysis-worker", scope="6 times 7"
    )
    assert (outcome.status, outcome.output["summary"]) == ("completed", "42")
    assert "6 times 7" in first
    assert "no repository" in first
    assert outcome.output is context.so_far


@pytest.mark.parametrize(("complexity", "small"), [(3, True), (4, False)])
def test_the_model_is_that_of_the_complexity(
    context: RunContext, monkeypatch: pytest.MonkeyPatch, complexity: int, small: bool
) -> None:
    said = [[use("submit", summary="s")]]
    outcome, _ = run(context, said, monkeypatch, type="analysis-worker", context={"complexity": complexity})
    model = Models().small if small else Models().large
    usage = outcome.output["usage"]
    assert outcome.output["model"] == model.name
    expected = (usage["input"] * model.input + usage["output"] * model.output) / 1e6
    assert outcome.output["cost_usd"] == pytest.approx(expected, abs=1e-6)


def test_a_triage_of_findings_that_are_given(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Worst first, and kept in the output for an attempt that goes on."""
    found = [
        {"id": "GHSA-low", "severity": "low", "package": "a", "version": "1"},
        {"id": "GHSA-bad", "severity": "critical", "package": "b", "version": "1", "fixed": "2"},
    ]
    triaged = {
        "id": "GHSA-bad",
        "reachable": "unknown",
        "evidence": "none",
        "fix": "go to 2",
        "priority": "high",
    }
    outcome, first = run(
        context,
        [[use("submit", summary="s", findings=[triaged])]],
        monkeypatch,
        type="scan-worker",
        context={"findings": found},
    )
    assert first.index("GHSA-bad") < first.index("GHSA-low")
    assert outcome.output["answer"]["findings"][0]["fix"] == "go to 2"
    assert [one["id"] for one in outcome.output["findings"]] == ["GHSA-bad", "GHSA-low"]


def test_an_attempt_cut_off_leaves_its_work_so_far(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OutOfTime(BaseException):
        pass

    def said(request: dict[str, Any]) -> Any:
        if len(request["messages"]) > 1:
            monkeypatch.setattr("cortex_git.llm.claude.Claude.reply", cut_off)
        return [use("list")]

    def cut_off(*_: Any) -> None:
        raise OutOfTime

    with pytest.raises(OutOfTime):
        run(context, said, monkeypatch, type="analysis-worker", scope="s")
    assert context.so_far["turns"] == 2
    assert context.so_far["usage"]["unknown"] > 0


def test_a_recording_is_played_back(context: RunContext, tmp_path: Path) -> None:
    use_submit = use("submit", summary="from the recording") | {"id": "toolu_1"}
    reply = {"content": [use_submit], "stop": "tool_use", "usage": {"input": 100, "output": 20}}
    file = tmp_path / "recording.jsonl"
    file.write_text(json.dumps({"schema": 1, "provider": "claude", "request": {}, "reply": reply}) + "\n")
    context = RunContext(
        "w",
        1,
        60.0,
        8000,
        host=context.host,
        nonce=NONCE,
        folder=context.folder,
        options={"replay": str(file)},
    )
    outcome = replay.run({"task": "t", "batch": "b", "title": "Do it", "type": "analysis-worker"}, context)
    assert (outcome.status, outcome.output["summary"]) == ("completed", "from the recording")
    assert (outcome.tokens_used, outcome.output["provider"]) == (120, "replay")
