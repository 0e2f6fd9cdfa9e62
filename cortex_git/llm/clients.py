"""Which client a provider's name means. Loads an SDK only when its provider is asked for."""

import os
from pathlib import Path

from cortex_git.config import HostSettings
from cortex_git.errors import BadInput
from cortex_git.llm import Client
from cortex_git.llm.batching import Batches

RECORD = "CORTEX_RECORD"
"""Environment variable: a file that every exchange is written to, for `--runner replay=FILE`."""
PROVIDERS = ("claude", "openai")


def client(name: str, settings: HostSettings) -> Client:
    """A client of the provider. Raises NoKey, EnvironmentProblem without its SDK, BadInput otherwise."""
    found: Client
    if name == "claude":
        from cortex_git.llm.claude import Claude

        found = Claude(settings.claude)
    elif name == "openai":
        from cortex_git.llm.openai import OpenAIServer

        found = OpenAIServer(settings.openai)
    else:
        raise BadInput(f"no provider is called {name!r}", f"use one of {', '.join(PROVIDERS)}")
    if path := os.environ.get(RECORD):
        from cortex_git.llm.recording import Recorder

        return Recorder(found, Path(path))
    return found


def batches(settings: HostSettings) -> Batches:
    """Claude's message batches. Raises NoKey."""
    from cortex_git.llm.claude import Claude

    return Claude(settings.claude)


def preload(name: str) -> None:
    """Import what the provider's client needs, for processes that are forked from this one."""
    from importlib import import_module

    import_module(f"cortex_git.llm.{name}")
