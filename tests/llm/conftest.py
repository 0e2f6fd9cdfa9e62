"""A key for each provider."""

import pytest


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key-of-claude")
    monkeypatch.setenv("OPENAI_API_KEY", "test-key-of-openai")
