"""Prose of several sources made into one text, heading by heading.

Owns what a section and a paragraph are. The text stays the sources' own words, as Markdown that nobody has
escaped; what was cut from it for its size is said in it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cortex_git.results.aggregation import Paragraph, Section, Voice
from cortex_git.results.aggregation.canonical import canonical
from cortex_git.results.aggregation.weighing import Said

MOST_PROSE = 200_000
"""Characters of a merged text."""
_NOTE_ROOM = 1000
"""Characters kept free for the line that says what was cut."""
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prose:
    """A merged text."""

    value: Any
    """The text; where all say the same, as they say it."""
    speakers: tuple[str, ...]
    """Those who say something."""
    sections: tuple[Section, ...] = ()
    """Where they say different things."""


def merged_prose(said: Sequence[Said], voices: Sequence[Voice]) -> Prose:
    """The prose of all sources, the surest first. What is blank is nothing said."""
    speaking = [(task, value) for task, value in said if not _blank(value)]
    texts = {canonical(value) for _, value in speaking or said}
    tasks = tuple(sorted(task for task, _ in speaking or said))
    if len(texts) == 1:
        value = (speaking or said)[0][1]
        return Prose(_cut_text(value) if isinstance(value, str) else value, tasks)
    if not speaking:
        return Prose("", tasks)
    parts = {task: list(_parts(_text(value))) for task, value in speaking}
    if len({tuple(found) for found in parts.values()}) == 1:
        return Prose(_rendered(_sections({tasks[0]: parts[tasks[0]]}, voices), plain=True), tasks)
    sections = tuple(_bounded(_sections(parts, voices)))
    return Prose(_rendered(sections), tasks, sections)


def prose_of(sections: Iterable[Section], task: str) -> str:
    """What one source contributed."""
    own = [
        Section(one.path, one.named, kept)
        for one in sections
        if (kept := tuple(paragraph for paragraph in one.paragraphs if task in paragraph.sources))
    ]
    return _rendered(sorted(own, key=lambda section: section.named), plain=True)


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value)


def _parts(text: str) -> Iterator[tuple[_Path, str]]:
    """Every paragraph with the headings above it, those of the text before the first heading being none."""
    path: list[tuple[int, str]] = []
    lines: list[str] = []
    fence = ""
    for line in [*text.replace("\r\n", "\n").split("\n"), None]:
        heading = _HEADING.fullmatch(line) if line is not None and not fence else None
        if line is None or heading or (not fence and not line.strip()):
            if lines:
                yield tuple(title for _, title in path), "\n".join([*lines, *([fence] if fence else [])])
            lines = []
            if heading:
                level = len(heading[1])
                path = [*(one for one in path if one[0] < level), (level, _title(heading[2] or ""))]
        elif line is not None:
            lines.append(line.rstrip())
            fence = _fence_after(line, fence)


def _title(text: str) -> str:
    """A heading's words without blanks at the end, and without the marks that may close it."""
    text = text.rstrip(" \t")
    open_part = text.rstrip("#")
    return open_part.rstrip(" \t") if not open_part or open_part[-1] in " \t" else text


def _fence_after(line: str, fence: str) -> str:
    """The fence of the code block in which the next line is, empty outside of one."""
    found = _FENCE.match(line)
    if not found:
        return fence
    if not fence:
        return found[1]
    closes = found[1].startswith(fence) and not line.strip().strip(fence[0])
    return "" if closes else fence


def _sections(parts: dict[str, list[tuple[_Path, str]]], voices: Sequence[Voice]) -> list[Section]:
    """All parts under their headings, as they first come; one paragraph of a section stands there once."""
    ranks: dict[tuple[bool, _Path], int] = {}
    found: dict[tuple[bool, _Path], dict[str, set[str]]] = {}
    unnamed: dict[str, set[str]] = {}
    for voice in sorted(voices, key=lambda one: (-one.confidence, one.expert, one.task)):
        for headings, text in parts.get(voice.task, ()):
            named = bool(headings)
            path = headings or (voice.expert or voice.task,)
            for depth in range(1, len(path) + 1):
                ranks.setdefault((named, path[:depth]), len(ranks))
            if not named and text in unnamed:
                unnamed[text].add(voice.task)
                continue
            tasks = found.setdefault((named, path), {}).setdefault(text, set())
            tasks.add(voice.task)
            if not named:
                unnamed[text] = tasks
    ordered = sorted(
        found,
        key=lambda key: (key[0], [ranks[key[0], key[1][:depth]] for depth in range(1, len(key[1]) + 1)]),
    )
    return [
        Section(
            path,
            named,
            tuple(Paragraph(text, tuple(sorted(who))) for text, who in found[named, path].items()),
        )
        for named, path in ordered
    ]


def _rendered(sections: Iterable[Section], *, plain: bool = False) -> str:
    """The sections as one Markdown text. `plain`: without the headings that the prose itself did not have."""
    blocks: list[str] = []
    before: _Path = ()
    for section in sections:
        if section.named or not plain:
            shared = _shared(before, section.path) if section.named else 0
            for depth in range(shared, len(section.path)):
                blocks.append(f"{'#' * min(depth + 1, 6)} {section.path[depth]}".rstrip())
            before = section.path if section.named else ()
        blocks += [paragraph.text for paragraph in section.paragraphs]
    return "\n\n".join(blocks)


def _shared(before: _Path, path: _Path) -> int:
    """How many headings need not be repeated."""
    count = 0
    while count < min(len(before), len(path) - 1) and before[count] == path[count]:
        count += 1
    return count


def _cut_text(text: str) -> str:
    if len(text) <= MOST_PROSE:
        return text
    kept = text[: MOST_PROSE - _NOTE_ROOM]
    return f"{kept}\n\n[cut here: {len(text) - len(kept)} more characters]"


def _bounded(sections: Sequence[Section]) -> Iterator[Section]:
    """The sections as far as their text may go, and a last one that says what was cut."""
    room = MOST_PROSE
    if len(_rendered(sections)) > room:
        room -= _NOTE_ROOM
    cut: dict[str, int] = {}
    for section in sections:
        room -= sum(len(title) + 10 for title in section.path)
        kept: list[Paragraph] = []
        for paragraph in section.paragraphs:
            room -= len(paragraph.text) + 2
            if room >= 0:
                kept.append(paragraph)
                continue
            for task in paragraph.sources:
                cut[task] = cut.get(task, 0) + len(paragraph.text)
        if kept:
            yield Section(section.path, section.named, tuple(kept))
    if cut:
        named = ", ".join(task[:100] for task in sorted(cut)[:5]) + (
            f" and {len(cut) - 5} more" if len(cut) > 5 else ""
        )
        note = f"[cut for its size: {sum(cut.values())} characters of {named}]"
        yield Section(("cut",), False, (Paragraph(note, tuple(sorted(cut))),))
