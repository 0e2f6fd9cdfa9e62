"""The rate gates of the providers in use: what the account may ask, and this host's part of it.

Owns when a gate is told the settings and the number of hosts. Whether a call may go out is the gate's own
business.
"""

from cortex_git.config import Rate
from cortex_git.limits.gate import Gate
from cortex_git.runners import split_name
from cortex_git.store.repository import Repository

_PROVIDERS = ("claude", "openai")
"""Runners that call a provider through its gate, which has the same name."""


class Gates:
    """The gates that one run's attempts pass."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._used: dict[str, Gate] = {}
        self._hosts = 1

    def use(self, runner: str, hosts: int) -> None:
        """An attempt of that runner is about to begin, while so many hosts live."""
        name = split_name(runner)[0]
        if name in _PROVIDERS and name not in self._used:
            gate = self._used[name] = Gate(self._repository.durable_state, name)
            gate.configure(self._repository.settings.rates.get(name, Rate()), hosts)
            self._hosts = hosts

    def share(self, hosts: int) -> None:
        """So many hosts live now."""
        if hosts != self._hosts:
            self._hosts = hosts
            for gate in self._used.values():
                gate.share(hosts)

    def workers_fed(self) -> int | None:
        """How many workers the limits feed, by the tightest; None where nothing is known."""
        fed = [found for gate in self._used.values() if (found := gate.workers_fed()) is not None]
        return min(fed, default=None)
