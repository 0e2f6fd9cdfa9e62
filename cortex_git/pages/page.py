"""The shell of a page: one HTML file that loads nothing, for a screen, a phone, paper and a screen reader.

Owns the security policy. The page is read without a script; ours adds sorting and filtering only.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from cortex_git.pages.markup import Html, element, link
from cortex_git.pages.parts import Section, section

_ICON = "M2 12h3l2-7 3 10 2-6h2"


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says."""

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    """Small print below the title: a name and a value each."""
    opening: Html
    """What comes before the sections: what needs attention, and the main figures."""
    sections: tuple[Section, ...]
    footer: tuple[str, ...] = ()
    """Sentences on what the figures mean and do not cover."""


def render(page: Page) -> str:
    """The whole document; it ends with one newline."""
    style, script = _asset("page.css"), _asset("tables.js")
    head = element(
        "head",
        Html('<meta charset="utf-8">'),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", page.title),
        Html(f"<style>{style}</style>"),
    )
    body = element(
        "body",
        element("a", "Skip to the content", href="#content", class_="skip"),
        _header(page),
        element(
            "div",
            _contents(page.sections),
            element(
                "main",
                page.opening,
                element("div", *(section(part) for part in page.sections), class_="sections"),
                id="content",
                tabindex=-1,
            ),
            class_="frame",
        ),
        element("footer", *(element("p", text) for text in page.footer)),
        Html(f"<script>{script}</script>"),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _header(page: Page) -> Html:
    mark = Html(f'<svg class="mark" viewBox="0 0 16 18" aria-hidden="true"><path d="{_ICON}"></path></svg>')
    facts = element(
        "dl",
        *(element("div", element("dt", name), element("dd", value)) for name, value in page.facts),
        class_="facts",
    )
    return element(
        "header",
        element("div", mark, element("h1", page.title), class_="headline"),
        element("p", page.subtitle, class_="subtitle"),
        facts if page.facts else None,
    )


def _contents(sections: Sequence[Section]) -> Html:
    listed = (element("li", link(f"#{part.identity}", part.title)) for part in sections)
    return element("nav", element("h2", "Contents"), element("ul", *listed), aria_label="Contents")


def _policy(style: str, script: str) -> str:
    """Nothing is loaded, and nothing runs or styles but what stands here."""
    rules = {
        "default-src": "'none'",
        "style-src": _digest(style),
        "script-src": _digest(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _asset(name: str) -> str:
    text = (resources.files("cortex_git.pages") / name).read_text(encoding="utf-8")
    if "</" in text:
        raise ValueError(f"{name} would end the element that holds it")
    return text
