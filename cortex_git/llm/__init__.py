"""Talking to models: one form of request and reply, whatever the provider, and what can go wrong.

Owns the words. Each provider has a module of its own here, the only importer of its SDK, loaded when it
is first used. Must never try a call again by itself: whoever asked knows the budget and the rate gate.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cortex_git.errors import EnvironmentProblem

Block = dict[str, Any]
"""One block of a message, in the form of the Messages API: text, tool_use, tool_result, thinking."""
Message = dict[str, Any]
"""`{"role": "user" | "assistant", "content": [Block, …]}`."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call as the provider reported them. `input` counts neither cache writes nor reads."""

    input: int = 0
    output: int = 0
    cache_write: int = 0
    cache_read: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output + self.cache_write + self.cache_read


MOST_TOKENS = 1_000_000_000
"""Tokens that one call cannot have used: who says more means something else."""


def are_tokens(*counts: object) -> bool:
    """Whether that is what a call may have used. A server that takes tokens back would refill the budget."""
    return all(type(count) is int and 0 <= count <= MOST_TOKENS for count in counts)


@dataclass(frozen=True, slots=True)
class Request:
    """One call of a model. The system prompt and the tools are the part worth caching."""

    model: str
    system: str
    messages: Sequence[Message]
    max_output: int
    tools: Sequence[Mapping[str, Any]] = ()
    """`{"name", "description", "input_schema"}` each."""
    must_use: str | None = None
    """The one tool that the answer has to use, where there is one."""


@dataclass(frozen=True, slots=True)
class Window:
    """One of the limits that a provider reports with its answers."""

    limit: int | None = None
    """In a minute."""
    remaining: int | None = None
    reset_s: float | None = None
    """Seconds from the answer until it is full again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an answer's headers say of the account's rate limits."""

    requests: Window = Window()
    tokens: Window = Window()
    """The tightest of all its token limits."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    content: list[Block]
    stop: str
    """`end_turn`, `tool_use`, `max_tokens`, …, in the words of the Messages API."""
    usage: Usage
    limits: Limits = field(default_factory=Limits)
    request_id: str = ""


class CallFailed(EnvironmentProblem):
    """A call that brought no whole answer. `billed`: whether the provider may have counted tokens for it."""

    billed = False
    again = False
    """Whether the same call may work later."""

    def __init__(self, message: str, hint: str = "", *, limits: Limits | None = None) -> None:
        super().__init__(message, hint)
        self.limits = limits or Limits()


class Throttled(CallFailed):
    """429 or 529: everyone is to wait. `retry_after_s` is what the provider asked for, if it did."""

    again = True

    def __init__(self, message: str, retry_after_s: float | None, *, limits: Limits | None = None) -> None:
        super().__init__(message, "wait, or lower the rate limits of this repository", limits=limits)
        self.retry_after_s = retry_after_s


class NotSent(CallFailed):
    """The provider could not be reached; nothing was counted."""

    again = True


class Broken(CallFailed):
    """The server failed with an error status; nothing is billed for those."""

    again = True


class Dropped(CallFailed):
    """The answer ended half-way, or never came: what was used is unknown, so the worst case is."""

    billed = True
    again = True


class Rejected(CallFailed):
    """The provider will not do this: a wrong key, a model it does not have, a request too long."""


class NoKey(EnvironmentProblem):
    """There is no key for the provider on this host."""


class Client(Protocol):
    """One provider, as one process uses it. Calls raise CallFailed."""

    provider: str
    """The name of its rate gate: `claude`, `openai`."""

    def reply(self, request: Request, on_sent: Callable[[], None] | None = None) -> Reply:
        """Ask the model and wait for the whole answer (it is streamed, so that a silence is noticed).

        `on_sent` is called right before the request goes out.
        """
        ...

    def count(self, request: Request) -> int | None:
        """Input tokens of the request as the provider counts them; None where it cannot say."""
        ...
