"""A model's turns against a real server, a real ledger and a real gate."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from modelworld import Answer, Block, MessagesServer, text, use

from cortex_git.config import AgentSettings, Model, Provider
from cortex_git.limits.gate import Gate
from cortex_git.limits.ledger import Ledger
from cortex_git.limits.meter import Meter
from cortex_git.llm.claude import Claude
from cortex_git.runners.agent.answers import Analysis, Change, definition
from cortex_git.runners.agent.answers import Answer as Result
from cortex_git.runners.agent.calling import MOST_FAILURES, Caller
from cortex_git.runners.agent.conversation import Conversation
from cortex_git.runners.agent.prompts import ASK_FOR_RESULT, CUT_OFF, LAST_TURN, Marks
from cortex_git.runners.agent.record import Record
from cortex_git.runners.agent.tools import Toolbox
from cortex_git.runners.agent.turns import Ending, Turns
from cortex_git.state import connect, monotonic

NONCE = "nonce-of-the-attempt"
Said = Sequence[Answer | Sequence[Block]] | Callable[[dict[str, Any]], Any]


class World:
    """One attempt: its folder, its tokens, the server it talks to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        (self.folder / "a.py").write_text("x = 1\n")
        self.ledger = Ledger(connect(folder / "state.db", durable=True), "host")
        self.ledger.grant({"total": 1_000_000})
        self.gate = Gate(connect(folder / "state.db", durable=True), "claude")
        self.record = Record({}, provider="claude", model=Model(name="m", input=1, output=2), complexity=5)
        self.pauses: list[float] = []
        self.server: MessagesServer
        self.ending: Ending

    def run(
        self,
        said: Said,
        *,
        tokens: int = 100_000,
        form: type[Result] = Change,
        turns: int = 40,
        time_s: float = 60.0,
        most_output: int = 1000,
        timeout_s: float = 10.0,
        **server: Any,
    ) -> Ending:
        assert self.ledger.allocate(
            NONCE, task="t", batch="b", master="m", worker="w", tokens=tokens, accounts=["total"]
        )
        with MessagesServer(said, **server) as self.server:
            client = Claude(Provider(base_url=self.server.url, timeout_s=timeout_s))
            box = Toolbox(self.folder, AgentSettings())
            meter = Meter(self.ledger, self.gate, NONCE, "m")
            caller = Caller(
                client,
                meter,
                most_output,
                monotonic() + time_s,
                insist=form is not Change,
                sleep=self.pauses.append,
            )
            talk = Conversation("m", "system", [*box.definitions, definition(form)], "Task: do it")
            return Turns(talk, caller, box, form, Marks("1a2b"), self.record, turns).work()

    @property
    def spent(self) -> int:
        return self.ledger.used(NONCE).total

    def told(self, request: int) -> str:
        """The last message that the server got with that call."""
        return json.dumps(self.server.requests[request]["messages"][-1], ensure_ascii=False)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key")
    yield World(tmp_path)


DONE = [use("submit", summary="Did it", subject="Do it")]


def test_work_with_tools_until_the_result(world: World) -> None:
    ending = world.run(
        [
            [text("I look"), use("read", path="a.py"), use("read", path="none.py")],
            [use("edit", path="a.py", old="1", new="2"), *DONE],
        ]
    )
    assert (ending.status, ending.error) == ("completed", None)
    assert isinstance(ending.answer, Change)
    assert ending.answer.subject == "Do it"
    assert (world.folder / "a.py").read_text() == "x = 2\n"
    assert "<data-1a2b>\\nx = 1\\n\\n</data-1a2b>" in world.told(1)
    assert '"is_error": true' in world.told(1)
    assert world.spent == world.server.billed > 0
    so_far = world.record.so_far
    assert (so_far["summary"], so_far["turns"], so_far["files"]) == ("Did it", 2, ["a.py"])
    assert so_far["resume"]["notes"] == ["read a.py", "read none.py (failed)", "edit a.py"]
    assert sum(so_far["usage"].values()) == world.server.billed


def test_cache_writes_and_reads_are_tokens_too(world: World) -> None:
    world.run([Answer([use("list")], cache_write=200), Answer(DONE, cache_read=200, cache_write=50)])
    usage = world.record.so_far["usage"]
    assert (usage["cache_write"], usage["cache_read"]) == (250, 200)
    assert world.spent == world.server.billed == sum(usage.values())


def test_a_result_in_another_form_is_asked_for_once_more(world: World) -> None:
    ending = world.run([[use("submit", subject="no summary")], DONE])
    assert ending.status == "completed"
    assert "summary: Field required" in world.told(1)
    assert world.server.requests[1]["tool_choice"] == {"type": "tool", "name": "submit"} | (
        {"disable_parallel_tool_use": True}
        if "disable_parallel_tool_use" in world.server.requests[1]["tool_choice"]
        else {}
    )
    assert "unread" not in world.record.so_far


def test_a_result_in_another_form_twice_stays_as_text(world: World) -> None:
    ending = world.run([[text("All good"), use("submit", a=1)], [use("submit", b=2)]])
    assert (ending.status, ending.answer) == ("completed", None)
    assert world.record.so_far["summary"] == "All good"
    assert world.record.so_far["unread"] == "{'b': 2}"


def test_a_model_that_only_talks_is_asked_for_its_result_once(world: World) -> None:
    ending = world.run([[text("It is done")], DONE])
    assert ending.answer is not None
    assert ASK_FOR_RESULT in world.told(1)


def test_a_model_that_only_ever_talks_has_said_it(world: World) -> None:
    ending = world.run([[text("It is done")], [text("Really")]])
    assert (ending.status, ending.answer) == ("completed", None)
    assert world.record.so_far["summary"] == "Really"


def test_an_answer_cut_off_at_its_limit_goes_on(world: World) -> None:
    cut_off = Answer([use("edit", path="a.py", new="half")], stop="max_tokens")
    ending = world.run([cut_off, DONE])
    assert ending.status == "completed"
    assert (world.folder / "a.py").read_text() == "x = 1\n"
    assert CUT_OFF in world.told(1)


def test_a_refusal_fails_and_is_not_tried_again(world: World) -> None:
    ending = world.run([Answer([text("I won't")], stop="refusal")])
    assert (ending.status, ending.retry, ending.error) == ("failed", False, "the model refused the task")


def test_a_pause_goes_on(world: World) -> None:
    ending = world.run([Answer([text("wait")], stop="pause_turn"), DONE])
    assert ending.status == "completed"


def test_what_is_not_done_when_the_tokens_run_out(world: World) -> None:
    """The last affordable turn is told so, may still change files, and is no success if something remains."""
    last = [use("edit", path="a.py", old="1", new="2"), use("submit", summary="Half", remaining=["tests"])]
    ending = world.run([[use("read", path="a.py")], last], tokens=1800)
    assert LAST_TURN in world.told(1)
    assert ending.status == "budget_exhausted"
    assert world.record.so_far["resume"]["remaining"] == ["tests"]
    assert (world.folder / "a.py").read_text() == "x = 2\n"
    assert world.spent == world.server.billed <= 1800


def test_the_last_turn_of_one_that_changes_nothing_has_to_be_the_result(world: World) -> None:
    done = [use("submit", summary="Found nothing")]
    ending = world.run([[use("read", path="a.py")], done], tokens=1800, form=Analysis)
    assert world.server.requests[1]["tool_choice"]["name"] == "submit"
    assert ending.status == "completed"


def test_no_tokens_for_any_call(world: World) -> None:
    ending = world.run([DONE], tokens=400)
    assert ending.status == "budget_exhausted"
    assert world.server.calls() == []
    assert world.spent == 0


@pytest.mark.parametrize("tokens", [1500, 2500, 4000, 7000, 12_000])
def test_never_more_than_its_tokens_whatever_is_used(world: World, tokens: int) -> None:
    """Any usage that the provider may report for what was asked, until nothing is left."""
    looking = lambda _request: [use("search", pattern="x")]  # noqa: E731
    ending = world.run(looking, tokens=tokens, random_usage=True, seed=tokens, turns=1000)
    assert ending.status == "budget_exhausted"
    assert 0 < world.spent == world.server.billed <= tokens


def test_too_many_turns(world: World) -> None:
    """The last turn has to be the result."""
    ending = world.run([[use("list")], [use("list")], DONE], turns=3)
    assert world.server.requests[2]["tool_choice"]["name"] == "submit"
    assert ending.status == "completed"


def test_out_of_turns(world: World) -> None:
    ending = world.run([[use("list")], [use("list")]], turns=2)
    assert ending.status == "budget_exhausted"
    assert "2 turns" in (ending.error or "")


def test_out_of_time(world: World) -> None:
    ending = world.run([DONE], time_s=0.0)
    assert ending.status == "timed_out"
    assert world.server.calls() == []


def test_failures_that_pass_are_tried_again_and_cost_what_they_may_have_cost(world: World) -> None:
    ending = world.run([Answer(status=500), Answer(drop=True), DONE])
    assert ending.status == "completed"
    assert len(world.pauses) == 2
    used = world.ledger.used(NONCE)
    assert used.unknown >= 1000
    assert used.total - used.unknown == world.server.calls()[-1].tokens


def test_the_gate_closes_for_a_429_and_the_call_is_made_again(world: World) -> None:
    ending = world.run([Answer(status=429, retry_after=0.2), DONE])
    assert ending.status == "completed"
    assert world.pauses == []
    refused, answered = world.server.calls(429)[0], world.server.calls()[0]
    assert answered.arrived - refused.arrived >= 0.2
    assert world.ledger.used(NONCE).unknown == 0


def test_failures_that_do_not_pass(world: World) -> None:
    ending = world.run([])
    assert (ending.status, ending.retry) == ("failed", True)
    assert len(world.server.calls(500)) == MOST_FAILURES
    assert world.spent == 0


def test_what_the_provider_will_not_do(world: World) -> None:
    ending = world.run([DONE], key="another")
    assert (ending.status, ending.retry, world.spent) == ("failed", False, 0)


def test_long_answers_of_tools_are_cut(world: World) -> None:
    (world.folder / "b.txt").write_text("y" * 5900)
    world.run([[use("read", path="b.txt")] * 4, DONE], tokens=100_000)
    assert len(world.told(1)) < 14_000
    assert "bytes left out" in world.told(1)


def test_a_tool_that_is_none_is_an_answer(world: World) -> None:
    ending = world.run([[use("fetch", url="http://example.invalid")], DONE])
    assert ending.status == "completed"
    assert "there is no tool" in world.told(1)


def test_no_tool_begins_once_the_time_is_up(world: World) -> None:
    slow = use("run", command='python3 -c "import time; time.sleep(2)"')
    ending = world.run([[slow] * 8], time_s=3.0)
    assert ending.status == "timed_out"
    assert world.record.so_far["resume"]["notes"]
    assert len(world.record.so_far["resume"]["notes"]) < 8
