"""Claude's client against a server that speaks the Messages API."""

import socket

import pytest
from modelworld import Answer, MessagesServer, count_tokens, text, use

from cortex_git.config import Provider
from cortex_git.llm import Broken, CallFailed, Dropped, NotSent, Rejected, Reply, Request, Throttled, Usage
from cortex_git.llm.claude import Claude, parameters

TOOL = {"name": "read", "description": "Read a file.", "input_schema": {"type": "object"}}


def asked(words: str = "hello", **changes: object) -> Request:
    values = {
        "model": "claude-test", "system": "You are a test.", "max_output": 100, "tools": [TOOL],
        "messages": [{"role": "user", "content": [text(words)]}],
    }  # fmt: skip
    return Request(**{**values, **changes})  # type: ignore[arg-type]


def client_of(server: MessagesServer, timeout_s: float = 20.0) -> Claude:
    return Claude(Provider(base_url=server.url, timeout_s=timeout_s))


def test_an_answer_with_words_and_a_tool() -> None:
    with MessagesServer([[text("I look."), use("read", path="a.py")]]) as server:
        reply = client_of(server).reply(asked())
        assert [block["type"] for block in reply.content] == ["text", "tool_use"]
        assert reply.content[1]["input"] == {"path": "a.py"}
        assert reply.stop == "tool_use"
        assert reply.usage.total == server.billed > 0
        assert reply.request_id


def test_what_is_worth_caching_is_marked() -> None:
    body = parameters(asked())
    assert body["system"][-1]["cache_control"] == body["tools"][-1]["cache_control"] == {"type": "ephemeral"}
    assert body["messages"][-1]["content"][-1]["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in asked().messages[0]["content"][0], "the conversation itself is left alone"


def test_cache_writes_and_reads_are_counted_apart() -> None:
    with MessagesServer([Answer([text("yes")], cache_read=20, cache_write=10, output=7)]) as server:
        usage = client_of(server).reply(asked()).usage
        counted = count_tokens(parameters(asked()))
        assert usage == Usage(input=counted - 30, output=7, cache_write=10, cache_read=20)


def test_a_tool_conversation_is_what_the_server_wants() -> None:
    """It checks that roles take turns and each use of a tool has its result; thinking goes back as it was."""
    thought = {"type": "thinking", "thinking": "hm", "signature": "sealed"}
    with MessagesServer([[thought, use("read", path="a")], [text("done")]]) as server:
        client = client_of(server)
        first = client.reply(asked())
        result = {"type": "tool_result", "tool_use_id": first.content[1]["id"], "content": "1"}
        messages = [
            *asked().messages,
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": [result]},
        ]
        assert client.reply(asked(messages=messages)).content == [text("done")]
        assert server.requests[1]["messages"][1]["content"][0] == thought


def test_the_result_can_be_demanded() -> None:
    with MessagesServer([[use("read", path="a")]]) as server:
        client_of(server).reply(asked(must_use="read"))
        assert server.requests[0]["tool_choice"] == {"type": "tool", "name": "read"}


def test_counting_is_what_is_billed_later() -> None:
    with MessagesServer([[text("yes")]]) as server:
        client = client_of(server)
        assert client.count(asked()) == client.reply(asked()).usage.input


def test_a_server_that_does_not_count() -> None:
    with MessagesServer([], counting=False) as server:
        assert client_of(server).count(asked()) is None


@pytest.mark.parametrize(
    ("answer", "kind", "billed", "again"),
    [
        (Answer(status=429, retry_after=7.5), Throttled, False, True),
        (Answer(status=529), Throttled, False, True),
        (Answer(status=500), Broken, False, True),
        (Answer(status=503), Broken, False, True),
        (Answer(status=400), Rejected, False, False),
        (Answer(status=404), Rejected, False, False),
        (Answer([text("half of it")], drop=True), Dropped, True, True),
        (Answer([text("late")], hang_s=5.0), Dropped, True, True),
        (Answer([text("late")], delay_s=5.0), Dropped, True, True),
    ],
    ids=["429", "529", "500", "503", "400", "404", "dropped", "silent within", "silent before"],
)
def test_failures_say_what_they_may_have_cost(
    answer: Answer, kind: type[CallFailed], billed: bool, again: bool
) -> None:
    with MessagesServer([answer, [text("never asked for")]]) as server:
        with pytest.raises(kind) as raised:
            client_of(server, timeout_s=1.0).reply(asked())
        assert (raised.value.billed, raised.value.again) == (billed, again)
        assert len([one for one in server.log if one.path == "/v1/messages"]) == 1, "nothing is tried again"
        if isinstance(raised.value, Throttled):
            assert raised.value.retry_after_s == answer.retry_after


def test_a_server_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotSent, match=r"127\.0\.0\.1 cannot be reached"):
        Claude(Provider(base_url=f"http://127.0.0.1:{port}")).reply(asked())


def test_a_wrong_key_names_where_it_is_from_and_not_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with MessagesServer([], key="the right one") as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "the-wrong-one")
        with pytest.raises(Rejected, match="ANTHROPIC_API_KEY") as raised:
            client_of(server).reply(asked())
        assert "the-wrong-one" not in str(raised.value)


def test_a_token_in_the_place_of_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "a-token")
    with MessagesServer([[text("yes")]], key="a-token") as server:
        assert client_of(server).reply(asked()).content == [text("yes")]


def test_the_address_of_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    with MessagesServer([[text("yes")]]) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        assert Claude(Provider()).reply(asked()).content == [text("yes")]


def test_answers_and_refusals_tell_the_rate_limits() -> None:
    with MessagesServer(requests_per_minute=1, tokens_per_minute=5000) as server:
        client = client_of(server)
        limits = client.reply(asked()).limits
        assert (limits.requests.limit, limits.requests.remaining) == (1, 0)
        assert limits.tokens.limit == 5000
        with pytest.raises(Throttled) as raised:
            client.reply(asked())
        assert raised.value.limits.requests.limit == 1
        assert raised.value.limits.requests.reset_s is not None


def test_on_sent_comes_before_the_request_and_may_prevent_it() -> None:
    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    with MessagesServer([[text("yes")]]) as server:
        with pytest.raises(Stop):
            client_of(server).reply(asked(), stop)
        assert server.log == []


def test_batches_are_handed_in_looked_at_and_read() -> None:
    answers = [[text("one")], Answer(status=500), Answer(status=410), [text("four")]]
    with MessagesServer(answers) as server:
        client = client_of(server)
        status = client.create_batch({f"task-{number}": asked(f"number {number}") for number in range(4)})
        assert client.batch(status.id).ended
        assert [one.id for one in client.recent_batches()] == [status.id]
        found = dict(client.batch_results(status.id))
        assert set(found) == {"task-0", "task-1", "task-2", "task-3"}
        done = [one for one in found.values() if isinstance(one, Reply)]
        assert sorted(one.content[0]["text"] for one in done) == ["four", "one"]
        failed = [one for one in found.values() if isinstance(one, CallFailed)]
        assert [one.billed for one in failed] == [False, False]
        assert sum(one.usage.total for one in done) == server.billed


def test_a_cancelled_batch_is_left_undone() -> None:
    with MessagesServer([[text("one")]], batch_delay_s=1000) as server:
        client = client_of(server)
        status = client.create_batch({"task": asked()})
        assert not client.batch(status.id).ended
        client.cancel_batch(status.id)
        assert [type(one) for _, one in client.batch_results(status.id)] == [Broken]
