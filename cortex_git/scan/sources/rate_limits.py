"""How long a host asks us to wait before the next request.

Owns the headers of GitHub's and GitLab's limits. Times are counted from the host's own clock, so that ours
may be wrong.
"""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

WITHOUT_WORD_S = 60.0
"""Wait after a refusal for too many requests that does not say how long."""


def wait_asked_for(status: int, headers: Mapping[str, str], body: bytes) -> float | None:
    """Seconds until a request may be made again, None where the answer asks for no wait.

    Sources: GitHub's "Rate limits for the REST API" (403 or 429 with `retry-after`, or
    `x-ratelimit-remaining: 0` and `x-ratelimit-reset`), GitLab's "Rate limits" (429 with the same words).
    """
    if status not in (403, 429, 503):
        return None
    asked = _retry_after(headers)
    if asked is not None:
        return asked
    if status == 503:
        return None
    remaining = headers.get("X-RateLimit-Remaining", headers.get("RateLimit-Remaining", ""))
    reset = headers.get("X-RateLimit-Reset", headers.get("RateLimit-Reset", ""))
    if remaining.strip() == "0":
        seconds = _number(reset)
        return WITHOUT_WORD_S if seconds is None else max(seconds - _now(headers), 0.0)
    if status == 429 or b"rate limit" in body[:4096].lower():
        return WITHOUT_WORD_S
    return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Retry-After", "").strip()
    seconds = _number(text)
    if seconds is not None or not text:
        return seconds
    moment = _moment(text)
    return None if moment is None else max(moment - _now(headers), 0.0)


def _now(headers: Mapping[str, str]) -> float:
    moment = _moment(headers.get("Date", ""))
    return time.time() if moment is None else moment


def _moment(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 12 else None
