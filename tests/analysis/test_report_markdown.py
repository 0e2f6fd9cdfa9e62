"""The Markdown report: its form, and that nobody writes Markdown into it."""

import re
from decimal import Decimal

import pytest
from factworld import NOON, fact, report_on

from cortex_git.analysis.report_markdown import markdown
from cortex_git.analysis.wording import money, number, percent, span

HOSTILE = (
    "a|b`c`<script>alert(1)</script>\n# x [y](https://example.invalid) @everyone \x1b[31m::error::\u202e"
)


def test_every_section_is_a_table_with_equal_rows() -> None:
    data = report_on(
        [fact(f"t{n}", repo=f"r{n}", severities={"high": n}, status="failed" if n == 3 else "completed",
              tokens_used=5, cost_usd=Decimal("0.01"), model="m") for n in range(30)],
        since=NOON - 3600,
    )  # fmt: skip
    text = markdown(data)
    for title in (
        "Figures",
        "By master",
        "By worker type",
        "By model",
        "By repository",
        "Findings",
        "Slowest",
    ):
        assert f"\n## {title}" in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert "… and 10 more" in text
    assert "| Cost | $0.3000 |" in text


def test_nothing_at_all() -> None:
    text = markdown(report_on([]))
    assert "Nothing needs attention." in text
    assert "| Success | – |" in text
    assert "nan" not in text.lower()
    assert "None" not in text


def test_hostile_names_stay_code() -> None:
    names = {"repo": HOSTILE, "master": HOSTILE, "type": HOSTILE, "model": HOSTILE, "worker": HOSTILE}
    facts = [
        fact(f"t{n}", **names, tokens_used=1, cost_usd=None, status="failed", error=HOSTILE) for n in range(4)
    ]
    facts.append(fact("fine", repo="other", type="x"))
    text = markdown(report_on(facts, batch=HOSTILE))
    bare = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", text)
    for word in ("script", "everyone", "example.invalid", "::error"):
        assert word not in bare
    assert "\x1b" not in text
    assert "\u202e" not in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "–"), (0.0, "0s"), (0.0004, "<0.001s"),
        (0.0514, "0.051s"), (5.0, "5s"), (5.2, "5.20s"), (12.34, "12.3s"),
     (185.0, "3m05s"), (7805.0, "2h10m"), (86400.0, "1d00h")],
)  # fmt: skip
def test_spans(seconds: float | None, said: str) -> None:
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(None, "–"), (0.0, "0%"), (0.001, "<1%"), (0.5, "50%"), (0.9996, "99.9%"), (1.0, "100%")],
)
def test_shares_never_claim_all_or_nothing(share: float | None, said: str) -> None:
    assert percent(share) == said


@pytest.mark.parametrize(
    ("amount", "said"), [("0", "$0.00"), ("0.0123", "$0.0123"), ("1.2", "$1.20"), ("1234.5", "$1,234.50")]
)
def test_money(amount: str, said: str) -> None:
    assert money(Decimal(amount)) == said


@pytest.mark.parametrize(
    ("value", "said"), [(None, "–"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1,234")]
)
def test_numbers(value: float | None, said: str) -> None:
    assert number(value) == said
