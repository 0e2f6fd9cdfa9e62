"""What work costs: every published example to the cent, kinds and tiers, rounding, machines, the return."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.analysis.cost import (
    Price,
    Return,
    Stretch,
    Tokens,
    Used,
    cents,
    exact,
    instances_for,
    model_costs,
    parallel,
    price_of,
    price_warnings,
    priced_usd,
    sequential,
    unpriced_tokens,
)
from cortex_git.analysis.cost_examples import examples
from cortex_git.config import Model, Models

HALF = Decimal("0.50")
SMALL, LARGE = Price.of(Models().small, "small"), Price.of(Models().large, "large")
TODAY = date(2026, 11, 29)


@pytest.mark.parametrize(
    ("name", "published", "computed", "difference"),
    [
        ("tokens, one after another", "1.20", "1.20", "0.00"),
        ("tokens, in parallel", "1.20", "1.20", "0.00"),
        ("one instance", "0.02", "0.02", "0.00"),
        ("twenty instances", "0.04", "0.04", "0.00"),
        ("240 iterations", "4.80", "9.60", "4.80"),
        ("1,000 repositories", "12.00", "24.00", "12.00"),
    ],
)
def test_published_examples(name: str, published: str, computed: str, difference: str) -> None:
    """All that the issue and the design name, those that contradict themselves as they were published."""
    (one,) = [example for example in examples() if example.name == name]
    assert str(one.published) == published
    assert str(cents(one.computed)) == computed
    assert str(one.difference) == difference
    assert one.agrees is (difference == "0.00")


def test_there_is_no_other_example() -> None:
    assert len(examples()) == 6


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "0.00"),
        ("0.004999", "0.00"),
        ("0.005", "0.01"),
        ("0.015", "0.02"),
        ("0.025", "0.03"),
        ("0.0208333", "0.02"),
        ("-0.005", "-0.01"),
        ("1234567.895", "1234567.90"),
        ("1e40", f"1{'0' * 40}.00"),
    ],
)
def test_cents_are_rounded_half_up(amount: str, shown: str) -> None:
    assert str(cents(Decimal(amount))) == shown


def test_a_number_is_what_was_written() -> None:
    assert exact(0.1) * 3 == Decimal("0.3")
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="is not a number"):
            exact(wrong)


@pytest.mark.parametrize(
    ("tokens", "price", "usd"),
    [
        (Tokens(input=1_000_000), LARGE, "2"),
        (Tokens(output=1_000_000), LARGE, "10"),
        (Tokens(cache_write=1_000_000), LARGE, "2.5"),
        (Tokens(cache_read=1_000_000), LARGE, "0.1"),
        (Tokens(unknown=1_000_000), LARGE, "10"),
        (Tokens(1_000_000, 1_000_000, 1_000_000, 1_000_000), SMALL, "0.735"),
        (Tokens(unknown=80_000), Price.flat(Decimal("0.015")), "1.2"),
        (Tokens(), LARGE, "0"),
    ],
)
def test_tokens_by_kind_and_tier(tokens: Tokens, price: Price, usd: str) -> None:
    assert price.of_tokens(tokens) == Decimal(usd)
    assert price.of_tokens(tokens, batched=True) == Decimal(usd) * price.batch_factor


def test_a_model_without_prices_has_none() -> None:
    assert Price.of(Model(name="free")) is None
    assert Price.of(Model(name="half", output=0.5)) is not None


PRICES = {("claude", "large"): LARGE, ("claude", "small"): SMALL}


def test_what_has_no_price_is_counted_and_not_guessed() -> None:
    used = [
        Used("claude", "large", Tokens(input=1000)),
        Used("claude", "large", Tokens(output=100), batched=True),
        Used("claude", "other", Tokens(input=5000)),
        Used("", "", Tokens(unknown=7)),
    ]
    rows = model_costs(used, PRICES)  # type: ignore[arg-type]
    assert [(row.model, row.tasks, row.tokens.total) for row in rows] == [
        ("large", 2, 1100),
        ("other", 1, 5000),
        ("", 1, 7),
    ]
    assert [row.usd for row in rows] == [Decimal("0.0025"), None, None]
    assert priced_usd(rows) == Decimal("0.0025")
    assert unpriced_tokens(rows) == 5007
    assert not any(row.upper_bound for row in rows)


def test_one_price_given_for_all() -> None:
    rows = model_costs([Used("", "", Tokens(unknown=80_000))], {}, Price.flat(Decimal("0.015")))
    assert cents(priced_usd(rows)) == Decimal("1.20")
    assert rows[0].upper_bound is False
    (guessed,) = model_costs([Used("claude", "large", Tokens(unknown=1))], PRICES)  # type: ignore[arg-type]
    assert guessed.upper_bound is True


def test_whose_price() -> None:
    other = Price.flat(Decimal(1))
    assert price_of("claude", "large", PRICES) is LARGE  # type: ignore[arg-type]
    assert price_of("replay", "large", PRICES) is LARGE  # type: ignore[arg-type]
    assert price_of("claude", "unknown", PRICES) is None  # type: ignore[arg-type]
    both = {("claude", "m"): other, ("openai", "m"): SMALL}
    assert price_of("openai", "m", both) is SMALL  # type: ignore[arg-type]
    assert price_of("", "m", both) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stretch", "hour", "usd"),
    [
        (sequential(10, Decimal(15)), HALF, "0.02"),
        (parallel(10, Decimal(15), 20, 1), HALF, "0.04"),
        (parallel(10, Decimal(15), 1, 20), HALF, "0.00"),
        (parallel(10, Decimal(15), 3, 1), HALF, "0.03"),
        (sequential(0, Decimal(15)), HALF, "0.00"),
        (parallel(10, Decimal(0), 20, 1), HALF, "0.00"),
        (Stretch(1, 1, Decimal(3600)), Decimal("0.15"), "0.15"),
    ],
)
def test_machines(stretch: Stretch, hour: Decimal, usd: str) -> None:
    found = stretch.usd(hour)
    assert found is not None
    assert str(cents(found)) == usd
    assert stretch.usd(None) is None


@pytest.mark.parametrize(
    ("workers", "share", "instances"),
    [(0, 4, 0), (1, 4, 1), (4, 4, 1), (5, 4, 2), (64, None, 1), (0, None, 0)],
)
def test_instances(workers: int, share: int | None, instances: int) -> None:
    assert instances_for(workers, share) == instances


def test_the_return() -> None:
    """135 s sooner at $60 an hour are $2.25; two instance-cents more."""
    gain = Return(1, Decimal(135), Decimal(60), Decimal("0.0208333"))
    assert cents(gain.value_usd) == Decimal("2.25")
    assert cents(gain.net_usd) == Decimal("2.23")
    assert gain.ratio is not None
    assert round(gain.ratio) == 107
    slower = Return(240, Decimal(-10), Decimal(60), Decimal("0.04"))
    assert slower.cost_usd == Decimal("9.60")
    assert slower.net_usd < 0
    assert Return(1, Decimal(1), Decimal(1), Decimal(0)).ratio is None


@pytest.mark.parametrize(
    ("priced_on", "told"),
    [
        (date(2026, 11, 29), None),
        (date(2026, 8, 31), None),
        (date(2026, 8, 30), "91 days old"),
        (date(2026, 11, 30), "yet to come"),
        (None, "no date"),
    ],
)
def test_old_and_undated_prices(priced_on: date | None, told: str | None) -> None:
    found = price_warnings([("the model", priced_on)], TODAY)
    assert len(found) == (told is not None)
    assert all(told in text and text.startswith("the model: ") for text in found if told)


counts = st.integers(0, 10**12)
kinds = st.builds(Tokens, counts, counts, counts, counts, counts)


@given(st.lists(kinds, max_size=8))
def test_a_sum_is_that_of_its_parts(parts: list[Tokens]) -> None:
    """Nothing is rounded on the way: in one row or by itself, in any order."""
    whole = sum(parts, Tokens())
    assert LARGE is not None
    assert LARGE.of_tokens(whole) == sum((LARGE.of_tokens(one) for one in parts), Decimal(0))
    rows = model_costs(
        [Used("claude", "large", one) for one in reversed(parts)], {("claude", "large"): LARGE}
    )
    assert priced_usd(rows) == LARGE.of_tokens(whole)
