"""Processes of the ledger's own test: one that works at random until it is killed, one that looks on."""

import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from cortex_git import state
from cortex_git.limits.balances import balance
from cortex_git.limits.ledger import Exhausted, Ledger
from cortex_git.llm import Usage


def work(path: Path, seed: int, folder: Path) -> None:
    """Attempts with calls; each call's bill is noted before it is settled, as a provider would."""
    chance = random.Random(seed)
    ledger = Ledger(state.connect(path, durable=True), "here")
    killed_at = chance.randrange(5, 25) if seed % 3 == 0 else None
    done = 0
    with (folder / f"{seed}.billed").open("a", buffering=1) as note:
        for number in range(12):
            nonce, batch = f"{seed}-{number}", chance.choice(["b1", "b2"])
            limited = ["total", *(["batch:b1"] if batch == "b1" else [])]
            if not ledger.allocate(
                nonce, task="t", batch=batch, master="m", worker=f"w{seed}", tokens=800, accounts=limited
            ):
                time.sleep(0.01)
                continue
            while True:
                worst = chance.randrange(50, 300)
                try:
                    call = ledger.reserve(nonce, worst, model="m", provider="p")
                except Exhausted:
                    break
                done += 1
                if done == killed_at and seed % 2:
                    os.kill(os.getpid(), signal.SIGKILL)  # reserved, and nothing was sent
                ledger.sent(call)
                if done == killed_at:
                    note.write(f"{worst}\n")  # nobody knows: counted in full
                    os.kill(os.getpid(), signal.SIGKILL)
                billed = chance.randrange(0, worst + 1)
                note.write(f"{billed}\n")
                ledger.settle(call, Usage(input=billed // 2, output=billed - billed // 2))
            ledger.close(nonce)


def sample(path: Path) -> None:
    """Look as often as it can until standard input ends; how often, for how long, and what was wrong."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    os.set_blocking(0, False)
    started, count = time.monotonic(), 0
    wrong: list[tuple[str, object]] = []
    while sys.stdin.buffer.raw.read(1) != b"":  # type: ignore[attr-defined]
        connection.execute("BEGIN")
        for account in ("total", "batch:b1"):
            found = balance(connection, "here", account)
            parts = (found.allocated, found.in_use, found.available, found.overdrawn)
            if sum(parts[:3]) != found.total or min(parts) < 0 or found.overdrawn:
                wrong.append((account, parts))
        rests = connection.execute(
            "SELECT coalesce(sum(tokens - spent - reserved), 0), coalesce(sum(reserved), 0) FROM allocations"
            " WHERE closed_at IS NULL"
        ).fetchone()
        row = connection.execute("SELECT allocated, reserved FROM grants WHERE account = 'total'").fetchone()
        if rests != row:
            wrong.append(("rests", (rests, row)))
        connection.execute("COMMIT")
        count += 1
        time.sleep(0.002)
    print(count, time.monotonic() - started, wrong[:5])


if __name__ == "__main__":
    if sys.argv[1] == "work":
        work(Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
    else:
        sample(Path(sys.argv[2]))
