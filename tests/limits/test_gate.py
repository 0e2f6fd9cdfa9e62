"""The rate gate: limits by sliding windows, closures for everyone, shares of hosts, what answers say."""

import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from cortex_git import state
from cortex_git.config import Rate
from cortex_git.limits.gate import Gate, TooLate
from cortex_git.limits.throttle import boot, throttle_of
from cortex_git.llm import Limits, Window

PROCESS = Path(__file__).with_name("gate_processes.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that is a clone as far as the gate looks."""
    (tmp_path / ".git").mkdir()
    return tmp_path


@pytest.fixture
def connection(folder: Path) -> sqlite3.Connection:
    return state.connect(folder / ".git" / "cortex" / "state.db")


def run(folder: Path, count: int, *arguments: float) -> None:
    """So many processes of `gate_processes.py` at once, to their end."""
    command = [sys.executable, str(PROCESS), str(folder), *map(str, arguments)]
    for process in [subprocess.Popen(command) for _ in range(count)]:
        assert process.wait(timeout=60) == 0


def most_in(moments: Sequence[tuple[float, int]], window_s: float) -> tuple[int, int]:
    """The most calls and the most tokens in any window of that length."""
    ordered = sorted(moments)
    counts, sums = [], []
    for last, (at, _) in enumerate(ordered):
        inside = [tokens for moment, tokens in ordered[: last + 1] if moment > at - window_s]
        counts.append(len(inside))
        sums.append(sum(inside))
    return max(counts), max(sums)


def test_an_open_gate_without_limits_lets_everything_out(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude")
    assert [isinstance(gate.admit(10_000_000), int) for _ in range(50)] == [True] * 50


def test_no_more_requests_than_the_limit(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude")
    gate.configure(Rate(requests_per_minute=3))
    for _ in range(3):
        assert isinstance(gate.admit(1), int)
    wait = gate.admit(1)
    assert isinstance(wait, float)
    assert 55 < wait < 70


def test_tokens_count_as_they_were_used_once_that_is_known(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude")
    gate.configure(Rate(tokens_per_minute=1000))
    first = gate.admit(900)
    assert isinstance(first, int)
    assert isinstance(gate.admit(200), float)
    gate.done(first, 700, answered=True)
    assert isinstance(gate.admit(200), int)
    assert isinstance(gate.admit(200), float)


def test_a_call_larger_than_the_limit_goes_out_alone(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude", window_s=0.5)
    gate.configure(Rate(tokens_per_minute=100))
    assert isinstance(gate.admit(50), int)
    assert isinstance(gate.admit(5000), float)
    assert gate.wait(5000, state.monotonic() + 30) > 0
    assert isinstance(gate.admit(1), float)


def test_each_host_has_its_part(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude")
    gate.configure(Rate(requests_per_minute=10, tokens_per_minute=1000), hosts=4)
    throttle = throttle_of(connection, "claude")
    assert (throttle.requests, throttle.tokens) == (2, 250)
    gate.share(1)
    assert throttle_of(connection, "claude").requests == 10
    gate.share(100)
    assert throttle_of(connection, "claude").requests == 1


def test_the_lower_of_settings_and_answers_counts(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude")
    gate.configure(Rate(requests_per_minute=10, tokens_per_minute=1000))
    gate.heard(Limits(Window(limit=50), Window(limit=400)))
    throttle = throttle_of(connection, "claude")
    assert (throttle.requests, throttle.tokens) == (10, 400)


def test_what_an_answer_says_is_left_bounds_what_goes_out(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude")
    gate.heard(Limits(Window(limit=60, remaining=1), Window()))
    assert isinstance(gate.admit(1), int)
    wait = gate.admit(1)
    assert isinstance(wait, float)
    assert 0 < wait < 3, "one in a second comes back"


def test_an_answer_that_says_nothing_changes_nothing(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude")
    gate.heard(Limits(Window(limit=60, remaining=0), Window()))
    gate.heard(Limits())
    assert isinstance(gate.admit(1), float)


def test_providers_have_gates_of_their_own(connection: sqlite3.Connection) -> None:
    Gate(connection, "claude").close(30)
    assert not Gate(connection, "claude").is_open
    assert isinstance(Gate(connection, "openai").admit(1), int)


def test_a_closure_is_never_shortened(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude")
    gate.close(100)
    until = throttle_of(connection, "claude").closed_until
    gate.close(1)
    assert throttle_of(connection, "claude").closed_until == until


@pytest.mark.parametrize("named", [None, 0.0])
def test_refusals_in_a_row_double_the_pause_and_an_answer_ends_them(
    connection: sqlite3.Connection, named: float | None
) -> None:
    gate = Gate(connection, "claude")
    pauses = []
    for _ in range(4):
        gate.close(named)
        pauses.append(throttle_of(connection, "claude").pause_s)
        connection.execute("UPDATE gates SET closed_until = 0")
    assert all(later > 1.2 * earlier for earlier, later in pairwise(pauses))
    admission = gate.admit(1)
    assert isinstance(admission, int)
    gate.done(admission, 1, answered=True)
    gate.close(None)
    assert throttle_of(connection, "claude").pause_s < pauses[1]


def test_refusals_of_calls_that_went_out_together_count_once(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude")
    for _ in range(20):
        gate.close(None)
    assert throttle_of(connection, "claude").strikes == 1


def test_an_answer_to_a_call_before_the_refusal_ends_nothing(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude")
    before = gate.admit(1)
    assert isinstance(before, int)
    gate.close(None)
    gate.done(before, 1, answered=True)
    assert throttle_of(connection, "claude").strikes == 1


def test_a_late_answer_to_an_earlier_call_is_passed_over(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude")
    first, second = gate.admit(1), gate.admit(1)
    assert isinstance(first, int)
    assert isinstance(second, int)
    gate.heard(Limits(Window(limit=60, remaining=0)), second)
    gate.heard(Limits(Window(limit=60, remaining=60)), first)
    assert isinstance(gate.admit(1), float)


def test_calls_since_the_one_that_was_answered_come_off_what_is_left(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude")
    first, _second, _third = (gate.admit(1) for _ in range(3))
    assert isinstance(first, int)
    gate.heard(Limits(Window(limit=60, remaining=2)), first)
    assert isinstance(gate.admit(1), float)


def test_a_wait_that_may_get_shorter_is_not_given_up(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude")
    gate.configure(Rate(tokens_per_minute=1000))
    under_way = gate.admit(900)
    assert isinstance(under_way, int)

    def end_the_other(_seconds: float) -> None:
        gate.done(under_way, 100, answered=True)

    assert gate.wait(500, state.monotonic() + 30, sleep=end_the_other) > under_way


def test_the_log_does_not_grow_for_ever(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude", window_s=0.0001)
    with state.transaction(connection):
        connection.executemany(
            "INSERT INTO gate_log (provider, boot, kind, at, tokens) VALUES ('claude', ?, 'call', ?, 1)",
            [(boot(), number) for number in range(255)],
        )
    assert isinstance(gate.admit(1), int)
    assert connection.execute("SELECT count(*) FROM gate_log").fetchone() == (1,)


def test_a_wait_beyond_the_deadline_ends_at_once(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude")
    gate.close(1000)
    with pytest.raises(TooLate, match="claude's limits"):
        gate.wait(1, state.monotonic() + 10, sleep=lambda _: pytest.fail("it slept"))


def test_what_fails_in_the_transaction_leaves_no_call(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude")

    def fail(_connection: sqlite3.Connection) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        gate.admit(1, before_commit=fail)
    assert connection.execute("SELECT count(*) FROM gate_log").fetchone() == (0,)


def test_another_boot_means_nothing(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude")
    gate.configure(Rate(requests_per_minute=1))
    gate.admit(1)
    gate.close(1000)
    connection.execute("UPDATE gates SET boot = 'earlier'")
    connection.execute("UPDATE gate_log SET boot = 'earlier'")
    assert isinstance(gate.admit(1), int)
    assert isinstance(gate.admit(1), float), "the limit itself stays"


def test_workers_that_the_limits_feed(connection: sqlite3.Connection) -> None:
    gate = Gate(connection, "claude")
    gate.configure(Rate(requests_per_minute=60))
    assert gate.workers_fed() is None
    admission = gate.admit(1)
    assert isinstance(admission, int)
    gate.done(admission, 1000, answered=True)
    connection.execute("UPDATE gate_log SET ended = at + 5")
    assert gate.workers_fed() == 11, "twelve calls a minute from each: five workers, twice, and one"
    gate.configure(Rate())
    assert gate.workers_fed() is None


@pytest.mark.race
def test_many_processes_keep_the_limits_in_every_window(folder: Path, connection: sqlite3.Connection) -> None:
    """By arrival and by end, and they use at least nine tenths of what there is."""
    window_s, run_s = 1.0, 4.5
    Gate(connection, "claude").configure(Rate(requests_per_minute=1000, tokens_per_minute=400_000))
    run(folder, 4, window_s, run_s, 8000, 0.01, 0.0)
    rows = connection.execute("SELECT at, ended, tokens FROM gate_log WHERE ended IS NOT NULL").fetchall()
    for moments in ([(at, tokens) for at, _, tokens in rows], [(ended, tokens) for _, ended, tokens in rows]):
        calls, tokens = most_in(moments, window_s)
        assert calls <= 1000
        assert tokens <= 400_000
    first = min(row[0] for row in rows)
    whole = [tokens for at, _, tokens in rows if at < first + 4 * window_s]
    assert sum(whole) >= 0.9 * 4 * 400_000


@pytest.mark.race
def test_no_process_calls_while_the_gate_is_closed(folder: Path, connection: sqlite3.Connection) -> None:
    run(folder, 5, 60.0, 3.0, 10, 0.01, 0.1)
    log = connection.execute("SELECT id, kind, at, ended FROM gate_log ORDER BY id").fetchall()
    closures = [(number, at, until) for number, kind, at, until in log if kind == "close"]
    calls = [(number, at) for number, kind, at, _ in log if kind == "call"]
    assert len(closures) >= 3
    assert len(calls) >= 10
    for number, at in calls:
        closed = [one for one in closures if one[0] < number and one[1] <= at < one[2]]
        assert closed == []
