"""Recording exchanges and playing them back."""

import os
from pathlib import Path

import pytest
from modelworld import MessagesServer, text, use

from cortex_git.config import HostSettings, Provider
from cortex_git.errors import BadInput
from cortex_git.llm import Rejected, Request
from cortex_git.llm.clients import client
from cortex_git.llm.recording import Replay

ASKED = Request("claude-test", "", [{"role": "user", "content": [text("hi")]}], 100)


def test_what_was_recorded_is_played_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "recording.jsonl"
    monkeypatch.setenv("CORTEX_RECORD", str(path))
    with MessagesServer([[use("read", path="a")], [text("done")]]) as server:
        recorded = client("claude", HostSettings(claude=Provider(base_url=server.url)))
        replies = [recorded.reply(ASKED) for _ in range(2)]
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert "test-key-of-claude" not in path.read_text()
    replay = Replay(path)
    again = [replay.reply(ASKED) for _ in range(2)]
    assert [(one.content, one.stop, one.usage) for one in again] == [
        (one.content, one.stop, one.usage) for one in replies
    ]
    with pytest.raises(Rejected, match="no further answer"):
        replay.reply(ASKED)


@pytest.mark.parametrize(
    "content",
    [
        *("", "{}", "no json", '{"schema": 1, "reply": {}}', '{"schema": 99}', "[]", "[" * 100_000),
        '{"schema": 1, "reply": {"content": [], "stop": "end_turn", "usage": {"input": -9}}}',
        '{"schema": 1, "reply": {"content": [], "stop": "end_turn", "usage": {"input": "9"}}}',
    ],
    ids=range(9),
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "recording.jsonl"
    path.write_text(content)
    with pytest.raises(BadInput):
        Replay(path)


def test_a_recording_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        Replay(tmp_path / "none")
