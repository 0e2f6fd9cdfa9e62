"""The rate gate of one provider, shared by all processes of this host: when a call may go out.

Owns the log of calls and closures. An answer to "may I" is one write transaction, so calls and closures
have one order; must never admit a call between the commit of a closure and its end.
"""

import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cortex_git import state
from cortex_git.errors import LimitReached
from cortex_git.limits.feeding import workers_fed
from cortex_git.limits.throttle import Throttle, boot, throttle_of
from cortex_git.llm import Limits
from cortex_git.state import transaction, uptime

if TYPE_CHECKING:  # settings take pydantic, a quarter of a second that passing the gate does not need
    from cortex_git.config import Rate

WINDOW_S = 60.0
_LONGEST_NAP_S = 1.0
"""A call may turn out smaller than it was counted, and make room earlier."""
_LONGEST_PAUSE_S = 60.0
"""Longest closure where the provider names no time."""
_LEAST_PAUSE_S = 0.05
_MOST_JITTER_S = 5.0
_KEPT_WINDOWS = 60
"""Windows for which the log is kept."""
_PRUNED_EVERY = 256
"""Calls between two looks for what is older."""


class TooLate(LimitReached):
    """The attempt's time is up before the provider's limits let its call out."""


class Gate:
    """The gate of `provider`, in the SQLite file that `connection` has open durably.

    A call counts from its admission until `window_s` after its end, or after a twelfth of a window where
    it takes longer: then neither the minutes of those who count calls as they come nor of those who count
    them as they end exceed a limit, and long calls don't hold the place of others.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        provider: str,
        *,
        window_s: float = WINDOW_S,
        slack_s: float | None = None,
    ) -> None:
        self._connection = connection
        self.provider = provider
        self._window_s = window_s
        self._slack_s = window_s / 12 if slack_s is None else slack_s
        self._guard_s = window_s / 120

    @classmethod
    def open(cls, folder: Path, provider: str) -> "Gate":
        """The gate of the clone at `folder`."""
        return cls(state.of_clone(folder), provider)

    def configure(self, rate: "Rate", hosts: int = 1) -> None:
        """Set the account's limits, of which each of the `hosts` that live may use an equal part."""
        with transaction(self._connection) as connection:
            self._ensure(connection)
            connection.execute(
                "UPDATE gates SET requests = ?, tokens = ?, hosts = ? WHERE provider = ?",
                (rate.requests_per_minute, rate.tokens_per_minute, max(hosts, 1), self.provider),
            )

    def share(self, hosts: int) -> None:
        """So many hosts live now: each may use an equal part of the account's limits."""
        with transaction(self._connection) as connection:
            self._ensure(connection)
            connection.execute(
                "UPDATE gates SET hosts = ? WHERE provider = ?", (max(hosts, 1), self.provider)
            )

    def admit(
        self, tokens: int, *, before_commit: Callable[[sqlite3.Connection], None] | None = None
    ) -> int | float:
        """Let a call of at most so many tokens out: its number (an int), or the seconds to wait (a float).

        `before_commit` runs in the very transaction that admits; what it raises leaves all as it was.
        """
        wait = self._wait_s(self._connection, tokens)
        if wait > 0:
            return wait
        with transaction(self._connection) as connection:
            self._ensure(connection)
            wait = self._wait_s(connection, tokens)
            if wait > 0:
                return wait
            added = connection.execute(
                "INSERT INTO gate_log (provider, boot, kind, at, tokens) VALUES (?, ?, 'call', ?, ?)",
                (self.provider, boot(), uptime(), tokens),
            )
            if before_commit is not None:
                before_commit(connection)
            number = int(added.lastrowid or 0)
            if number % _PRUNED_EVERY == 0:
                self._prune(connection, uptime())
            return number

    def wait(
        self,
        tokens: int,
        deadline: float,
        *,
        before_commit: Callable[[sqlite3.Connection], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> int:
        """Wait until the call may go out; its number. `deadline` is by `state.monotonic`.

        Raises TooLate at the deadline, or at once where the gate is closed for longer. What is under way
        may turn out smaller than it was counted, so that no other wait is certain.
        """
        while True:
            answer = self.admit(tokens, before_commit=before_commit)
            if isinstance(answer, int):
                return answer
            is_open, left = self.is_open, deadline - state.monotonic()
            if left <= (0 if is_open else answer):
                raise TooLate(
                    f"{self.provider}'s limits let no call out within the time that is left",
                    "give the task a longer --deadline, or run fewer workers",
                )
            sleep(min(answer, left, _LONGEST_NAP_S) if is_open else answer)

    @property
    def is_open(self) -> bool:
        """Whether nobody was told to wait."""
        return self._throttle(self._connection).closed_until <= uptime()

    def stands(self, admission: int) -> bool:
        """Whether the call may go out still: nobody was told to wait since it was admitted, or no longer."""
        closed = self._connection.execute(
            "SELECT 1 FROM gate_log"
            " WHERE id > ? AND provider = ? AND boot = ? AND kind = 'close' AND ended > ?",
            (admission, self.provider, boot(), uptime()),
        ).fetchone()
        return closed is None

    def withdraw(self, admission: int) -> None:
        """The call did not go out: it counts for nothing."""
        with transaction(self._connection) as connection:
            connection.execute("DELETE FROM gate_log WHERE id = ? AND ended IS NULL", (admission,))

    def is_larger(self, tokens: int) -> bool:
        """Whether a call of so many tokens is beyond a whole window's, so that it can only go out alone."""
        most = self._throttle(self._connection).tokens
        return most is not None and tokens > most

    def done(self, admission: int, tokens: int, *, answered: bool) -> None:
        """The call has ended with so many tokens.

        `answered` ends the provider's refusals in a row, if the call went out after the last of them.
        """
        with transaction(self._connection) as connection:
            connection.execute(
                "UPDATE gate_log SET ended = ?, tokens = ? WHERE id = ? AND ended IS NULL",
                (uptime(), tokens, admission),
            )
            if answered:
                connection.execute(
                    "UPDATE gates SET strikes = 0 WHERE provider = :provider AND strikes > 0 AND NOT EXISTS"
                    " (SELECT 1 FROM gate_log WHERE id > :id AND provider = :provider AND kind = 'close')",
                    {"provider": self.provider, "id": admission},
                )

    def close(self, retry_after_s: float | None) -> None:
        """Nobody may call until then. Without a time, or with 0, it doubles with each refusal in a row."""
        with transaction(self._connection) as connection:
            self._ensure(connection)
            now = uptime()
            known = self._throttle(connection)
            strikes = known.strikes + (known.closed_until <= now)
            pause = retry_after_s
            if pause is None or pause <= 0:  # at once is no time: six refusals would be over in a second
                doubled = 2.0 ** max(strikes - 1, 0) * random.uniform(0.8, 1.2)  # noqa: S311
                pause = min(_LONGEST_PAUSE_S, doubled)
            until = max(known.closed_until, now + max(pause, _LEAST_PAUSE_S))
            connection.execute(
                "UPDATE gates SET closed_until = ?, pause_s = ?, strikes = ? WHERE provider = ?",
                (until, until - now, strikes, self.provider),
            )
            connection.execute(
                "INSERT INTO gate_log (provider, boot, kind, at, ended, tokens)"
                " VALUES (?, ?, 'close', ?, ?, 0)",
                (self.provider, boot(), now, until),
            )
            self._prune(connection, now)

    def heard(self, limits: Limits, admission: int | None = None) -> None:
        """What an answer said of the account's limits counts as well, whichever is lower.

        It was the answer to the call `admission`. Answers come out of order, and a long one tells what was
        left at its beginning: so those to earlier calls are passed over, and what went out after the call
        comes off what is left.
        """
        requests, tokens = limits.requests, limits.tokens
        if requests.limit is None and tokens.limit is None:
            return
        with transaction(self._connection) as connection:
            self._ensure(connection)
            now = uptime()
            newest = "SELECT coalesce(max(id), 0) FROM gate_log"
            of = admission if admission is not None else connection.execute(newest).fetchone()[0]
            connection.execute(
                "UPDATE gates SET heard_requests = ?, heard_tokens = ?, left_requests = ?, left_tokens = ?,"
                " heard_at = ?, heard_of = ? WHERE provider = ?"
                " AND (heard_of <= ? OR heard_at IS NULL OR heard_at < ?)",
                (
                    requests.limit, tokens.limit, requests.remaining, tokens.remaining, now, of,
                    self.provider, of, now - self._window_s,
                ),
            )  # fmt: skip

    def workers_fed(self) -> int | None:
        """How many workers the limits feed, by the calls that ended lately; None where nothing is known.

        Twice what calls back to back would need, since a worker does more than call.
        """
        return workers_fed(self._connection, self.provider, self._window_s)

    def _wait_s(self, connection: sqlite3.Connection, tokens: int) -> float:
        """Seconds until the call may go out, as it looks now; 0 for at once."""
        now = uptime()
        throttle = self._throttle(connection)
        if throttle.closed_until > now:
            jitter = min(_MOST_JITTER_S, 0.1 + throttle.pause_s / 4)
            return throttle.closed_until - now + random.uniform(0.0, jitter)  # noqa: S311
        return max(
            self._lapse_s(connection, throttle, tokens, now),
            self._refill_s(connection, throttle, tokens, now),
        )

    def _lapse_s(self, connection: sqlite3.Connection, throttle: Throttle, tokens: int, now: float) -> float:
        """Seconds until so much of the log has lapsed that the call fits the limits.

        One that is larger than the limit goes out alone.
        """
        if throttle.requests is None and throttle.tokens is None:
            return 0.0
        rows = connection.execute(
            "SELECT min(coalesce(ended, at + :slack), at + :slack) + :window AS until, tokens FROM gate_log"
            " WHERE provider = :provider AND boot = :boot AND kind = 'call' AND until > :now"
            " AND at > :now - :window - :slack ORDER BY until",
            {
                "slack": self._slack_s, "window": self._window_s + self._guard_s, "now": now,
                "provider": self.provider, "boot": boot(),
            },
        ).fetchall()  # fmt: skip
        count, total, wait = len(rows), sum(row[1] for row in rows), 0.0
        for until, lapsing in rows:
            beyond = throttle.requests is not None and count + 1 > throttle.requests
            if not beyond and (throttle.tokens is None or total + tokens <= throttle.tokens):
                break
            count, total, wait = count - 1, total - lapsing, until - now
        return wait + random.uniform(0.0, self._guard_s) if wait else 0.0  # noqa: S311

    def _refill_s(self, connection: sqlite3.Connection, throttle: Throttle, tokens: int, now: float) -> float:
        """Seconds until the provider's own allowance, which fills up steadily, holds the call."""
        if throttle.heard_at is None or now - throttle.heard_at > self._window_s:
            return 0.0
        count, total = connection.execute(
            "SELECT count(*), coalesce(sum(tokens), 0) FROM gate_log"
            " WHERE provider = ? AND boot = ? AND kind = 'call' AND id > ?",
            (self.provider, boot(), throttle.heard_of),
        ).fetchone()
        waits = [0.0]
        for left, most, taken, needed in (
            (throttle.left_requests, throttle.requests, count, 1),
            (throttle.left_tokens, throttle.tokens, total, tokens),
        ):
            if left is None or not most:
                continue
            each_s = most / self._window_s
            has = min(most, left + each_s * (now - throttle.heard_at)) - taken
            waits.append((min(needed, most) - has) / each_s)
        return max(waits)

    def _throttle(self, connection: sqlite3.Connection) -> Throttle:
        return throttle_of(connection, self.provider)

    def _ensure(self, connection: sqlite3.Connection) -> None:
        """A row of this boot: what an earlier one knew of the time means nothing."""
        connection.execute(
            "INSERT OR IGNORE INTO gates (provider, boot) VALUES (?, ?)", (self.provider, boot())
        )
        connection.execute(
            "UPDATE gates SET boot = ?, closed_until = 0, pause_s = 0, strikes = 0, heard_at = NULL"
            " WHERE provider = ? AND boot != ?",
            (boot(), self.provider, boot()),
        )

    def _prune(self, connection: sqlite3.Connection, now: float) -> None:
        connection.execute(
            "DELETE FROM gate_log WHERE provider = ? AND (boot != ? OR at < ?)",
            (self.provider, boot(), now - _KEPT_WINDOWS * self._window_s),
        )
