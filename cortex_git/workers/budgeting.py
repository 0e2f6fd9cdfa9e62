"""Tokens for the attempts of a pool: from this host's slice at once, or once more of it has been had.

Owns when the shared budget is asked and what the answer means for a task. All calls of the network are in a
thread of its own. A pool that runs nothing metered asks for nothing.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Literal

from cortex_git.errors import CortexError
from cortex_git.limits import accounts
from cortex_git.limits.accounts import TOTAL, Caps, kind
from cortex_git.limits.ledger import Ledger
from cortex_git.models import Task
from cortex_git.state import PASSING, problem_of
from cortex_git.store import indexing
from cortex_git.store.budget_ref import BudgetDocument, BudgetRef
from cortex_git.store.coordination import Coordination
from cortex_git.store.hosts import hosts
from cortex_git.workers import events
from cortex_git.workers.levels import BudgetLevel, Standing, standing
from cortex_git.workers.slices import Wish, exchange
from cortex_git.workers.token_budget import write_document

Answer = Literal["ok", "wait", "exhausted"]

_FRESH_S = 5.0
"""A document this young is good enough to say that nothing is left."""
_RETRY_S = 2.0
_LOOK_S = 15.0
"""How often a pool with metered work looks at the shared budget, and says what it spent."""
_IDLE_S = 60.0
"""After so long without an attempt, others get what this host does not use."""
_AHEAD = 2
"""More is asked for when less than so many more attempts like the last one are covered."""


class Budgeting:
    """The budget as one pool uses it. `allocate` and `close` are for the pool's loop.

    `wake` is called, from another thread, when an answer may have changed.
    """

    def __init__(self, coordination: Coordination, wake: Callable[[], None]) -> None:
        self._repository = coordination.repository
        self._wake = wake
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._needs: dict[str, int] = {}
        self._asked = False
        self._document = BudgetDocument()
        self._read_at: float | None = None
        self._used_at = time.monotonic()
        self._touched: set[str] = {TOTAL}
        self._told: BudgetLevel = "ok"
        self._standing = Standing("ok", TOTAL, 0, 0)
        self.live_hosts = 1
        """Hosts that gave a sign of life lately, this one among them."""
        self.lacking = TOTAL
        """The account that the last task that got no tokens lacked the most."""
        self.reason: str | None = None
        """Why the last task that got no tokens got none."""
        self.problem: CortexError | None = None
        """Why the shared budget could not be asked; None when the last try went through."""

    def start(self) -> None:
        """Nothing yet: the first attempt that needs tokens starts the thread."""

    def stop(self) -> None:
        """Give back what is not used. Where the remote does not answer, the next command does."""
        with self._condition:
            thread, self._thread = self._thread, None
            self._stopping = True
            self._condition.notify()
        if thread is None:
            return
        thread.join()
        self._exchange(Wish({}, give_back=True))

    @property
    def level(self) -> BudgetLevel:
        """How much of the tightest limit is spent."""
        return self._standing.level

    def news(self) -> events.Event | None:
        """The event that the level changed, once for each change."""
        now = self._standing
        if now.level == self._told:
            return None
        self._told = now.level
        return events.budget_level(now.level, now.account, now.spent, now.limit)

    def tokens_left(self) -> int | None:
        """What could still be promised to attempts here, as far as known; None before any was asked for."""
        if self._read_at is None:
            return None
        free = self._caps.of(TOTAL) or 0
        free -= self._document.assigned(TOTAL)
        return max(free, 0) + self._ledger.balance().available

    def allocate(self, task: Task, nonce: str, worker: str, tokens: int) -> Answer:
        """Promise the attempt all of `tokens`, or say whether waiting helps."""
        self._ensure_thread()
        if self._read_at is None and self.problem is None:
            self._ask({})
            return "wait"
        limits = self._caps.limited(accounts.of_attempt(task.batch, task.responsible))
        self._touched |= limits.keys()
        given = self._ledger.allocate(
            nonce, task=task.task, batch=task.batch, master=task.responsible, worker=worker, tokens=tokens,
            accounts=list(limits),
        )  # fmt: skip
        if not given:
            return self._short(limits, tokens)
        self.reason = None
        self._used_at = time.monotonic()
        self._judge()
        if any(self._ledger.balance(account).available < _AHEAD * tokens for account in limits):
            self._ask(dict.fromkeys(limits, tokens), when_possible=True)
        return "ok"

    def may_have(self, account: str, tokens: int) -> bool:
        """Whether the account that lacked as many tokens may have them by now, as of the last look."""
        if kind(account) in ("day", "month") and account not in accounts.of_attempt("", ""):
            return True
        limit = self._caps.of(account)
        return limit is None or self._room(account, limit) >= tokens

    def look(self) -> None:
        """See what the shared budget has by now; nothing where no attempt asked for any yet. Any thread."""
        if self._thread is not None:
            self._ask({})

    def close(self, nonce: str) -> int:
        """End an attempt; tokens that it spent."""
        spent = self._ledger.close(nonce)
        self._used_at = time.monotonic()
        if self._thread is not None:
            self._judge()
        return spent

    @property
    def _ledger(self) -> Ledger:
        """Under the id that this host has now, by a connection of this thread."""
        return Ledger(self._repository.durable_state, self._repository.host)

    @property
    def _caps(self) -> Caps:
        return Caps(self._repository.settings.budget, self._document.limits)

    def _short(self, limits: Mapping[str, int], tokens: int) -> Answer:
        needs = dict.fromkeys(limits, tokens)
        if self.problem is not None:
            self._ask(needs)
            return "wait"
        lacking = {a: left for a, limit in limits.items() if (left := self._room(a, limit)) < tokens}
        fresh = self._read_at is not None and time.monotonic() - self._read_at < _FRESH_S
        if not lacking or not fresh:
            self._ask(needs)
            return "wait"
        self.reason = self._why(lacking, limits, tokens)
        running = (self._ledger.balance(account) for account in lacking)
        return "wait" if any(b.allocated or b.in_use > b.spent for b in running) else "exhausted"

    def _room(self, account: str, limit: int) -> int:
        """What could be available here at most, as of the last look."""
        held = self._ledger.balance(account)
        total = held.total if held.limited else 0
        ungranted = max(self._document.slice_of(self._repository.host).get(account, 0) - total, 0)
        return held.available + max(limit - self._document.assigned(account), 0) + ungranted

    def _why(self, lacking: Mapping[str, int], limits: Mapping[str, int], tokens: int) -> str:
        account, left = min(lacking.items(), key=lambda item: item[1])
        self.lacking = account
        text = f"{tokens:,} tokens are needed and {left:,} of the {limits[account]:,} of {account} are left"
        unspent = {
            host: held.get(account, 0) - self._document.reported.get(host, {}).get(account, 0)
            for host, held in self._document.slices.items()
            if host != self._repository.host
        }
        holders = [
            f"{host} holds {tokens:,} unspent" for host, tokens in sorted(unspent.items()) if tokens > 0
        ]
        return "; ".join([text, *holders])

    def _judge(self) -> None:
        """How much of each limit is spent, and the snapshot that others read."""
        self._standing = standing(self._repository, self._caps, self._document, self._touched)

    def _ensure_thread(self) -> None:
        if self._thread is None and not self._stopping:
            self._document = BudgetRef(self._repository).last_seen()
            self._thread = threading.Thread(target=self._run, name="budgeting", daemon=True)
            self._thread.start()

    def _ask(self, needs: Mapping[str, int], *, when_possible: bool = False) -> None:
        """Have the thread look, and get more where there is more."""
        with self._condition:
            for account, tokens in needs.items():
                self._needs[account] = max(self._needs.get(account, 0), tokens)
            self._asked = self._asked or not when_possible or not self._is_spent(needs)
            self._condition.notify()

    def _is_spent(self, needs: Mapping[str, int]) -> bool:
        """Whether one of the accounts has nothing that could be had."""
        limits = self._caps.limited(needs)
        return any(self._document.assigned(account) >= limit for account, limit in limits.items())

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._asked or self._stopping, timeout=_LOOK_S)
                if self._stopping:
                    return
                needs, self._needs, self._asked = self._needs, {}, False
            idle = not needs and time.monotonic() - self._used_at > _IDLE_S
            self._count_hosts()
            self._exchange(Wish(needs, self.live_hosts, give_back=idle))
            self._wake()
            if self.problem is not None:
                with self._condition:
                    self._condition.wait_for(lambda: self._stopping, timeout=_RETRY_S)

    def _count_hosts(self) -> None:
        try:
            found = hosts(self._repository, indexing.refresh(self._repository))
        except PASSING:
            return
        self.live_hosts = 1 + sum(not host.silent and not host.own for host in found)

    def _exchange(self, wish: Wish) -> None:
        try:
            self._document = exchange(self._repository, wish)
            self._read_at = time.monotonic()
            self.problem = None
            self._judge()
            write_document(self._repository, self._document)
        except PASSING as error:
            self.problem = problem_of(error)
