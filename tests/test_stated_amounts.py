"""An amount outside of the marks of figures is a limit, a setting, a definition or an example, with a source.

What is measured stands between marks (test_published_figures.py); stated_amounts.toml lists all else.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

CHECKOUT = Path(__file__).parents[1]
sys.path.insert(0, str(CHECKOUT / "scripts"))

import published_figures  # noqa: E402

PAGES = [*published_figures.pages(CHECKOUT)]
GENERATED = {"docs/commands.md", "docs/benchmarks/all.md"}
"""Whole pages that programs write, each with a test of its own."""
LIST = CHECKOUT / "tests" / "stated_amounts.toml"
_MARKED = re.compile(
    r"<!-- (?P<what>figures [a-z-]+|generated)\b.*?begin -->.*?<!-- (?P=what)\b.*?end -->", re.S
)
_FENCED = re.compile(r"^( *)```.*?^\1```", re.S | re.M)
_INDENTED = re.compile(r"^ {4}\S.*$", re.M)
_CODE = re.compile(r"`[^`\n]*`")
_UNITS = (
    "ms|µs|s|seconds?|minutes?|hours?|%|times|[KMG]i?B|kB|bytes|megabytes?|tasks|results?|calls|states"
    "|worker-hours"
)
_AMOUNT = re.compile(
    rf"(?<![\w.,`/-])\d[\d.,]*(?: to \d[\d.,]*| and \d[\d.,]*)?(?:[ -](?:{_UNITS})|%)(?![\w`])"
)


class Stated(NamedTuple):
    """An amount on a page, such as `4 MiB`."""

    page: str
    amount: str


def identity(page: Path) -> str:
    return page.relative_to(CHECKOUT).as_posix()


def stated(page: Path) -> set[Stated]:
    """The amounts of a page outside of marks and code; examples of what is printed are code."""
    text = page.read_text(encoding="utf-8")
    for left_out in (_MARKED, _FENCED, _INDENTED):
        text = left_out.sub("", text)
    return {Stated(identity(page), found[0]) for found in _AMOUNT.finditer(_CODE.sub("``", text))}


def listed() -> dict[Stated, str]:
    """The list: each amount with its source."""
    entries = tomllib.loads(LIST.read_text(encoding="utf-8"))["stated"]
    return {Stated(one["page"], amount): one["source"] for one in entries for amount in one["amounts"]}


def test_amounts_outside_of_marks_have_a_source() -> None:
    known = listed()
    found = {one for page in PAGES if identity(page) not in GENERATED for one in stated(page)}
    unknown = sorted(found - known.keys())
    paste = "\n".join(
        f'[[stated]]\npage = "{page}"\namounts = ["{amount}"]\nsource = ""' for page, amount in unknown
    )
    assert not unknown, f"measured: write it between marks; else add its source to {LIST.name}:\n{paste}"
    assert not sorted(known.keys() - found), f"no longer on their pages: take them out of {LIST.name}"


@pytest.mark.parametrize(
    ("stated_one", "source"), listed().items(), ids=[f"{one.page}: {one.amount}" for one in listed()]
)
def test_sources_hold_what_is_stated(stated_one: Stated, source: str) -> None:
    """A source is a file that has the number, or says in a word why there is none."""
    kind, _, why = source.partition(": ")
    if kind in ("definition", "example", "published"):
        assert why, "say which"
        return
    text = (CHECKOUT / source).read_text(encoding="utf-8").replace("_", "")
    numbers = {float(number) for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", text)}
    for number in re.findall(r"\d[\d.,]*\d|\d", stated_one.amount):
        value = float(number.replace(",", ""))
        assert numbers & {value, value / 100, value / 1000, value * 60, value / 60}, (
            f"{number} is not in {source}"
        )


def test_amounts_are_found_in_text_and_not_in_code() -> None:
    cases = {
        "It takes 1.2 s.": {"1.2 s"},
        "up to 5,517 tasks a minute, 96.8 % of it": {"5,517 tasks", "96.8 %"},
        "20 to 60 ms": {"20 to 60 ms"},
        "a 74% share, 41 times as fast": {"74%", "41 times"},
        "version 1.2 and step 3 of 4": set(),
        "`sleep 5 s`": set(),
        "    $ echo 5 s": set(),
        "```\n5 s\n```": set(),
        "<!-- figures queue, by x: begin -->\n5 s\n<!-- figures queue: end -->": set(),
    }
    for text, amounts in cases.items():
        for left_out in (_MARKED, _FENCED, _INDENTED):
            text = left_out.sub("", text)
        assert {found[0] for found in _AMOUNT.finditer(_CODE.sub("``", text))} == amounts
