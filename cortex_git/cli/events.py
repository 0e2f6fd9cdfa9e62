"""Notes and events on stderr: lines for people, or with `--log-format json` one JSON object a line.

Owns the choice, for the whole process, and the form of a line. Must never write to stdout, which belongs
to the result. Every command imports it, so it imports little.
"""

import json
import sys
import threading
from collections import deque
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cortex_git.workers.events import Event

SCHEMA = 1


class LogFormat(StrEnum):
    """How notes, events and errors are written on stderr."""

    TEXT = "text"
    JSON = "json"


_chosen = LogFormat.TEXT
_untold: "deque[Event]" = deque()
"""What is to be written; only the holder of `_writing` takes from it."""
_writing = threading.Lock()


def choose(form: LogFormat | None) -> None:
    """Write in that form from now on; None changes nothing."""
    global _chosen
    _chosen = form or _chosen


def as_json() -> bool:
    return _chosen is LogFormat.JSON


def tell(event: "Event") -> None:
    """Write an event on stderr; as text only what is for people. Any thread or signal handler may call it."""
    if not (as_json() or event.for_people):
        return
    # A signal handler may come in the midst of a line of its own thread, and must not wait for it:
    # whoever is writing writes what came meanwhile too.
    _untold.append(event)
    while _untold and _writing.acquire(blocking=False):
        try:
            while _untold:
                sys.stderr.write(_line(_untold.popleft()) + "\n")
        finally:
            _writing.release()


def _line(event: "Event") -> str:
    if as_json():
        return _json_line(event)
    from cortex_git.scan.reports.escape import terminal

    return terminal(event.text)


def _json_line(event: "Event") -> str:
    """In ASCII alone, so that it is the same whatever stderr's encoding is.

    Some CI systems obey `##[…]` anywhere in a log line: the second `#` is written as its code.
    """
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = {"schema": SCHEMA, "at": at, "level": event.level, "event": event.name, "text": event.text}
    return json.dumps(head | dict(event.fields)).replace("##", "#\\u0023")
