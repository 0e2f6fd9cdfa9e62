"""An aggregate for people, as Markdown.

Must never let a source write Markdown: whatever workers chose stands in code.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from cortex_git.results.aggregation import Aggregate
from cortex_git.results.aggregation.canonical import canonical
from cortex_git.scan.reports.escape import clip, markdown_cell

_CELL_LIMIT = 300


def to_markdown(aggregate: Aggregate) -> str:
    """The whole aggregate; ends with one newline."""
    count = len(aggregate.voices)
    lines = [f"# {count} result{'' if count == 1 else 's'} made one by `{aggregate.strategy}`"]
    return "\n\n".join([*lines, _sources(aggregate)]) + "\n"


def _sources(aggregate: Aggregate) -> str:
    rows = [(_cell(v.task), _cell(v.expert), f"{v.confidence:g}") for v in aggregate.voices]
    return "## Sources\n\n" + _table(("Task", "Expert", "Confidence"), rows)


def _cell(value: Any) -> str:
    return markdown_cell(clip(value if isinstance(value, str) else canonical(value), _CELL_LIMIT))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, ["---"] * len(header), *rows])
