"""What this host published today, by status: counted from what became of its tasks.

Owns the count. It begins from the results themselves, so there is nothing that could drift.
"""

from collections import Counter
from datetime import UTC, datetime

from cortex_git.store.outcomes import since
from cortex_git.store.repository import Repository


class PublishedToday:
    """Results of this host by status since its local midnight. Used from one thread."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.latest: Counter[str] = Counter()
        """As of the last call of `counts`, which needs no git."""

    def counts(self) -> Counter[str]:
        """Up to date with the last acknowledged push of this clone; one git call where that is new."""
        midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        at = midnight.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.latest = since(self._repository, self._repository.host, at)
        return self.latest
