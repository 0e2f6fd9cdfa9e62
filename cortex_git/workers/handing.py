"""Provider's batches from their making to their end: made once, found again, asked for until they have ended.

Owns the search for a batch whose making was not acknowledged. Must never make a batch a second time while
the first may be there.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from cortex_git.limits.provider_batches import Call, Handed, ProviderBatches
from cortex_git.llm import CallFailed, Rejected, Reply, Request
from cortex_git.llm.batching import Batches
from cortex_git.store.repository import Repository

_KEPT = timedelta(days=29)
"""How long the provider keeps answers."""
_LOOKS = 2
"""Looks at the provider's list, in rounds of their own, before a batch counts as never made."""


class Handing:
    """The provider's batches of one command. Calls of the provider raise CallFailed."""

    def __init__(self, repository: Repository, client: Batches) -> None:
        self._repository = repository
        self._client = client
        self._looks: dict[int, int] = {}
        self._others: set[str] = set()
        """Batches of the account that hold none of our calls."""

    @property
    def rows(self) -> ProviderBatches:
        return ProviderBatches(self._repository.durable_state)

    def hand_in(self, calls: Sequence[tuple[Call, Request]]) -> Handed:
        """Write the calls down, then have the provider make a batch of them.

        Raises Rejected where it will not: then none was made. Whatever else goes wrong, `find` sees to it.
        """
        handed = self.rows.hand_in(self._client.provider, calls)
        self.make(handed)
        return handed

    def make(self, handed: Handed) -> None:
        """Have the provider make the batch, known not to be there."""
        self._looks[handed.id] = 0
        status = self._client.create_batch(self.rows.requests(handed.id))
        self.rows.made(handed.id, status.id)

    def find(self, handed: Handed) -> bool:
        """Look for a batch that may have been made unseen; whether it is now certain that it was not."""
        found = self._found(handed)
        if found:
            self.rows.made(handed.id, found)
        if found is not None:
            self._looks[handed.id] = 0
            return False
        self._looks[handed.id] = self._looks.get(handed.id, 0) + 1
        return self._looks[handed.id] >= _LOOKS

    def _found(self, handed: Handed) -> str | None:
        """The provider's id of it, empty where one is still at work that may be it, None where none is."""
        ours = {call.nonce for call in handed.calls}
        known = self.rows.names() | self._others
        perhaps: str | None = None
        for status in self._client.recent_batches():
            if status.id in known:
                continue
            if not status.ended:
                # Only the number of its calls can be seen until then.
                perhaps = "" if status.processing == len(ours) else perhaps
                continue
            if any(name in ours for name, _ in self._first(status.id)):
                return status.id
            self._others.add(status.id)
        return perhaps

    def _first(self, name: str) -> Iterator[tuple[str, Reply | CallFailed]]:
        """One answer: a batch is ours as a whole or not at all. None where the answers are kept no longer."""
        try:
            yield from islice(self._client.batch_results(name), 1)
        except Rejected:
            return

    def answers(self, handed: Handed) -> Mapping[str, Reply | CallFailed] | None:
        """The answers of a batch by nonce; None while it is at work, none of one that is kept no longer."""
        if handed.name is None:
            return None
        try:
            if not self._client.batch(handed.name).ended:
                return None
            return dict(self._client.batch_results(handed.name))
        except Rejected:
            if datetime.now(UTC) - datetime.fromisoformat(handed.intended_at) > _KEPT:
                return {}
            raise
