"""Accounts: the names under which tokens are counted, and what each may hold.

Owns the names. An attempt spends from five of them: everything, the day and the month it began in (UTC),
its master's and its batch's; those without a limit are only counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cortex_git.config import BudgetSettings

TOTAL = "total"
DAILY, MONTHLY = "daily", "monthly"
"""Names of the limits that each day and each month has for itself."""
_KEPT_DAYS = 2
"""Days that an account outlives its own, because the clocks of hosts differ."""


def kind(account: str) -> str:
    """What the account is of: `total`, `day`, `month`, `master` or `batch`."""
    return account.partition(":")[0]


def day(at: datetime | None = None) -> str:
    return f"day:{at or datetime.now(UTC):%Y-%m-%d}"


def month(at: datetime | None = None) -> str:
    return f"month:{at or datetime.now(UTC):%Y-%m}"


def master(name: str) -> str:
    return f"master:{name}"


def batch(name: str) -> str:
    return f"batch:{name}"


def of_attempt(batch_name: str, master_name: str, at: datetime | None = None) -> tuple[str, ...]:
    """Every account that an attempt spends from; `at` is when it begins, now by default."""
    at = at or datetime.now(UTC)
    return TOTAL, day(at), month(at), master(master_name), batch(batch_name)


def is_past(account: str, at: datetime | None = None) -> bool:
    """Whether it is of a day or a month that no host's clock can be in any more."""
    oldest = (at or datetime.now(UTC)) - timedelta(days=_KEPT_DAYS)
    if kind(account) == "day":
        return account < day(oldest)
    return kind(account) == "month" and account < month(oldest)


def limit_name(account: str) -> str:
    """Under which name `budget set` keeps the account's limit: that of a day is every day's."""
    return {"day": DAILY, "month": MONTHLY}.get(kind(account), account)


@dataclass(frozen=True, slots=True)
class Caps:
    """The limits in force: the settings', but for those that were set for everyone (None: no limit)."""

    settings: BudgetSettings
    overrides: Mapping[str, int | None] = field(default_factory=dict)

    def of(self, account: str) -> int | None:
        """Most tokens that all hosts together may spend from the account; None where there is no limit."""
        name = limit_name(account)
        if name in self.overrides:
            found = self.overrides[name]
            return self.settings.total if found is None and name == TOTAL else found
        if name == TOTAL:
            return self.settings.total
        if name in (DAILY, MONTHLY):
            return self.settings.daily if name == DAILY else self.settings.monthly
        own = name.partition(":")[2]
        return self.settings.masters.get(own) if kind(account) == "master" else self.settings.batch

    def limited(self, accounts: Iterable[str]) -> dict[str, int]:
        """Those of the accounts that have a limit, with it."""
        found = ((account, self.of(account)) for account in accounts)
        return {account: limit for account, limit in found if limit is not None}
