"""A plot on a page: its drawing, what it says in words, and its data as a table."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cortex_git.pages.drawing import Spec, draw
from cortex_git.pages.markup import Html, element, join
from cortex_git.pages.tables import Table
from cortex_git.pages.tables import draw as draw_table

WIDE, HALF, PHONE = 940, 450, 372
"""Pixels for which a plot is drawn: alone, beside another, on a phone."""
_NOT_DRAWN = "This plot could not be drawn; its data is in the table."


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot. `spec` gives its specification at a width in pixels."""

    identity: str
    """Letters, digits and dashes, its own on the page."""
    title: str
    alt: str
    """What it shows, in a sentence or two, for who cannot see it."""
    spec: Callable[[int], Spec]
    table: Table
    wide: bool = True
    """Drawn a second time for a phone, whose drawing would be too small otherwise."""
    note: str = ""


def figures(plots: Iterable[Plot]) -> tuple[dict[str, Html], bool]:
    """Each plot as a figure, by identity, and whether plots could be drawn here at all."""
    found = tuple(plots)
    drawn = draw(dict(_specs(found))) if found else {}
    return {plot.identity: _figure(plot, drawn) for plot in found}, drawn is not None


def _specs(plots: Iterable[Plot]) -> Iterable[tuple[str, Spec]]:
    for plot in plots:
        yield plot.identity, plot.spec(WIDE if plot.wide else HALF)
        if plot.wide:
            yield f"{plot.identity}-phone", plot.spec(PHONE)


def _figure(plot: Plot, drawn: Mapping[str, Html] | None) -> Html:
    data = draw_table(plot.table, f"{plot.identity}-data")
    table: Html
    if drawn is None:
        table, picture = data, None
    else:
        table = element("details", element("summary", "Data of this plot"), data)
        picture = _picture(plot, drawn)
    return element(
        "figure",
        element("figcaption", plot.title, id=f"{plot.identity}-title"),
        picture,
        element("p", plot.note, class_="note") if plot.note else None,
        table,
        aria_labelledby=f"{plot.identity}-title",
    )


def _picture(plot: Plot, drawn: Mapping[str, Html]) -> Html:
    broad, narrow = drawn.get(plot.identity), drawn.get(f"{plot.identity}-phone")
    if broad is None:
        return element("p", _NOT_DRAWN, class_="note")
    both = narrow is not None
    return join(
        [
            element(
                "div",
                element("div", broad, class_="broad", role="img", aria_label=plot.alt),
                element("div", narrow, class_="narrow", role="img", aria_label=plot.alt) if both else None,
                class_="plot both" if both else "plot",
            )
        ]
    )
