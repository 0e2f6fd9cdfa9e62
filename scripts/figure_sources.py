"""The documents in docs/benchmarks that `bench` wrote, and how a number of them is written on a page.

Owns where published figures come from. Nothing is computed here that no document holds.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cortex_git.analysis.bench.everything import PARTS

ALL = "all"
COMMANDS = {
    ALL: "cortex-git bench all --output docs/benchmarks",
    **{
        name: f"cortex-git bench {name} --format json > docs/benchmarks/{name}.json"
        for name in ("latency", "simulation", "growth", "forecast")
    },
}
"""What writes each document, from a checkout's root."""


class NotMeasured(Exception):
    """There is no such figure: what is missing, and the command that measures it."""


class Sources:
    """The documents of one folder."""

    def __init__(self, folder: Path, *, quick: bool = False) -> None:
        """`quick` takes documents of `bench all --quick` too, which are not to be published."""
        self.folder = folder
        self._quick = quick

    def document(self, name: str) -> Mapping[str, Any]:
        """A whole document. Raises NotMeasured without the file, or where it is of small sizes."""
        path = self.folder / f"{name}.json"
        if not path.is_file():
            raise NotMeasured(f"docs/benchmarks/{name}.json is missing: {COMMANDS[name]}")
        found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if found.get("quick") and not self._quick:
            raise NotMeasured(f"docs/benchmarks/{name}.json is of small sizes: {COMMANDS[name]}")
        return found

    def table(self, key: str) -> Mapping[str, Any]:
        """The document of one table of `bench all`. Raises NotMeasured where that could not be measured."""
        for table in self.document(ALL)["tables"]:
            if table["key"] == key:
                if table["problem"] is not None:
                    raise NotMeasured(f"{key} was not measured: {table['problem']}")
                document: Mapping[str, Any] = table["document"]
                return document
        raise NotMeasured(f"docs/benchmarks/all.json has no table {key!r}: {COMMANDS[ALL]}")

    def pictures(self, key: str) -> bool:
        """Whether there are plots of a table."""
        return all((self.folder / f"{key}-{ground}.svg").is_file() for ground in ("light", "dark"))

    def missing(self) -> list[str]:
        """Why figures are not there, a sentence each."""
        said = []
        for look in (
            *(partial(self.document, name) for name in COMMANDS),
            *(partial(self.table, key) for key in PARTS),
        ):
            try:
                look()
            except NotMeasured as why:
                said.append(str(why))
        return list(dict.fromkeys(said))


def row(rows: Sequence[Mapping[str, Any]], **wanted: object) -> Mapping[str, Any]:
    """The one row with these values. Raises NotMeasured."""
    for one in rows:
        if all(one[key] == value for key, value in wanted.items()):
            return one
    raise NotMeasured(f"there is no row with {wanted}")


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; a heading that begins with `#` is that of numbers, which stand right."""
    marks = ["---:" if heading.startswith("#") else "---" for heading in headings]
    heads = [heading.removeprefix("#").strip() for heading in headings]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, marks, *rows))


def whole(value: float) -> str:
    """1,234"""
    return f"{value:,.0f}"


def short(value: float) -> str:
    """Three digits that count, none lost before the point: 1,398; 81.3; 1.17; 0.42."""
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{places}f}"


def percent(share: float, places: int = 1) -> str:
    """0.7 %, from a fraction."""
    return f"{100 * share:.{places}f} %"
