"""Claiming ahead: a thread that keeps enough claims in hand for the workers never to wait for the remote.

Owns the claims that are held but not started. It gives them back when the work is drained.
"""

import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Protocol

from cortex_git.errors import CortexError
from cortex_git.models import Task
from cortex_git.state import PASSING, monotonic, problem_of, uptime
from cortex_git.store.claim_records import Claim
from cortex_git.store.claims import MOST_AT_ONCE
from cortex_git.store.coordination import Coordination
from cortex_git.store.hosts import IdleHosts
from cortex_git.store.index import Scope, View
from cortex_git.workers.pace import Pace

_LEAST_PAUSE_S = 0.1
_MOST_PAUSE_S = 2.0
_LOOK_S = 10.0
"""How often a batch looks for what others added or did while it needs no claim."""
_RECENT_S = 0.25
"""A view this young will do to choose tasks by: what decides is the push, and the pull after it. Where the
last round got all it asked for, the view that ended it will do: another would cost a third round trip."""


@dataclass(frozen=True, slots=True)
class Held:
    """A claim in hand; `ticket` says in which order they came."""

    ticket: int
    claim: Claim


class ClaimSource(Protocol):
    """Where a run gets its claims from."""

    looked: bool
    problem: CortexError | None
    crash: BaseException | None
    """An error that ended the thread; whoever runs the loop raises it."""

    def start(self) -> None: ...
    def waiting(self) -> list[Held]: ...
    def take(self, task: str) -> Claim | None: ...
    def put_back(self, claim: Claim) -> None: ...
    def look_again(self) -> None: ...
    def stop(self) -> None: ...


class GivenClaims:
    """Claims that were made already, by whoever gives them. Safe to give from any thread."""

    def __init__(self, coordination: Coordination, claims: Sequence[Claim] = ()) -> None:
        self._coordination = coordination
        self._tickets = count()
        self._ready = {claim.task.task: Held(next(self._tickets), claim) for claim in claims}
        self.looked = True
        self.problem: CortexError | None = None
        self.crash: BaseException | None = None

    def start(self) -> None:
        """Nothing to start."""

    def give(self, claim: Claim) -> None:
        self._ready[claim.task.task] = Held(next(self._tickets), claim)

    def waiting(self) -> list[Held]:
        return list(self._ready.values())

    def take(self, task: str) -> Claim | None:
        held = self._ready.pop(task, None)
        return held.claim if held else None

    def put_back(self, claim: Claim) -> None:
        self._ready[claim.task.task] = Held(-1, claim)

    def look_again(self) -> None:
        """Nothing changes what was given."""

    def stop(self) -> None:
        # One by one: another thread may give a claim meanwhile, and none may be forgotten.
        taken = [self.take(held.claim.task.task) for held in self.waiting()]
        self._coordination.claims.release([claim for claim in taken if claim is not None])


class Claimer:
    """Holds claims on tasks in `scope` for `size` workers; `wake` is called when there are new ones.

    `look_s` is how often the remote is looked at for new tasks, where a batch knows all of its own. Tasks
    in `skip` are not claimed. `idle` says how many workers have none; `starved` is called when all that is
    left for them is in other hosts' hands.
    """

    def __init__(
        self,
        coordination: Coordination,
        scope: Scope,
        size: int,
        name: str,
        wake: Callable[[], None],
        look_s: float | None = None,
        skip: Callable[[], Collection[str]] = tuple,
        idle: Callable[[], int] | None = None,
        starved: Callable[[], None] = lambda: None,
    ) -> None:
        self._coordination = coordination
        self._scope = scope
        self._name = name
        self._skip = skip
        self._wake = wake
        self._idle = idle or (lambda: size)
        self._starved = starved
        self._idle_s = _MOST_PAUSE_S if look_s is None else look_s
        self._look_s = _LOOK_S if look_s is None else look_s
        self._tickets = count()
        self._ready: dict[str, Held] = {}
        self._condition = threading.Condition()
        self._stopping = False
        self._changed = False
        self._pace = Pace(size)
        self._others = IdleHosts(coordination.repository)
        self._plenty = False
        """Whether the last round got all it asked for."""
        self._proven_at = uptime()
        """`state.uptime` when the oldest claim in hand was last known to be ours."""
        self._looked_at = 0.0
        self._shrunk = False
        """Whether there may be claims in hand for workers that are no more."""
        self._thread = threading.Thread(target=self._run, name="claimer", daemon=True)
        self.crash: BaseException | None = None
        self.problem: CortexError | None = None
        """Why nothing could be claimed just now; None when the last try went through."""
        self.looked = False
        """Whether the remote was seen at least once."""
        self.elsewhere = 0
        """Open tasks in scope that other hosts have, as of the last look."""
        self.is_starved = False
        """Whether workers are idle because all that is left is in other hosts' hands."""

    @property
    def starving(self) -> int:
        """How many workers are idle now for that reason."""
        return self._idle() if self.is_starved else 0

    def start(self) -> None:
        self._thread.start()

    def resize(self, size: int) -> None:
        """Hold claims for another number of workers from now on."""
        with self._condition:
            self._shrunk = self._shrunk or size < self._pace.size
            self._pace.resize(size)
            self._condition.notify()

    def waiting(self) -> list[Held]:
        """The claims in hand that no worker has yet, in the order they came."""
        return list(self._ready.values())

    def take(self, task: str) -> Claim | None:
        """The claim on `task`, to be run now; None where it is no longer in hand.

        Claims held for long are looked at first: while this host stood still (suspended, stopped) its
        silence may have outlasted their lease, and others may have them now.
        """
        with self._condition:
            lease_s = self._coordination.repository.settings.leases.lease_s
            if uptime() - self._proven_at > lease_s / 2 and not self._prove_held():
                return None
            held = self._ready.pop(task, None)
            self._condition.notify()
            if held is None:
                return None
            if self._coordination.is_finished(task):
                self._coordination.locks.release(task)
                return None
            self._pace.took(time.monotonic())
            return held.claim

    def _prove_held(self) -> bool:
        """Keep those claims in hand that are still ours; False where nothing can be started now."""
        held = [held.claim for held in self.waiting()]
        try:
            ours = self._coordination.claims.still_ours(held)
        except CortexError as error:
            self.problem = error
            return False
        self._proven_at = uptime()
        kept = {claim.oid for claim in ours}  # a thousand may be held, and claims compare slowly
        for claim in held:
            if claim.oid not in kept:
                del self._ready[claim.task.task]
                self._coordination.locks.release(claim.task.task)
        return bool(ours)

    def put_back(self, claim: Claim) -> None:
        """Hold a claim again that was taken and could not be started, first in line."""
        with self._condition:
            self._ready = {claim.task.task: Held(-1, claim)} | self._ready

    def look_again(self) -> None:
        """Something changed (a task was released or finished): look at once instead of pausing."""
        with self._condition:
            self._changed = True
            self._condition.notify()

    def stop(self) -> None:
        """Claim no more, and give back what was not started. Returns when that is done."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join()
        held, self._ready = [held.claim for held in self.waiting()], {}
        self._coordination.claims.release(held)

    def _ahead(self) -> int:
        return self._pace.ahead(time.monotonic(), self._idle())

    def _short(self) -> bool:
        return self._pace.is_short(len(self._ready), time.monotonic(), self._idle())

    def _run(self) -> None:
        try:
            self._loop()
        except BaseException as error:
            self.crash = error
            self._wake()

    def _loop(self) -> None:
        pause = _LEAST_PAUSE_S
        # The first round serves the idle workers and the one claim ahead for each of them.
        first = self._pace.size
        while True:
            with self._condition:
                while not (self._stopping or first or self._look_due() or self._short()):
                    self._condition.wait(timeout=1.0)
                if self._stopping:
                    return
                wanted = self._ahead() - len(self._ready)
                asked = min(max(wanted, 1) + first, MOST_AT_ONCE) if wanted > 0 or first else 0
            self._give_back_surplus(quiet=asked == 0)
            got = self._try(asked)
            if self._pace.shared_by:
                self._give_back_surplus(quiet=False)
            first = 0
            if got or asked == 0:
                pause = _LEAST_PAUSE_S
                continue
            with self._condition:
                if not self._changed and not self._stopping:
                    self._condition.wait(timeout=pause)
                self._changed = False
            pause = min(pause * 2, self._idle_s)

    def _give_back_surplus(self, *, quiet: bool) -> None:
        """Let others have what we would only hold: the pool has shrunk, tasks became long, or hosts are idle.

        `quiet`: no claim is wanted, so workers are slower than they were.
        """
        with self._condition:
            if quiet:
                self._pace.calm()
            keep = len(self._ready)
            if self._pace.shared_by:
                keep = self._ahead()
            elif quiet or self._shrunk:
                keep = 2 * self._ahead()
            surplus = self.waiting()[keep:]
            self._shrunk = False
            for held in surplus:
                del self._ready[held.claim.task.task]
        self._coordination.claims.release([held.claim for held in surplus])

    def _look_due(self) -> bool:
        """Whether to look though no claim is needed: for new tasks, or at claims that are held too long."""
        is_much = len(self._ready) > 2 * self._ahead()
        pause = min(_MOST_PAUSE_S, self._look_s) if is_much else self._look_s
        return time.monotonic() - self._looked_at > pause

    def _try(self, wanted: int) -> bool:
        """Look at the remote, and claim up to `wanted` tasks; whether any was had."""
        started = self._looked_at = time.monotonic()
        try:
            recent_s = max(_RECENT_S, self._pace.cycle_s) if wanted and self._plenty else _RECENT_S
            view = self._coordination.pull(not_before=monotonic() - recent_s)
            busy = self._coordination.claims.unavailable(view)
            self.elsewhere = self._coordination.claimed_elsewhere(view, busy, self._scope)
            self._pace.shared_by = self._sharing(view)
            skip = [*busy, *self._skip()]
            claims = self._coordination.claim(self._scope, wanted, self._worker, view, skip) if wanted else []
            self._plenty = 0 < wanted <= len(claims)
            self.looked, self.problem = True, None
        except PASSING as error:
            self.problem, self._plenty = problem_of(error), False
            self._wake()
            return False
        if claims or self._pace.shared_by:
            self._pace.open = self._coordination.open_count(self._scope)
        self._look_starved(none=wanted > 0 and not claims)
        with self._condition:
            if claims:
                dry = not self._ready and self._idle() > 0
                self._pace.came(time.monotonic() - started, dry=dry)
            if not self._ready:
                self._proven_at = uptime()
            self._ready |= {claim.task.task: Held(next(self._tickets), claim) for claim in claims}
        self._wake()
        return bool(claims)

    def _sharing(self, view: View) -> int:
        """How many hosts work on these tasks, where one of the others has idle workers; else 0."""
        idle = self._others.among(view, self._scope.batch)
        if not idle:
            return 0
        return len({*idle, *self._coordination.claims.owners(view), self._coordination.repository.host})

    def _look_starved(self, *, none: bool) -> None:
        """Whether there are workers for whom nothing was to be had but what other hosts hold."""
        before = self.is_starved
        self.is_starved = none and not self._ready and self.elsewhere > 0 and self._idle() > 0
        if self.is_starved and not before:
            self._starved()

    def _worker(self, _task: Task) -> str:
        return self._name
