"""HTML from values: the one place where text becomes markup, and where it is escaped, once.

`Html` is markup already; every other string is text and is escaped. No element can be made that runs
code, styles itself or loads anything: those attributes and addresses are refused.
"""

import re
from collections.abc import Iterable

from cortex_git.pages.text import visible

Value = str | int | float | bool | None

_VOID = frozenset({"br", "col", "hr", "input", "link", "meta"})
_ADDRESS = re.compile(r"#[A-Za-z][\w-]*|https://[A-Za-z0-9.-]+(/[A-Za-z0-9._~/%:-]*)?")
_REFUSED = frozenset({"style", "src", "srcset", "srcdoc", "action", "formaction", "data", "poster"})


class Html(str):
    """Markup that needs no more escaping."""

    __slots__ = ()


def escaped(text: str) -> Html:
    """For HTML text and quoted attribute values: `visible`, and no character that HTML reads."""
    import html  # half of what a short command loads besides typer

    return Html(html.escape(visible(text), quote=True))


def element(name: str, /, *children: str | None, **attributes: Value) -> Html:
    """One element. `class_` is `class`, `data_sort` is `data-sort`; None and False leave one out.

    Raises ValueError for an attribute that would run, style or load something.
    """
    opening = name + "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{opening}>")
    return Html(f"<{opening}>{join(children)}</{name}>")


def join(children: Iterable[str | None]) -> Html:
    """Markup and text one after the other; None is nothing."""
    return Html(
        "".join(
            child if isinstance(child, Html) else escaped(child) for child in children if child is not None
        )
    )


def link(address: str, text: str) -> Html:
    """A link to a section (`#id`) or to a public page (`https://`); it loads nothing by itself."""
    outside = "noopener noreferrer" if address.startswith("https:") else None
    return element("a", text, href=address, rel=outside)


def _attribute(key: str, value: Value) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if name in _REFUSED or name.startswith("on"):
        raise ValueError(f"a page has no attribute {name}")
    if name == "href" and not _ADDRESS.fullmatch(str(value)):
        raise ValueError("a page links to sections and https only")
    return f" {name}" if value is True else f' {name}="{escaped(str(value))}"'
