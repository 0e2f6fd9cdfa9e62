"""One worker of `bench limits`, as a process of its own: tasks of several calls, through ledger and gate."""

import json
import sys
import uuid
from http.client import HTTPConnection
from pathlib import Path

from cortex_git import state
from cortex_git.analysis.bench.limits import HOST, PROVIDER, Order
from cortex_git.limits.gate import Gate, TooLate
from cortex_git.limits.ledger import Ledger
from cortex_git.limits.meter import Meter
from cortex_git.llm import Usage

_WORST = 1.2
"""A call reserves so many times what it will use."""


def work(order: Order) -> None:
    """Tasks, one after the other, until the time is up."""
    database = Path(order.database)
    ledger = Ledger(state.connect(database, durable=True), HOST)
    gate = Gate(state.connect(database, durable=True), PROVIDER, window_s=order.window_s)
    server = HTTPConnection(order.address, timeout=60)
    used = order.task_tokens // order.calls
    worst = round(used * _WORST)
    until = state.monotonic() + order.seconds
    while state.monotonic() < until:
        nonce = str(uuid.uuid4())
        ledger.allocate(
            nonce, task=nonce, batch="bench", master="bench", worker="bench",
            tokens=worst * order.calls, accounts=(),
        )  # fmt: skip
        meter = Meter(ledger, gate, nonce, "bench")
        try:
            for _ in range(order.calls):
                with meter.call(worst, until) as call:
                    call.on_sent()
                    server.request("POST", "/", body=str(used))
                    server.getresponse().read()
                    call.settle(Usage(input=used))
        except TooLate:
            return
        finally:
            ledger.close(nonce)


if __name__ == "__main__":
    work(Order(**json.loads(sys.argv[1])))
