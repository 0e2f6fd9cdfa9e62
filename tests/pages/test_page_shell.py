"""The shell: nothing is loaded, contrast holds in both styles, tables are whole without a script."""

import base64
import hashlib
import re

import pytest
from pageworld import parse

from cortex_git.pages.markup import Html, element
from cortex_git.pages.page import Page, render
from cortex_git.pages.parts import Notice, Section, Tile, notices, tiles
from cortex_git.pages.tables import Cell, Column, Table, draw

TEXT, GRAPHIC = 4.5, 3.0
"""WCAG 2.2 AA: least contrast of text, and of what else must be seen."""
ON_CARD = ("text", "muted", "accent", "good", "warning", "critical", "note")
DRAWN = (
    *(f"series-{number}" for number in range(1, 6)),
    *(f"level-{number}" for number in range(1, 4)),
    *(f"step-{number}" for number in range(1, 5)),
    *(f"severity-{name}" for name in ("critical", "high", "medium", "low", "unknown")),
    "focus",
    "critical",
)


def page(*sections: Section) -> str:
    return render(Page("T", "s", (("Made", "now"),), element("p", "x"), sections, ("end",)))


@pytest.fixture(scope="module")
def styles() -> dict[str, dict[str, str]]:
    """The variables of each style; the dark one is laid over the light one."""
    (style,) = [node.text for node in parse(page()).root.all("style")]
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in blocks[:2])
    assert set(dark) == set(light)
    return {"light": light, "dark": light | dark}


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("style", ["light", "dark"])
def test_contrast(styles: dict[str, dict[str, str]], style: str) -> None:
    colours = styles[style]
    for name in ON_CARD:
        for ground in ("card", "ground", "stripe"):
            assert contrast(colours[name], colours[ground]) >= TEXT, (name, ground)
    for level in ("good", "warning", "critical", "note"):
        for name in (level, "text", "muted"):
            assert contrast(colours[name], colours[f"{level}-ground"]) >= TEXT, (level, name)
    for name in DRAWN:
        assert contrast(colours[name], colours["card"]) >= GRAPHIC, name
    for name in ("high", "medium", "low", "unknown"):
        assert contrast(colours["on-severity"], colours[f"severity-{name}"]) >= GRAPHIC, name
    assert contrast(colours["on-severity-critical"], colours["severity-critical"]) >= TEXT
    assert contrast(colours["on-severity"], colours["critical"]) >= TEXT


@pytest.mark.parametrize("style", ["light", "dark"])
def test_kinds_that_are_stacked_differ_in_lightness(styles: dict[str, dict[str, str]], style: str) -> None:
    for kind, count in (("level", 3), ("step", 4)):
        lights = [luminance(styles[style][f"{kind}-{number}"]) for number in range(1, count + 1)]
        assert lights == sorted(lights, reverse=style == "light")
        assert all(
            contrast(styles[style][f"{kind}-{number}"], styles[style][f"{kind}-{number + 1}"]) > 1.3
            for number in range(1, count)
        )


def test_nothing_is_loaded_and_the_policy_holds_the_page_to_it() -> None:
    found = parse(page())
    assert found.loads == []
    assert found.handlers == []
    (policy,) = [
        node.attributes["content"]
        for node in found.root.all("meta")
        if node.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        (text,) = [node.text for node in found.root.all(tag)]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert "unsafe" not in policy


def test_landmarks_language_and_a_link_past_the_contents() -> None:
    found = parse(page(Section("a", "First", element("p", "x")), Section("b", "Second", element("p", "y"))))
    (root,) = found.root.all("html")
    assert root.attributes["lang"] == "en"
    assert [len(found.root.all(tag)) for tag in ("header", "nav", "main", "footer", "h1")] == [1] * 5
    assert found.addresses == ["#content", "#a", "#b"]
    identities = [node.attributes["id"] for node in found.root.all() if "id" in node.attributes]
    assert len(identities) == len(set(identities))
    assert {"content", "a", "b"} <= set(identities)
    labelled = [node.attributes["aria-labelledby"] for node in found.root.all("section")]
    assert labelled == ["a-title", "b-title"]
    assert set(labelled) <= set(identities)


def test_a_table_is_whole_without_a_script_and_scrolls_by_keyboard() -> None:
    columns = (Column("Name", name=True), Column("Count", number=True), Column("Part", number=True, digits=1))
    rows = [("<b>", 12_345, 0.25), ("x", None, float("nan")), (Cell("y", "z"), 1, float("inf"))]
    drawn = draw(Table("What & why", columns, rows, left_out="2 more."), "t")
    found = parse(drawn)
    assert found.rows("t") == [["<b>", "12,345", "0.2"], ["x", "–", "–"], ["y", "1", "–"]]
    assert found.headings("caption") == ["What & why"]
    assert [node.attributes["scope"] for node in found.root.all("th")] == ["col"] * 3 + ["row"] * 3
    (window,) = [node for node in found.root.all("div") if "window" in node.attributes["class"]]
    assert (window.attributes["tabindex"], window.attributes["role"]) == ("0", "region")
    assert [node.attributes.get("data-sort") for node in found.root.all("td")] == [
        "12345",
        "0.25",
        None,
        None,
        "1",
        None,
    ]
    assert "2 more." in found.text
    assert "nan" not in drawn.lower()


def test_an_empty_table_says_so() -> None:
    assert parse(draw(Table("x", (Column("a"),), [], empty="None."), "t")).text == "None."


def test_a_notice_says_its_level_and_shows_commands_as_code() -> None:
    found = parse(notices([Notice("critical", "a `b` c", "w", "run `x <y>`"), Notice("note", "one ` alone")]))
    assert found.headings("code") == ["b", "x <y>"]
    assert "Critical: a b c" in found.text
    assert "Note: one ` alone" in found.text


def test_a_tile_says_its_level_in_a_word() -> None:
    found = parse(tiles([Tile("Success", "96 %", "40 of 1,000", "good"), Tile("Tasks", "3")]))
    assert found.text == "Success96 %Fine 40 of 1,000Tasks3"
    assert isinstance(tiles([]), Html)
