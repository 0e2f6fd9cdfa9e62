"""Prose of several sources, merged by its headings."""

import pytest

from cortex_git.results.aggregation import Aggregate, Source
from cortex_git.results.aggregation.prose import MOST_PROSE
from cortex_git.results.aggregation.strategies import aggregate, to_output


def merged(*texts: object) -> Aggregate:
    """Of sources whose experts are a, b, c, …, the first the surest."""
    experts = "abcdefgh"
    given = [
        Source(f"t-{experts[at]}", {"text": text}, experts[at], 90 - at) for at, text in enumerate(texts)
    ]
    return aggregate(list(reversed(given)), "resolve")


@pytest.mark.parametrize(
    ("texts", "text"),
    [
        (["One.", "Two."], "# a\n\nOne.\n\n# b\n\nTwo."),
        (["Same.\n\n\n\nBoth.  ", "Same.\n\nBoth."], "Same.\n\nBoth."),
        (["Same.", "Same."], "Same."),
        (["Both.", "Both.\n\nMore."], "# a\n\nBoth.\n\n# b\n\nMore."),
        (["# R\nx", "# R #\ny\n\nx", "z"], "# c\n\nz\n\n# R\n\nx\n\ny"),
        (["# R\n## S\nx\n# T\ny", "# R\n## U\nz"], "# R\n\n## S\n\nx\n\n## U\n\nz\n\n# T\n\ny"),
        (["# R\n## S\nx", "# S\ny"], "# R\n\n## S\n\nx\n\n# S\n\ny"),
        (["```\n# no\n\nhead\n```\nx", "y"], "# a\n\n```\n# no\n\nhead\n```\nx\n\n# b\n\ny"),
        (["~~~~\nopen ```\n~~~", "y"], "# a\n\n~~~~\nopen ```\n~~~\n~~~~\n\n# b\n\ny"),
        (["# R\nNone.\n# S\nNone.", "# R\nNone."], "# R\n\nNone.\n\n# S\n\nNone."),
        (["", "  \n", None, "One."], "One."),
        (["", None], ""),
        ([7, "One."], "# a\n\n7\n\n# b\n\nOne."),
        (["# R", "One."], "# b\n\nOne."),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_the_merged_text(texts: list[object], text: str) -> None:
    assert merged(*texts).output["text"] == text


def test_paragraphs_name_their_sources() -> None:
    sections = merged("Both.", "Both.\n\nMore.", "# R\nx").sections["text"]
    found = [(one.path, one.named, paragraph.sources) for one in sections for paragraph in one.paragraphs]
    assert found == [
        (("a",), False, ("t-a", "t-b")),
        (("b",), False, ("t-b",)),
        (("R",), True, ("t-c",)),
    ]


def test_a_source_without_expert_stands_under_its_task() -> None:
    given = [Source("t-1", {"summary": "One."}), Source("t-2", {"summary": "Two."})]
    assert aggregate(given, "vote").output["summary"] == "# t-1\n\nOne.\n\n# t-2\n\nTwo."


NUMBERED = "\n\n".join(map(str, range(20_000)))


@pytest.mark.parametrize(
    "texts",
    [("x" * 500_000,), ("x" * 500_000, "y"), (NUMBERED, "y " * 99_000)],
    ids=["alone", "long", "many"],
)
def test_a_text_is_cut_and_says_so(texts: tuple[str, ...]) -> None:
    one = merged(*texts)
    assert len(one.output["text"]) <= MOST_PROSE
    assert "cut" in one.output["text"][-200:]
    again = aggregate([Source("m", to_output(one), nested=True)], "resolve")
    assert len(again.output["text"]) <= MOST_PROSE


def test_of_two_that_are_as_sure_the_expert_who_comes_first_by_name() -> None:
    given = [Source("t-1", {"text": "One."}, "security"), Source("t-2", {"text": "Two."}, "development")]
    assert aggregate(given, "vote").output["text"].startswith("# development")
