"""Ctrl-C before a command has begun: the process leaves at once, with status 130 and without a word.

Nothing is to be put in order then, and a KeyboardInterrupt amid imports is a page of their innards.
"""

import os
import signal
from types import FrameType

_INTERRUPTED = 130
"""`errors.ExitCode.INTERRUPTED`; importing that would take time in which Ctrl-C is still Python's own."""


def leave(_number: int = 0, _frame: FrameType | None = None) -> None:
    """End this process now."""
    os._exit(_INTERRUPTED)


def hold() -> None:
    """Have Ctrl-C leave at once, unless whoever started us has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)


def listen() -> None:
    """Have it raise KeyboardInterrupt again: a command has begun."""
    if signal.getsignal(signal.SIGINT) is leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)
