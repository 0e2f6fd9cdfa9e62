"""What this host published today, by status: counted from the commits on its own result ref.

Owns the count. It begins from git and adds only what is new since, so there is nothing that could drift.
"""

from collections import Counter
from datetime import date, datetime

from cortex_git.gitio import GitFailed
from cortex_git.store.repository import Repository


class PublishedToday:
    """Results of this host by status since its local midnight. Used from one thread."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._day: date | None = None
        self._tip = ""
        self.latest: Counter[str] = Counter()
        """As of the last call of `counts`, which needs no git."""

    def counts(self) -> Counter[str]:
        """Up to date with the last acknowledged push of this clone; one git call where that is new."""
        today = datetime.now().astimezone().date()
        key = f"tip {self._repository.host}"
        row = self._repository.state.execute("SELECT value FROM own WHERE key = ?", (key,)).fetchone()
        tip = row[0] if row else ""
        if today != self._day:
            self._day, self._tip, self.latest = today, "", Counter()
        if tip and tip != self._tip:
            self._add(tip)
        return self.latest

    def _add(self, tip: str) -> None:
        try:
            new = self._published(tip, self._tip)
        except GitFailed:  # what was counted up to is gone: all of today is counted anew
            self.latest.clear()
            new = self._published(tip, "")
        self.latest += new
        self._tip = tip

    def _published(self, tip: str, after: str) -> Counter[str]:
        midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        revisions = [tip, f"^{after}"] if after else [tip]
        author = f"--author=<{self._repository.host}@"
        out = self._repository.git.text(
            "log", "--no-show-signature", "--fixed-strings", author, f"--since={int(midnight)}",
            "--format=%ct %s", *revisions, "--",
        )  # fmt: skip
        found: Counter[str] = Counter()
        for line in out.splitlines():
            at, _, subject = line.partition(" ")
            words = subject.rsplit(" ", 2)
            if subject.startswith("feat(") and len(words) == 3 and int(at) >= midnight:
                found[words[1]] += 1
        return found
