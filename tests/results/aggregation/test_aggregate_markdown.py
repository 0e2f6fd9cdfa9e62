"""An aggregate for people: nothing in it is a source's own Markdown."""

import re

from aggregationworld import several, strategies
from hypothesis import given

from cortex_git.results.aggregation import Source
from cortex_git.results.aggregation.strategies import aggregate, to_markdown

EVIL = "x` |\n<img src=x> @all [a](http://b) \x1b[2J ```` ##[error] #1"


def test_what_it_shows() -> None:
    sources = [
        Source(
            "t-1",
            {"a": 1, "n": 2, "summary": "One.", "findings": [{"id": "CVE-1", "severity": "low"}]},
            "s",
            80,
        ),
        Source("t-2", {"a": "x", "n": 5, "summary": "Two.", "b": {"c": True}}, "d", 20),
    ]
    text = to_markdown(aggregate(sources, "weighted", {"t-3": "failed: no answer"}))
    for line in (
        "# 2 results made one by `weighted`",
        "| `t-1` | `s` | 80 |",
        "| `t-3` | `failed: no answer` |",
        '| `a` | `1` (`t-1`, 80) | `"x"` (`t-2`, 20) | its sources are surer together: 80 against 20 |',
        "| `low` | `CVE-1` |  | `t-1` |",
        "| `b.c` | `true` | `t-2` |",
        "### `s`",
        "```text",
    ):
        assert line in text.split("\n"), line
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_hostile_texts_stand_in_code() -> None:
    finding = {"id": EVIL, "severity": EVIL, "package": EVIL, "fixed": EVIL, "reachable": EVIL}
    sources = [
        Source(
            f"t{EVIL}{at}",
            {EVIL: EVIL * at, "summary": f"# {EVIL}\n{EVIL * at}", "findings": [finding]},
            EVIL,
        )
        for at in (1, 2)
    ]
    text = to_markdown(aggregate(sources, "resolve", {EVIL: EVIL}))
    bare = re.sub(r"(?s)(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    for sign in ("<img", "@all", "http", "##[", "#1"):
        assert sign not in bare
    assert "\x1b" not in text
    assert "##[" not in text


@given(several, strategies)
def test_any_aggregate_can_be_shown(sources: list[Source], strategy: str) -> None:
    text = to_markdown(aggregate(sources, strategy))
    assert all(f"`{source.task}`" in text for source in sources)
