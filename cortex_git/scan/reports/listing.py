"""Lists in plain lines: a title with the number, the first entries, and how many more there are.

Everything here is escaped for a terminal.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from cortex_git.scan.reports.escape import clip, terminal

Entry = TypeVar("Entry")
SHOWN = 20
_TEXT_LIMIT = 300


def listed(
    title: str, entries: Sequence[Entry], line: Callable[[Entry], str], limit: int | None = SHOWN
) -> list[str]:
    """`title (N):` and a line for each of the first `limit` entries, of all for None; nothing for none."""
    if not entries:
        return []
    shown = entries if limit is None else entries[:limit]
    lines = [f"{title} ({len(entries):,}):", *(f"  - {line(one)}" for one in shown)]
    if len(entries) > len(shown):
        lines.append(f"  ... and {len(entries) - len(shown):,} more (see --format json)")
    return lines


def joined(texts: Iterable[str]) -> str:
    """The texts of one entry, each bounded and escaped."""
    return ": ".join(map(clipped, texts))


def clipped(text: str) -> str:
    """The text bounded and escaped."""
    return terminal(clip(text, _TEXT_LIMIT))
