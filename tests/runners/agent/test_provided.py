"""Agents as runners: whether this host can carry them out."""

import os
from pathlib import Path

import pytest

from cortex_git.llm import NoKey
from cortex_git.runners import ready


def configured(text: str) -> None:
    folder = Path(os.environ["CORTEX_CONFIG_HOME"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text)


@pytest.mark.parametrize("provider", ["claude", "openai"])
def test_without_a_key_it_cannot(provider: str) -> None:
    with pytest.raises(NoKey, match=f"no key for {provider}"):
        ready(provider)


def test_a_server_of_ones_own_may_want_none() -> None:
    configured('[openai]\nbase_url = "http://127.0.0.1:9/v1"\n')
    ready("openai")


def test_another_address_of_claude_wants_one_still() -> None:
    configured('[claude]\nbase_url = "http://127.0.0.1:9"\n')
    with pytest.raises(NoKey):
        ready("claude")
