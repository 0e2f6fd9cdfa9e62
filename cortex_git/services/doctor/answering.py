"""Asking a remote for all its refs: how long that takes, what it has, and what its clock says.

Owns the one look that most checks of the remote share. Changes nothing anywhere.
"""

import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from cortex_git.gitio import Git, GitTimedOut, telling_line

_PATIENCE_S = 20.0
"""Seconds after which a remote counts as not answering."""
_DATE = re.compile(r"<= Recv header: date: (.+)$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `problem` is git's reason where nothing did."""

    seconds: float
    refs: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    ahead_s: float | None = None
    """By how much its clock is ahead of ours, give or take the time it took; None: it has not said."""


def ask(git: Git, remote: str) -> Answer:
    """`git ls-remote` of everything, at most twenty seconds long."""
    # What git says of an HTTP exchange holds no credentials: it redacts them itself.
    talkative = Git(git.directory, environment={**git.environment, "GIT_CURL_VERBOSE": "1"})
    began, wall = time.monotonic(), datetime.now(UTC)
    try:
        done = talkative.run("ls-remote", "--quiet", remote, timeout=_PATIENCE_S, check=False)
    except GitTimedOut:
        return Answer(_PATIENCE_S, problem=f"it did not answer within {_PATIENCE_S:g} s")
    seconds = time.monotonic() - began
    if done.status:
        return Answer(seconds, problem=telling_line(_without_exchange(done.stderr)))
    refs = {ref: oid for oid, _, ref in (line.partition("\t") for line in done.text.splitlines())}
    return Answer(seconds, refs, ahead_s=_ahead(done.stderr, wall))


def _without_exchange(stderr: str) -> str:
    """git's own lines, without those about the HTTP exchange."""
    return "\n".join(line for line in stderr.splitlines() if line.startswith(("fatal:", "error:", "remote:")))


def _ahead(stderr: str, wall: datetime) -> float | None:
    match = _DATE.search(stderr)
    if match is None:
        return None
    try:
        told = parsedate_to_datetime(match[1].strip())
        return (told - wall).total_seconds()
    except (ValueError, TypeError):
        return None
