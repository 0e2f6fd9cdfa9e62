"""Text becomes markup in one place: escaped once, and never code, style or an address."""

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pageworld import parse

from cortex_git.pages.markup import Html, element, escaped, join, link
from cortex_git.pages.text import clip_start, counted, visible

TEXT = st.text(st.characters())


@given(TEXT, TEXT)
def test_whatever_the_text_it_comes_back_as_text(text: str, value: str) -> None:
    page = parse(element("p", text, title=value))
    (found,) = page.root.all()
    assert found.tag == "p"
    assert found.text == visible(text)
    assert found.attributes == {"title": visible(value)}


def test_markup_is_not_escaped_again_and_text_is_once() -> None:
    inner = element("b", "<&>")
    assert inner == "<b>&lt;&amp;&gt;</b>"
    assert element("p", inner, "<", None) == "<p><b>&lt;&amp;&gt;</b>&lt;</p>"
    assert join(["&amp;", Html("&amp;")]) == "&amp;amp;&amp;"
    assert html.unescape(escaped("'\"")) == "'\""


def test_attributes() -> None:
    assert element("i", class_="a", data_sort=1.5, hidden=True, title=None, open=False) == (
        '<i class="a" data-sort="1.5" hidden></i>'
    )
    assert element("br") == "<br>"


@pytest.mark.parametrize("name", ["onclick", "onload", "style", "src", "srcset", "data", "formaction"])
def test_an_attribute_that_runs_styles_or_loads_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no attribute"):
        element("p", **{name: "x"})


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("javascript:alert(1)", id="javascript"),
        pytest.param("JaVaScRiPt:alert(1)", id="mixed-case"),
        pytest.param("data:text/html,x", id="data"),
        pytest.param("http://e.test/", id="http"),
        pytest.param("//e.test/", id="no-scheme"),
        pytest.param("https://e.test/\nx", id="newline"),
        pytest.param("https://user@e.test/", id="user"),
        pytest.param(" https://e.test/", id="space"),
        pytest.param("#", id="empty"),
    ],
)
def test_only_sections_and_https_are_linked(address: str) -> None:
    with pytest.raises(ValueError, match="links to sections and https only"):
        link(address, "x")


def test_a_link_outside_tells_nothing_of_where_it_came_from() -> None:
    assert link("https://e.test/a%20b", "<x>") == (
        '<a href="https://e.test/a%20b" rel="noopener noreferrer">&lt;x&gt;</a>'
    )
    assert link("#part", "x") == '<a href="#part">x</a>'


def test_words() -> None:
    assert (counted(1, "task"), counted(2_000, "task")) == ("1 task", "2,000 tasks")
    assert counted(0, "batch", "batches") == "0 batches"
    assert clip_start("abcdef", 4) == "…def"
    assert clip_start("abc", 3) == "abc"
