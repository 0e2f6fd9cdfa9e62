"""What a simulation is given: machines, and what each operation costs on them.

Owns the form of measured costs, and the rounded ones of this project's own measurements.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from cortex_git.errors import BadInput

MOST_A_HOST = 64
"""Workers that one host may have."""
_COUNTED = ("turn", "record", "look", "claim", "push", "fold")
_MEASURE = "measure them with `cortex-git bench simulation --format json`"


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of an operation by the number of things in it."""

    fixed_s: float
    each_s: float = 0.0

    def of(self, count: float) -> float:
        return self.fixed_s + self.each_s * count


@dataclass(frozen=True, slots=True)
class Costs:
    """What a host and the remote need for each thing they do, in seconds, on the machine it is from."""

    start_s: float
    """From a batch's start to its claimer's first look."""
    turn: Cost
    """To hand one task to one of so many workers, and take it back."""
    record: Cost
    """To enter so many results into the outbox."""
    look: Cost
    """To fetch what is new, of so many results."""
    claim: Cost
    """To claim so many tasks in one push, and look again."""
    push: Cost
    """To publish so many results."""
    fold: Cost
    """To fold so many results into the branch."""
    remote_at_once: int
    """Operations that the remote carries out at a time; the others wait."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, found: object) -> "Costs":
        """Of what `to_json` gave. Raises BadInput where that is not it."""
        try:
            parts = dict(cast(Mapping[str, Any], found))
            turn, record, look, claim, push, fold = (Cost(**parts.pop(name)) for name in _COUNTED)
            made = cls(turn=turn, record=record, look=look, claim=claim, push=push, fold=fold, **parts)
            seconds = [
                made.start_s,
                *(value for name in _COUNTED for value in asdict(getattr(made, name)).values()),
            ]
            right = all(0 <= float(value) < 1e6 for value in seconds)
        except (TypeError, KeyError, ValueError) as error:
            raise BadInput(f"these are no costs of operations: {error}", _MEASURE) from None
        if not right or not isinstance(made.remote_at_once, int) or made.remote_at_once < 1:
            raise BadInput("costs of operations must be seconds from 0 up", _MEASURE)
        return made


TYPICAL = Costs(
    start_s=0.02,
    turn=Cost(0.006, 0.00005),
    record=Cost(0.002, 0.001),
    look=Cost(0.03),
    claim=Cost(0.064, 0.0003),
    push=Cost(0.040, 0.0004),
    fold=Cost(0.05, 0.0003),
    remote_at_once=2,
)
"""Rounded from this project's published measurements (2 cores, local bare remote): 7,784 no-ops a minute on
1 worker and 6,126 on 40; a claim in 64 ms and 100 in 93; 20 results published in 70 ms and 200 in 316; 400
folded in 180. To go by only where this machine's own were not measured."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What is simulated: so many workers in all, on so many hosts alike, before one remote."""

    workers: int
    hosts: int = 1
    memory_workers: int | None = None
    """Workers that a host's memory holds; None: no matter how many."""
    most_a_host: int = MOST_A_HOST
    tokens_per_min: int | None = None
    """Of the account, for all hosts together; each has an equal part."""
    tokens_per_task: int = 0
    round_trip_s: float = 0.0
    """To the remote and back, on top of what its operations cost."""
    fold_every_s: float = 10.0
    heartbeat_s: float = 20.0

    def started(self) -> list[int]:
        """Workers of each host, after its memory and its bounds."""
        share, more = divmod(self.workers, self.hosts)
        most = min(self.most_a_host, self.memory_workers or self.most_a_host)
        return [min(share + (number < more), most) for number in range(self.hosts)]
