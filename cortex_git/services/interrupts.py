"""SIGINT and SIGTERM for the length of a block: what a person or a service manager ends a command by."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupts(handler: Callable[[int], None]) -> Iterator[None]:
    """Within the block these signals only call `handler`, with the signal's number; then all is as before."""
    before = {
        number: signal.signal(number, lambda number, _frame: handler(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
