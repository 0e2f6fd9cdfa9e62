"""Tables of `bench all`: what was published beside what was measured here, as JSON and as a page.

Owns their form, and that what is imitated is called so.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from cortex_git.analysis.bench.machine import sentence

IMITATED = "imitated: tasks only pass the time that the work they stand for would take"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a table: what was published, and what was measured here, in the same unit."""

    name: str
    unit: str
    measured: float
    published: float | None = None
    """None: nothing was published for it."""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Measured in times of published."""
        return self.measured / self.published if self.published else None

    def to_json(self) -> dict[str, object]:
        ratio = self.ratio
        return {
            "name": self.name,
            "unit": self.unit,
            "published": self.published,
            "measured": _rounded(self.measured),
            "ratio": None if ratio is None else round(ratio, 3),
            "note": self.note or None,
        }


@dataclass(frozen=True, slots=True)
class Table:
    """One part: its figures, the command that measures it alone, and the whole document of that."""

    key: str
    title: str
    command: str
    figures: tuple[Figure, ...]
    document: Mapping[str, object] = field(default_factory=dict)
    imitated: bool = False
    problem: str | None = None
    """Why there are no figures."""

    def to_json(self) -> dict[str, object]:
        return {
            "key": self.key,
            "title": self.title,
            "command": self.command,
            "imitated": self.imitated,
            "problem": self.problem,
            "figures": [figure.to_json() for figure in self.figures],
            "document": dict(self.document),
        }


def markdown(document: Mapping[str, Any], pictures: Collection[str] = ()) -> str:
    """A document of `bench all` as a page, with the pictures that lie beside the page."""
    told = f"Measured by `cortex-git bench all` {sentence(document['machine'])}."
    if document["quick"]:
        told += " In small sizes (`--quick`): figures not to be published."
    lines = ["# Every published figure, measured", "", told, ""]
    for table in document["tables"]:
        aside = f" ({IMITATED})" if table["imitated"] else ""
        lines += [f"## {table['title']}", "", f"`{table['command']}`{aside}", ""]
        if table["problem"] is not None:
            lines += [f"Not measured: {table['problem']}", ""]
            continue
        if f"{table['key']}-light.svg" in pictures:
            lines += [picture(table["key"], table["title"]), ""]
        lines += ["| | published | measured | unit | ratio | |", "| --- | ---: | ---: | --- | ---: | --- |"]
        lines += [_line(figure) for figure in table["figures"]] + [""]
    return "\n".join(lines).rstrip() + "\n"


def picture(key: str, title: str, folder: str = "") -> str:
    """A plot on a page that may be light or dark."""
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{folder}{key}-dark.svg">'
        f'<img alt="{title}" src="{folder}{key}-light.svg"></picture>'
    )


def _line(figure: Mapping[str, Any]) -> str:
    published = "–" if figure["published"] is None else f"{_rounded(figure['published']):,}"
    ratio = "–" if figure["ratio"] is None else f"{figure['ratio']:,}"
    return (
        f"| {figure['name']} | {published} | {figure['measured']:,} | {figure['unit']} | {ratio} |"
        f" {figure['note'] or ''} |"
    )


def _rounded(value: float) -> float:
    """Three decimals below 10, one from there on."""
    return round(value, 3 if abs(value) < 10 else 1)
