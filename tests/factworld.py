"""Facts for tests of reports."""

from collections.abc import Iterable
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

from cortex_git.analysis.attention import Standing
from cortex_git.analysis.figures import Asked, report_of
from cortex_git.analysis.gathering import Gathered
from cortex_git.analysis.statistics import Fact, ReportData
from cortex_git.llm import Usage

NOON = 1_793_275_200.0
"""2026-10-29T12:00:00Z."""
USUAL = Fact(
    task="t1",
    batch="b1",
    type="scan-worker",
    master="security-master",
    repo="",
    host="h1",
    worker="w1",
    status="completed",
    attempt=1,
    max_attempts=3,
    ran=True,
    redone=False,
    started_at=NOON,
    completed_at=NOON + 10,
    created_at=NOON - 5,
    duration_s=10.0,
    spawn_s=0.5,
    wait_s=5.0,
    model="",
    tokens=Usage(),
    tokens_used=0,
    cost_usd=Decimal(0),
    severities=None,
    error="",
)


def fact(task: str = "t1", *, start: float = 0.0, seconds: float = 10.0, **more: Any) -> Fact:
    """One that began `start` seconds after noon, and took so many seconds."""
    started = NOON + start
    times = {"started_at": started, "completed_at": started + seconds, "duration_s": seconds}
    assert set(more) <= {one.name for one in fields(Fact)}
    return replace(USUAL, task=task, **(times | more))


def gathered_of(facts: Iterable[Fact], drawn: str | None = None) -> Gathered:
    found = Gathered(drawn)
    found.add_all(facts)
    return found


def report_on(facts: Iterable[Fact], *, batch: str | None = None, since: float | None = None) -> ReportData:
    """A report made an hour after noon."""
    asked = Asked(NOON + 3600, "h1", since, NOON + 3600, batch)
    return report_of(asked, gathered_of(facts, "b1"), [], Standing(), open_tasks=0)
