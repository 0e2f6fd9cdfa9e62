"""A way to wake a loop that waits for its workers: a pipe that it waits for as well.

Owns the pipe. Must never block whoever wakes it, be that a signal's handler.
"""

import os


class Waker:
    """One loop's pipe."""

    def __init__(self) -> None:
        self.read_end, self._write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        os.set_blocking(self._write_end, False)

    def wake(self) -> None:
        """Have the loop look. Safe from any thread and in a signal handler, and when it is gone."""
        try:
            os.write(self._write_end, b"w")
        except (BlockingIOError, OSError):
            return

    def drain(self) -> None:
        """Forget what woke the loop until now."""
        try:
            while os.read(self.read_end, 4096):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self._write_end)
