"""A screen of sections: whatever it is given, nothing is cut, nothing is lost from the count."""

import re

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cortex_git.cli.screen import LABEL, Section, fitted, fold, word

NAMES = st.text("abcdefghij0123456789-_", min_size=1, max_size=106)
ENTRIES = st.lists(st.lists(NAMES, min_size=1, max_size=4), max_size=30)
SECTIONS = st.lists(ENTRIES, min_size=1, max_size=5).map(
    lambda lists: [Section(f"s{n}", "one two", entries) for n, entries in enumerate(lists)]
)


@given(st.lists(NAMES, min_size=1, max_size=8), st.integers(20, 140))
def test_folded_words_are_all_there_and_no_line_is_too_long(words: list[str], width: int) -> None:
    lines = fold(words, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == "".join(words)
    assert all(each in " ".join(lines).split(" ") for each in words if len(each) <= width)


@given(SECTIONS, st.integers(40, 140), st.integers(24, 60))
def test_what_has_no_room_is_counted(sections: list[Section], width: int, height: int) -> None:
    lines = fitted(sections, width, height)
    assert len(lines) <= height
    assert all(cell_len(text) <= width - LABEL for _, text in lines)
    for section, texts in zip(sections, _by_section(lines), strict=True):
        assert texts[0] == "one two"
        said = re.fullmatch(r"… (?:and (\d+) more|(\d+) in all)", texts[-1])
        hidden = int(said[1] or said[2]) if said else 0
        shown = section.entries[: len(section.entries) - hidden]
        body = "".join(texts[1:-1] if said else texts[1:]).replace(" ", "")
        assert body == "".join(name for entry in shown for name in entry)


@given(SECTIONS)
def test_all_is_shown_where_there_is_room(sections: list[Section]) -> None:
    assert not any("…" in text for _, text in fitted(sections, 100, 10_000))


def _by_section(lines: list[tuple[str, str]]) -> list[list[str]]:
    found: list[list[str]] = []
    for label, text in lines:
        if label:
            found.append([])
        found[-1].append(text)
    return found


def test_a_wide_name_is_broken_by_cells_not_characters() -> None:
    lines = fold(["漢字" * 30], 41)
    assert all(cell_len(line) <= 41 for line in lines)
    assert "".join(lines) == "漢字" * 30


def test_a_name_from_outside_cannot_reach_the_terminal_as_it_is() -> None:
    shown = word("a\x1b[31m\nb c" + "x" * 500)
    assert shown.isprintable() or "\u00a0" in shown
    assert "\x1b" not in shown
    assert "\n" not in shown
    assert shown.endswith("…")
