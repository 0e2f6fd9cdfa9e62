"""Message batches of Claude: many calls handed in at once, answered within a day, at a lower price.

Owns the words of it that are ours; `claude` makes the requests.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cortex_git.llm import CallFailed, Reply, Request

MOST_REQUESTS = 10_000
"""Calls of one batch of ours; the provider takes up to 100,000 of them, or 256 MB."""


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """A batch at the provider. `ended`: all its answers can be had."""

    id: str
    ended: bool
    processing: int
    """Calls that are not answered yet."""
    cancelled: bool = False


class Batches(Protocol):
    """Message batches of a provider. Calls raise CallFailed."""

    provider: str

    def count(self, request: Request) -> int | None:
        """Input tokens of a request as the provider counts them; None where it cannot say."""
        ...

    def create_batch(self, requests: Mapping[str, Request]) -> BatchStatus:
        """Hand in calls by their custom id (1 to 64 of `[a-zA-Z0-9_-]`)."""
        ...

    def batch(self, name: str) -> BatchStatus:
        """How a batch stands."""
        ...

    def recent_batches(self, most: int = 100) -> Sequence[BatchStatus]:
        """The batches handed in last, whoever did, the newest first."""
        ...

    def batch_results(self, name: str) -> Iterator[tuple[str, Reply | CallFailed]]:
        """The answers of a batch that has ended, in any order."""
        ...

    def cancel_batch(self, name: str) -> None:
        """Have what is not answered yet left undone."""
        ...
