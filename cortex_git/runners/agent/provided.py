"""An agent as a runner: the same for every provider but for its client and where its key is from.

Owns what is loaded when. What an agent does is `attempt`'s.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from cortex_git.config import HostSettings, Provider, load_host_settings
from cortex_git.llm.keys import Key
from cortex_git.llm.places import is_here
from cortex_git.runners import RunContext, RunOutcome

_SENSITIVE = "it is sensitive (add it with --not-sensitive where it is not)"


class Provided:
    """The runner of one provider; `key` finds its key among this host's settings, or raises NoKey."""

    def __init__(
        self, provider: str, settings: Callable[[HostSettings], Provider], key: Callable[[Provider], Key]
    ) -> None:
        self._provider = provider
        self._settings = settings
        self._key = key

    def preload(self) -> None:
        """Import the SDK, over two seconds on a small machine, and all that an attempt needs."""
        from cortex_git.llm.clients import preload

        preload(self._provider)
        import_module("cortex_git.runners.agent.attempt")

    def ready(self, _given: str = "") -> None:
        """Raises NoKey where this host has no key for the provider that it may use."""
        self._key(self._settings(load_host_settings()))

    def run(self, task: Mapping[str, Any], context: RunContext) -> RunOutcome:
        """Carry out the task with a model. Raises NoKey.

        A sensitive one only goes to a server of this machine.
        """
        from cortex_git.llm.clients import client
        from cortex_git.runners.agent import attempt

        host = load_host_settings()
        if task.get("sensitive") and not is_here(self._provider, self._settings(host)):
            return RunOutcome("failed", error=f"{_SENSITIVE}, and {self._provider} is not on this machine")
        return attempt.run(client(self._provider, host), task, context)
