"""Facts of ended tasks, as `analysis` adds them up, from what the store has of them.

Owns how documents that anybody can push become plain figures: what is no sensible one is left out, never
guessed, and never the end of a report.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite

from cortex_git.analysis.cost import Prices, price_of
from cortex_git.analysis.statistics import Fact
from cortex_git.llm import Usage
from cortex_git.models import MERGE_SUFFIX, Batch, Result
from cortex_git.results.rows import row_of
from cortex_git.scan.records import SEVERITIES
from cortex_git.services.costing import used_of
from cortex_git.store import index
from cortex_git.store.archivable import seconds_of
from cortex_git.store.ended import Ended, ended
from cortex_git.store.outcomes import MOST_TOKENS, UNREADABLE, text_of, usage_of
from cortex_git.store.repository import Repository

_FIRST = 1.1e9
"""Seconds since 1970 before which there was no git, so that whoever says so has no clock."""
AHEAD_S = 24 * 3600.0
"""How far hosts' clocks may be apart."""
_MOST_S = 1e9
_MOST_ATTEMPTS = 10**6


@dataclass(frozen=True, slots=True)
class _Times:
    """Of one result, as far as they can be believed."""

    started: float | None
    completed: float | None
    duration_s: float
    mistimed: bool


@dataclass
class Facts:
    """Turns what ended into facts."""

    repository: Repository
    prices: Prices
    now: float
    """Seconds since 1970."""
    alone: bool
    """Whether this is the only host that ever took part, so that there is one clock."""
    _batches: dict[str, Batch | None] = field(default_factory=dict)

    def of(
        self, *, batch: str | None = None, since: float | None = None, until: float | None = None
    ) -> Iterator[Fact]:
        """One after another; see `store.ended`."""
        for one in ended(self.repository, batch=batch, since=since, until=until):
            yield _unreadable(one) if one.result is None else self._fact(one, one.result)

    def _fact(self, one: Ended, result: Result) -> Fact:
        document = one.document
        created = None if document is None else self._moment(document.created_at)
        times = self._times(result, self._earliest(one.batch, created))
        merges = one.task.endswith(MERGE_SUFFIX) or (document is not None and document.is_aggregate)
        used = used_of(result)
        price = price_of(used.provider, used.model, self.prices)
        nothing = Decimal(0) if not used.tokens.total else None
        repo = (document.repo if document is not None else None) or text_of(result.output.get("repo"))
        return Fact(
            task=one.task,
            batch=one.batch,
            type=result.type,
            master=result.master,
            repo=repo,
            host=result.host,
            worker=result.worker,
            status=result.status,
            attempt=min(max(result.attempt, 1), _MOST_ATTEMPTS),
            max_attempts=1 if document is None else document.max_attempts,
            ran=times.started is not None and result.status != "cancelled" and not merges,
            redone=one.redone,
            started_at=times.started,
            completed_at=times.completed,
            created_at=created,
            duration_s=times.duration_s,
            spawn_s=_seconds(result.spawn_s),
            wait_s=self._wait_s(one.batch, result.host, created, times.started),
            model=used.model,
            tokens=usage_of(result.output),
            tokens_used=min(result.tokens_used, MOST_TOKENS),
            cost_usd=nothing if price is None else price.of_tokens(used.tokens, batched=used.batched),
            severities=_severities(result, repo),
            error=result.error or "",
            mistimed=times.mistimed,
        )

    def _times(self, result: Result, earliest: float) -> "_Times":
        """What of a result's times can be: nothing before the task was there, nor longer than it is there."""
        stamps = (result.started_at, result.completed_at)
        started, completed = (
            None if (at := self._moment(stamp)) is not None and at < earliest else at for stamp in stamps
        )
        told = sum(seconds_of(stamp) is not None for stamp in stamps)
        believed = sum(at is not None for at in (started, completed))
        duration_s = _seconds(result.duration_s)
        if told == believed and duration_s <= self.now + AHEAD_S - earliest:
            return _Times(started, completed, duration_s, mistimed=False)
        return _Times(None, completed, 0.0, mistimed=True)

    def _moment(self, stamp: str) -> float | None:
        """None for what is no moment, or cannot be one: such a clock would make a day of every year."""
        at = seconds_of(stamp)
        return at if at is not None and _FIRST <= at <= self.now + AHEAD_S else None

    def _earliest(self, batch: str, created: float | None) -> float:
        """Before then, by any host's clock, the task was not there yet."""
        if created is None and (document := self._batch(batch)) is not None:
            created = self._moment(document.created_at)
        return _FIRST if created is None else created - AHEAD_S

    def _wait_s(self, batch: str, host: str, created: float | None, started: float | None) -> float | None:
        """None where the task was added by another host's clock, or nobody knows whose."""
        if created is None or started is None or started < created:
            return None
        document = self._batch(batch)
        by_host = document is not None and document.sealed and self._same(document.created_by, host)
        return started - created if by_host or self.alone else None

    def _batch(self, name: str) -> Batch | None:
        if name not in self._batches:
            self._batches[name] = index.find_batch(self.repository.state, name)
        return self._batches[name]

    def _same(self, one: str, other: str) -> bool:
        own = {self.repository.host, *self.repository.former_hosts}
        return one == other or {one, other} <= own


def _unreadable(one: Ended) -> Fact:
    return Fact(
        task=one.task,
        batch=one.batch,
        type=one.document.type if one.document is not None else "",
        master=one.document.responsible if one.document is not None else "",
        repo=(one.document.repo or "") if one.document is not None else "",
        host="",
        worker="",
        status=UNREADABLE,
        attempt=1,
        max_attempts=1,
        ran=False,
        redone=one.redone,
        started_at=None,
        completed_at=None,
        created_at=None,
        duration_s=0.0,
        spawn_s=0.0,
        wait_s=None,
        model="",
        tokens=Usage(),
        tokens_used=0,
        cost_usd=Decimal(0),
        severities=None,
        error="",
    )


def _severities(result: Result, repo: str) -> Mapping[str, int] | None:
    """A scan's findings by severity; None for what is no scan, failed, or cannot be read."""
    if not isinstance(result.output.get("findings"), list) or "packages" not in result.output:
        return None
    row = row_of(result, repo)
    if row.status == "failed":
        return None
    counts: dict[str, int] = dict.fromkeys(SEVERITIES, 0)
    for finding in row.findings:
        counts[finding.severity] += 1
    return counts


def _seconds(value: float) -> float:
    return min(value, _MOST_S) if isfinite(value) else 0.0
