"""`bench limits`: worker processes that call a local server through the rate gate, as fast as it lets them.

Owns what is measured, by the server's own log: how much of the limits is used, and the most that came or
ended in any window. The clock is the server's alone, so nothing that the gate believes counts.
"""

import json
import random
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from cortex_git import state
from cortex_git.analysis.bench.workspace import Command, Say, own_environment, run_together, workspace
from cortex_git.config import Rate
from cortex_git.errors import EnvironmentProblem
from cortex_git.limits.gate import Gate
from cortex_git.limits.ledger import Ledger

PROVIDER = "bench"
HOST = "bench"
_GRACE_S = 60.0
"""For the workers to start, and to end once their time is up."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the workers do, and what they may: `requests` and `tokens` are the limits of a window."""

    workers: int = 20
    requests: int = 1_000
    tokens: int = 400_000
    task_tokens: int = 8_000
    calls: int = 4
    """Of each task, which share its tokens evenly."""
    call_s: float = 1.0
    """Mean seconds that the server takes for a call; from half to one and a half of it."""
    window_s: float = 60.0
    windows: float = 3.0
    """How long the workers work, in windows."""


@dataclass(frozen=True, slots=True)
class Order:
    """What one worker process is told."""

    database: str
    address: str
    window_s: float
    task_tokens: int
    calls: int
    seconds: float
    """From the process's own start."""


@dataclass(frozen=True, slots=True)
class Served:
    """One call as the server saw it, by its own clock."""

    arrived: float
    ended: float
    tokens: int


@dataclass(frozen=True, slots=True)
class LimitsFound:
    """The figures of one run. `throughput` is a share of the limit that is met first."""

    load: Load
    calls: int
    throughput: float
    requests_by_arrival: int
    """Most in any window."""
    tokens_by_arrival: int
    requests_by_end: int
    tokens_by_end: int

    @property
    def within(self) -> bool:
        """Whether no window exceeds a limit."""
        return (
            max(self.requests_by_arrival, self.requests_by_end) <= self.load.requests
            and max(self.tokens_by_arrival, self.tokens_by_end) <= self.load.tokens
        )

    def to_json(self) -> dict[str, object]:
        return {
            **asdict(self.load),
            "made_calls": self.calls,
            "throughput": round(self.throughput, 4),
            "most_requests": {"by_arrival": self.requests_by_arrival, "by_end": self.requests_by_end},
            "most_tokens": {"by_arrival": self.tokens_by_arrival, "by_end": self.tokens_by_end},
            "within": self.within,
        }


def bench_limits(load: Load, say: Say) -> LimitsFound:
    """Run the workers, and read the server's log. Raises EnvironmentProblem where too little was called."""
    with workspace() as folder, Server(load.call_s) as server:
        database = folder / "state.db"
        Ledger(state.connect(database, durable=True), HOST).grant({"total": None})
        rate = Rate(requests_per_minute=load.requests, tokens_per_minute=load.tokens)
        Gate(state.connect(database, durable=True), PROVIDER, window_s=load.window_s).configure(rate)
        seconds = load.windows * load.window_s
        say(f"{load.workers} workers call for {seconds:g} s")
        order = Order(str(database), server.address, load.window_s, load.task_tokens, load.calls, seconds)
        run_together([_worker(folder, number, order) for number in range(load.workers)], seconds + _GRACE_S)
        return found(load, server.log)


def _worker(folder: Path, number: int, order: Order) -> Command:
    module = f"{__package__}.limits_worker"
    arguments = (sys.executable, "-m", module, json.dumps(asdict(order)))
    return Command(arguments, folder, own_environment(), folder / f"{number}.out")


def found(load: Load, log: Sequence[Served]) -> LimitsFound:
    """The figures of a server's log."""
    arrivals = sorted((call.arrived, call.tokens) for call in log)
    ends = sorted((call.ended, call.tokens) for call in log)
    requests = [(at, 1) for at, _ in arrivals]
    shares = [
        share
        for moments, limit in ((arrivals, load.tokens), (requests, load.requests))
        if (share := throughput(moments, limit, load.window_s)) is not None
    ]
    if not shares:
        raise EnvironmentProblem(
            f"{len(log)} calls are less than one window's worth", "give more --minutes or --workers"
        )
    return LimitsFound(
        load, len(log), max(shares),
        most_in([(at, 1) for at, _ in arrivals], load.window_s), most_in(arrivals, load.window_s),
        most_in([(at, 1) for at, _ in ends], load.window_s), most_in(ends, load.window_s),
    )  # fmt: skip


def most_in(moments: Sequence[tuple[float, int]], window_s: float) -> int:
    """The most in any window, which holds its beginning and not its end; `moments` in order."""
    most = inside = first = 0
    for at, amount in moments:
        inside += amount
        while moments[first][0] <= at - window_s:
            inside -= moments[first][1]
            first += 1
        most = max(most, inside)
    return most


def throughput(moments: Sequence[tuple[float, int]], limit: int, window_s: float) -> float | None:
    """The share of the limit that was used; None where less than one window's worth came.

    A window over the mean time, from each moment on, until one window's worth has come: a run that
    begins with everything at once gets nothing for it.
    """
    times = list(_times_for(moments, limit))
    return window_s * len(times) / sum(times) if sum(times) > 0 else None


def _times_for(moments: Sequence[tuple[float, int]], amount: int) -> Iterator[float]:
    total, last = 0, 0
    for at, own in moments:
        while last < len(moments) and total < amount:
            total += moments[last][1]
            last += 1
        if total < amount or last == len(moments):
            return
        yield moments[last][0] - at
        total -= own


class Server:
    """A server on 127.0.0.1 that takes its time for each call and notes it. Use as a context manager."""

    def __init__(self, call_s: float) -> None:
        self.log: list[Served] = []
        log = self.log

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                arrived = time.monotonic()
                tokens = int(self.rfile.read(int(self.headers["content-length"])))
                time.sleep(random.uniform(0.5, 1.5) * call_s)  # noqa: S311
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()
                log.append(Served(arrived, time.monotonic(), tokens))

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Nothing: every call is noted already."""

        self._server = _Threaded(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Threaded(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
