"""What is sent, and the bound of what it costs."""

import json
from typing import Any

import pytest

from cortex_git.llm import Reply, Usage
from cortex_git.runners.agent.conversation import SLACK, Conversation, text_of

TOOL = {"name": "read", "description": "Read a file", "input_schema": {"type": "object"}}
USE = {"type": "tool_use", "id": "u1", "name": "read", "input": {"path": "a"}}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def conversation(first: str = "Task") -> Conversation:
    return Conversation("model", "system", [TOOL], first)


def reply(*content: dict[str, Any], stop: str = "end_turn", usage: Usage | None = None) -> Reply:
    return Reply(list(content), stop, usage or Usage(100, 20, 30, 40))


def sent(talk: Conversation) -> bytes:
    request = talk.request(10)
    return json.dumps(
        [request.system, list(request.tools), list(request.messages)], ensure_ascii=False
    ).encode()


def test_the_first_bound_holds_every_byte_of_the_request() -> None:
    talk = conversation("übergroß " * 100)
    assert talk.bound > len(sent(talk))


def test_a_count_of_the_provider_wins_where_it_is_less() -> None:
    talk = conversation("Task " * 500)
    before = talk.bound
    talk.counted(10_000_000)
    assert (talk.bound, talk.is_counted) == (before, False)
    talk.counted(700)
    assert (talk.bound, talk.is_counted) == (700 + SLACK, True)


def test_after_an_answer_only_what_was_added_is_bounded_by_its_bytes() -> None:
    talk = conversation()
    assert talk.answered(reply(text("I look"), USE, stop="tool_use")) == [USE]
    result = {"type": "tool_result", "tool_use_id": "u1", "content": "x" * 500}
    talk.say([result])
    known = Usage(100, 20, 30, 40).total
    assert known + 500 < talk.bound < known + 500 + 250
    assert not talk.is_counted


def test_requests_stay_as_they_were_made() -> None:
    talk = conversation()
    request = talk.request(10)
    talk.answered(reply(text("Hello")))
    talk.say([text("Go on")])
    talk.say([text("and on")])
    assert [message["role"] for message in request.messages] == ["user"]
    assert [message["role"] for message in talk.request(10).messages] == ["user", "assistant", "user"]
    assert len(talk.request(10).messages[2]["content"]) == 2


@pytest.mark.parametrize("stop", ["max_tokens", "model_context_window_exceeded"])
def test_a_tool_that_was_cut_off_is_neither_used_nor_sent_back(stop: str) -> None:
    talk = conversation()
    signed = {"type": "thinking", "thinking": "t", "signature": "s"}
    assert talk.answered(reply(signed, {"type": "thinking", "thinking": "half"}, USE, stop=stop)) == []
    assert talk.request(10).messages[1]["content"] == [signed]


def test_an_answer_of_nothing_is_something_that_can_be_sent_back() -> None:
    talk = conversation()
    assert talk.answered(reply(text(" "))) == []
    talk.say([text("Go on")])
    assert [message["role"] for message in talk.request(10).messages] == ["user", "assistant", "user"]
    assert all(block["text"].strip() for message in talk.request(10).messages for block in message["content"])


def test_a_pause_is_taken_up_without_a_word_between() -> None:
    talk = conversation()
    talk.answered(reply(text("First"), stop="pause_turn"))
    talk.answered(reply(text("second")))
    assert text_of(talk.request(10).messages[1]["content"]) == "First\nsecond"


@pytest.mark.parametrize("odd", [{"name": None}, {"id": None}, {"id": ""}, {"name": 5}])
def test_a_use_of_a_tool_that_cannot_be_answered_is_left_out(odd: dict[str, Any]) -> None:
    talk = conversation()
    unnamed = {key: value for key, value in {**USE, **odd}.items() if value is not None}
    assert talk.answered(reply({"type": "text"}, unnamed, USE)) == [USE]
    assert talk.request(10).messages[-1]["content"] == [USE]
    assert text_of([{"type": "text"}, text("words")]) == "words"
