"""Prices in the settings: dates as dates, amounts as amounts, and nothing that passes for either."""

from datetime import date

import pytest

from cortex_git.config import Infrastructure, Models, load_settings
from cortex_git.errors import BadInput


@pytest.mark.parametrize("text", ["2026-11-24", '"2026-11-24"'])
def test_a_date(text: str) -> None:
    settings = load_settings(
        f"[infrastructure]\ninstance_hour_usd = 0.5\npriced_on = {text}\n".encode(), "here"
    )
    assert settings.infrastructure.priced_on == date(2026, 11, 24)
    assert settings.infrastructure.instance_hour_usd == 0.5


@pytest.mark.parametrize(
    "text",
    [
        '"24.11.2026"',
        '"2026-11"',
        '"20261124"',
        '"2026-02-30"',
        "20261124",
        "true",
        "2026-11-24T10:00:00",
        "[]",
    ],
)
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        load_settings(f"[infrastructure]\npriced_on = {text}\n".encode(), "file.toml")
    assert "file.toml: infrastructure.priced_on" in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "instance_hour_usd = -1",
        "instance_hour_usd = inf",
        "spot_hour_usd = nan",
        'spot_hour_usd = "a lot"',
        "spot_hour_usd = 1e7",
        "workers_per_instance = 0",
        "workers_per_instance = 65",
        "typo = 1",
    ],
)
def test_what_is_no_price(text: str) -> None:
    with pytest.raises(BadInput, match="infrastructure"):
        load_settings(f"[infrastructure]\n{text}\n".encode(), "file.toml")


@pytest.mark.parametrize("amount", ["inf", "nan", "-1"])
def test_a_model_s_price_is_an_amount(amount: str) -> None:
    with pytest.raises(BadInput, match=r"models.small.input"):
        load_settings(f'[models.small]\nname = "m"\ninput = {amount}\n'.encode(), "file.toml")


def test_our_own_prices_are_dated_and_others_are_not() -> None:
    assert Models().small.priced_on == Models().large.priced_on == date(2026, 11, 24)
    changed = load_settings(b'[models.small]\nname = "m"\ninput = 1\n', "here")
    assert changed.models.small.priced_on is None
    assert Infrastructure().instance_hour_usd is None
