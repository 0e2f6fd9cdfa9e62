"""A process that calls through the gate as fast as it lets, and closes it at times; for the tests.

Arguments: folder, window seconds, run seconds, tokens, seconds a call takes, part of calls that close it.
"""

import random
import sys
import time
from pathlib import Path

from cortex_git import locating, state
from cortex_git.limits.gate import Gate, TooLate

folder, window_s, run_s, tokens, call_s, closing = sys.argv[1:]
private = locating.private_folder(Path(folder))
assert private is not None
# The slack covers any stall of a busy machine, so that the windows by end hold for certain.
gate = Gate(state.connect(private / "state.db"), "claude", window_s=float(window_s), slack_s=5.0)
end = state.monotonic() + float(run_s)
try:
    while True:
        admission = gate.wait(int(tokens), end)
        time.sleep(float(call_s) * random.uniform(0.5, 1.5))
        if random.random() < float(closing):
            gate.close(random.uniform(0.05, 0.3))
            gate.done(admission, 0, answered=False)
        else:
            gate.done(admission, int(tokens), answered=True)
except TooLate:
    pass
