"""An aggregate for people, as Markdown.

Must never let a source write Markdown: whatever workers chose stands in code, prose too.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cortex_git.results.aggregation import Aggregate, Contradiction, Section
from cortex_git.results.aggregation.canonical import MOST_DEPTH, canonical, joined
from cortex_git.results.aggregation.fields import FINDINGS, PROSE
from cortex_git.scan.reports.escape import clip, markdown_cell, markdown_code, visible

_CELL_LIMIT = 300
_MOST_ROWS = 500
"""Rows of one table; the document has them all."""
_BACKTICKS = re.compile("`+")
_Row = Sequence[str]


def to_markdown(aggregate: Aggregate) -> str:
    """The whole aggregate, contradictions before what is agreed; ends with one newline."""
    count = len(aggregate.voices)
    parts = [
        f"# {count} result{'' if count == 1 else 's'} made one by `{aggregate.strategy}`",
        _sources(aggregate),
        _table_of("Not included", ("Task", "Reason"), _missing(aggregate)),
        _table_of(
            "Contradictions", ("Field", "Chosen", "Instead of", "Why"), _chosen(aggregate.contradictions)
        ),
        _table_of("Findings", ("Severity", "Finding", "Fixed in", "Seen by"), _findings(aggregate)),
        _table_of("Fields", ("Field", "Value", "Said by"), _fields(aggregate)),
        _table_of("Blended", ("Field", "Of", "How"), _blended(aggregate.blended)),
        *(_prose(aggregate, field) for field in PROSE),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _sources(aggregate: Aggregate) -> str:
    rows = ((_cell(v.task), _cell(v.expert), f"{v.confidence:g}") for v in aggregate.voices)
    return _table_of("Sources", ("Task", "Expert", "Confidence"), rows)


def _missing(aggregate: Aggregate) -> Iterator[_Row]:
    for task, reason in aggregate.missing.items():
        yield (_cell(task), _cell(reason))


def _chosen(contradictions: Iterable[Contradiction]) -> Iterator[_Row]:
    for one in contradictions:
        field = _cell(one.field.rpartition(".")[2] if one.finding else one.field)
        named = f"{field} of {_cell(one.finding)}" if one.finding else field
        yield (named, _side(one, 0), _sides(one, 1), one.reason)


def _blended(blended: Iterable[Contradiction]) -> Iterator[_Row]:
    for one in blended:
        yield (_cell(one.field), _sides(one, 0), one.reason)


def _sides(one: Contradiction, first: int) -> str:
    return "; ".join(_side(one, at) for at in range(first, len(one.sides)))


def _side(one: Contradiction, at: int) -> str:
    side = one.sides[at]
    return f"{_cell(canonical(side.value))} ({_names(side.sources)}, {side.confidence:g})"


def _findings(aggregate: Aggregate) -> Iterator[_Row]:
    """Those at the output's first level and, under their field's name, any below it."""
    for field, value in _leaves(aggregate.output, ()):
        if _lists_findings(field, value):
            for one in value:
                yield (
                    _cell(one.get("severity") or ""),
                    _shown(one),
                    _cell(one.get("fixed") or ""),
                    _seen(one),
                )


def _shown(finding: Mapping[str, Any]) -> str:
    if isinstance(finding.get("id"), str):
        words = [finding["id"], *(finding.get(key) for key in ("ecosystem", "package", "version", "repo"))]
        return " ".join(_cell(word) for word in words if word)
    bare = {key: value for key, value in finding.items() if key not in ("sources", "count", "variants")}
    return _cell(canonical(bare))


def _seen(finding: Mapping[str, Any]) -> str:
    return _names(finding["sources"])


def _fields(aggregate: Aggregate) -> Iterator[_Row]:
    everybody = "all" if len(aggregate.voices) > 1 else ""
    settled = {one.field for one in (*aggregate.contradictions, *aggregate.blended)}
    for path, value in _leaves(aggregate.output, ()):
        if _lists_findings(path, value) or (len(path) == 1 and path[0] in PROSE):
            continue
        owners = [
            whose for at in range(len(path), 0, -1) if (whose := aggregate.said_by.get(joined(path[:at])))
        ]
        who = "" if joined(path) in settled else _names(owners[0]) if owners else everybody
        yield (_cell(joined(path)), _cell(value), who)


def _leaves(value: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, item in value.items():
        below = (*path, key)
        if isinstance(item, Mapping) and item and len(below) < MOST_DEPTH:
            yield from _leaves(item, below)
        else:
            yield below, item


def _lists_findings(path: tuple[str, ...], value: Any) -> bool:
    """Whether it is a list of merged findings, not a list that was chosen among other values."""
    named = path[-1] == FINDINGS and isinstance(value, list | tuple)
    return named and all(isinstance(one, Mapping) and "sources" in one and "count" in one for one in value)


def _prose(aggregate: Aggregate, field: str) -> str:
    sections = aggregate.sections.get(field)
    title = f"## {field.capitalize()}"
    if sections:
        return "\n\n".join([title, *(block for one in sections for block in _section(one))])
    value = aggregate.output.get(field)
    text = value if isinstance(value, str) else "" if value is None else canonical(value)
    return f"{title}\n\n{_block(text)}" if text.strip() else ""


def _section(section: Section) -> Iterator[str]:
    heading = " / ".join(markdown_code(clip(title, _CELL_LIMIT)) or "untitled" for title in section.path)
    yield f"### {heading}"
    for paragraph in section.paragraphs:
        yield f"{_names(paragraph.sources)}:\n\n{_block(paragraph.text)}"


def _block(text: str) -> str:
    """A code block: there neither HTML, links, mentions nor images are read."""
    lines = [visible(line) for line in text.split("\n")]
    longest = max((len(run) for line in lines for run in _BACKTICKS.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}text", *lines, fence])


def _names(tasks: Iterable[str]) -> str:
    return ", ".join(_cell(task) for task in tasks)


def _cell(value: Any) -> str:
    return markdown_cell(clip(value if isinstance(value, str) else canonical(value), _CELL_LIMIT))


def _table_of(title: str, header: _Row, rows: Iterable[_Row]) -> str:
    """A heading and a table, nothing where there are no rows."""
    found = list(rows)
    if not found:
        return ""
    lines = [f"| {' | '.join(cells)} |" for cells in [header, ["---"] * len(header), *found[:_MOST_ROWS]]]
    more = f"\n\n{len(found) - _MOST_ROWS} more are in the result." if len(found) > _MOST_ROWS else ""
    return f"## {title}\n\n" + "\n".join(lines) + more
