"""What the router's last layer asks a model: paid for from the shared budget, let out by the rate gate.

Owns one call's way: tokens promised, reserved at their worst, sent, settled, the rest given back. Must never
keep a person waiting for long, nor send what is not covered: then there is no answer, and a reason.
"""

import json
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from os import getpid
from uuid import uuid4

from cortex_git.config import HostSettings, Rate, load_host_settings
from cortex_git.errors import LimitReached
from cortex_git.limits import accounts
from cortex_git.limits.accounts import Caps
from cortex_git.limits.gate import Gate
from cortex_git.limits.ledger import Ledger
from cortex_git.limits.meter import Meter
from cortex_git.llm import CallFailed, Client, Reply, Request, Throttled
from cortex_git.llm.clients import client
from cortex_git.routing.claude import Claude
from cortex_git.routing.experts import Expert
from cortex_git.runners.agent.conversation import SLACK, UNSEEN
from cortex_git.state import PASSING, monotonic, problem_of
from cortex_git.store import indexing
from cortex_git.store.budget_ref import BudgetDocument, BudgetRef
from cortex_git.store.coordination import Coordination
from cortex_git.store.hosts import hosts
from cortex_git.workers.slices import Wish, exchange

MASTER = "routing"
"""Under which `budget history` shows what the router spent, and `budget set --master` limits it."""
PATIENCE_S = 10.0
"""Longest time that a decision waits for the model, the budget and the gate together."""
_AHEAD = 5
"""Calls that tokens are had for at once, each at its worst: enough for some twenty as they are."""
_RETRIES = 2
_FIRST_PAUSE_S = 0.2
_PROVIDER = "claude"


def model_layer(coordination: Coordination, experts: Mapping[str, Expert]) -> Claude:
    """The layer that asks the small model; without a key it has none but a reason."""
    model = coordination.repository.settings.models.small.name
    return Claude(experts, model, PaidCalls(coordination, load_host_settings()))


def worst_of(request: Request) -> int:
    """Most tokens that the call can use: a token stands for a byte of what is sent at least."""
    said = [request.system, list(request.tools), list(request.messages)]
    sent = len(json.dumps(said, ensure_ascii=False).encode("utf-8", "replace"))
    return sent + UNSEEN + SLACK + request.max_output


@dataclass
class PaidCalls:
    """Calls of a model for the router. Satisfies `routing.claude.Ask`."""

    coordination: Coordination
    host: HostSettings
    patience_s: float = PATIENCE_S
    _client: Client | None = field(default=None, init=False)

    def __call__(self, request: Request) -> Reply:
        """The model's answer. Raises CortexError: no key, no tokens, told to wait, no answer in time."""
        if self._client is None:  # loads the SDK, which takes seconds and must not count as the model's
            self._client = client(_PROVIDER, _patient(self.host, self.patience_s))
        asked, deadline = self._client, monotonic() + self.patience_s
        return _within(self.patience_s, lambda: self._paid(asked, request, deadline))

    def _paid(self, asked: Client, request: Request, deadline: float) -> Reply:
        repository = self.coordination.repository
        ledger = Ledger(repository.durable_state, repository.host)
        nonce, worst = uuid4().hex, worst_of(request)
        self._allocate(ledger, nonce, worst)
        try:
            meter = Meter(ledger, self._gate(), nonce, request.model)
            return _tried(asked, meter, request, worst, deadline)
        finally:
            ledger.close(nonce)

    def _allocate(self, ledger: Ledger, nonce: str, tokens: int) -> None:
        """Promise the call its tokens: of what this host has, or of what no host has. Raises LimitReached."""
        repository = self.coordination.repository
        limits = self._limits(BudgetRef(repository).last_seen())
        if _given(ledger, nonce, tokens, limits):
            return
        for calls in (_AHEAD, 1):
            # Of so many hosts none has a share: this brings these tokens and nothing more. Nobody gives
            # them back when a `route` ends, and the next ones need not ask.
            wish = Wish(dict.fromkeys(limits, calls * tokens), live_hosts=sys.maxsize)
            limits = self._limits(exchange(repository, wish))
            if _given(ledger, nonce, tokens, limits):
                return
        raise LimitReached(
            f"the budget has not the {tokens:,} tokens left that a call may take",
            "see `cortex-git budget show`",
        )

    def _limits(self, document: BudgetDocument) -> dict[str, int]:
        caps = Caps(self.coordination.repository.settings.budget, document.limits)
        return caps.limited(accounts.of_attempt(_batch(), MASTER))

    def _gate(self) -> Gate:
        """The provider's gate, told what the account may ask and how many hosts share it."""
        repository = self.coordination.repository
        found = hosts(repository, indexing.refresh(repository))
        gate = Gate(repository.durable_state, _PROVIDER)
        live = 1 + sum(not host.silent and not host.own for host in found)
        gate.configure(repository.settings.rates.get(_PROVIDER, Rate()), live)
        return gate


def _batch() -> str:
    """Each day's routing counts as a batch, so that a limit for every batch does not end it for good."""
    return f"{MASTER}-{datetime.now(UTC):%Y-%m-%d}"


def _given(ledger: Ledger, nonce: str, tokens: int, limits: Mapping[str, int]) -> bool:
    return ledger.allocate(
        nonce, task=MASTER, batch=_batch(), master=MASTER, worker=f"router-{getpid()}", tokens=tokens,
        accounts=list(limits),
    )  # fmt: skip


def _tried(asked: Client, meter: Meter, request: Request, worst: int, deadline: float) -> Reply:
    """The answer, after up to two calls that cost nothing. Raises CallFailed, Exhausted or TooLate."""
    failures = 0
    while True:
        try:
            with meter.call(worst, deadline) as call:
                try:
                    reply = asked.reply(request, call.on_sent)
                except CallFailed as error:
                    call.failed(error)
                    raise
                call.settle(reply.usage, reply.limits)
                return reply
        except CallFailed as error:
            failures += 1
            if not error.again or error.billed or failures > _RETRIES:
                raise
            if not isinstance(error, Throttled):  # for that one the gate waits
                pause = _FIRST_PAUSE_S * 2**failures * random.uniform(0.5, 1.0)  # noqa: S311
                if monotonic() + pause >= deadline:
                    raise
                time.sleep(pause)


def _patient(host: HostSettings, seconds: float) -> HostSettings:
    """The settings with a silence that is no longer than we wait."""
    claude = host.claude.model_copy(update={"timeout_s": min(host.claude.timeout_s, seconds)})
    return host.model_copy(update={"claude": claude})


def _within(seconds: float, work: Callable[[], Reply]) -> Reply:
    """What `work` brings within that time. Raises LimitReached after it, and what `work` raises.

    It goes on in its thread then and settles what it used; if this process ends before, its call counts at
    its worst, as that of any process that is gone.
    """
    answers: list[Reply] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="routing", daemon=True)
    thread.start()
    thread.join(seconds)
    if answers:
        return answers[0]
    if not errors:
        raise LimitReached(f"no answer within {seconds:g} s")
    if isinstance(errors[0], PASSING):
        raise problem_of(errors[0]) from errors[0]
    raise errors[0]
