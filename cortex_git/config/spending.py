"""Settings of what work may take and what it costs: budgets, rates, models and prices, machines."""

import re
from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, Field

from cortex_git.config.sections import Section


class BudgetSettings(Section):
    """Most tokens that all hosts together may spend; `budget set` changes them for everyone at once."""

    total: int = Field(1_000_000, ge=0)
    daily: int | None = Field(None, ge=0)
    """Within one day, by UTC."""
    monthly: int | None = Field(None, ge=0)
    """Within one month, by UTC."""
    masters: dict[str, int] = Field(default_factory=dict)
    """Caps of single masters, such as `security-master`."""
    batch: int | None = Field(None, ge=0)
    """Cap of every batch that has none of its own."""
    warn_at: float = Field(0.80, gt=0, le=1)
    critical_at: float = Field(0.95, gt=0, le=1)


class Rate(Section):
    """What the account may ask of one provider in a minute, for all hosts together; None: as it answers."""

    requests_per_minute: int | None = Field(None, ge=1)
    tokens_per_minute: int | None = Field(None, ge=1)


def _plain_date(value: object) -> date | None:
    """A date as TOML or ISO 8601 writes it: no time of the day, and no number that would pass for one."""
    if value is None or type(value) is date:
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return date.fromisoformat(value)
    raise ValueError("write a date such as 2026-11-24")


PricedOn = Annotated[date | None, BeforeValidator(_plain_date)]
"""The day that prices are of; None: nobody said."""
Dollars = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class Model(Section):
    """A model and its prices, in US dollars for a million tokens."""

    name: str = Field(min_length=1)
    input: Dollars = 0.0
    output: Dollars = 0.0
    cache_write: Dollars = 0.0
    cache_read: Dollars = 0.0
    batch_factor: float = Field(0.5, ge=0, le=1)
    """What the provider's message batches cost, as a fraction of that."""
    priced_on: PricedOn = None


_PRICED_ON = date(2026, 11, 24)
"""When the prices below were taken from the provider's list."""


class Models(Section):
    """The model of each tier: the small one for tasks of a complexity below `small_below`."""

    small: Model = Model(
        name="claude-haiku-5-5",
        input=0.10,
        output=0.50,
        cache_write=0.125,
        cache_read=0.01,
        priced_on=_PRICED_ON,
    )
    large: Model = Model(
        name="claude-sonnet-5-5",
        input=2.0,
        output=10.0,
        cache_write=2.5,
        cache_read=0.10,
        priced_on=_PRICED_ON,
    )
    small_below: int = Field(4, ge=1, le=11)

    def for_complexity(self, complexity: int) -> Model:
        """The model for a task of that complexity (1 to 10)."""
        return self.small if complexity < self.small_below else self.large


class Infrastructure(Section):
    """What the machines that workers run on cost, in US dollars for an hour of one instance."""

    instance_hour_usd: Dollars | None = None
    """On demand; None: nobody said, so nothing is added up."""
    spot_hour_usd: Dollars | None = None
    workers_per_instance: int | None = Field(None, ge=1, le=64)
    """Workers that share an instance; None: all that a host has."""
    priced_on: PricedOn = None
