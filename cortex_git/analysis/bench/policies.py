"""`bench policies`: worker-hours and waits of every policy on every trace, replayed in virtual time.

Owns the table. Its figures depend on the traces and on nothing else: no clock, no thread, no machine.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from cortex_git.analysis.bench.replay import replay
from cortex_git.analysis.bench.traces import Trace
from cortex_git.analysis.bench.workspace import Say
from cortex_git.config import Bounds, PoolSettings
from cortex_git.errors import EnvironmentProblem
from cortex_git.workers.activation import POLICIES, Policy
from cortex_git.workers.forecasting import WARM_START_S, ArrivalForecaster, arrival_forecaster
from cortex_git.workers.sizing import Sizer

SETTINGS = PoolSettings()
"""A pool as it is when nobody configured it: 5 to 20 workers. `fixed` has the maximum."""


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One policy on one trace. Waits are seconds."""

    trace: str
    policy: Policy
    worker_hours: float
    wait_p50_s: float
    wait_p95_s: float
    changes: int
    most_changes_per_cooldown: int
    peak: int

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def bench_policies(traces: Iterable[Trace], say: Say) -> Iterator[PolicyRow]:
    """A row for each trace and policy; `say` is told where `predictive` is left out."""
    policies = list(POLICIES)
    try:
        arrival_forecaster(SETTINGS.cooldown_s)
    except EnvironmentProblem as missing:
        policies.remove("predictive")
        say(f"left out: {missing}")
    for trace in traces:
        say(f"{trace.name}: {len(trace.arrivals)} tasks")
        for policy in policies:
            replayed = replay(trace, sizer(policy))
            yield PolicyRow(
                trace=trace.name,
                policy=policy,
                worker_hours=round(replayed.worker_hours, 2),
                wait_p50_s=round(replayed.wait_s(0.50), 2),
                wait_p95_s=round(replayed.wait_s(0.95), 2),
                changes=len(replayed.changes_s),
                most_changes_per_cooldown=replayed.most_changes_within(SETTINGS.cooldown_s),
                peak=replayed.peak,
            )


def sizer(policy: Policy) -> Sizer:
    """A pool's own sizer; only its forecasts are fitted at once, because no real time passes here."""
    bounds = Bounds(min=SETTINGS.min, max=SETTINGS.max)
    forecaster = None
    if policy == "predictive":
        forecaster = ArrivalForecaster(SETTINGS.cooldown_s + WARM_START_S, start=lambda fit: fit())
    return Sizer(SETTINGS, policy=policy, bounds=bounds, fixed=SETTINGS.max, forecaster=forecaster)
