"""A host of a simulation, part by part: its loop, claimer, committer, workers, and its share of the tokens.

Owns the only import of simpy. Each part waits and decides as the real one does, by virtual time.
"""

import heapq
import random
from collections import deque
from collections.abc import Generator, Sequence

import simpy

from cortex_git.analysis.simulation_setup import Cost, Costs, Setup
from cortex_git.store.claims import MOST_AT_ONCE
from cortex_git.workers.pace import Pace

_RECENT_S = 0.25
_GATHER_S = 0.06
_MOST_GATHER_S = 0.5
"""As in `workers.claimer` and `workers.committer`."""
_COUNTED_S = 60.5
_OF_CALL_S = 5.0
"""How long a call counts against the limit: from its end, or from its 5th second; as in `limits.gate`."""
_DONE = float("inf")

Steps = Generator[simpy.Event, object, None]


class World:
    """All hosts, the remote between them, and the tasks that nobody has claimed."""

    def __init__(self, setup: Setup, tasks: Sequence[float], costs: Costs, seed: int) -> None:
        self.env = simpy.Environment()
        self.setup, self.costs = setup, costs
        self.remote = simpy.Resource(self.env, capacity=max(costs.remote_at_once, 1))
        self.branch = simpy.Resource(self.env, capacity=1)
        """One fold at a time gets through."""
        self.open = deque(tasks)
        self.left = len(tasks)
        """Results that were not acknowledged yet."""
        self.unended = len(tasks)
        self.hosts = [
            SimulatedHost(self, size, random.Random(f"{seed} {number}"))  # noqa: S311 - no secret
            for number, size in enumerate(setup.started())
        ]

    def run(self) -> None:
        """Until every result is acknowledged."""
        done = self.env.event()
        for host in self.hosts:
            host.begin(done)
        self.env.run(until=done)

    def ended(self) -> None:
        """One task more has ended; after the last, all there is to wait for is the remote."""
        self.unended -= 1
        for host in self.hosts if not self.unended else ():
            host.note()

    def operation(self, cost: Cost, count: int, trips: int) -> Steps:
        """One operation on the remote: the way there and back, and what it takes there, after the others."""
        if self.setup.round_trip_s:
            yield self.env.timeout(trips * self.setup.round_trip_s)
        with self.remote.request() as turn:
            yield turn
            yield self.env.timeout(cost.of(count))


class SimulatedHost:
    """One host with its own clone, its own result ref and `size` workers."""

    def __init__(self, world: World, size: int, chance: random.Random) -> None:
        self._world, self._env, self._chance = world, world.env, chance
        self.size = size
        self.acknowledged_at = 0.0
        self.pushes = 0
        self.history: list[tuple[float, tuple[int, int, int, int]]] = [(0.0, (0, 0, 0, 0))]
        """From when on so many workers were busy, waited for tokens, for the remote, for the loop."""
        self._idle = size
        self._running = self._throttled = 0
        self._claiming = False
        self._ready: deque[float] = deque()
        """Claims in hand: seconds of their tasks."""
        self._ended = 0
        """Workers back from a task that the loop has not looked at."""
        self._outbox = self._unfolded = 0
        self._tokens = Tokens(world.env, world.setup)
        self._pace = Pace(size)
        self._loop_wakes = self._claimer_wakes = self._committer_wakes = world.env.event()
        self._urgent = False
        self._done = world.env.event()

    def begin(self, done: simpy.Event) -> None:
        """Start every part; `done` is told when nothing is left anywhere."""
        self._done = done
        self._loop_wakes, self._claimer_wakes = self._env.event(), self._env.event()
        self._committer_wakes = self._env.event()
        self._env.process(self._claimer())
        self._env.process(self._loop())
        self._env.process(self._committer())
        self._env.process(self._heart())

    def note(self) -> None:
        """Keep what the workers are at, where it changed."""
        waiting = self._idle + self._ended
        at_hand = min(waiting, len(self._ready))
        for_remote = self._world.open or self._claiming or not self._world.unended
        empty_handed = waiting - at_hand if for_remote else 0
        states = (self._running, self._throttled, empty_handed, at_hand)
        if states == self.history[-1][1]:
            return
        if self.history[-1][0] == self._env.now:
            self.history.pop()
        self.history.append((self._env.now, states))

    def _wake_loop(self) -> None:
        if not self._loop_wakes.triggered:
            self._loop_wakes.succeed()

    def _claimer(self) -> Steps:
        """Keep enough claims in hand for the workers not to wait."""
        yield self._env.timeout(self._world.costs.start_s)
        first, plenty, looked_at = self.size, False, -_DONE
        while self._world.open:
            ahead = self._pace.ahead(self._env.now, self._idle)
            wanted = ahead - len(self._ready)
            if not first and not self._pace.is_short(len(self._ready), self._env.now, self._idle):
                self._claimer_wakes = self._env.event()
                yield self._claimer_wakes | self._env.timeout(1.0)
                continue
            asked = min(max(wanted, 1) + first, MOST_AT_ONCE)
            started, first = self._env.now, 0
            recent_s = max(_RECENT_S, self._pace.cycle_s) if plenty else _RECENT_S
            if started - looked_at > recent_s:
                yield from self._world.operation(self._world.costs.look, 0, 1)
            got = [self._world.open.popleft() for _ in range(min(asked, len(self._world.open)))]
            self._claiming = bool(got)
            if got:
                looked_at = self._env.now
                yield from self._world.operation(self._world.costs.claim, len(got), 2)
                self._pace.came(self._env.now - started, dry=not self._ready)
                self._pace.open = len(self._world.open) + len(self._ready) + self.size
            plenty = len(got) == asked
            self._claiming = False
            self._ready.extend(got)
            self.note()
            self._wake_loop()

    def _loop(self) -> Steps:
        """Hand out claims, take workers back, enter results; one thing after the other."""
        costs = self._world.costs
        self.note()
        while True:
            while not (self._ended or (self._idle and self._ready)):
                self._loop_wakes = self._env.event()
                yield self._loop_wakes
            finished, self._ended = self._ended, 0
            self._idle += finished
            self.note()
            while self._idle and self._ready:
                yield self._env.timeout(costs.turn.of(self.size))
                self._idle -= 1
                self._throttled += 1
                self._env.process(self._work(self._ready.popleft()))
                self.note()
                self._pace.took(self._env.now)
                if not self._claimer_wakes.triggered:
                    self._claimer_wakes.succeed()
            if finished:
                yield self._env.timeout(costs.record.of(finished))
                self._outbox += finished
                self._urgent = self._urgent or self._idle == self.size
                if not self._committer_wakes.triggered:
                    self._committer_wakes.succeed()

    def _work(self, task_s: float) -> Steps:
        """One worker at one task: it waits for tokens like for any call."""
        yield from self._tokens.leave(task_s)
        self._throttled -= 1
        self._running += 1
        self.note()
        yield self._env.timeout(task_s)
        self._running -= 1
        self._ended += 1
        self.note()
        self._world.ended()
        self._wake_loop()

    def _committer(self) -> Steps:
        """Publish whatever waits, over and over, and fold at times."""
        fold_at = self._env.now + self._fold_pause()
        while True:
            if not self._outbox:
                self._committer_wakes = self._env.event()
                yield self._committer_wakes | self._env.timeout(max(fold_at - self._env.now, 0.001))
            if self._outbox and not self._urgent:
                yield from self._gather()
            if self._outbox:
                count, self._outbox, self._urgent = self._outbox, 0, False
                yield from self._world.operation(self._world.costs.push, count, 1)
                self._acknowledge(count)
            if self._env.now >= fold_at:
                if self._unfolded:
                    yield from self._fold()
                fold_at = self._env.now + self._fold_pause()

    def _gather(self) -> Steps:
        """Wait for more results for as long as they keep coming, up to a time."""
        until, had = self._env.now + _MOST_GATHER_S, -1
        while had != self._outbox and self._env.now < until and not self._urgent:
            had = self._outbox
            late = self._env.timeout(min(_GATHER_S, until - self._env.now))
            while not (self._urgent or late.processed):
                self._committer_wakes = self._env.event()
                yield self._committer_wakes | late

    def _acknowledge(self, count: int) -> None:
        self.pushes += 1
        self.acknowledged_at = self._env.now
        self._unfolded += count
        self._world.left -= count
        if not self._world.left and not self._done.triggered:
            self._done.succeed()

    def _fold(self) -> Steps:
        with self._world.branch.request() as turn:
            yield turn
            count, self._unfolded = self._unfolded, 0
            yield from self._world.operation(self._world.costs.fold, count, 2)

    def _fold_pause(self) -> float:
        return self._world.setup.fold_every_s * self._chance.uniform(0.75, 1.25)

    def _heart(self) -> Steps:
        while True:
            yield self._env.timeout(self._world.setup.heartbeat_s)
            yield from self._world.operation(self._world.costs.push, 0, 1)


class Tokens:
    """A host's part of the tokens a minute: a log of what still counts, first come, first served."""

    def __init__(self, env: simpy.Environment, setup: Setup) -> None:
        self._env = env
        self._each = setup.tokens_per_task
        most = setup.tokens_per_min
        self._most = None if most is None or not self._each else max(most // setup.hosts, 1)
        self._line = simpy.Resource(env, capacity=1)
        self._ends: list[float] = []
        """When each counted call lapses, a heap."""

    def leave(self, task_s: float) -> Steps:
        """Wait until the task's tokens fit into the minute; one larger than all of it goes alone."""
        if self._most is None:
            return
        with self._line.request() as turn:
            yield turn
            while self._ends and (len(self._ends) + 1) * self._each > self._most:
                yield self._env.timeout(max(self._ends[0] - self._env.now, 0.0))
                while self._ends and self._ends[0] <= self._env.now:
                    heapq.heappop(self._ends)
            heapq.heappush(self._ends, self._env.now + min(task_s, _OF_CALL_S) + _COUNTED_S)
