"""The runner of the hosts under test: writes down every run, outside of all repositories, and may be killed.

Owns the log that runs are counted by. Found by the hosts' workers as another package's runner.
"""

import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from cortex_git.analysis.torture import between
from cortex_git.runners import RunContext, RunOutcome

NAME = "torture"
_AGAIN_S = 0.05


def preload() -> None:
    """Nothing to import."""


def run(task: Mapping[str, Any], context: RunContext) -> RunOutcome:
    """Note the run, do nothing for a moment, and suffer what the plan has for it."""
    control = os.environ["TORTURE"]
    host = os.path.basename(control)  # noqa: PTH119
    number = between.count(f"{control}/count-run")
    told = {
        "t": time.monotonic(), "event": "run", "task": task["task"], "nonce": context.nonce,
        "epoch": context.epoch, "attempt": context.attempt, "host": host, "id": context.host,
        "pid": os.getpid(), "n": number,
    }  # fmt: skip
    # Where a limit of file sizes stands in for a full disk it holds for this log, too: never run unseen.
    while not between.append(os.environ["TORTURE_RUNS"], told):
        time.sleep(_AGAIN_S)
    faults = between.planned(control, "run", number)
    wanted = task.get("context", {})
    time.sleep(float(wanted.get("seconds", 0.02)))
    for fault in faults:
        _suffer(fault, told)
    between.append(f"{control}/log.jsonl", {**told, "t": time.monotonic(), "event": "ran"})
    if context.attempt <= int(wanted.get("fails", 0)):
        return RunOutcome("failed", error="as it was told to", retry=True)
    return RunOutcome("completed", {"number": number})


def _suffer(fault: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    control = os.environ["TORTURE"]
    name, how = fault["fault"], fault.get("how", "")
    noted = {**told, "t": time.monotonic(), "event": "fault", "fault": name, "how": how, "kind": "run"}
    noted["tasks"] = [told["task"]]
    if name == "kill-worker":
        if how == "end":
            between.append(f"{control}/log.jsonl", {**told, "t": time.monotonic(), "event": "ran"})
        between.append(f"{control}/log.jsonl", noted)
        os.kill(os.getpid(), signal.SIGKILL)
    elif name == "kill-command":
        main = between.signed_in(control)
        between.append(f"{control}/log.jsonl", {**noted, "main": main})
        for pid in main:
            os.kill(pid, signal.SIGKILL)
    elif name in ("freeze", "restart-host"):
        between.ask(str(told["host"]), [str(told["task"])], fault)
