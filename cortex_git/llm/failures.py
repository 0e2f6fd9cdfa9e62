"""What a provider's refusals and lost connections mean in our words, whichever SDK met them.

Owns which of them may work later and what each may have cost. Knows errors of the SDKs' HTTP library by
name, since that library changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cortex_git.llm import Broken, CallFailed, Dropped, Limits, NotSent, Rejected, Throttled
from cortex_git.llm.headers import retry_after_s

CONNECT_S = 10.0
"""Longest wait for a connection."""
_BEFORE_SENDING = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"}
"""Errors that come before a byte is sent."""
_UNSENDABLE = "LocalProtocolError"
"""A request that is none, most likely for a key with a line break in it."""
_WAIT = (429, 529)
_KEY_REFUSED = (401, 403)
HINT = "see docs/models.md"


@dataclass(frozen=True, slots=True)
class Failures:
    """The failures of calls to one provider."""

    provider: str
    key_source: str
    """Where the key is from, for the person who has to mend it."""

    def of_status(self, status: int, said: str, headers: Mapping[str, str], limits: Limits) -> CallFailed:
        """An answer with an error status, of which nothing is billed."""
        if status in _WAIT:
            return Throttled(said, retry_after_s(headers), limits=limits)
        if status >= 500:
            return Broken(said, limits=limits)
        hint = f"the key is from {self.key_source}: check it" if status in _KEY_REFUSED else HINT
        return Rejected(said, hint, limits=limits)

    def of_connection(self, cause: BaseException | None, host: str) -> CallFailed:
        """No answer at all: whether it may be billed depends on whether anything was sent."""
        name = type(cause).__name__
        if name == _UNSENDABLE:
            return Rejected("the request could not be made", f"check the key from {self.key_source}")
        if name in _BEFORE_SENDING:
            return NotSent(f"{host} cannot be reached: {cause}", f"see `{self.provider}.base_url`")
        return Dropped(f"no answer came: {name}")

    def of_request(self, error: Exception) -> CallFailed:
        """What else an SDK says before anything is sent."""
        return Rejected(f"the request could not be made: {error}", HINT)


def broken_off(error: Exception) -> Dropped:
    """An answer that ended half-way, by an error of the HTTP library or of what is no event."""
    return Dropped(f"the answer broke off: {type(error).__name__}: {error}")
