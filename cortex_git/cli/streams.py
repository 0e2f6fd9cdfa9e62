"""Standard output and error that no reader can break: a closed pipe, another encoding, no stream at all.

Owns the rule that a reader who leaves (`| head -1`) changes neither what is done nor the exit code.
"""

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer


class _Leavable(io.FileIO):
    """A descriptor whose reader may leave: what is written after that goes nowhere."""

    def write(self, data: "Buffer") -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


def prepare_streams() -> None:
    """Give this process a standard output and error that take any text and outlive their readers."""
    sys.stdout = _stream(1, sys.stdout)
    sys.stderr = _stream(2, sys.stderr)


def _stream(descriptor: int, given: TextIO | None) -> io.TextIOWrapper:
    try:
        os.fstat(descriptor)
    except OSError:
        # Closed by whoever started us; left free, the next file opened would get our output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    raw = _Leavable(descriptor, "w", closefd=False)
    lines = descriptor == 2 or raw.isatty()
    encoding = getattr(given, "encoding", None) or "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, errors="backslashreplace", newline=None, line_buffering=lines
    )
