"""What a report holds: facts about ended tasks, and the figures made from them.

Owns the words and their JSON; `analysis.figures` makes the figures. Moments are seconds since 1970 by the
clock of the host that wrote them down, durations are seconds, money is US dollars, shares are fractions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from cortex_git.analysis.utilization import Use, Utilization
from cortex_git.llm import Usage

Level = Literal["critical", "warning", "note"]
LEVELS: tuple[Level, ...] = ("critical", "warning", "note")
"""What cannot wait first."""

_MOMENTS = {"at", "since", "until", "start", "from_at"}
"""Fields that hold seconds since 1970, and become ISO 8601 in UTC."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One ended task: what its last attempt's result says, and what its document says of it.

    Every name was chosen by whoever could push.
    """

    task: str
    batch: str
    type: str
    master: str
    repo: str
    """What the task is about; empty where it names no repository."""
    host: str
    worker: str
    status: str
    """`completed`, `failed`, `cancelled`, `timed_out`, `budget_exhausted`, or `unreadable`."""
    attempt: int
    max_attempts: int
    ran: bool
    """Whether a worker ran it at times that can be: neither called off, nor a merge, nor a result that nobody
    can read."""
    redone: bool
    """Whether there is a task that does its work again."""
    started_at: float | None
    completed_at: float | None
    created_at: float | None
    duration_s: float
    spawn_s: float
    wait_s: float | None
    """From when the task was added to its last start, by one host's clock; None where that would compare two
    hosts' clocks."""
    model: str
    """Empty: no model, or none that the result names."""
    tokens: Usage
    """By kind; all zero where the result does not say."""
    tokens_used: int
    cost_usd: Decimal | None
    """None: tokens were used, and the model or their kinds are not known or have no price here."""
    severities: Mapping[str, int] | None
    """Findings of a scan by severity; None for what is no readable scan."""
    error: str
    mistimed: bool = False
    """Whether the times it claims cannot be, so that it is in no figure of time."""

    @property
    def failed(self) -> bool:
        """Whether it ended without success, and nobody called it off."""
        return self.status not in ("completed", "cancelled")


@dataclass(frozen=True, slots=True)
class Tally:
    """Ended tasks that have something in common: a master, a type, a repository, a batch, a model, a day."""

    name: str
    tasks: int
    completed: int
    failed: int
    """Neither completed nor cancelled: failed, out of time, out of tokens, unreadable."""
    cancelled: int
    success_rate: float | None
    """Completed ÷ (tasks − cancelled); None where that is nothing."""
    run_s: float
    """Sum of run times of the tasks that a worker ran; like the two that follow."""
    run_s_median: float | None
    run_s_p90: float | None
    """The nearest-rank percentile."""
    wait_s_median: float | None
    wait_s_p90: float | None
    """From being added to the last start; None where no task can tell by one clock."""
    tokens: int
    cost_usd: Decimal
    unpriced_tokens: int
    """Those whose price is not known here: they cost something that is not in `cost_usd`."""


@dataclass(frozen=True, slots=True)
class Period:
    """What the report is about."""

    since: float | None
    """None: from the first result on."""
    until: float
    batch: str | None
    """None: all batches."""
    wall_s: float | None
    """The length of the period; of a batch, from its first start to its last end. None without any."""


@dataclass(frozen=True, slots=True)
class Totals:
    """All tasks of the period together."""

    tally: Tally
    by_status: dict[str, int]
    throughput_per_hour: float | None
    """Ended tasks, but the cancelled ones, for each hour of the period's `wall_s`."""
    usage: Usage
    """Tokens by kind, as far as results tell them."""
    spawn_s_average: float | None
    """From dispatch to the first instruction of the runner, over the tasks that a worker ran."""
    retried: int
    """Tasks that needed more than one attempt."""
    open: int
    """Tasks without a result now."""


@dataclass(frozen=True, slots=True)
class Hour:
    """Use of the pools in one hour, by UTC, as far as it lies in the period."""

    start: float
    use: Use


@dataclass(frozen=True, slots=True)
class Step:
    """What ended in one step of time, all steps being equally long."""

    start: float
    seconds: float
    completed: int
    failed: int
    tokens: int

    @property
    def ended(self) -> int:
        return self.completed + self.failed


@dataclass(frozen=True, slots=True)
class Day:
    """What ended on one day, by UTC, and what it cost."""

    start: float
    tally: Tally
    usage: Usage


@dataclass(frozen=True, slots=True)
class GanttRow:
    """One task on one worker, in seconds since the first start of the batch."""

    host: str
    worker: str
    task: str
    start_s: float
    end_s: float
    status: str


@dataclass(frozen=True, slots=True)
class Gantt:
    """When each worker was on what in one batch. Rows of several hosts are by their own clocks."""

    batch: str
    from_at: float
    rows: tuple[GanttRow, ...]
    """By worker, then by start."""
    left_out: int
    """Tasks beyond the first ones that are shown."""


@dataclass(frozen=True, slots=True)
class SlowRepository:
    """A repository by its longest task."""

    repo: str
    tasks: int
    longest_s: float
    median_s: float
    task: str
    """The one that took longest."""


@dataclass(frozen=True, slots=True)
class Severities:
    """Findings of one repository, or of all, by the newest readable scan of each."""

    repo: str
    critical: int
    high: int
    medium: int
    low: int
    unknown: int

    @property
    def total(self) -> int:
        return self.critical + self.high + self.medium + self.low + self.unknown


@dataclass(frozen=True, slots=True)
class ScalingPoint:
    """How one batch went on so many workers, of one host, at once."""

    batch: str
    workers: int
    """Those that ended a task in it."""
    tasks: int
    tasks_per_minute: float
    overhead: float
    """1 − sum of run seconds ÷ (workers × seconds from the first start to the last end), 0 to 1."""
    run_s_median: float


@dataclass(frozen=True, slots=True)
class BudgetStanding:
    """The budget of all hosts now, in tokens, as this clone last saw it."""

    account: str
    limit: int
    used: int
    level: str
    """`ok`, `warn`, `critical` or `out`, by what is spent."""


@dataclass(frozen=True, slots=True)
class Attention:
    """Something a person should look at."""

    level: Level
    what: str
    where: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class ReportData:
    """A report: pure data, the same for every format."""

    at: float
    """When it was made."""
    host: str
    period: Period
    totals: Totals
    utilization: Utilization | None
    """Of this clone's pools; None where none ran in the period."""
    hours: tuple[Hour, ...] = ()
    """Those in which a pool ran, in order."""
    throughput: tuple[Step, ...] = ()
    """From the first step with an ended task to the last one, none left out in between."""
    days: tuple[Day, ...] = ()
    by_master: tuple[Tally, ...] = ()
    """Most tasks first, and at most 100, like the four that follow."""
    by_type: tuple[Tally, ...] = ()
    by_host: tuple[Tally, ...] = ()
    by_model: tuple[Tally, ...] = ()
    """Only tasks that used tokens; the name is empty where the result names no model."""
    by_repository: tuple[Tally, ...] = ()
    repositories: int = 0
    """How many there are; `by_repository` lists the first ones."""
    by_batch: tuple[Tally, ...] = ()
    """The one with the newest result first."""
    batches: int = 0
    gantt: Gantt | None = None
    slowest: tuple[SlowRepository, ...] = ()
    findings: Severities | None = None
    """Of all repositories together; None where nothing was scanned."""
    severities: tuple[Severities, ...] = ()
    """Repositories with the worst findings first."""
    scanned: int = 0
    """Repositories with a readable scan; `severities` lists the first ones that have findings."""
    scaling: tuple[ScalingPoint, ...] = ()
    """By workers."""
    budgets: tuple[BudgetStanding, ...] = ()
    attention: tuple[Attention, ...] = ()
    """What cannot wait first."""
    notes: tuple[str, ...] = field(default=())
    """What the figures do not cover, a sentence each."""

    def to_json(self) -> dict[str, Any]:
        """The document of `report --format json`, without its schema number."""
        return {one.name: _plain(getattr(self, one.name), one.name) for one in fields(self)}


def moment(at: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, to the second: `2026-11-29T12:00:00Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _plain(value: Any, name: str) -> Any:
    """The value as JSON has it; money to a millionth of a dollar."""
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name), one.name) for one in fields(value)}
    if isinstance(value, tuple):
        return [_plain(one, name) for one in value]
    if isinstance(value, Decimal):
        return round(float(value), 6)
    if isinstance(value, float):
        return moment(value) if name in _MOMENTS else round(value, 4)
    return value
