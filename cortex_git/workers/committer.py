"""Publishing while the workers go on: a thread that pushes whatever waits in the outbox, over and over.

Owns when a push is made and when the branch is folded. A push that fails is tried again with back-off;
nothing is lost meanwhile.
"""

import secrets
import threading
import time
from collections.abc import Callable

from cortex_git.errors import CortexError
from cortex_git.state import PASSING, problem_of
from cortex_git.store.coordination import Coordination

_MOST_PAUSE_S = 10.0
_LOOK_S = 1.0
"""How often the outbox is looked at although nobody said that something waits."""
_GATHER_S = 0.06
"""Workers that started together end together: this short a wait lets one push carry them all. It ends
at once when no worker is busy any more."""
_MOST_GATHER_S = 0.5
"""Where results keep coming within that, so much longer: a push of ten costs hardly more than one of two."""


class Committer:
    """Publishes for one pool; `published` is called after each try, in this thread."""

    def __init__(self, coordination: Coordination, published: Callable[[], None]) -> None:
        self._coordination = coordination
        self._published = published
        self._condition = threading.Condition()
        self._waiting = False
        self._urgent = False
        self._told = 0
        """How often something was said to wait."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self.crash: BaseException | None = None
        """An error that ended the thread; whoever runs the loop raises it."""
        self.problem: CortexError | None = None
        """Why the last push failed; None when it went through."""
        self.pushes = 0

    def start(self) -> None:
        self._thread.start()

    def notify(self, *, gather: bool = False) -> None:
        """Something waits in the outbox; with `gather`, more is likely to follow within moments."""
        with self._condition:
            self._waiting = True
            self._told += 1
            self._urgent = self._urgent or not gather
            self._condition.notify()

    def stop(self) -> None:
        """Publish what waits once more, and end. Raises what the last push failed with."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        self._thread.join()
        if self.problem is not None:
            raise self.problem

    def _run(self) -> None:
        try:
            self._loop()
        except BaseException as error:
            self.crash = error
            self._published()

    def _loop(self) -> None:
        pause = 0.1
        fold_at = time.monotonic() + self._fold_pause()
        while True:
            with self._condition:
                if not self._waiting and not self._stopping:
                    self._condition.wait(timeout=max(0.0, min(_LOOK_S, fold_at - time.monotonic())))
                if self._waiting:
                    self._gather()
                waiting, self._waiting, self._urgent = self._waiting, False, False
                stopping = self._stopping
            # An orphan of a command that died may save its result at any moment.
            waiting = waiting or self._coordination.outbox.count() > 0
            if waiting:
                pause = 0.1 if self._push() else min(pause * 2, _MOST_PAUSE_S)
            if stopping:
                return
            if waiting and self.problem is not None:
                self._again_after(pause)
            elif time.monotonic() >= fold_at:
                self._fold()
                fold_at = time.monotonic() + self._fold_pause()

    def _gather(self) -> None:
        """Wait for what is likely to follow; called with the condition held."""
        until, told = time.monotonic() + _MOST_GATHER_S, -1
        while told != self._told and (left := until - time.monotonic()) > 0:
            told = self._told
            if self._condition.wait_for(lambda: self._urgent or self._stopping, min(_GATHER_S, left)):
                return

    def _again_after(self, pause: float) -> None:
        with self._condition:
            self._waiting = True
            if not self._stopping:
                self._condition.wait(timeout=pause)

    def _push(self) -> bool:
        try:
            report = self._coordination.flush()
        except PASSING as error:
            self.problem = problem_of(error)
        else:
            self.problem = None
            self.pushes += report.pushes
        self._published()
        return self.problem is None

    def _fold(self) -> None:
        try:
            self._coordination.fold()
        except CortexError:
            return  # the command folds once more at its end and says what is wrong

    def _fold_pause(self) -> float:
        every = self._coordination.repository.settings.fold_every_s
        return every * (0.75 + secrets.randbelow(500) / 1000)
