"""Plots: static drawings with colours of the style, alt text and a table; tables alone without vl_convert."""

import sys
from collections.abc import Mapping
from typing import Any

import pytest
from pageworld import Node, parse

from cortex_git.pages import charts, drawing
from cortex_git.pages.frame import Axis, Series, distinct
from cortex_git.pages.plots import Plot, figures
from cortex_git.pages.tables import Column, Table

HOSTILE = '</svg><script>alert(1)</script>" onload="x" javascript: \x1b[31m \u202e \x00'
KINDS = (Series("first", "severity-critical", "F"), Series("second", "severity-high", "S"))
DAY_MS = 86_400_000.0
POINTS = [(1.0, 10.0, HOSTILE), (4.0, float("nan"), "nothing"), (8.0, 30.0, "third")]
CURVE = charts.Curve(HOSTILE, "series-2", (1.0, 8.0), (10.0, 31.0), (9.0, 29.0), (11.0, 33.0))

SPECS = {
    "ranked": charts.ranked(
        [charts.Stack(HOSTILE, (3.0, 1.0)), charts.Stack(HOSTILE, (0.0, 2.0))], KINDS, Axis("n"), 500
    ),
    "columns": charts.columns(
        [charts.Column(n * DAY_MS, (n + 1) * DAY_MS, (n, 1.0), f"day {n}") for n in (1, 2, 3)],
        KINDS,
        Axis("n"),
        500,
    ),
    "lanes": charts.lanes(
        [charts.Bar("w1", 0, 2, 0, HOSTILE), charts.Bar("w2", 1, 1.5, 1, "b")],
        ["w1", "w2"],
        KINDS,
        Axis("s"),
        500,
    ),
    "curves": charts.curves(POINTS, [CURVE], Axis("x"), Axis("y"), 500, measured="batches"),
}


@pytest.fixture(scope="module")
def drawn() -> Mapping[str, str]:
    pytest.importorskip("vl_convert")
    found = drawing.draw(SPECS)
    assert found is not None
    return found


@pytest.mark.parametrize("name", list(SPECS))
def test_a_drawing_holds_shapes_and_text_only(drawn: Mapping[str, str], name: str) -> None:
    page = parse(drawn[name])
    nodes = page.root.all()
    assert {node.tag for node in nodes} <= {
        "svg",
        "g",
        "path",
        "line",
        "rect",
        "circle",
        "text",
        "title",
        "defs",
        "clippath",
    }
    assert page.loads == []
    assert page.handlers == []
    assert not [
        key for node in nodes for key in node.attributes if key.startswith(("xlink", "xmlns", "aria"))
    ]
    assert page.text.replace("\n", "").isprintable()
    assert "NaN" not in page.source


@pytest.mark.parametrize("name", list(SPECS))
def test_every_colour_is_one_of_the_style(drawn: Mapping[str, str], name: str) -> None:
    nodes = parse(drawn[name]).root.all()
    colours = {node.attributes[key] for node in nodes for key in ("fill", "stroke") if key in node.attributes}
    assert [colour for colour in colours if not colour.startswith("var(--")] in ([], ["none"])
    assert len(colours) > 2


def test_marks_say_what_they_are_to_a_pointer(drawn: Mapping[str, str]) -> None:
    titles = parse(drawn["columns"]).headings("title")
    assert titles.count("day 1") == 2
    shown = parse(drawn["lanes"]).headings("title")
    assert any("alert(1)" in title and "\\x1b" in title for title in shown)


def test_segments_have_letters_and_failures_a_cross(drawn: Mapping[str, str]) -> None:
    texts = parse(drawn["ranked"]).headings("text")
    assert {"3 F", "1 S", "2 S"} <= set(texts)
    assert {"F", "S"} <= set(parse(drawn["lanes"]).headings("text"))


def test_two_rows_with_one_name_stay_two(drawn: Mapping[str, str]) -> None:
    texts = parse(drawn["ranked"]).headings("text")
    assert sum(text.startswith("…") for text in texts) == 2
    assert distinct(["a", "a", "a (2)", "a"]) == ["a", "a (2)", "a (2) (2)", "a (3)"]


def test_clips_of_two_drawings_do_not_meet() -> None:
    pytest.importorskip("vl_convert")
    clipped: dict[str, Any] = {
        "data": {"values": [{"x": 1, "y": 2}]},
        "mark": {"type": "point", "clip": True},
        "encoding": {
            "x": {"field": "x", "type": "quantitative"},
            "y": {"field": "y", "type": "quantitative"},
        },
    }
    found = drawing.draw({"one": clipped, "two": clipped})
    assert found is not None
    for name, svg in found.items():
        nodes = parse(svg).root.all()
        identities = {node.attributes["id"] for node in nodes if "id" in node.attributes}
        used = {node.attributes["clip-path"] for node in nodes if "clip-path" in node.attributes}
        assert identities
        assert all(identity.startswith(f"{name}-") for identity in identities)
        assert used <= {f"url(#{identity})" for identity in identities}


def test_a_specification_cannot_fetch_and_a_broken_one_is_left_out() -> None:
    pytest.importorskip("vl_convert")
    asks = {"data": {"url": "https://e.test/x.json"}, "mark": "point", "encoding": {}}
    assert drawing.draw({"asks": asks, "broken": {"mark": "nothing"}}) == {}


def plot(identity: str, *, wide: bool) -> Plot:
    table = Table("data <i>", (Column("a"), Column("b")), [("x", 1)])
    return Plot(identity, "Title", f'alt "{HOSTILE}', lambda _: SPECS["columns"], table, wide=wide)


def test_every_plot_has_alt_text_and_a_table() -> None:
    pytest.importorskip("vl_convert")
    found, could_draw = figures([plot("one", wide=True), plot("two", wide=False)])
    assert could_draw
    for identity, pictures in (("one", 2), ("two", 1)):
        page = parse(found[identity])
        images = [node for node in page.root.all("div") if node.attributes.get("role") == "img"]
        assert len(images) == pictures
        assert all(node.attributes["aria-label"].startswith('alt "</svg><script>') for node in images)
        assert page.rows(f"{identity}-data") == [["x", "1"]]
        assert len(page.root.all("details")) == 1
        (figure,) = page.root.all("figure")
        (caption,) = page.root.all("figcaption")
        assert figure.attributes["aria-labelledby"] == caption.attributes["id"]


def test_without_the_library_a_plot_is_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    found, could_draw = figures([plot("one", wide=True)])
    assert not could_draw
    page = parse(found["one"])
    assert page.rows("one-data") == [["x", "1"]]
    assert [page.root.all(tag) for tag in ("svg", "details")] == [[], []]


def test_a_plot_that_cannot_be_drawn_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex_git.pages.plots.draw", lambda _: {})
    found, _ = figures([plot("one", wide=True)])
    assert "This plot could not be drawn; its data is in the table." in parse(found["one"]).text
    assert isinstance(parse(found["one"]).root, Node)
