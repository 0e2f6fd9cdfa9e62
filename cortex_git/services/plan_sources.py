"""Where the figures of `plan` come from: given, measured here, in a document of `bench`, or configured.

Owns the order in which they are preferred, and that each says which it is. Changes nothing.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from cortex_git.analysis.binding import RateShare
from cortex_git.analysis.simulation import MOST_TASK_S
from cortex_git.analysis.simulation_setup import Costs
from cortex_git.analysis.usl import Interval, Point, measured
from cortex_git.config import Settings
from cortex_git.errors import BadInput
from cortex_git.limits.throttle import throttle_of
from cortex_git.models import WORKER_TYPES
from cortex_git.services.preflight import Preflight, is_metered, preflight, rate_shares, worker_mib
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.outcomes import outcomes, spent_lately
from cortex_git.workers.memory import free_mib
from cortex_git.workers.roster import live_workers

_MOST_BYTES = 10_000_000
_MOST_WORKERS = 10_000
_LEAST_RATE = 1e-6
"""Tasks a minute: a row with less says that nothing was done."""
_LATELY = 1000
"""Results that task times are judged by."""
_ASSUMED_TASK_S = 60.0
_PROVIDERS = ("claude", "openai")
_DOCUMENTS = "give the JSON of `bench overhead`, `bench queue` or `bench simulation`"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person gave; None where nothing was."""

    workers_max: int = 64
    worker_mib: float | None = None
    free_mib: float | None = None
    tokens_per_min: int | None = None
    """Of the account, for all hosts together."""
    tokens_per_task: float | None = None
    task_s: float | None = None


@dataclass(frozen=True, slots=True)
class Input:
    """One figure and where it is from; None where nobody knows it."""

    name: str
    value: float | None
    unit: str
    source: str
    """Begins with `given`, `measured`, `config`, `assumed` or `unknown`."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """Throughput by number of workers, as measured."""

    points: tuple[Point, ...]
    task_s: float | None
    """Seconds that each of its tasks took by itself; None where they were not alike."""
    source: str
    costs: Costs | None = None


class Sources:
    """What is known on this host, of one coordination repository or of none."""

    def __init__(self, coordination: Coordination | None, wishes: Wishes) -> None:
        self._coordination = coordination
        self._wishes = wishes
        self._settings = coordination.repository.settings if coordination else Settings()
        self._expected: Preflight | None = None
        if coordination is not None and is_metered(coordination, Scope(), None):
            self._expected = preflight(coordination, Scope(), workers=1)
        self.durations = self._durations()
        """Seconds of the attempts that were completed last; empty where there are none."""

    def free_memory(self) -> Input:
        if self._wishes.free_mib is not None:
            return Input("free_memory", self._wishes.free_mib, "MiB", "given")
        here = "measured: free on this machine, and in the control groups it is in"
        return Input("free_memory", round(free_mib(), 1), "MiB", here)

    def worker_memory(self) -> Input:
        if self._wishes.worker_mib is not None:
            return Input("memory_per_worker", self._wishes.worker_mib, "MiB", "given")
        if self._coordination is not None:
            seen = worker_mib(self._coordination.repository)
            if seen is not None:
                source = "measured: the mean of this clone's last sample with workers"
                return Input("memory_per_worker", round(seen, 1), "MiB", source)
        most = self._settings.pool.rss_mib
        return Input("memory_per_worker", most, "MiB", "config: pool.rss_mib, more and a worker is replaced")

    def live(self) -> int:
        """Workers that hold memory already; none beside a free memory that was given."""
        if self._coordination is None or self._wishes.free_mib is not None:
            return 0
        return len(live_workers(self._coordination.repository))

    def rates(self) -> list[tuple[RateShare, str]]:
        """This host's part of every limit that is known, and where it is from."""
        given = self._wishes.tokens_per_min
        if self._coordination is None:
            return [] if given is None else [(RateShare("given", given, None, 1, None), "given")]
        repository = self._coordination.repository
        shares = rate_shares(repository, _PROVIDERS)
        if given is not None:
            hosts = shares[0].hosts
            return [(RateShare("given", max(given // hosts, 1), None, hosts, None), "given")]
        found = []
        for share in shares:
            if share.tokens is not None or share.requests is not None:
                found.append((share, f"config: rates.{share.provider}"))
                continue
            heard = throttle_of(repository.durable_state, share.provider)
            if heard.tokens is not None or heard.requests is not None:
                told = RateShare(
                    share.provider, heard.tokens, heard.requests, share.hosts, share.tokens_per_request
                )
                found.append((told, f"measured: as {share.provider} last answered"))
        return found

    def tokens_per_task(self, provider: str) -> Input:
        """Tokens of one task; of those of this provider alone, where they are known apart."""
        name, unit = "tokens_per_task", "tokens"
        if self._wishes.tokens_per_task is not None:
            return Input(name, self._wishes.tokens_per_task, unit, "given")
        if self._expected is not None:
            kinds = [one for one in self._expected.kinds if one.runner == provider] or self._expected.kinds
            tasks = sum(one.tasks for one in kinds)
            source = "measured" if any(one.past for one in kinds) else "config"
            text = f"{source}: mean of the {tasks} open metered tasks, as in `preflight` ({kinds[0].basis})"
            return Input(name, round(sum(one.tokens for one in kinds) / tasks, 1), unit, text)
        if self._coordination is not None:
            past = [one.tokens for one in spent_lately(self._coordination.repository, WORKER_TYPES)]
            if past:
                text = f"measured: mean of {len(past)} past results that used tokens"
                return Input(name, round(fmean(past), 1), unit, text)
        most = self._settings.limits_of("scan-worker").tokens
        return Input(name, most, unit, "config: the most that an attempt of a scan-worker may use")

    def task_seconds(self) -> Input:
        name, unit = "task_seconds", "s"
        if self._wishes.task_s is not None:
            return Input(name, self._wishes.task_s, unit, "given")
        if self._expected is not None and any(one.past for one in self._expected.kinds):
            tasks = sum(one.tasks for one in self._expected.kinds)
            mean = sum(one.tasks * one.task_s for one in self._expected.kinds) / tasks
            text = f"measured: mean of the {tasks} open metered tasks, as in `preflight`"
            return Input(name, round(mean, 3), unit, text)
        if self.durations:
            text = f"measured: median of the last {len(self.durations)} completed results"
            return Input(name, round(median(self.durations), 3), unit, text)
        return Input(name, _ASSUMED_TASK_S, unit, "assumed: a minute; give --task-seconds")

    def _durations(self) -> list[float]:
        if self._coordination is None:
            return []
        repository = self._coordination.repository
        outcomes(repository, 0)  # reads what is new
        rows = repository.state.execute(
            "SELECT duration_s FROM outcomes WHERE status = 'completed' AND duration_s > 0"
            " AND duration_s <= ?"
            " ORDER BY completed_at DESC, task LIMIT ?",
            (MOST_TASK_S, _LATELY),
        )
        return [float(seconds) for (seconds,) in rows]

    def sampled(self) -> Throughput | None:
        """What the samples of this clone's pools say; None where that is nothing."""
        if self._coordination is None:
            return None
        points = measured(self._intervals(self._coordination))
        if not points:
            return None
        return Throughput(tuple(points), None, "measured: samples of this clone's pools under load")

    def _intervals(self, coordination: Coordination) -> list[Interval]:
        rows = coordination.repository.state.execute(
            "SELECT boot, pool, pool_started, interval_s, live, queue, completed + failed FROM samples"
            " ORDER BY id"
        )
        ended: dict[tuple[str, int, float], int] = {}
        found = []
        for boot, pool, started, seconds, live, queue, total in rows:
            before = ended.get((boot, pool, started))
            ended[boot, pool, started] = total
            if before is not None:  # what the first one ended may have begun before it
                found.append(Interval(seconds, live, queue, max(total - before, 0)))
        return found


def read_document(path: Path) -> Throughput:
    """What a document of `bench` says. Raises BadInput for a file that is none."""
    try:
        if not path.is_file() and path.exists() and not path.is_dir():  # a pipe waits, a device may never end
            raise BadInput(f"--from {path}: no regular file", _DOCUMENTS)
        if path.stat().st_size > _MOST_BYTES:
            raise BadInput(f"--from {path}: over {_MOST_BYTES:,} bytes", _DOCUMENTS)
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise BadInput(f"--from {path}: {error.strerror or error}", "name a file that can be read") from None
    except (ValueError, RecursionError):
        raise BadInput(f"--from {path}: no JSON", _DOCUMENTS) from None
    rows = document.get("rows") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise BadInput(f"--from {path}: no rows", _DOCUMENTS)
    for key, kind in (
        ("tasks_per_min", "overhead"), ("ours_tasks_per_min", "queue"), ("real_tasks_per_min", "simulation"),
    ):  # fmt: skip
        points = [point for row in rows if (point := _point(row, key)) is not None]
        if points:
            task_s = 0.0 if kind == "queue" else _number(document.get("task_s"))
            costs = Costs.from_json(document["costs"]) if "costs" in document else None
            return Throughput(tuple(points), task_s, f"measured: bench {kind}, {path.name}", costs)
    raise BadInput(f"--from {path}: no row has workers and tasks a minute", _DOCUMENTS)


def _point(row: object, key: str) -> Point | None:
    if not isinstance(row, Mapping):
        return None
    workers, rate = row.get("workers"), _number(row.get(key))
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= _MOST_WORKERS:
        return None
    if rate is None or rate < _LEAST_RATE:
        return None
    return Point(workers, rate)


def _number(value: Any) -> float | None:
    """A finite number from 0 up; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e12:
        return None
    return float(value) if math.isfinite(value) else None
