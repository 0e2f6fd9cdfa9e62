"""How much of the budget is spent: fine, worth a warning, critical, or out.

Owns the figure that decides. What other hosts spent is as they last reported it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cortex_git.limits.accounts import TOTAL, Caps, is_past
from cortex_git.limits.balances import balance
from cortex_git.store.budget_ref import BudgetDocument
from cortex_git.store.repository import Repository

BudgetLevel = Literal["ok", "warn", "critical", "out"]


@dataclass(frozen=True, slots=True)
class Standing:
    """The account whose limit is the nearest, with what all hosts spent of it."""

    level: BudgetLevel
    account: str
    spent: int
    limit: int


def spent_by_all(repository: Repository, document: BudgetDocument, account: str) -> int:
    """What was spent from the account: by this host now, by the others when they last said."""
    others = sum(told.get(account, 0) for host, told in document.reported.items() if host != repository.host)
    return others + balance(repository.durable_state, repository.host, account).spent


def level_of(spent: int, limit: int, caps: Caps) -> BudgetLevel:
    """The level of one account."""
    if spent >= limit:
        return "out"
    if spent >= caps.settings.critical_at * limit:
        return "critical"
    return "warn" if spent >= caps.settings.warn_at * limit else "ok"


def standing(repository: Repository, caps: Caps, document: BudgetDocument, names: Iterable[str]) -> Standing:
    """The account among `names` that is the nearest to its limit."""
    worst = Standing("ok", TOTAL, 0, caps.of(TOTAL) or 0)
    nearest = -1.0
    for account, limit in caps.limited(name for name in sorted(names) if not is_past(name)).items():
        spent = spent_by_all(repository, document, account)
        part = spent / limit if limit else 1.0
        if part > nearest:
            nearest = part
            worst = Standing(level_of(spent, limit, caps), account, spent, limit)
    return worst
