"""What a batch is expected to take before it starts: tokens, money, time, and the limits it will meet.

Pure functions over what past attempts took. Every figure says what it rests on: past results, or, before
there are any, the most that the attempt's own budget allows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean, median

from cortex_git.config import Model
from cortex_git.store.outcomes import Spent

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Planned:
    """One task that will call a model, or run a program that may."""

    type: str
    runner: str
    model: Model | None
    """None: the runner chooses, and nobody here knows its prices."""
    budget: int
    """Tokens that its attempt may use."""
    deadline_s: float
    batch: str
    master: str

    @property
    def kind(self) -> tuple[str, str, str]:
        """What tasks are alike by: worker type, runner, model."""
        return self.type, self.runner, self.model.name if self.model else ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the tasks of one kind are expected to take, one attempt each."""

    type: str
    runner: str
    model: str
    tasks: int
    past: int
    """Past attempts that the figures rest on; 0: they are upper bounds, from budgets and time limits."""
    basis: str
    tokens_median: int
    """Of one attempt, like the next one."""
    tokens_p90: int
    tokens: int
    """Of all the tasks together."""
    tokens_most: int
    """The same, if every one took as much as the 90th percentile, or its budget where nothing is known."""
    cost_usd: float | None
    """None: the model has no price here."""
    cost_most_usd: float | None
    task_s: float
    """Seconds of one attempt."""
    task_s_p90: float
    deadline_s: float
    """The shortest time limit of the tasks."""
    out_of_tokens: int
    """Past attempts that ended because their tokens ran out."""
    out_of_time: int


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the least of the values that so large a share of them does not exceed."""
    return sorted(values)[max(ceil(share * len(values)) - 1, 0)]


def estimates(planned: Iterable[Planned], past: Sequence[Spent]) -> list[Estimate]:
    """One estimate for each kind of task, the dearest first."""
    kinds: dict[tuple[str, str, str], list[Planned]] = {}
    for task in planned:
        kinds.setdefault(task.kind, []).append(task)
    found = [_estimate(tasks, past) for tasks in kinds.values()]
    return sorted(found, key=lambda one: (-(one.cost_usd or 0.0), -one.tokens, one.type))


def _estimate(tasks: Sequence[Planned], past: Sequence[Spent]) -> Estimate:
    first = tasks[0]
    alike, basis = _alike(first, past)
    most = [_capped(task, alike, 0.9) for task in tasks]
    if alike:
        counts = [one.tokens for one in alike]
        tokens = round(sum(_mean(task, counts) for task in tasks))
        middle, high = round(median(counts)), round(percentile(counts, 0.9))
        seconds = [one.duration_s for one in alike]
        task_s, task_s_p90 = median(seconds), percentile(seconds, 0.9)
    else:
        tokens, middle, high = sum(most), round(median(most)), max(most)
        task_s = task_s_p90 = max(task.deadline_s for task in tasks)
    price = _price(first.model, alike)
    return Estimate(
        type=first.type,
        runner=first.runner,
        model=first.model.name if first.model else "",
        tasks=len(tasks),
        past=len(alike),
        basis=basis,
        tokens_median=middle,
        tokens_p90=high,
        tokens=tokens,
        tokens_most=max(sum(most), tokens),
        cost_usd=None if price is None else tokens * price,
        cost_most_usd=None if price is None else max(sum(most), tokens) * price,
        task_s=task_s,
        task_s_p90=task_s_p90,
        deadline_s=min(task.deadline_s for task in tasks),
        out_of_tokens=sum(one.status == "budget_exhausted" for one in alike),
        out_of_time=sum(one.status == "timed_out" for one in alike),
    )


def _alike(task: Planned, past: Sequence[Spent]) -> tuple[list[Spent], str]:
    """The past attempts to judge by, and what they are in words."""
    of_type = [one for one in past if one.type == task.type]
    same = [one for one in of_type if task.model is not None and one.model == task.model.name]
    if same:
        return same, f"from {_results(len(same))}"
    if of_type:
        return of_type, f"from {_results(len(of_type))} with other models"
    return [], "no past results: upper bound"


def _results(count: int) -> str:
    return f"{count} past result{'' if count == 1 else 's'}"


def _mean(task: Planned, counts: Sequence[int]) -> float:
    """Mean tokens of an attempt that is cut off at the task's budget."""
    return fmean(min(count, task.budget) for count in counts)


def _capped(task: Planned, alike: Sequence[Spent], share: float) -> int:
    if not alike:
        return task.budget
    return min(round(percentile([one.tokens for one in alike], share)), task.budget)


def _price(model: Model | None, alike: Sequence[Spent]) -> float | None:
    """US dollars for one token: as past attempts were made up, else of the dearest kind."""
    if model is None:
        return None
    prices = (model.input, model.output, model.cache_write, model.cache_read)
    if not any(prices):
        return None
    used = [one.usage for one in alike if one.usage.total]
    tokens = sum(usage.total for usage in used)
    if not tokens:
        return max(prices) / _MILLION
    kinds = [(usage.input, usage.output, usage.cache_write, usage.cache_read) for usage in used]
    spent = sum(price * count for counts in kinds for price, count in zip(prices, counts, strict=True))
    return spent / tokens / _MILLION
