"""How many claims to have in hand: by how fast workers take them, and by how long a round to the remote is.

Owns no claim and no clock: whoever uses it says what happened and when, so that a simulation decides alike.
"""

from collections import deque

from cortex_git.store.claims import MOST_AT_ONCE

_FIRST_CYCLE_S = 0.2
_LEAST_ROUNDS = 2.0
_MOST_ROUNDS = 16.0
_PLENTY_S = 2.0
_PLENTY_SHARE = 8
"""Of tasks that there are plenty of, so many seconds' worth are claimed ahead, but no more than this part of
those still open: a round costs the same for thirty claims as for six; the share shrinks with what is left,
so that several hosts end together (guided self-scheduling, Polychronopoulos and Kuck 1987)."""
_MOST_AHEAD = 2 * MOST_AT_ONCE
_SHARED_PART = 2
"""While another host has nothing to do, a host holds at most its share of one in so many open tasks."""


class Pace:
    """What `size` workers need to have ahead of them. Times are in seconds, of any one clock."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.cycle_s = _FIRST_CYCLE_S
        """How long a round to the remote that brings claims takes, of late."""
        self.open = 0
        """Open tasks in scope as of the last look."""
        self.shared_by = 0
        """Hosts that work on these tasks, this one too, while one of them has idle workers; else 0."""
        self._taken_at: deque[float] = deque(maxlen=max(64, 2 * size))
        """When workers took claims lately; of the first that each took, the last only: from then on they were
        busy, and tell how fast they are."""
        self._first_takes = size
        self._rounds = _LEAST_ROUNDS
        """How many rounds to the remote are covered. Workers that wait for claims take no more than there
        are, so that their rate tells too little: each time they ran dry, twice as many are."""

    def resize(self, size: int) -> None:
        """There is another number of workers from now on."""
        self._first_takes = min(self._first_takes + max(0, size - self.size), size)
        self.size = size

    def took(self, now: float) -> None:
        """A worker took a claim."""
        if self._first_takes:
            self._first_takes -= 1
            self._taken_at.clear()
        self._taken_at.append(now)

    def came(self, round_s: float, *, dry: bool) -> None:
        """A round brought claims; `dry`: workers were idle for want of them by then."""
        self.cycle_s = 0.5 * self.cycle_s + 0.5 * round_s
        self._rounds = min(2 * self._rounds, _MOST_ROUNDS) if dry else max(0.8 * self._rounds, _LEAST_ROUNDS)

    def calm(self) -> None:
        """No claim is wanted: workers are slower than they were."""
        self._rounds = _LEAST_ROUNDS

    def ahead(self, now: float, idle: int) -> int:
        """How many claims to have in hand: one for each worker, more where tasks end faster than a claim.

        Some rounds to the remote are covered at the rate at which workers took claims lately; where there
        are plenty of open tasks, some seconds of work. While another host has nothing to do, no claim is
        kept for a busy worker but what those rounds need, and `idle` workers of this one have theirs.
        """
        span = max(now - self._taken_at[0], 0.01) if self._taken_at else 0.01
        rate = (len(self._taken_at) - 1) / span if len(self._taken_at) >= 2 else 0.0
        covered = min(int(self._rounds * self.cycle_s * rate), _MOST_AHEAD)
        if self.shared_by:
            return max(idle, min(covered, self.open // (_SHARED_PART * self.shared_by)))
        plenty = min(int(_PLENTY_S * rate), self.open // _PLENTY_SHARE)
        return min(max(self.size, covered, plenty), _MOST_AHEAD)

    def is_short(self, held: int, now: float, idle: int) -> bool:
        """Whether so many claims are wanted that a round to the remote is worth it."""
        ahead = self.ahead(now, idle)
        part = 2 if ahead > 4 * self.size else 4
        return ahead - held > ahead // part
