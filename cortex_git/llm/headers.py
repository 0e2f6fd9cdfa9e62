"""What a provider's answer says of its rate limits, and how long it asks to wait.

Owns the names and forms of those headers. What cannot be read counts as not said.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from cortex_git.llm import Limits, Window

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_LONGEST_S = 24 * 3600.0
"""A wait that is longer counts as this long: a clock somewhere is wrong."""


def anthropic_limits(headers: Mapping[str, str]) -> Limits:
    """The limits in `anthropic-ratelimit-*` headers; reset times are moments by the server's clock."""

    def window(kind: str) -> Window:
        name = f"anthropic-ratelimit-{kind}"
        return Window(
            _number(headers.get(f"{name}-limit")),
            _number(headers.get(f"{name}-remaining")),
            _until(headers.get(f"{name}-reset"), headers.get("date")),
        )

    apart = _together(window("input-tokens"), window("output-tokens"))
    return Limits(window("requests"), _tighter(window("tokens"), apart))


def openai_limits(headers: Mapping[str, str]) -> Limits:
    """The limits in `x-ratelimit-*` headers; reset times are durations such as `6m0s`."""

    def window(kind: str) -> Window:
        return Window(
            _number(headers.get(f"x-ratelimit-limit-{kind}")),
            _number(headers.get(f"x-ratelimit-remaining-{kind}")),
            _duration(headers.get(f"x-ratelimit-reset-{kind}")),
        )

    return Limits(window("requests"), window("tokens"))


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that the provider asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date."""
    in_ms = _positive(headers.get("retry-after-ms"))
    if in_ms is not None:
        return in_ms / 1000
    text = headers.get("retry-after")
    seconds = _positive(text)
    if seconds is not None or text is None:
        return seconds
    at = _date(text)
    return None if at is None else _bounded((at - _now(headers.get("date"))).total_seconds())


def _together(one: Window, other: Window) -> Window:
    """Two limits on parts of the tokens as one on all of them; an empty part empties the whole."""
    if one.limit is None or other.limit is None:
        return Window()
    empty = next((window for window in (one, other) if window.remaining == 0), None)
    limit = one.limit + other.limit
    if empty is not None:
        return Window(limit, 0, empty.reset_s)
    if one.remaining is None or other.remaining is None:
        return Window(limit)
    resets = [window.reset_s for window in (one, other) if window.reset_s is not None]
    return Window(limit, one.remaining + other.remaining, max(resets, default=None))


def _tighter(one: Window, other: Window) -> Window:
    if one.limit is None or other.limit is None:
        return other if one.limit is None else one
    limit = min(one.limit, other.limit)
    left = [window for window in (one, other) if window.remaining is not None]
    least = min(left, key=lambda window: window.remaining or 0, default=Window())
    return Window(limit, least.remaining, least.reset_s)


def _positive(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return _bounded(value) if value == value else None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST_S)


def _number(text: str | None) -> int | None:
    value = text.strip() if text else ""
    return int(value) if value.isdecimal() and len(value) < 16 else None


def _until(moment: str | None, sent: str | None) -> float | None:
    """Seconds from the answer to a moment that its server names, by that server's clock where it tells it."""
    if moment is None:
        return None
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return None
    if at.tzinfo is None:
        return None
    return _bounded((at - _now(sent)).total_seconds())


def _now(sent: str | None) -> datetime:
    return _date(sent) or datetime.now(UTC)


def _date(text: str | None) -> datetime | None:
    """The moment in a header; None for none, and for one of no known zone."""
    try:
        at = parsedate_to_datetime(text) if text else None
    except (ValueError, OverflowError, TypeError):
        return None
    return at if at is not None and at.tzinfo is not None else None


def _duration(text: str | None) -> float | None:
    match = _DURATION.fullmatch(text.strip()) if text else None
    if match is None or not any(match.groups()):
        return _positive(text)
    hours, minutes, seconds, in_ms = (float(part or 0) for part in match.groups())
    return _bounded(hours * 3600 + minutes * 60 + seconds + in_ms / 1000)
