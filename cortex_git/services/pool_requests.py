"""What a running pool can be asked for: a task's run, its state, to look again, to stop.

Owns the requests and their answers. Each is served in a thread of its own; the pool's loop is never
held up by one.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from cortex_git.errors import BadInput, CortexError, EnvironmentProblem
from cortex_git.models import Result, Task
from cortex_git.services.batches import worker_name
from cortex_git.services.spawning import Overrides, checked_runners, described_task, known_task
from cortex_git.state import monotonic
from cortex_git.store import index
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope, View
from cortex_git.workers.allowances import NO_TOKENS
from cortex_git.workers.assigning import Order
from cortex_git.workers.batch import BatchRun
from cortex_git.workers.door import Note
from cortex_git.workers.waiters import Settled

_LOOK_S = 0.5
"""How often somebody who waits is told why it takes so long."""
_PAUSE_S = 0.05
"""Between two looks at a task that this pool is about to have."""


class Requests:
    """Serves the requests to one pool."""

    def __init__(self, coordination: Coordination, run: BatchRun) -> None:
        self._coordination = coordination
        self._run = run
        self._guard = threading.Lock()
        self._getting: dict[str, Future[Future[Settled]]] = {}
        """By task: what comes of the request that is getting hold of it."""
        self._kinds: dict[str, Callable[[dict[str, Any], Note], dict[str, Any]]] = {
            "spawn": self._spawn,
            "status": self._status,
            "look": self._look,
            "stop": self._stop,
        }

    def handle(self, request: dict[str, Any], note: Note) -> dict[str, Any]:
        """Carry out one request. Raises CortexError with what is wrong."""
        serve = self._kinds.get(str(request.get("kind")))
        if serve is None:
            raise BadInput(
                f"a pool has no request {request.get('kind')!r}", f"it has {', '.join(self._kinds)}"
            )
        return serve(request, note)

    def _status(self, _request: dict[str, Any], _note: Note) -> dict[str, Any]:
        return self._run.look().to_json()

    def _look(self, _request: dict[str, Any], _note: Note) -> dict[str, Any]:
        self._run.look_at_all()
        return {}

    def _stop(self, request: dict[str, Any], _note: Note) -> dict[str, Any]:
        snapshot = self._run.look()
        state = "killing" if self._run.draining else "draining"
        if not request.get("dry_run"):
            self._run.interrupt(person=False)
        return {
            "state": state,
            "pid": snapshot.pid,
            "busy": snapshot.busy,
            "unpublished": snapshot.unpublished,
        }

    def _spawn(self, request: dict[str, Any], note: Note) -> dict[str, Any]:
        if self._run.draining:
            raise EnvironmentProblem("the pool is draining", "wait for its end, or give --cold")
        began = monotonic()
        asked = _Asked(self._coordination, request)
        requested = _moment(request.get("requested"), began)
        task = asked.task or self._next(asked)
        done = self._ran_here(task)
        if done is None:
            future, claim_s = self._begin(asked, task, requested, began)
            settled = self._wait(future, task, note)
            return self._answer(task, settled.result, settled.state, claim_s)
        return self._answer(task, done, "done", 0.0)

    def _next(self, asked: "_Asked") -> str:
        """The next open task of the type that was asked for: a free one, or one that this pool holds."""
        claims = self._coordination.claim(
            Scope(type=asked.kind, merges=False), 1, lambda _: worker_name(asked.kind)(1)
        )
        if claims:
            asked.claim = claims[0]
            return claims[0].task.task
        held = self._run.orders.next_of(asked.kind)
        if held is None:
            raise EnvironmentProblem(
                f"no open task for a {asked.kind}", "add one with `cortex-git task add`, or see `task list`"
            )
        return held

    def _ran_here(self, task: str) -> Result | None:
        """The result that this pool has published for the task already: whoever asks twice is told again."""
        if self._coordination.is_finished(task):
            return self._run.orders.result_of(task)
        return None

    def _begin(
        self, asked: "_Asked", task: str, requested: float, began: float
    ) -> tuple["Future[Settled]", float]:
        """Get hold of the task and have it run next; the seconds that the claim took.

        Requests for one task that come at the same time get hold of it together: all have the end, or the
        error, of the first.
        """
        if asked.claim is not None:
            return self._placed(asked, asked.claim, requested, began)
        mine: Future[Future[Settled]] = Future()
        with self._guard:
            first = self._getting.setdefault(task, mine)
        if first is not mine:
            return first.result(), monotonic() - began
        try:
            future, claim_s = self._got(asked, task, requested, began)
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(future)
            return future, claim_s
        finally:
            with self._guard:
                del self._getting[task]

    def _got(
        self, asked: "_Asked", task: str, requested: float, began: float
    ) -> tuple["Future[Settled]", float]:
        """The task's end where this pool has it or is about to, else by a claim for this request."""
        orders, locks = self._run.orders, self._coordination.locks
        patient_until = time.monotonic() + self._coordination.repository.settings.leases.give_up_s
        while True:
            placed = Order(requested=requested, claim_s=monotonic() - began)
            if (future := orders.join(task, placed, asked.overrides.apply)) is not None:
                return future, placed.claim_s
            # Behind a slow remote a claim that another thread of the pool makes takes longer than a lock is
            # waited for; and a claim is in no list while the loop starts it.
            if locks.holds(task) and time.monotonic() < patient_until:
                time.sleep(_PAUSE_S)
                continue
            try:
                return self._placed(asked, self._claimed(asked, task), requested, began)
            except CortexError:
                # The pool may have taken it itself a moment ago.
                placed = replace(placed, claim_s=monotonic() - began)
                if (future := orders.join(task, placed, asked.overrides.apply)) is not None:
                    return future, placed.claim_s
                done = orders.result_of(task)
                if done is not None:
                    ended: Future[Settled] = Future()
                    ended.set_result(Settled(done, "done"))
                    return ended, placed.claim_s
                if not locks.holds(task) or time.monotonic() >= patient_until:
                    raise

    def _placed(
        self, asked: "_Asked", claim: Claim, requested: float, began: float
    ) -> tuple["Future[Settled]", float]:
        placed = Order(requested=requested, claim_s=monotonic() - began)
        changed = replace(claim, task=asked.overrides.apply(claim.task))
        return self._run.orders.place(changed, placed), placed.claim_s

    def _claimed(self, asked: "_Asked", task: str) -> Claim:
        name = worker_name(asked.kind)(1)
        if asked.new is not None:
            return self._coordination.claim_new(asked.new, name, asked.view)
        return self._coordination.claim_seen(task, name, asked.view)

    def _wait(self, future: "Future[Settled]", task: str, note: Note) -> Settled:
        """The end of the attempt; its result alone where the remote does not answer for too long."""
        limit = self._coordination.repository.settings.leases.give_up_s
        trouble: float | None = None
        while True:
            try:
                return future.result(timeout=_LOOK_S)
            except TimeoutError:
                problem, result = self._run.snapshot.problem, self._run.orders.result_of(task)
            if problem is None or result is None:
                trouble = None
                continue
            if trouble is None:
                trouble = time.monotonic()
                note(f"{problem}; the pool is trying again")
            if time.monotonic() - trouble > limit:
                return Settled(result, f"waiting: {problem}")

    def _answer(self, task: str, result: Result | None, state: str, claim_s: float) -> dict[str, Any]:
        if result is None:
            known = index.task_of(self._coordination.repository, task)
            about = {"batch": known.batch, "worker": None, "host": None, "attempt": 0}
            return {"task": task, "status": "released", "reason": state, "claim": about, "result": None,
                    "limit": state.startswith(NO_TOKENS)}  # fmt: skip
        return {
            "task": task,
            "status": result.status,
            "reason": state,
            "claim_ms": round(claim_s * 1000, 3),
            "result": result.model_dump(mode="json", by_alias=True),
        }


def _moment(said: object, began: float) -> float:
    """When the request was made, by `state.monotonic`; not after it came, and never no number."""
    return min(said, began) if isinstance(said, int | float) and 0 < said < began else began


class _Asked:
    """A request for a task's run, checked before anything is changed."""

    def __init__(self, coordination: Coordination, request: dict[str, Any]) -> None:
        self.kind = str(request.get("type") or "scan-worker")
        self.task: str | None = request.get("task_id")
        self.claim: Claim | None = None
        self.view: View | None = None
        """What was seen when the task had to be looked for."""
        if not isinstance(self.task, str | None):
            raise BadInput("a task id is text", "see docs/pool.md")
        self.overrides = Overrides(request.get("runner"), request.get("budget"), request.get("deadline"))
        self.new = self._described(coordination, request)
        checked_runners(coordination, self.new, self.task, self.kind, self.overrides)

    def _described(self, coordination: Coordination, request: dict[str, Any]) -> Task | None:
        """The task to add first; None where it is known."""
        if self.task is None or known_task(coordination, self.task):
            return None
        self.view = coordination.pull()
        if known_task(coordination, self.task):
            return None
        return described_task(request)
