"""A sensitive text goes to a provider on this machine, and to no other."""

import pytest

from cortex_git.config import Provider
from cortex_git.llm.keys import openai_key
from cortex_git.llm.places import is_here
from cortex_git.runners import RunContext
from cortex_git.runners.agent.provided import Provided


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://127.0.0.1:8080/v1", True),
        ("http://[::1]:8080", True),
        ("http://localhost", True),
        ("https://api.example", False),
        ("https://127.0.0.1.example", False),
        ("https://localhost@api.example", False),
        ("http://10.0.0.1", False),
        ("nonsense", False),
        ("http://[", False),
        (None, False),
    ],
)
def test_is_here(address: str | None, here: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert is_here("openai", Provider(base_url=address)) is here
    if address:
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        assert is_here("openai", Provider()) is here


def test_a_sensitive_task_is_not_sent_away() -> None:
    away = Provider(base_url="https://x.example")
    runner = Provided("openai", lambda _: away, openai_key)
    outcome = runner.run({"task": "t", "sensitive": True}, RunContext("w", 1, 60.0, 100))
    assert outcome.status == "failed"
    assert "not on this machine" in (outcome.error or "")
    assert not outcome.retry
