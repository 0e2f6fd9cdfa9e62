"""Starts the product as a command of a host under test: signs in, sets its clock wrong, applies a patch.

Run by path, before anything of the project is imported. `boot.py CONTROL CLOCK_S PATCH ARGUMENT…`; PATCH is
a Python file to run first, or empty: tests take parts of the product out with it, in these processes only.
"""

import contextlib
import datetime
import os
import runpy
import sys
import time
from pathlib import Path


def shift_clock(seconds: float) -> None:
    """Have the wall clock of this process be wrong; clocks that only go forward stay right."""
    real_time, real_ns, real = time.time, time.time_ns, datetime.datetime
    delta = datetime.timedelta(seconds=seconds)

    class Shifted(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
            return real.now(tz) + delta

    time.time = lambda: real_time() + seconds
    time.time_ns = lambda: real_ns() + int(seconds * 1e9)
    datetime.datetime = Shifted  # type: ignore[misc]


def main() -> None:
    control, clock_s, patch, *arguments = sys.argv[1:]
    with contextlib.suppress(OSError):
        Path(control, "pids", str(os.getpid())).touch()
    if float(clock_s):
        shift_clock(float(clock_s))
    sys.argv = ["cortex-git", *arguments]
    if patch:
        exec(compile(Path(patch).read_text(), patch, "exec"), {"__name__": "patch"})  # noqa: S102
    runpy.run_module("cortex_git", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
