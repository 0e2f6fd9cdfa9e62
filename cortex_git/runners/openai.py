"""The `openai` runner: an agent on the models of an OpenAI-compatible server.

Owns the choice of the client. What an agent does is `agent`'s.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from cortex_git.config import load_host_settings
from cortex_git.runners import RunContext, RunOutcome

PROVIDER = "openai"


def preload() -> None:
    """Import the SDK, over two seconds on a small machine, and all that an attempt needs."""
    from cortex_git.llm.clients import preload as preload_client

    preload_client(PROVIDER)
    import_module("cortex_git.runners.agent.attempt").preload()


def ready(_given: str = "") -> None:
    """Raises NoKey where this host has no key for the provider that it may use."""
    from cortex_git.llm.keys import key_for

    key_for(PROVIDER, load_host_settings().openai)


def run(task: Mapping[str, Any], context: RunContext) -> RunOutcome:
    """Carry out the task with a model. Raises NoKey."""
    from cortex_git.llm.clients import client
    from cortex_git.runners.agent import attempt

    return attempt.run(client(PROVIDER, load_host_settings()), task, context)
