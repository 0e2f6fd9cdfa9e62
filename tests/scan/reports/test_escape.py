import csv
import html
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from report_examples import hostile

from cortex_git.pages.markup import escaped as escaped_html
from cortex_git.scan.reports.escape import (
    clip,
    csv_cell,
    markdown_cell,
    markdown_code,
    terminal,
    visible,
    workflow_data,
)

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
LOG_COMMAND = re.compile(r"##[A-Za-z]*\[")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\r\tc", "a\\x0ab\\x0d\\x09c"),
        ("\x9b31m", "\\x9b31m"),
        ("safe\u202egnp.exe", "safe\\u202egnp.exe"),
        ("a\u2028b", "a\\u2028b"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("\udcff", "\\udcff"),
        ("lodash\u3164", "lodash\\u3164"),
        ("##vso[task.complete]", "#\\x23vso[task.complete]"),
        ("café-日本語 @scope/name ## heading", "café-日本語 @scope/name ## heading"),
    ],
)
def test_what_cannot_be_shown_safely_is_shown_as_its_code(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(hostile)
def test_visible_text_is_one_printable_line_without_log_commands(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert not LOG_COMMAND.search(shown)
    shown.encode()


@given(hostile, st.integers(1, 9))
def test_no_fold_of_terminal_text_starts_a_workflow_command(text: str, width: int) -> None:
    shown = terminal(text)
    folds = [shown[at : at + width] for at in range(0, len(shown), width)]
    assert not any(fold.lstrip().startswith("::") for fold in folds)
    assert shown.isprintable()


@given(st.text(st.characters(exclude_categories=["C", "Z", "M"]), max_size=20))
def test_ordinary_names_stay_as_they_are(text: str) -> None:
    invisible_letters = set("\u115f\u1160\u3164\uffa0\u2800")
    if not invisible_letters & set(text) and "##" not in text:
        assert visible(text) == text


def test_workflow_data_is_encoded_as_the_toolkit_does() -> None:
    assert workflow_data("50 %\r\n::error::x") == "50 %25%0D%0A::error::x"


@given(hostile)
def test_html_is_text_and_nothing_else(text: str) -> None:
    escaped = escaped_html(text)
    assert not set("<>\"'") & set(escaped)
    assert html.unescape(escaped) == visible(text)


@given(hostile, st.sampled_from(["", "=", "+", "-", "@", " =", "\t=", "\uff1d"]))
def test_no_csv_cell_is_a_formula(text: str, start: str) -> None:
    target = io.StringIO()
    csv.writer(target).writerow([csv_cell(start + text)])
    ((cell,),) = csv.reader(io.StringIO(target.getvalue()))
    assert not cell.strip().startswith(("=", "+", "-", "@", "\uff1d"))


@given(hostile)
def test_a_markdown_code_span_shows_exactly_the_text(text: str) -> None:
    (_, inline, _) = MARKDOWN.parse(f"x {markdown_code(text)} y")
    children = [child for child in inline.children or [] if child.type != "text"]
    if visible(text).strip():
        assert [(child.type, child.content) for child in children] == [("code_inline", visible(text))]
    else:
        assert children == []


@given(hostile)
def test_a_markdown_cell_stays_one_cell_of_code(text: str) -> None:
    tokens = MARKDOWN.parse(f"| a | b |\n| --- | --- |\n| {markdown_cell(text)} | end |\n")
    cells = [token for token in tokens if token.type == "inline"]
    assert [cell.content for cell in (*cells[:2], cells[-1])] == ["a", "b", "end"]
    assert len(cells) == 4
    kinds = {child.type for child in cells[2].children or []}
    assert kinds <= {"code_inline"}
    if kinds:
        assert cells[2].children[0].content == visible(text.replace("\\|", "\\x5c|"))


def test_a_cut_is_marked() -> None:
    assert clip("abcdef", 6) == "abcdef"
    assert clip("abcdefg", 6) == "abcde…"


def test_a_backslash_before_a_pipe_is_shown_as_its_code() -> None:
    assert markdown_cell("a\\|b|c") == "`a\\x5c\\|b\\|c`"
