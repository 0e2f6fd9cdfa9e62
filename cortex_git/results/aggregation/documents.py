"""An aggregate as the output of a result, and the sources read from it again.

Owns that form. What is read may have been written by anyone who can push.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from cortex_git.results.aggregation import Aggregate, Contradiction, Paragraph, Section, Side, Source
from cortex_git.results.aggregation.canonical import MOST_DEPTH, joined
from cortex_git.results.aggregation.fields import FINDINGS
from cortex_git.results.aggregation.findings import variants_of
from cortex_git.results.aggregation.prose import prose_of

RESERVED = frozenset(
    {"strategy", "sources", "contradictions", "blended", "said_by", "own", "sections", "missing"}
)
"""Names that an aggregate's output uses itself; a source's fields of these names are kept by task."""
_MOST_PARTS = 50_000_000
"""Values in an aggregate times its sources: each may get its own copy of what all say."""


class Unreadable(ValueError):
    """An output that is no aggregate, or a damaged one."""


def to_output(aggregate: Aggregate) -> dict[str, Any]:
    """The aggregate as the output of a result; all keys are always there but for those of the sources."""
    return {
        **aggregate.output,
        "strategy": aggregate.strategy,
        "sources": [
            {"task": voice.task, "expert": voice.expert, "confidence": voice.confidence}
            for voice in aggregate.voices
        ],
        "contradictions": [_contradiction(one) for one in aggregate.contradictions],
        "blended": [_contradiction(one) for one in aggregate.blended],
        "said_by": {field: list(tasks) for field, tasks in sorted(aggregate.said_by.items())},
        "own": {task: dict(fields) for task, fields in sorted(aggregate.own.items())},
        "sections": {
            field: [_section(one) for one in sections]
            for field, sections in sorted(aggregate.sections.items())
        },
        "missing": dict(aggregate.missing),
    }


def _contradiction(one: Contradiction) -> dict[str, Any]:
    sides = [
        {"value": side.value, "sources": list(side.sources), "confidence": side.confidence}
        for side in one.sides
    ]
    of = {"finding": one.finding} if one.finding else {}
    return {"field": one.field, **of, "sides": sides, "reason": one.reason}


def _section(section: Section) -> dict[str, Any]:
    return {
        "path": list(section.path),
        "named": section.named,
        "paragraphs": [{"text": one.text, "sources": list(one.sources)} for one in section.paragraphs],
    }


def sources_of(output: Mapping[str, Any]) -> tuple[list[Source], dict[str, str]]:
    """The sources that an aggregate was made of, in their normal form, and what it missed.

    Raises Unreadable.
    """
    try:
        if len(output["sources"]) * _parts(output) > _MOST_PARTS:
            raise ValueError("more than can be taken apart")
        return _Reading(output).result()
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def _parts(value: Any) -> int:
    """How many values there are in it, at any level."""
    found, waiting = 0, [value]
    while waiting:
        one = waiting.pop()
        found += 1
        if isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return found


class _Reading:
    """One aggregate being taken apart."""

    def __init__(self, output: Mapping[str, Any]) -> None:
        self._output = output
        self._voices = {_text(voice["task"]): voice for voice in output["sources"]}
        self._said_by = output["said_by"]
        self._differing = {
            one["field"]: [Side(side["value"], tuple(side["sources"]), 0.0) for side in one["sides"]]
            for one in [*output["contradictions"], *output["blended"]]
            if "finding" not in one
        }
        self._sections = {
            field: [_read_section(one) for one in sections] for field, sections in output["sections"].items()
        }
        self._found: dict[str, dict[str, Any]] = {task: {} for task in self._voices}

    def result(self) -> tuple[list[Source], dict[str, str]]:
        fields = {key: value for key, value in self._output.items() if key not in RESERVED}
        self._object(fields, (), list(self._voices), self._found)
        for task, own in self._output["own"].items():
            self._found[task].update(own)
        missing = {_text(task): _text(reason) for task, reason in self._output["missing"].items()}
        sources = [
            Source(task, self._found[task], _text(voice["expert"]), float(voice["confidence"]))
            for task, voice in self._voices.items()
        ]
        return sources, missing

    def _object(
        self,
        fields: Mapping[str, Any],
        path: tuple[str, ...],
        who: list[str],
        into: dict[str, dict[str, Any]],
    ) -> None:
        """Give each of the sources its fields of an object; `into`: what it has of it, by task."""
        for key, value in fields.items():
            for task, item in self._said(value, (*path, key), who):
                into[task][key] = item

    def _said(self, value: Any, path: tuple[str, ...], who: list[str]) -> Iterator[tuple[str, Any]]:
        field = joined(path)
        if field in self._differing:
            for side in self._differing[field]:
                yield from ((task, side.value) for task in side.sources)
        elif len(path) == 1 and field in self._sections:
            sections = self._sections[field]
            writers = {task for one in sections for paragraph in one.paragraphs for task in paragraph.sources}
            yield from ((task, prose_of(sections, task)) for task in sorted(writers))
        else:
            who = self._said_by.get(field, who)
            yield from self._agreed(value, path, who).items()

    def _agreed(self, value: Any, path: tuple[str, ...], who: list[str]) -> dict[str, Any]:
        if len(path) < MOST_DEPTH and isinstance(value, Mapping):
            objects: dict[str, dict[str, Any]] = {task: {} for task in who}
            self._object(value, path, who, objects)
            return objects
        if len(path) < MOST_DEPTH and path[-1] == FINDINGS and isinstance(value, list):
            lists: dict[str, list[Any]] = {task: [] for task in who}
            for merged in value:
                for finding, sources in variants_of(merged):
                    for task in sources:
                        lists[task].append(finding)
            return dict(lists)
        return dict.fromkeys(who, value)


def _read_section(value: Mapping[str, Any]) -> Section:
    paragraphs = tuple(Paragraph(_text(one["text"]), tuple(one["sources"])) for one in value["paragraphs"])
    return Section(tuple(_text(title) for title in value["path"]), bool(value["named"]), paragraphs)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is not a text")
    return value
