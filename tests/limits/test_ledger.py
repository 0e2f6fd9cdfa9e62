"""The token ledger: what each operation moves, and that nothing is ever promised twice."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from cortex_git import state
from cortex_git.limits.balances import balance, spending
from cortex_git.limits.ledger import Exhausted, Ledger, mark_sent, owner_gone
from cortex_git.llm import Usage


def allocate(ledger: Ledger, nonce: str, tokens: int, *accounts: str, batch: str = "b") -> bool:
    return ledger.allocate(
        nonce, task=f"t-{nonce}", batch=batch, master="security-master", worker="w", tokens=tokens,
        accounts=accounts or ("total",),
    )  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(state.connect(tmp_path / "state.db", durable=True), "here")
    made.grant({"total": 1000})
    return made


def figures(ledger: Ledger, account: str = "total") -> tuple[int, int, int, int]:
    found = ledger.balance(account)
    return found.allocated, found.in_use, found.available, found.overdrawn


def test_an_attempt_from_promise_to_end(ledger: Ledger) -> None:
    assert allocate(ledger, "a", 600)
    assert figures(ledger) == (600, 0, 400, 0)
    call = ledger.reserve("a", 500, model="m", provider="claude")
    assert figures(ledger) == (100, 500, 400, 0)
    ledger.sent(call)
    ledger.settle(call, Usage(input=100, output=20, cache_write=3, cache_read=4))
    assert (figures(ledger), ledger.left("a")) == ((473, 127, 400, 0), 473)
    ledger.spend("a", 73)
    assert ledger.close("a") == 200
    assert figures(ledger) == (0, 200, 800, 0)
    used = ledger.used("a")
    assert (used.input, used.output, used.cache_write, used.cache_read, used.unknown) == (100, 20, 3, 4, 73)
    assert used.total == 200


def test_all_of_an_attempt_s_tokens_or_none(ledger: Ledger) -> None:
    assert allocate(ledger, "a", 600)
    assert not allocate(ledger, "b", 401)
    assert figures(ledger) == (600, 0, 400, 0)
    assert allocate(ledger, "a", 600), "the same attempt again is promised nothing more"
    assert figures(ledger) == (600, 0, 400, 0)


def test_an_attempt_that_could_not_be_started_may_be_promised_again(ledger: Ledger) -> None:
    assert allocate(ledger, "a", 600)
    assert ledger.close("a") == 0
    assert allocate(ledger, "a", 600)
    assert figures(ledger) == (600, 0, 400, 0)


def test_the_tightest_account_decides(ledger: Ledger) -> None:
    ledger.grant({"batch:b": 100})
    assert not allocate(ledger, "a", 101, "total", "batch:b")
    assert allocate(ledger, "a", 100, "total", "batch:b")
    assert not allocate(ledger, "c", 1, "total"), "held by its grant though the caller did not know of it"
    assert allocate(ledger, "d", 900, "total", batch="other")
    assert figures(ledger) == (1000, 0, 0, 0)


def test_a_limit_without_a_grant_gives_nothing(ledger: Ledger) -> None:
    assert not allocate(ledger, "a", 1, "total", "day:2026-11-24")


def test_no_reservation_beyond_the_attempt_s_own(ledger: Ledger) -> None:
    allocate(ledger, "a", 100)
    ledger.reserve("a", 60, model="m", provider="p")
    with pytest.raises(Exhausted) as refused:
        ledger.reserve("a", 41, model="m", provider="p")
    assert refused.value.left == 40
    assert refused.value.exit_code == 4
    with pytest.raises(Exhausted):
        ledger.reserve("unknown", 1, model="m", provider="p")


def test_what_was_used_beyond_the_reservation_is_taken_in_order(ledger: Ledger) -> None:
    """The attempt's rest, what is available, the rest of others; only then the account is overdrawn."""
    allocate(ledger, "a", 200)
    allocate(ledger, "other", 700)
    call = ledger.reserve("a", 100, model="m", provider="p")
    ledger.sent(call)
    ledger.settle(call, Usage(input=150))
    assert figures(ledger) == (750, 150, 100, 0)
    ledger.spend("a", 100)  # 50 from its rest, 50 from what is available
    assert figures(ledger) == (700, 250, 50, 0)
    ledger.spend("a", 150)
    assert (figures(ledger), ledger.left("other")) == ((600, 400, 0, 0), 600)
    ledger.spend("a", 700)
    assert (figures(ledger), ledger.left("other")) == ((0, 1000, 0, 100), 0)
    assert ledger.balance().spent == 1100
    assert ledger.close("a") == 1100


def test_a_call_that_was_sent_is_spent_in_full_when_its_attempt_ends(ledger: Ledger) -> None:
    allocate(ledger, "a", 600)
    one, two = (ledger.reserve("a", tokens, model="m", provider="p") for tokens in (100, 200))
    ledger.sent(one)
    assert ledger.close("a") == 100
    assert figures(ledger) == (0, 100, 900, 0)
    with pytest.raises(Exhausted):
        ledger.sent(two)
    with pytest.raises(Exhausted):
        mark_sent(sqlite_of(ledger), two)


def sqlite_of(ledger: Ledger) -> sqlite3.Connection:
    return ledger._connection


def test_an_answer_after_the_end_adds_only_what_was_not_counted(ledger: Ledger) -> None:
    allocate(ledger, "a", 600)
    one, two = (ledger.reserve("a", 100, model="m", provider="p") for _ in range(2))
    ledger.sent(one)
    ledger.sent(two)
    assert ledger.close("a") == 200
    ledger.settle(one, Usage(input=70))
    assert ledger.balance().spent == 200
    ledger.settle(two, Usage(input=130))
    assert ledger.balance().spent == 230
    ledger.settle(two, Usage(input=130))
    assert (ledger.balance().spent, ledger.used("a").total) == (230, 230)


def test_settling_twice_counts_once(ledger: Ledger) -> None:
    allocate(ledger, "a", 600)
    call = ledger.reserve("a", 100, model="m", provider="p")
    ledger.settle(call, Usage(output=40))
    ledger.settle(call, Usage(output=40))
    ledger.worst(call)
    ledger.release(call)
    assert ledger.balance().spent == 40


def test_the_worst_case_and_nothing(ledger: Ledger) -> None:
    allocate(ledger, "a", 600)
    ledger.worst(ledger.reserve("a", 100, model="m", provider="p"))
    ledger.release(ledger.reserve("a", 100, model="m", provider="p"))
    assert (ledger.left("a"), ledger.used("a").unknown) == (500, 100)


def test_shrinking_stops_at_what_is_bound(ledger: Ledger) -> None:
    allocate(ledger, "a", 600)
    assert ledger.shrink({"total": 100, "batch:none": 5}) == {"total": 600}
    assert ledger.shrink({"total": 5000}) == {"total": 600}
    assert figures(ledger) == (600, 0, 0, 0)


def test_a_smaller_grant_takes_from_the_latest_first(ledger: Ledger) -> None:
    allocate(ledger, "a", 300)
    allocate(ledger, "b", 300)
    ledger.grant({"total": 350})
    assert (ledger.left("a"), ledger.left("b"), figures(ledger)) == (300, 50, (350, 0, 0, 0))


def test_another_identity_has_nothing_of_it(ledger: Ledger) -> None:
    copy = Ledger(sqlite_of(ledger), "copy")
    assert not allocate(copy, "a", 1)
    assert copy.balance().total == 0


def test_spending_by_day_and_model(ledger: Ledger) -> None:
    allocate(ledger, "a", 300)
    for model in ("small", "large", "large"):
        ledger.settle(ledger.reserve("a", 50, model=model, provider="claude"), Usage(input=10, output=5))
    found = spending(sqlite_of(ledger), ["here"], ("model",))
    assert [(row.names, row.total, row.calls) for row in found] == [(("large",), 30, 2), (("small",), 15, 1)]
    assert spending(sqlite_of(ledger), ["elsewhere"], ("day", "master")) == []


def test_a_dead_owner_s_tokens_come_back_when_they_are_needed(ledger: Ledger, tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from cortex_git import state
from cortex_git.limits.ledger import Ledger
ledger = Ledger(state.connect(Path({str(tmp_path / "state.db")!r}), durable=True), "here")
for nonce in ("a", "b"):
    ledger.allocate(nonce, task="t", batch="b", master="m", worker="w", tokens=400, accounts=["total"])
ledger.sent(ledger.reserve("a", 100, model="m", provider="p"))
ledger.reserve("b", 100, model="m", provider="p")
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -9
    assert figures(ledger) == (600, 200, 200, 0)
    assert allocate(ledger, "c", 900)
    assert figures(ledger) == (900, 100, 0, 0)


def test_a_living_worker_keeps_its_attempt(ledger: Ledger) -> None:
    """The pool is gone, a call is under way in a worker: closed only when both are gone."""
    allocate(ledger, "a", 400)
    call = ledger.reserve("a", 100, model="m", provider="p")
    ledger.sent(call)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    connection = sqlite_of(ledger)
    connection.execute("UPDATE allocations SET pid = ?", (gone.pid,))
    assert ledger.reap() == 0
    connection.execute("UPDATE reservations SET pid = ?", (gone.pid,))
    assert ledger.reap() == 1
    assert figures(ledger) == (0, 100, 900, 0)


def test_whose_end_is_certain() -> None:
    boot, _, space = state.boot_id().partition("/")
    me = state.own_process()
    assert not owner_gone(*me)
    assert owner_gone(me[0], me[1] + 1, me[2]), "another process got the number"
    assert owner_gone(me[0], me[1], f"0{boot[1:]}x/{space}"), "of an earlier boot"
    assert not owner_gone(me[0], me[1], f"{boot}/pid:[1]"), "in another namespace of this boot"


class Books(RuleBasedStateMachine):
    """Any order of operations, beside a plain model of what was billed."""

    nonces = Bundle("nonces")
    calls = Bundle("calls")

    @initialize()
    def begin(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.executescript(state._TABLES)
        self.ledger = Ledger(self.connection, "here")
        self.ledger.grant({"total": 1000, "batch:x": 400})
        self.granted = 1000
        self.billed = 0
        self.pending: dict[int, int] = {}
        self.count = 0

    @rule(target=nonces, tokens=st.integers(0, 500), batch=st.sampled_from(["x", "y"]))
    def promise(self, tokens: int, batch: str) -> str:
        self.count += 1
        nonce = f"n{self.count}"
        accounts = ("total", "batch:x") if batch == "x" else ("total",)
        before = min(self.ledger.balance(account).available for account in accounts)
        assert allocate(self.ledger, nonce, tokens, *accounts, batch=batch) == (tokens <= before)
        return nonce

    @rule(target=calls, nonce=nonces, tokens=st.integers(0, 300))
    def hold(self, nonce: str, tokens: int) -> int:
        left = self.ledger.left(nonce)
        try:
            call = self.ledger.reserve(nonce, tokens, model="m", provider="p")
        except Exhausted:
            assert tokens > left or left == 0
            return 0
        assert self.ledger.left(nonce) == left - tokens
        self.pending[call] = tokens
        return call

    @rule(call=calls, tokens=st.integers(0, 400))
    def settle(self, call: int, tokens: int) -> None:
        if self.pending.pop(call, None) is not None:
            self.billed += tokens
            self.ledger.settle(call, Usage(input=tokens))

    @rule(call=calls)
    def give_up(self, call: int) -> None:
        if call in self.pending:
            self.billed += self.pending.pop(call)
            self.ledger.worst(call)

    @rule(nonce=nonces, tokens=st.integers(0, 100))
    def spend(self, nonce: str, tokens: int) -> None:
        if (
            self.ledger.left(nonce)
            or self.connection.execute("SELECT 1 FROM allocations WHERE nonce = ?", (nonce,)).fetchone()
        ):
            self.billed += tokens
            self.ledger.spend(nonce, tokens)

    @rule(nonce=nonces)
    def close(self, nonce: str) -> None:
        rows = "SELECT id FROM reservations WHERE nonce = ? AND state = 'held'"
        for (call,) in self.connection.execute(rows, (nonce,)).fetchall():
            self.pending.pop(call, None)
        spent = self.ledger.close(nonce)
        assert spent == self.ledger.used(nonce).total == self.ledger.close(nonce)

    @rule(tokens=st.integers(0, 1500))
    def grant(self, tokens: int) -> None:
        self.ledger.grant({"total": tokens})

    @rule(tokens=st.integers(0, 1500))
    def shrink(self, tokens: int) -> None:
        self.ledger.shrink({"total": tokens, "batch:x": tokens // 2})

    @invariant()
    def adds_up(self) -> None:
        if not hasattr(self, "ledger"):
            return
        assert self.ledger.balance().spent == self.billed
        for account in ("total", "batch:x", "batch:y"):
            found = balance(self.connection, "here", account)
            parts = (found.allocated, found.in_use, found.available)
            assert sum(parts) == found.total
            assert min(*parts, found.spent, found.overdrawn) >= 0
        rests = "SELECT coalesce(sum(tokens - spent - reserved), 0) FROM allocations WHERE closed_at IS NULL"
        assert self.connection.execute(rests).fetchone()[0] == self.ledger.balance().allocated
        assert self.ledger.balance().overdrawn == 0 or self.ledger.balance().allocated == 0


TestBooks = Books.TestCase
TestBooks.settings = settings(stateful_step_count=40, suppress_health_check=list(HealthCheck))


def test_many_processes_and_kills_never_spend_more(tmp_path: Path) -> None:
    """Random work by many processes, some killed half-way, while another one looks all the time."""
    path = tmp_path / "state.db"
    ledger = Ledger(state.connect(path, durable=True), "here")
    ledger.grant({"total": 60_000, "batch:b1": 25_000})
    here = Path(__file__).with_name("ledger_processes.py")
    sampler = subprocess.Popen(
        [sys.executable, str(here), "sample", str(path)], stdout=subprocess.PIPE, text=True,
        stdin=subprocess.PIPE,
    )  # fmt: skip
    workers = [
        subprocess.Popen([sys.executable, str(here), "work", str(path), str(seed), str(tmp_path)])
        for seed in range(12)
    ]
    ends = [worker.wait(timeout=60) for worker in workers]
    said, _ = sampler.communicate("", timeout=60)
    samples, seconds, violations = said.split(" ", 2)
    assert violations.strip() == "[]"
    assert int(samples) >= 100 * float(seconds)
    assert -9 in ends and 0 in ends
    ledger.reap()
    assert ledger.balance().allocated == 0
    noted = sum(
        int(line) for note in tmp_path.glob("*.billed") for line in note.read_text().split() if line.strip()
    )
    assert ledger.balance().spent == noted > 20_000
    assert ledger.balance().spent <= 60_000
    assert ledger.balance("batch:b1").spent <= 25_000
    assert ledger.balance().overdrawn == 0
    assert os.listdir(tmp_path)
