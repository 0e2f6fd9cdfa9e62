"""What a report says needs attention: each case, and silence where nothing does."""

from typing import Any

import pytest
from factworld import fact, gathered_of

from cortex_git.analysis.attention import LONG_OPEN_S, OpenBatch, SilentHost, Standing, attention
from cortex_git.analysis.statistics import Attention, BudgetStanding, Fact
from cortex_git.analysis.utilization import Utilization

FINE = Standing(
    budgets=(BudgetStanding("total", 100, 79, "ok"),),
    open_batches=(OpenBatch("b1", 5, LONG_OPEN_S - 1), OpenBatch("b2", 5, None)),
)


def used(efficiency: float | None, covered_s: float = 3600.0) -> Utilization:
    return Utilization(covered_s, 1.0, 1, 1.0, 0.0, 0.0, efficiency)


def found(facts: list[Fact], use: Utilization | None = None, now: Standing = FINE) -> tuple[Attention, ...]:
    return attention(gathered_of(facts), use, now)


def test_silence_where_nothing_is_wrong() -> None:
    facts = [fact("t1"), fact("t2", status="cancelled", ran=False), fact("t3", status="failed", redone=True)]
    assert found(facts, used(0.5)) == ()
    assert found([], used(None)) == ()
    assert found([], used(0.1, covered_s=599)) == ()


@pytest.mark.parametrize(
    ("standing", "level", "where", "says"),
    [
        ({"budgets": (BudgetStanding("total", 100, 80, "warn"),)}, "warning", "total", "80% of a budget"),
        ({"budgets": (BudgetStanding("day:x", 100, 95, "critical"),)}, "critical", "day:x", "95 of 100"),
        ({"budgets": (BudgetStanding("total", 0, 0, "out"),)}, "critical", "total", "all of a budget"),
        ({"alert": "too many tasks"}, "critical", "pool", "too many tasks"),
        ({"fenced": 1}, "note", "fenced results", "1 result came too late, after"),
        ({"fenced": 2}, "note", "fenced results", "2 results came too late, after"),
        ({"unpublished": 1}, "warning", "outbox", "1 document waits"),
        ({"silent_hosts": (SilentHost("h2", 300.0, 3),)}, "warning", "h2", "at least 5 minutes, and holds 3"),
        ({"open_batches": (OpenBatch("b9", 1, 2 * 86400.0),)}, "warning", "b9", "1 task is still open"),
    ],
    ids=["80 %", "95 %", "no budget", "alert", "a late one", "late ones", "outbox", "silent", "left open"],
)
def test_the_standing(standing: dict[str, Any], level: str, where: str, says: str) -> None:
    (one,) = found([fact("t1")], None, Standing(**standing))
    assert (one.level, one.where) == (level, where)
    assert says in one.what
    assert one.what_to_do


def test_failures_are_told_by_how_they_ended() -> None:
    facts = [
        fact("t3", status="failed", error="no route\nto host", attempt=3),
        fact("t1", status="failed", error="no route\nelsewhere"),
        fact("t2", status="timed_out"),
        fact("t4", status="unreadable", ran=False),
    ]
    failed, timed_out, unreadable = found(facts)
    assert failed.what == ("2 tasks failed, 1 of them in every attempt they had (dead letters): no route")
    assert failed.where == "t1 and 1 more"
    assert "`cortex-git task retry t1`" in failed.what_to_do
    assert (timed_out.what, timed_out.where) == ("1 task ran out of time", "t2")
    assert "--deadline" in timed_out.what_to_do
    assert "doctor" in unreadable.what_to_do


def test_a_repository_that_fails_more_than_others() -> None:
    facts = [fact(f"a{n}", repo="bad", status="failed", redone=True) for n in range(3)]
    facts += [fact(f"b{n}", repo="good") for n in range(9)]
    (one,) = found(facts)
    assert (one.where, one.what) == ("bad", "100% of the tasks of one repository failed: 3 of 3")
    assert found(facts[:3]) == ()


def test_idle_workers() -> None:
    (one,) = found([], used(0.3))
    assert (one.level, one.where) == ("note", "pools of this clone")
    assert "30%" in one.what


def test_what_cannot_wait_comes_first_and_lists_end() -> None:
    now = Standing(
        budgets=(BudgetStanding("total", 1, 1, "out"),),
        fenced=1,
        open_batches=tuple(OpenBatch(f"b{n}", 1, 1e6 + n) for n in range(8)),
    )
    levels = [one.level for one in found([], None, now)]
    assert levels == ["critical", *["warning"] * 5, "note", "note"]


def test_errors_that_all_differ_do_not_pile_up() -> None:
    gathered = gathered_of(fact(f"t{n}", status="failed", error=f"{n:05d}" + "x" * 1000) for n in range(1000))
    (one,) = [one for one in attention(gathered, None, FINE) if "tasks failed" in one.what]
    assert one.what.startswith("1,000 tasks failed: 0")
    assert len(one.what) < 250
