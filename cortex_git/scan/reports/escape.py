"""Escaping of names, versions, paths and messages that a repository or an advisory chose.

Owns one function per kind of output (HTML is `pages.markup`). Must never drop a character silently: what
cannot be shown safely is shown as its code, such as `\\x1b`, so that a reader sees that something was there.
"""

import re

from cortex_git.pages.text import break_log_commands, clip, visible

__all__ = [
    "break_log_commands",
    "clip",
    "csv_cell",
    "markdown_cell",
    "markdown_code",
    "terminal",
    "visible",
    "workflow_data",
    "workflow_property",
]

_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_BACKTICKS = re.compile("`+")


def terminal(text: str) -> str:
    """For a terminal or a CI log: `visible`, and no `::` that GitHub would read as a workflow command.

    Every second colon is replaced, because a table may fold a cell anywhere, also just before a `::`.
    """
    return visible(text).replace("::", ":\\x3a")


def workflow_data(text: str) -> str:
    """For the message of a GitHub workflow command (`::error::MESSAGE`), as its toolkit encodes it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def workflow_property(text: str) -> str:
    """For a property of a GitHub workflow command (`::error file=HERE,line=1::`), as the toolkit does it."""
    return workflow_data(text).replace(":", "%3A").replace(",", "%2C")


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
