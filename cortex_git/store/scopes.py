"""Which tasks a command is about.

Owns how a choice of tasks becomes a condition on the index's tables. Reads nothing itself.
"""

import json
from dataclasses import dataclass

from cortex_git.models import MERGE_SUFFIX


@dataclass(frozen=True, slots=True)
class Scope:
    """Which tasks a command is about: those of a batch, or whose id matches a glob, of one type or any."""

    batch: str | None = None
    glob: str = "*"
    type: str | None = None
    merges: bool = True
    """Whether the last tasks of batches are meant too."""
    without: tuple[str, ...] = ()
    """Worker types that are not meant."""
    apart: tuple[str, ...] = ()
    """Tasks that are not meant."""

    @property
    def where(self) -> tuple[str, list[str]]:
        """The condition on table `tasks` or `open_tasks` as `t`, and its parameters."""
        clauses: list[str] = []
        values: list[str] = []
        if self.glob != "*":
            clauses.append("t.task GLOB ?")
            values.append(self.glob)
        if self.batch is not None:
            clauses.append("t.batch = ?")
            values.append(self.batch)
        if self.type is not None:
            clauses.append("t.type = ?")
            values.append(self.type)
        if self.without:
            clauses.append(f"t.type NOT IN ({','.join('?' * len(self.without))})")
            values += self.without
        if self.apart:
            clauses.append("t.task NOT IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(self.apart))
        if not self.merges:
            clauses.append(f"t.task NOT LIKE '%{MERGE_SUFFIX}'")
        return " AND ".join(clauses) or "1", values
