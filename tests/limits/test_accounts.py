"""The names of accounts and the limits in force."""

from datetime import UTC, datetime

from cortex_git.config import BudgetSettings
from cortex_git.limits import accounts
from cortex_git.limits.accounts import Caps

AT = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)


def test_an_attempt_spends_from_five_accounts() -> None:
    found = accounts.of_attempt("b1", "security-master", AT)
    assert found == ("total", "day:2026-11-30", "month:2026-11", "master:security-master", "batch:b1")


def test_the_settings_limits() -> None:
    caps = Caps(BudgetSettings(total=9, daily=5, masters={"m": 3}, batch=2))
    names = accounts.of_attempt("b1", "m", AT)
    assert caps.limited(names) == {"total": 9, "day:2026-11-30": 5, "master:m": 3, "batch:b1": 2}
    assert caps.of("master:other") is None


def test_what_was_set_for_everyone_takes_their_place() -> None:
    settings = BudgetSettings(total=9, daily=5, batch=2)
    caps = Caps(settings, {"total": 4, "daily": None, "monthly": 7, "batch:b1": 1, "batch:free": None})
    assert caps.limited(accounts.of_attempt("b1", "m", AT)) == {"total": 4, "month:2026-11": 7, "batch:b1": 1}
    assert (caps.of("batch:free"), caps.of("batch:other")) == (None, 2)
    assert Caps(settings, {"total": None}).of("total") == 9, "there is always a total"


def test_days_and_months_outlive_themselves_a_little() -> None:
    at = datetime(2026, 12, 2, 1, tzinfo=UTC)
    past = [
        name for name in ("day:2026-11-29", "day:2026-11-30", "month:2026-10") if accounts.is_past(name, at)
    ]
    assert past == ["day:2026-11-29", "month:2026-10"]
    assert not accounts.is_past("month:2026-11", datetime(2026, 12, 2, 1, tzinfo=UTC))
    assert accounts.is_past("month:2026-11", datetime(2026, 12, 3, 1, tzinfo=UTC))
    assert not any(map(accounts.is_past, ("total", "batch:2020", "master:m")))
