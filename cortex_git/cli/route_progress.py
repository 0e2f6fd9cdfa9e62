"""How many texts are decided, on stderr, where that takes more than a second on a terminal."""

import sys
import time
from types import TracebackType
from typing import Self

_AFTER_S, _EVERY_S = 1.0, 0.2


class Progress:
    """Counts in one line, which is gone when it is left."""

    def __init__(self) -> None:
        self._count = 0
        self._next = time.monotonic() + _AFTER_S
        self._is_shown = False

    def __enter__(self) -> Self:
        return self

    def one_more(self) -> None:
        """Count one more, and show the count where it is time to."""
        self._count += 1
        if sys.stderr.isatty() and not sys.stdout.isatty() and time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY_S
            self._is_shown = True
            sys.stderr.write(f"\r{self._count:,} texts")
            sys.stderr.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
