"""Escaping of names, versions, paths and messages that a repository or an advisory chose.

Owns one function per kind of output. Must never drop a character silently: what cannot be shown
safely is shown as its code, such as `\\x1b`, so that a reader sees that something was there.
"""

import re

_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters that `str.isprintable` accepts although nothing is drawn for them."""

_LOG_COMMAND = re.compile(r"##(?=[A-Za-z]*\[)")
"""GitHub `##[`, Azure `##vso[` and TeamCity `##teamcity[` run wherever they stand in a log line."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_BACKTICKS = re.compile("`+")


def clip(text: str, limit: int) -> str:
    """At most `limit` characters of `text`; a cut is marked with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def visible(text: str) -> str:
    """One line of printable characters: controls, ANSI, bidi overrides, separators and half surrogates
    become codes such as `\\x1b`, `\\u202e` or `\\U000e0001`; CI log commands are broken up."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _code(char) for char in text)
    if not text.isascii():
        text = _INVISIBLE.sub(lambda match: _code(match.group()), text)
    return break_log_commands(text)


def terminal(text: str) -> str:
    """For a terminal or a CI log: `visible`, and no `::` that GitHub would read as a workflow command.

    Every second colon is replaced, because a table may fold a cell anywhere, also just before a `::`.
    """
    return visible(text).replace("::", ":\\x3a")


def workflow_data(text: str) -> str:
    """For the message of a GitHub workflow command (`::error::MESSAGE`), as its toolkit encodes it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def html_text(text: str) -> str:
    """For HTML text and quoted attribute values."""
    import html  # half of what a short command loads besides typer

    return html.escape(visible(text), quote=True)


def csv_cell(text: str) -> str:
    """For a CSV cell (the csv module still does the quoting): no spreadsheet takes it for a formula."""
    shown = visible(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA_STARTS) else shown


def markdown_code(text: str) -> str:
    """A Markdown code span. There neither HTML, links, mentions nor issue references are read.

    Backslash escapes would not do: GitHub looks for `@name` and for bare addresses after it has
    rendered the Markdown, and only leaves code alone.
    """
    shown = visible(text)
    if not shown.strip():
        return ""
    longest = max((len(run) for run in _BACKTICKS.findall(shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def markdown_cell(text: str) -> str:
    """`markdown_code` for a table cell, where a pipe needs a backslash even inside code.

    Parsers disagree on a backslash that stands before a pipe, so that one is shown as its code.
    """
    return markdown_code(text.replace("\\|", "\\x5c|")).replace("|", "\\|")


def break_log_commands(text: str, hash_code: str = "\\x23") -> str:
    """Replaces the second `#` of a CI log command by `hash_code`."""
    return _LOG_COMMAND.sub(lambda _: f"#{hash_code}", text) if "##" in text else text


def _code(char: str) -> str:
    number = ord(char)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
