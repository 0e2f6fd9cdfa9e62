"""Settings of workers and pools: limits of an attempt, leases, bounds, when a worker is replaced."""

from datetime import time
from typing import Self

from pydantic import Field, model_validator

from cortex_git.config.sections import Section


class WorkerLimits(Section):
    """What one attempt of a worker type may use."""

    tokens: int = Field(ge=0)
    minutes: float = Field(gt=0)

    @property
    def seconds(self) -> float:
        return self.minutes * 60


DEFAULT_LIMITS: dict[str, WorkerLimits] = {
    "scan-worker": WorkerLimits(tokens=8000, minutes=15),
    "fix-worker": WorkerLimits(tokens=5000, minutes=20),
    "analysis-worker": WorkerLimits(tokens=5000, minutes=15),
    "implementation-worker": WorkerLimits(tokens=10000, minutes=45),
    "test-worker": WorkerLimits(tokens=6000, minutes=20),
    "review-worker": WorkerLimits(tokens=5000, minutes=15),
    "pr-worker": WorkerLimits(tokens=4000, minutes=10),
    "documentation-worker": WorkerLimits(tokens=6000, minutes=20),
}


class Leases(Section):
    """Timing of claims, in seconds."""

    lease_s: float = Field(60.0, gt=0)
    """How long a claim survives its host's silence."""
    heartbeat_s: float = Field(20.0, gt=0)
    retry_base_s: float = Field(1.0, ge=0)
    """Wait before the second attempt; doubled for each further one, with jitter."""
    retry_max_s: float = Field(300.0, ge=0)
    give_up_s: float = Field(60.0, ge=0)
    """How long a command with nothing left to run waits for a remote that does not answer."""


class Bounds(Section):
    """The fewest and the most workers at a time."""

    min: int = Field(0, ge=0, le=64)
    max: int = Field(20, ge=1, le=64)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class Window(Bounds):
    """Bounds for a part of the day, by this host's local time; it may go past midnight."""

    start: time = Field(alias="from")
    end: time = Field(alias="to")


class PoolSettings(Bounds):
    """Bounds of a pool and of each worker in it."""

    min: int = Field(5, ge=0, le=64)
    capacity: int = Field(64, ge=1)
    """Workers at full activation: what the queue is compared with."""
    policy: str = "activation"
    strategy: str = "least-loaded"
    grace_s: float = Field(5.0, ge=0)
    """Seconds between SIGTERM and SIGKILL for a worker over its time."""
    cooldown_s: float = Field(30.0, ge=0)
    """Seconds between two changes of the target."""
    settle_s: float = Field(60.0, ge=0)
    """Seconds that fewer workers must be enough before the target goes down."""
    clear_s: float = Field(3600.0, gt=0)
    """A backlog that the maximum cannot clear within this many seconds raises the alert."""
    rss_mib: float = Field(500.0, gt=0)
    """Resident memory of a worker and what it started, in MiB, above which it is replaced."""
    max_tasks: int = Field(1000, ge=1)
    """Tasks after which a worker is replaced."""
    max_age_s: float = Field(6 * 3600.0, gt=0)
    """Seconds after which a worker is replaced."""
    look_s: float = Field(5.0, gt=0)
    """Longest pause between two looks at the remote of a long-lived pool with nothing to do."""
    sample_s: float = Field(5.0, gt=0)
    """Seconds between two samples of the pool."""
    types: dict[str, Bounds] = Field(default_factory=dict)
    """Worker types with bounds of their own; all others share the pool's."""
    schedule: dict[str, Window] = Field(default_factory=dict)
    """Named parts of the day with bounds of their own, such as `day` and `night`."""
