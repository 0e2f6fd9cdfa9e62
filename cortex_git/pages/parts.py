"""The smaller parts of a page: figure tiles, notices and sections."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cortex_git.pages.markup import Html, element, join
from cortex_git.pages.text import clip

Level = Literal["critical", "warning", "note", "good"]
_SIGNS: dict[Level, tuple[str, str]] = {
    "critical": ("‼", "Critical"),
    "warning": ("!", "Warning"),
    "note": ("i", "Note"),
    "good": ("✓", "Fine"),
}
_TEXT_LIMIT = 600


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure: what it is, its value, and what it is made of."""

    label: str
    value: str
    detail: str = ""
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to look at: the level is said by a word and a sign as well as by colour."""

    level: Level
    what: str
    where: str = ""
    what_to_do: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page with a heading of its own, named in the table of contents."""

    identity: str
    """Letters, digits and dashes; its address on the page is `#identity`."""
    title: str
    body: Html
    wide: bool = True
    """Whether it takes the whole width, or shares a row with its neighbour."""


def tiles(found: Iterable[Tile]) -> Html:
    """The tiles as a list of terms and values."""
    return element("dl", *(_tile(tile) for tile in found), class_="tiles")


def notices(found: Iterable[Notice]) -> Html:
    """The notices as a list."""
    return element("ul", *(_notice(notice) for notice in found), class_="notices")


def paragraph(text: str, class_: str | None = None) -> Html:
    return element("p", clip(text, _TEXT_LIMIT), class_=class_)


def section(part: Section) -> Html:
    """The section, labelled by its heading."""
    heading = f"{part.identity}-title"
    return element(
        "section",
        element("h2", part.title, id=heading),
        part.body,
        id=part.identity,
        aria_labelledby=heading,
        class_="card" if part.wide else "card half",
    )


def _tile(tile: Tile) -> Html:
    sign = element("span", _SIGNS[tile.level][1], class_="level") if tile.level else None
    return element(
        "div",
        element("dt", tile.label),
        element("dd", clip(tile.value, 60), class_="value"),
        element("dd", sign, " " if sign else None, clip(tile.detail, 200), class_="detail"),
        class_=f"tile {tile.level}" if tile.level else "tile",
    )


def _notice(notice: Notice) -> Html:
    sign, word = _SIGNS[notice.level]
    what = element("p", element("strong", word), ": ", _coded(notice.what), class_="what")
    where = element("p", element("bdi", clip(notice.where, _TEXT_LIMIT)), class_="where")
    to_do = element("p", _coded(notice.what_to_do), class_="todo")
    said = element("div", what, where if notice.where else None, to_do if notice.what_to_do else None)
    mark = element("span", sign, class_="sign", aria_hidden="true")
    return element("li", mark, said, class_=f"notice {notice.level}")


def _coded(text: str) -> Html:
    """The text, what stands between backticks as code."""
    parts = clip(text, _TEXT_LIMIT).split("`")
    if len(parts) % 2 == 0:
        return join(["`".join(parts)])
    return join(element("code", part) if place % 2 else part for place, part in enumerate(parts))
