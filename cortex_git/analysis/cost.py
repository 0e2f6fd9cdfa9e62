"""What work costs: tokens by the price of their model, machines by the hour, and what being faster is worth.

Owns the sums and how they are rounded. Pure functions over `Decimal`: nothing is rounded before the end,
and what has no price is counted apart instead of guessed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from math import ceil
from typing import Literal

from cortex_git.config import Infrastructure, Model

Source = Literal["measured", "config", "given"]
"""Where a figure comes from: results and the ledger, the settings, or the command line."""

MILLION = Decimal(1_000_000)
HOUR_S = Decimal(3600)
CENT = Decimal("0.01")
_WIDE = Context(prec=100)
STALE_DAYS = 90
"""Days after which prices are called old."""


def cents(amount: Decimal) -> Decimal:
    """US dollars to the cent, half a cent up. Only for what is shown: sums are made before it."""
    return rounded(amount, CENT)


def rounded(amount: Decimal, step: Decimal) -> Decimal:
    """An amount in whole steps, half a step up, however large it is."""
    return amount.quantize(step, ROUND_HALF_UP, _WIDE)


def exact(value: float | str) -> Decimal:
    """A number as a person wrote it: 0.1 is a tenth. Raises ValueError for what is not finite."""
    found = Decimal(str(value))
    if not found.is_finite():
        raise ValueError(f"{value} is not a number")
    return found


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens by kind; of `unknown` ones only the number is known."""

    input: int = 0
    output: int = 0
    cache_write: int = 0
    cache_read: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output + self.cache_write + self.cache_read + self.unknown

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens of each kind."""

    input: Decimal
    output: Decimal
    cache_write: Decimal
    cache_read: Decimal
    batch_factor: Decimal = Decimal(1)
    """What the provider's message batches cost, as a part of that."""
    priced_on: date | None = None
    source: Source = "config"
    tier: str = ""

    @classmethod
    def flat(cls, per_1k: Decimal) -> "Price":
        """One price for every token, given for a thousand of them."""
        each = per_1k * 1000
        return cls(each, each, each, each, source="given")

    @classmethod
    def of(cls, model: Model, tier: str = "") -> "Price | None":
        """The settings' price of a model; None where they have none, which is when all four are zero."""
        kinds = [exact(one) for one in (model.input, model.output, model.cache_write, model.cache_read)]
        if not any(kinds):
            return None
        factor = exact(model.batch_factor)
        return cls(kinds[0], kinds[1], kinds[2], kinds[3], factor, priced_on=model.priced_on, tier=tier)

    @property
    def is_flat(self) -> bool:
        """Whether every kind costs the same."""
        return len({self.input, self.output, self.cache_write, self.cache_read}) == 1

    @property
    def dearest(self) -> Decimal:
        return max(self.input, self.output, self.cache_write, self.cache_read)

    def of_tokens(self, tokens: Tokens, *, batched: bool = False) -> Decimal:
        """US dollars, not rounded. Tokens of an unknown kind count as the dearest: an upper bound."""
        amount = (
            tokens.input * self.input
            + tokens.output * self.output
            + tokens.cache_write * self.cache_write
            + tokens.cache_read * self.cache_read
            + tokens.unknown * self.dearest
        )
        return amount * (self.batch_factor if batched else 1) / MILLION


@dataclass(frozen=True, slots=True)
class Used:
    """What one attempt, or several alike, used of one model."""

    provider: str
    model: str
    """Empty: the result does not say."""
    tokens: Tokens
    batched: bool = False
    """By the provider's message batches (`--economy`)."""
    tasks: int = 1


@dataclass(frozen=True, slots=True)
class ModelCost:
    """All tokens of one model."""

    provider: str
    model: str
    tasks: int
    tokens: Tokens
    price: Price | None
    usd: Decimal | None
    """None: the model has no price here, and is in no sum."""

    @property
    def upper_bound(self) -> bool:
        """Whether tokens of an unknown kind had to be taken for the dearest one."""
        return self.price is not None and bool(self.tokens.unknown) and not self.price.is_flat


Prices = Mapping[tuple[str, str], Price]
"""By provider and model."""


def model_costs(used: Iterable[Used], prices: Prices, flat: Price | None = None) -> list[ModelCost]:
    """One row for each provider and model, the dearest first, those without a price last.

    `flat` stands in for all prices. A model whose provider is not said, or is none of the settings', has the
    price of its name where all providers that have one agree.
    """
    tasks: dict[tuple[str, str], int] = {}
    tokens: dict[tuple[str, str, bool], Tokens] = {}
    for one in used:
        name = one.provider, one.model
        tasks[name] = tasks.get(name, 0) + one.tasks
        key = *name, one.batched
        tokens[key] = tokens.get(key, Tokens()) + one.tokens
    rows = []
    for provider, model in tasks:
        price = flat or price_of(provider, model, prices)
        parts = [(batched, tokens.get((provider, model, batched), Tokens())) for batched in (False, True)]
        usd = None
        if price is not None:
            usd = sum((price.of_tokens(part, batched=batched) for batched, part in parts), Decimal(0))
        rows.append(ModelCost(provider, model, tasks[provider, model], parts[0][1] + parts[1][1], price, usd))
    return sorted(rows, key=lambda row: (row.usd is None, -(row.usd or 0), -row.tokens.total, row.model))


def price_of(provider: str, model: str, prices: Prices) -> Price | None:
    """The price of a model; None where there is none, or several and nobody says which."""
    if found := prices.get((provider, model)):
        return found
    if any(provider == known for known, _ in prices):
        return None
    named = [price for (_, name), price in prices.items() if name == model]
    return named[0] if len({(p.input, p.output, p.cache_write, p.cache_read) for p in named}) == 1 else None


def priced_usd(rows: Iterable[ModelCost]) -> Decimal:
    """The sum over what has a price."""
    return sum((row.usd for row in rows if row.usd is not None), Decimal(0))


def unpriced_tokens(rows: Iterable[ModelCost]) -> int:
    """Tokens of what has none."""
    return sum(row.tokens.total for row in rows if row.usd is None)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Instances that are paid for so many seconds each."""

    workers: int
    instances: int
    seconds: Decimal
    """Of each instance; where they differ, their mean."""

    @property
    def instance_hours(self) -> Decimal:
        return self.instances * self.seconds / HOUR_S

    def usd(self, hour_usd: Decimal | None) -> Decimal | None:
        """US dollars, not rounded; None without a price."""
        return None if hour_usd is None else self.instance_hours * hour_usd


def instances_for(workers: int, per_instance: int | None) -> int:
    """Instances that so many workers of a host take up: one, where nobody says how many share one."""
    return 0 if workers < 1 else 1 if per_instance is None else ceil(workers / per_instance)


def sequential(tasks: int, task_s: Decimal) -> Stretch:
    """One worker on one instance, one task after another."""
    return Stretch(workers=min(tasks, 1), instances=min(tasks, 1), seconds=tasks * task_s)


def parallel(tasks: int, task_s: Decimal, instances: int, per_instance: int) -> Stretch:
    """So many instances, in as many rounds as their workers need for tasks that all take as long.

    Nothing is added for coordination; every instance is paid for to the end of the last round.
    """
    workers = instances * per_instance
    rounds = ceil(tasks / workers) if workers else 0
    return Stretch(workers=workers, instances=instances, seconds=rounds * task_s)


@dataclass(frozen=True, slots=True)
class Return:
    """What an iteration is worth that ends sooner."""

    iterations: int
    saved_s: Decimal
    """Seconds by which each ends sooner than its tasks would one after another; negative where later."""
    hour_value_usd: Decimal
    extra_usd: Decimal
    """What each costs more than that."""

    @property
    def value_usd(self) -> Decimal:
        return self.iterations * self.saved_s / HOUR_S * self.hour_value_usd

    @property
    def cost_usd(self) -> Decimal:
        return self.iterations * self.extra_usd

    @property
    def net_usd(self) -> Decimal:
        return self.value_usd - self.cost_usd

    @property
    def ratio(self) -> Decimal | None:
        """Net value for each dollar more; None where it costs nothing more."""
        return self.net_usd / self.cost_usd if self.cost_usd > 0 else None


def price_warnings(
    prices: Sequence[tuple[str, date | None]], today: date, most_days: int = STALE_DAYS
) -> list[str]:
    """What is to be said of the dates of prices, each given with what it is the price of."""
    found = []
    for what, priced_on in prices:
        days = (today - priced_on).days if priced_on else 0
        if priced_on is None:
            found.append(f"{what}: no date says when the price was true: set priced_on beside it")
        elif days > most_days:
            found.append(
                f"{what}: the price is of {priced_on}, {days} days old: look it up and set priced_on anew"
            )
        elif days < 0:
            found.append(f"{what}: the price is dated {priced_on}, which is yet to come: correct priced_on")
    return found


def infrastructure_priced(settings: Infrastructure) -> bool:
    """Whether any price of machines is set."""
    return settings.instance_hour_usd is not None or settings.spot_hour_usd is not None
