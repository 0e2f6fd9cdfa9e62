"""Allowances: the tokens that an attempt of a metered runner gets before it starts, and their end.

Owns which claims wait for tokens and which tasks get none. Must never start a metered attempt without its
tokens, nor keep others from starting meanwhile. Used from one loop, except where it says otherwise.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import replace

from cortex_git.config import load_host_settings
from cortex_git.errors import CortexError, LimitReached
from cortex_git.limits.accounts import kind
from cortex_git.models import Task
from cortex_git.runners import metered, runner_name
from cortex_git.store import index
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.open_tasks import count_ready_of
from cortex_git.store.tasks import listed
from cortex_git.workers.budgeting import Answer, Budgeting
from cortex_git.workers.events import Event
from cortex_git.workers.gates import Gates
from cortex_git.workers.messages import Assignment
from cortex_git.workers.unready import Unready

_AGAIN_S = 0.5
"""Seconds until a claim that waits for tokens asks again, where nothing woke it before."""

NO_TOKENS = "no tokens: "
"""Begins the reason why a task that somebody follows was not run, where the budget is why."""
_RAISE = {
    "total": "--total N",
    "day": "--daily N",
    "month": "--monthly N",
    "master": "--master NAME=N",
    "batch": "--batch NAME=N",
}


class Allowances:
    """The tokens of one run's attempts."""

    def __init__(
        self,
        coordination: Coordination,
        scope: Scope,
        wake: Callable[[], None],
        *,
        runner: str | None,
        kept: bool,
    ) -> None:
        """`runner` takes the place of each task's own; a run that is `kept` outlives an empty budget."""
        self._coordination = coordination
        self._scope = scope
        self._wake = wake
        self._runner = runner
        self._kept = kept
        self._host = load_host_settings()
        self._budgeting = Budgeting(coordination, self._on_change)
        self.gates = Gates(coordination.repository)
        self._waiting: dict[str, float] = {}
        self._refused: frozenset[str] = frozenset()
        self._lacks: dict[str, int] = {}
        self._unready = Unready()
        self._held: dict[str, int] = {}
        self._changed = False
        self.spent = 0
        """Tokens of the attempts that ended."""
        self.metered = False
        """Whether any attempt was metered."""
        self._why = ("", "")
        """Why the last task was refused, and what raises that limit."""

    def start(self) -> None:
        self._budgeting.start()

    def look(self) -> None:
        """Somebody may have raised a limit. Safe from any thread."""
        self._budgeting.look()

    def stop(self) -> None:
        """Give back to the other hosts what is not used."""
        self._budgeting.stop()

    def _on_change(self) -> None:
        """Called in the thread that asks the shared budget."""
        self._changed = True
        self._wake()

    def runner_of(self, task: Task) -> str:
        """The runner that carries out the task here. Raises BadInput where there is none."""
        return runner_name(self._runner or task.runner, task.type, task.priority, self._host)

    def tokens_of(self, task: Task) -> int:
        """What an attempt of the task may use."""
        return self._coordination.repository.settings.limits_for(task.type, task.budget, None).tokens

    def held_back(self) -> Collection[str]:
        """Tasks in hand that are not to be tried now: they wait for tokens."""
        if self._changed:
            self._changed = False
            self._waiting.clear()
        now = time.monotonic()
        self._waiting = {task: until for task, until in self._waiting.items() if until > now}
        return self._waiting.keys()

    def refused(self) -> Collection[str]:
        """Tasks that are not to be claimed: no tokens, or no runner that works here. Safe from any thread."""
        return self._refused | self._unready.tasks

    def ask(self, claim: Claim, assignment: Assignment) -> Answer:
        """Whether the attempt may start; its tokens are promised then, if it needs any."""
        if not metered(assignment.runner):
            return "ok"
        # What a command runs was looked at before it began, but for the tasks that results asked for since.
        later = self._kept or claim.task.depth > 0
        if later and (problem := self._unready.problem(assignment.runner)) is not None:
            every = listed(self._coordination.repository, Scope(merges=False))
            self._unready.leave(assignment.runner, problem, [claim.task, *every], self._known_runner)
            return "exhausted"
        self.metered = True
        task, nonce = claim.task, claim.record.nonce
        answer = self._budgeting.allocate(task, nonce, assignment.worker, assignment.budget)
        if answer == "ok":
            self._held[nonce] = assignment.budget
            self.gates.use(assignment.runner, self._budgeting.live_hosts)
        elif answer == "wait":
            self._waiting[task.task] = time.monotonic() + _AGAIN_S
        else:
            self._refuse(task, assignment.budget)
        return answer

    def close(self, nonce: str) -> int:
        """End the attempt, however it ended; tokens that it spent. What it did not use goes to others."""
        if self._held.pop(nonce, None) is None:
            return 0
        spent = self._budgeting.close(nonce)
        self.spent += spent
        self._waiting.clear()
        return spent

    def close_all(self) -> int:
        """End every attempt; their workers are gone. Tokens that those spent."""
        return sum(self.close(nonce) for nonce in list(self._held))

    def tick(self) -> Event | None:
        """Look whether a long-lived pool may go on; what has become of the budget, if it is news."""
        again = any(self._budgeting.may_have(account, tokens) for account, tokens in self._lacks.items())
        if self._kept and again:
            self._refused, self._lacks = frozenset(), {}
        if (self._kept and again) or self._unready.tick():
            self._wake()
        self.gates.share(self._budgeting.live_hosts)
        return self._budgeting.news()

    @property
    def limit(self) -> LimitReached | None:
        """Why tasks in scope are left without tokens; None where none is."""
        if not self._refused:
            return None
        reason, option = self._why
        waiting = max(1, self._refused_in(self._scope))
        return LimitReached(
            f"{reason}; {waiting} {'task waits' if waiting == 1 else 'tasks wait'}",
            f"run `cortex-git budget set {option}`" + ("" if self._kept else ", then the same command again"),
        )

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why metered work does not go on, for whoever looks."""
        left = self._unready.reasons
        if (limit := self.limit) is not None:
            return (str(limit), *left)
        why = self.problem or (self._budgeting.reason if self._waiting else None)
        return (f"tasks wait for tokens: {why}", *left) if why is not None else left

    @property
    def problem(self) -> CortexError | None:
        """Why the shared budget does not answer, where a task waits for it."""
        return self._budgeting.problem if self._waiting else None

    def why_refused(self, task: str) -> str:
        """Why the task was not run just now."""
        if task in self._unready.tasks:
            return "; ".join(self._unready.reasons)
        return f"{NO_TOKENS}{self.limit}"

    @property
    def tokens_left(self) -> int | None:
        """What attempts that run and attempts to come may use; None where nothing metered ran."""
        left = self._budgeting.tokens_left() if self.metered else None
        return None if left is None else left + sum(self._held.values())

    @property
    def tokens_per_task(self) -> int | None:
        """What a running attempt was promised, on average."""
        return sum(self._held.values()) // len(self._held) if self._held else None

    def left_over(self, scope: Scope) -> int:
        """Open tasks in scope that may still be run, merges not counted where some are refused.

        Nor are those that wait for others: once these have ended, they are.
        """
        left = self.refused()
        if not left:
            return self._coordination.ready_count(scope)
        plain = replace(scope, merges=False)
        refused = count_ready_of(self._coordination.repository, plain, list(left))
        return self._coordination.ready_count(plain) - refused

    def _refused_in(self, scope: Scope) -> int:
        return index.count_open_of(self._coordination.repository, scope, list(self._refused))

    def _refuse(self, task: Task, tokens: int) -> None:
        """No tokens for this one: none for others either that need as many of the account that lacks them."""
        lacking = kind(self._budgeting.lacking)
        alike = Scope(batch=task.batch if lacking == "batch" else None, merges=False)
        account = self._budgeting.lacking
        self._lacks[account] = min(tokens, self._lacks.get(account, tokens))
        self._refused |= {task.task} | {
            one.task
            for one in listed(self._coordination.repository, alike)
            if (lacking != "master" or one.responsible == task.responsible)
            and self.tokens_of(one) >= tokens
            and self.is_metered(one)
        }
        self._why = (self._budgeting.reason or "no tokens are left", _RAISE[lacking])

    def is_metered(self, task: Task) -> bool:
        """Whether it needs tokens here."""
        name = self._known_runner(task)
        return name is not None and metered(name)

    def _known_runner(self, task: Task) -> str | None:
        try:
            return self.runner_of(task)
        except CortexError:
            return None
