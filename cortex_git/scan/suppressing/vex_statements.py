"""What both forms of VEX have in common: statuses, times, texts, and how much of it is read."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from cortex_git.errors import BadInput
from cortex_git.scan.suppressing.statements import Product, Statement, Status

MOST_STATEMENTS = 200_000
MOST_TARGETS = 1_000_000
_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class Parsed:
    """The statements of one document, and what is to be said of those that were left out."""

    statements: tuple[Statement, ...]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Collector:
    """Collects the statements of one document, and counts why others suppress nothing."""

    source: str
    statements: list[Statement] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    targets: int = 0

    def add(
        self,
        number: int,
        ids: Iterable[str],
        status: str,
        targets: Iterable[Product],
        *,
        reason: str = "",
        justification: str = "",
        timestamp: str = "",
    ) -> None:
        """One statement. `not_affected` and `false_positive` need a justification or a text."""
        names = frozenset(name.casefold() for name in ids)
        about = tuple(dict.fromkeys(targets))
        self.targets += len(about)
        if number > MOST_STATEMENTS or self.targets > MOST_TARGETS:
            raise BadInput(
                f"{self.source} says more than is read ({MOST_STATEMENTS:,} statements)", "split it"
            )
        if not names:
            self.left_out["name no vulnerability"] += 1
        elif not about:
            self.left_out["name no package or repository that can be compared"] += 1
        elif status in ("not_affected", "false_positive") and not (reason or justification):
            self.left_out[f"say {status} without a justification"] += 1
        else:
            default = "said to be fixed" if status == "fixed" else justification
            self.statements.append(
                Statement(
                    ids=names,
                    status=cast(Status, status),
                    reason=reason or default or status,
                    source=f"{self.source}: statement {number}",
                    targets=about,
                    justification=justification or None,
                    timestamp=timestamp,
                )
            )

    def unknown_status(self) -> None:
        """One statement whose status is none that is known."""
        self.left_out["have a status that is not known"] += 1

    def parsed(self) -> Parsed:
        """All of it."""
        notes = [
            f"{self.source}: statements that {why}: {count:,}" for why, count in sorted(self.left_out.items())
        ]
        return Parsed(tuple(self.statements), tuple(notes))


def objects(value: object) -> Iterator[dict[str, Any]]:
    """The objects in a list, if it is one."""
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def text(value: object) -> str:
    """A text, shortened; empty for anything else."""
    return value.strip()[:_LENGTH] if isinstance(value, str) else ""


def moment(*values: object) -> str:
    """The first of the values that is a time, in UTC and sortable; empty where none is."""
    for value in values:
        if isinstance(value, str):
            try:
                found = datetime.fromisoformat(value)
                aware = found if found.tzinfo else found.replace(tzinfo=UTC)
                return aware.astimezone(UTC).isoformat(timespec="microseconds")
            except (ValueError, OverflowError):
                continue
    return ""
