"""The client of OpenAI-compatible servers against one that speaks chat completions."""

import pytest
from chatworld import ChatServer
from modelworld import Answer, text, use

from cortex_git.config import OpenAI
from cortex_git.llm import Broken, CallFailed, Dropped, NoKey, Rejected, Request, Throttled
from cortex_git.llm.openai import OpenAIServer

TOOL = {"name": "read", "description": "Read a file.", "input_schema": {"type": "object"}}
ASKED = Request("local", "You are a test.", [{"role": "user", "content": [text("hi")]}], 100, tools=[TOOL])


def client_of(server: ChatServer) -> OpenAIServer:
    return OpenAIServer(OpenAI(base_url=server.url, timeout_s=20))


def test_words_tools_and_usage() -> None:
    with ChatServer([[text("I look."), use("read", path="a"), use("read", path="b")]]) as server:
        reply = client_of(server).reply(ASKED)
        assert [block.get("input") for block in reply.content] == [None, {"path": "a"}, {"path": "b"}]
        assert reply.stop == "tool_use"
        assert reply.usage.total == server.billed
        assert server.requests[0]["tools"][0]["function"]["name"] == "read"


def test_a_conversation_is_translated() -> None:
    use_of = {"type": "tool_use", "id": "call_0", "name": "read", "input": {"path": "a"}}
    result = {"type": "tool_result", "tool_use_id": "call_0", "content": "1"}
    messages = [
        *ASKED.messages,
        {"role": "assistant", "content": [text("I look."), use_of]},
        {"role": "user", "content": [result, text("go on")]},
    ]
    with ChatServer([[text("done")]]) as server:
        reply = client_of(server).reply(
            Request("local", "system", messages, 50, must_use="read", tools=[TOOL])
        )
        assert reply.stop == "end_turn"
        sent = server.requests[0]
        assert [one["role"] for one in sent["messages"]] == ["system", "user", "assistant", "tool", "user"]
        assert sent["messages"][2]["tool_calls"][0]["function"]["arguments"] == '{"path": "a"}'
        assert sent["tool_choice"] == {"type": "function", "function": {"name": "read"}}


def test_arguments_that_are_no_json_stay_text() -> None:
    with ChatServer([Answer([{"type": "tool_use", "name": "read", "input": "x"}])]) as server:
        reply = client_of(server).reply(ASKED)
        assert reply.content[0]["input"] == "x"


def test_what_was_read_from_a_cache_counts_once() -> None:
    with ChatServer([Answer([text("yes")], cache_read=5)]) as server:
        usage = client_of(server).reply(ASKED).usage
        assert (usage.cache_read, usage.total) == (5, server.billed)


def test_an_older_server_is_learned_in_one_refusal() -> None:
    with ChatServer([[text("one")], [text("two")]], old=True) as server:
        client = client_of(server)
        with pytest.raises(Broken):
            client.reply(ASKED)
        assert [client.reply(ASKED).content[0]["text"] for _ in range(2)] == ["one", "two"]


def test_a_server_that_does_not_say_what_it_used_counts_at_its_worst() -> None:
    with ChatServer([[text("yes")]], tells_usage=False) as server, pytest.raises(Dropped) as raised:
        client_of(server).reply(ASKED)
    assert raised.value.billed


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(status=429, retry_after=3), Throttled),
        (Answer(status=500), Broken),
        (Answer(status=401), Rejected),
        (Answer([text("half")], drop=True), Dropped),
    ],
    ids=["429", "500", "401", "dropped"],
)
def test_failures_say_what_they_may_have_cost(answer: Answer, kind: type[CallFailed]) -> None:
    with ChatServer([answer]) as server:
        with pytest.raises(kind) as raised:
            client_of(server).reply(ASKED)
        assert raised.value.billed == (kind is Dropped)
        assert "test-key-of-openai" not in str(raised.value)


def test_a_server_of_ones_own_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with ChatServer([[text("yes")]]) as server:
        assert client_of(server).reply(ASKED).content == [text("yes")]
    with pytest.raises(NoKey, match="OPENAI_API_KEY"):
        OpenAIServer(OpenAI())


def test_the_rate_limits_it_tells() -> None:
    headers = {
        "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1m2.5s", "x-ratelimit-limit-tokens": "1000",
    }  # fmt: skip
    with ChatServer([[text("yes")]], headers=headers) as server:
        limits = client_of(server).reply(ASKED).limits
        assert (limits.requests.limit, limits.requests.remaining, limits.requests.reset_s) == (60, 59, 62.5)
        assert limits.tokens.limit == 1000
