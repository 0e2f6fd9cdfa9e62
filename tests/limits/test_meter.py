"""The meter: every call reserved, admitted and ended exactly once, however it goes."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_git import state
from cortex_git.config import Rate
from cortex_git.limits.gate import Gate, TooLate
from cortex_git.limits.ledger import Exhausted, Ledger, mark_sent
from cortex_git.limits.meter import Call, Meter
from cortex_git.llm import (
    Broken,
    CallFailed,
    Dropped,
    Limits,
    NotSent,
    Rejected,
    Throttled,
    Usage,
    Window,
)

TOKENS = 1000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def ledger(path: Path) -> Ledger:
    made = Ledger(state.connect(path, durable=True), "here")
    made.grant({"total": 5000})
    assert made.allocate("a", task="t", batch="b", master="m", worker="w", tokens=TOKENS, accounts=("total",))
    return made


@pytest.fixture
def connection(path: Path) -> sqlite3.Connection:
    return state.connect(path, durable=True)


@pytest.fixture
def gate(connection: sqlite3.Connection) -> Gate:
    return Gate(connection, "claude")


@pytest.fixture
def meter(ledger: Ledger, gate: Gate) -> Meter:
    return Meter(ledger, gate, "a", "small")


def soon(seconds: float = 60.0) -> float:
    return state.monotonic() + seconds


def states(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT state FROM reservations ORDER BY id")]


def logged(connection: sqlite3.Connection) -> list[tuple[int, bool]]:
    """Tokens of each call in the gate's log, and whether it has ended."""
    rows = connection.execute("SELECT tokens, ended FROM gate_log WHERE kind = 'call' ORDER BY id")
    return [(tokens, ended is not None) for tokens, ended in rows]


def test_a_call_that_is_answered(meter: Meter, ledger: Ledger, connection: sqlite3.Connection) -> None:
    with meter.call(600, soon()) as call:
        assert states(connection) == ["sent"], "by the transaction that admitted it"
        assert (meter.left, logged(connection)) == (400, [(600, False)])
        call.on_sent()
        call.settle(Usage(input=100, output=50, cache_read=20))
    assert (meter.left, ledger.used("a").total) == (830, 170)
    assert (states(connection), logged(connection)) == (["settled"], [(170, True)])


@pytest.mark.parametrize(
    ("error", "spent", "counted"),
    [
        (Dropped("d"), 600, 600),
        (NotSent("n"), 0, 0),
        (Broken("b"), 0, 0),
        (Rejected("r"), 0, 0),
        (Throttled("t", 30.0), 0, 0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_call_that_fails(
    meter: Meter, ledger: Ledger, gate: Gate, connection: sqlite3.Connection,
    error: CallFailed, spent: int, counted: int,
) -> None:  # fmt: skip
    call = meter.call(600, soon())
    call.failed(error)
    assert (ledger.used("a").total, meter.left) == (spent, TOKENS - spent)
    assert logged(connection) == [(counted, True)]
    assert gate.is_open is not isinstance(error, Throttled)


def test_a_refusal_in_the_middle_of_an_answer_is_billed_and_closes(
    meter: Meter, ledger: Ledger, gate: Gate
) -> None:
    error = Throttled("overloaded", None)
    error.billed = True
    meter.call(600, soon()).failed(error)
    assert ledger.used("a").total == 600
    assert not gate.is_open


class _OutOfTime(BaseException):
    """As a worker's alarm raises it, anywhere."""


@pytest.mark.parametrize("error", [_OutOfTime, KeyboardInterrupt, ValueError])
def test_whatever_passes_through_counts_the_call_at_its_worst(
    meter: Meter, ledger: Ledger, connection: sqlite3.Connection, error: type[BaseException]
) -> None:
    with pytest.raises(error), meter.call(600, soon()):
        raise error
    assert ledger.used("a").total == 600
    assert (states(connection), logged(connection)) == (["worst"], [(600, True)])


@pytest.mark.parametrize(
    "second",
    [
        lambda call: call.settle(Usage(input=9)),
        lambda call: call.failed(Dropped("d")),
        lambda call: call.failed(NotSent("n")),
        lambda call: call.lost(),
        lambda call: call.__exit__(None, None, None),
    ],
)
def test_only_the_first_end_counts(meter: Meter, ledger: Ledger, second: Callable[[Call], None]) -> None:
    call = meter.call(600, soon())
    call.settle(Usage(input=100))
    second(call)
    assert (ledger.used("a").total, meter.left) == (100, 900)


def test_no_tokens_no_call(meter: Meter, connection: sqlite3.Connection) -> None:
    with pytest.raises(Exhausted) as raised:
        meter.call(TOKENS + 1, soon())
    assert raised.value.left == TOKENS
    assert (states(connection), logged(connection)) == ([], [])


def test_a_wait_beyond_the_deadline_gives_the_tokens_back(
    meter: Meter, gate: Gate, connection: sqlite3.Connection
) -> None:
    gate.close(1000)
    with pytest.raises(TooLate):
        meter.call(600, soon(5))
    assert (meter.left, states(connection), logged(connection)) == (TOKENS, ["released"], [])


def test_a_full_window_is_waited_for_until_the_deadline(meter: Meter, gate: Gate) -> None:
    """Not given up at once: a call under way may turn out smaller than it was counted."""
    gate.configure(Rate(tokens_per_minute=700))
    under_way = gate.admit(600)
    assert isinstance(under_way, int)
    with pytest.raises(TooLate):
        meter.call(600, soon(0.2))
    assert meter.left == TOKENS
    gate.done(under_way, 50, answered=True)
    meter.call(600, soon()).settle(Usage(input=10))


def test_an_attempt_that_was_closed_meanwhile_calls_no_more(
    ledger: Ledger, gate: Gate, connection: sqlite3.Connection
) -> None:
    reservation = ledger.reserve("a", 600, model="m", provider="claude")
    ledger.close("a")
    with pytest.raises(Exhausted):
        gate.wait(600, soon(), before_commit=lambda held: mark_sent(held, reservation))
    assert logged(connection) == []
    assert ledger.used("a").total == 0


def test_a_closure_between_leave_and_sending_is_waited_for(
    meter: Meter, ledger: Ledger, gate: Gate, connection: sqlite3.Connection
) -> None:
    call = meter.call(600, soon())
    gate.close(0.3)
    call.on_sent()
    order = connection.execute("SELECT kind FROM gate_log ORDER BY id").fetchall()
    assert order == [("close",), ("call",)], "let out anew, after the closure"
    assert gate.is_open
    assert states(connection) == ["released", "sent"]
    call.settle(Usage(input=100))
    assert (ledger.used("a").total, meter.left) == (100, 900)


def test_a_closure_that_is_too_long_leaves_nothing_held(
    meter: Meter, ledger: Ledger, gate: Gate, connection: sqlite3.Connection
) -> None:
    with pytest.raises(TooLate), meter.call(600, soon(5)) as call:
        gate.close(1000)
        call.on_sent()
    assert (ledger.used("a").total, meter.left, logged(connection)) == (0, TOKENS, [])


def test_a_closure_that_has_ended_stops_nothing(meter: Meter, gate: Gate, path: Path) -> None:
    call = meter.call(600, soon())
    gate.close(0.05)
    gate.wait(1, soon())
    call.on_sent()
    connection = state.connect(path)
    kinds = connection.execute("SELECT kind, tokens FROM gate_log ORDER BY id").fetchall()
    assert kinds == [("call", 600), ("close", 0), ("call", 1)]


def test_a_call_larger_than_a_minute_says_so(meter: Meter, gate: Gate) -> None:
    gate.configure(Rate(tokens_per_minute=500))
    call = meter.call(600, soon())
    assert call.alone
    call.settle(Usage(input=1))
    assert not meter.call(100, soon()).alone


def test_the_limits_of_answers_and_refusals_reach_the_gate(meter: Meter, gate: Gate) -> None:
    limits = Limits(Window(limit=50, remaining=40), Window(limit=600, remaining=580))
    meter.call(500, soon()).settle(Usage(input=20), limits)
    assert isinstance(gate.admit(601), float)
    tighter = Limits(Window(limit=50, remaining=0), Window(limit=600, remaining=580))
    meter.call(10, soon()).failed(Broken("b", limits=tighter))
    assert isinstance(gate.admit(1), float)


_DIES = """
import os, signal, sys
from pathlib import Path
from cortex_git import state
from cortex_git.limits.gate import Gate
from cortex_git.limits.ledger import Ledger
from cortex_git.limits.meter import Meter
path = Path(sys.argv[1])
ledger = Ledger(state.connect(path, durable=True), "here")
ledger.allocate("dies", task="t", batch="b", master="m", worker="w", tokens=900, accounts=("total",))
if sys.argv[2] == "sent":
    gate = Gate(state.connect(path, durable=True), "claude")
    Meter(ledger, gate, "dies", "m").call(600, state.monotonic() + 9)
else:
    ledger.reserve("dies", 600, model="m", provider="claude")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("when", "spent"), [("sent", 600), ("waiting", 0)])
def test_a_killed_process_s_call_is_billed_only_if_it_may_have_gone_out(
    ledger: Ledger, path: Path, when: str, spent: int
) -> None:
    subprocess.run([sys.executable, "-c", _DIES, str(path), when], check=False)
    assert ledger.reap() == 1
    assert ledger.used("dies").total == spent


def test_asking_for_a_count_waits_for_nobody(meter: Meter, gate: Gate) -> None:
    assert meter.may_ask()
    meter.refused(Throttled("t", 30.0))
    assert not gate.is_open
    assert not meter.may_ask()
