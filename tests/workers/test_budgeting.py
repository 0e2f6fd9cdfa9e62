"""A host's slice of the shared budget: had when it is needed, given back, and never more than there is."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gitworld import lose_acknowledgements, python
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.limits.balances import Balance, balanced
from cortex_git.limits.ledger import Ledger
from cortex_git.llm import Usage
from cortex_git.models import Task
from cortex_git.services.budgets import look, reclaim, set_limits
from cortex_git.store.budget_ref import BudgetDocument, BudgetRef
from cortex_git.store.coordination import Coordination
from cortex_git.workers.budgeting import Answer, Budgeting
from cortex_git.workers.slices import Wish, exchange, target

Clones = Callable[[int], list[Path]]
TASK = Task.model_validate({"task": "t1", "batch": "b1", "title": "t", "type": "fix-worker"})


class Pool:
    """One pool's use of the budget."""

    def __init__(self, folder: Path) -> None:
        self.coordination = Coordination.open(folder)
        self.repository = self.coordination.repository
        self.woken = threading.Event()
        self.budgeting = Budgeting(self.coordination, self.woken.set)
        self.budgeting.start()

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.repository.durable_state, self.repository.host)

    def ask(self, nonce: str, tokens: int, task: Task = TASK, rounds: int = 40) -> Answer:
        """Ask like a pool's loop: again whenever it is woken; at most `rounds` times."""
        for _ in range(rounds):
            self.woken.clear()
            answer = self.budgeting.allocate(task, nonce, "worker-fix-001", tokens)
            if answer != "wait":
                return answer
            self.woken.wait(0.5)
        return "wait"

    def spend(self, nonce: str, tokens: int) -> None:
        self.ledger.spend(nonce, tokens)
        self.budgeting.close(nonce)

    @property
    def shared(self) -> BudgetDocument:
        return BudgetRef(self.repository).read().document


@pytest.fixture
def pools(clones: Clones) -> Iterator[Callable[..., list[Pool]]]:
    made: list[Pool] = []

    def make(count: int, **limits: int | None) -> list[Pool]:
        made.extend(Pool(folder) for folder in clones(count))
        if limits:
            names = {name.replace("__", ":").replace("_", "-"): tokens for name, tokens in limits.items()}
            set_limits(made[0].coordination, names)
        return made

    yield make
    for pool in made:
        pool.budgeting.stop()


def test_a_lone_host_may_use_all_of_it(pools: Callable[..., list[Pool]]) -> None:
    (pool,) = pools(1, total=1000)
    spent = 0
    for number in range(10):
        assert pool.ask(str(number), 100) == "ok"
        pool.spend(str(number), 100)
        spent += 100
        assert pool.ledger.balance().total <= pool.shared.slice_of(pool.repository.host)["total"] <= 1000
    assert pool.ask("more", 1) == "exhausted"
    assert pool.budgeting.level == "out"
    assert pool.budgeting.reason is not None
    assert pool.budgeting.tokens_left() == 0
    event = pool.budgeting.news()
    assert event is not None
    assert event.fields == {"reached": "out", "account": "total", "spent": 1000, "limit": 1000}
    assert pool.budgeting.news() is None


def test_nothing_is_asked_of_anyone_when_nothing_is_metered(pools: Callable[..., list[Pool]]) -> None:
    (pool,) = pools(1)
    pool.budgeting.stop()
    assert pool.shared == BudgetDocument()
    assert pool.budgeting.tokens_left() is None


def test_a_host_does_not_take_all_at_once_and_gives_back_the_rest(pools: Callable[..., list[Pool]]) -> None:
    one, two = pools(2, total=1000)
    assert one.ask("a", 100) == "ok"
    assert one.shared.slice_of(one.repository.host)["total"] <= 500
    assert two.ask("b", 400) == "ok"
    one.spend("a", 60)
    one.budgeting.stop()
    assert one.shared.slice_of(one.repository.host) == {"total": 60}
    assert one.shared.reported[one.repository.host] == {"total": 60}
    assert one.ledger.balance().total == 60


def test_who_holds_what_another_lacks_is_named(pools: Callable[..., list[Pool]]) -> None:
    one, two = pools(2, total=1000)
    assert one.ask("a", 900) == "ok"
    assert two.ask("b", 200) == "exhausted"
    assert two.budgeting.reason is not None
    assert one.repository.host in two.budgeting.reason
    assert two.ledger.balance().total <= 100
    one.spend("a", 10)
    one.budgeting.stop()
    two.budgeting._read_at = None  # as if the last look was long ago
    assert two.ask("b", 200) == "ok"


def test_what_runs_here_may_give_back(pools: Callable[..., list[Pool]]) -> None:
    (pool,) = pools(1, total=1000)
    assert pool.ask("a", 900) == "ok"
    assert pool.ask("b", 200, rounds=3) == "wait"
    pool.spend("a", 50)
    assert pool.ask("b", 200) == "ok"


def test_the_tightest_limit_holds(pools: Callable[..., list[Pool]]) -> None:
    (pool,) = pools(1, total=1000, daily=500, batch__b1=100)
    assert pool.ask("a", 101) == "exhausted"
    assert pool.ask("a", 100) == "ok"
    other = TASK.model_copy(update={"batch": "b2"})
    assert pool.ask("b", 401, other, rounds=3) == "wait"
    assert pool.ask("b", 400, other) == "ok"


def test_a_limit_below_what_is_spent(pools: Callable[..., list[Pool]]) -> None:
    (pool,) = pools(1, total=1000)
    assert pool.ask("a", 500) == "ok"
    pool.spend("a", 500)
    set_limits(pool.coordination, {"total": 300})
    pool.budgeting._read_at = None
    assert pool.ask("b", 1) == "exhausted"
    found = look(pool.coordination)
    total = found.accounts[-1]
    assert (total.account, total.level, total.all_hosts.available) == ("total", "out", 0)
    assert (total.all_hosts.in_use, total.all_hosts.spent, total.all_hosts.overdrawn) == (300, 500, 200)


def test_without_the_remote_only_the_own_slice(pools: Callable[..., list[Pool]], bare: Path) -> None:
    (pool,) = pools(1, total=1000)
    assert pool.ask("a", 100) == "ok"
    pool.budgeting.close("a")
    held = pool.ledger.balance().total
    away = shutil.move(bare, f"{bare}.away")
    assert pool.ask("b", held) == "ok"
    assert pool.ask("c", 100, rounds=2) == "wait"
    assert pool.budgeting.problem is not None
    shutil.move(away, bare)
    pool.budgeting.close("b")
    assert pool.ask("c", 900) == "ok"


def test_a_lost_acknowledgement_grants_once(pools: Callable[..., list[Pool]], tmp_path: Path) -> None:
    (pool,) = pools(1, total=1000)
    lose_acknowledgements(pool.repository.folder, tmp_path)
    assert pool.ask("a", 100) == "ok"
    assert pool.ledger.balance().total == pool.shared.slice_of(pool.repository.host)["total"]


def test_a_kill_between_push_and_record_leaves_less_here_than_there(
    pools: Callable[..., list[Pool]],
) -> None:
    """The slice grew, and this host never heard of it: the next process takes it up."""
    (pool,) = pools(1, total=1000)
    code = """
    import os, signal, sys; from pathlib import Path
    from cortex_git.limits.ledger import Ledger
    from cortex_git.store.repository import open_repository
    from cortex_git.workers.slices import Wish, exchange
    Ledger.grant = lambda self, held: held and os.kill(os.getpid(), signal.SIGKILL)
    exchange(open_repository(Path(sys.argv[1])), Wish({"total": 300}))
    """
    process = python(code, str(pool.repository.folder))
    process.communicate(timeout=60)
    assert process.returncode == -9
    assert pool.shared.slice_of(pool.repository.host)["total"] >= 300
    assert pool.ledger.balance().total == 0
    before = pool.shared.nonce
    assert pool.ask("a", 300) == "ok"
    assert pool.shared.nonce != before


def test_a_kill_between_record_and_push_gives_back_later(pools: Callable[..., list[Pool]]) -> None:
    (pool,) = pools(1, total=1000)
    assert pool.ask("a", 100) == "ok"
    pool.spend("a", 10)
    pool.ledger.shrink({"total": 10})
    assert pool.shared.slice_of(pool.repository.host)["total"] > 10
    pool.budgeting.stop()
    assert pool.shared.slice_of(pool.repository.host) == {"total": 10}


def test_a_reclaimed_host_takes_back_what_it_had_spent(pools: Callable[..., list[Pool]]) -> None:
    one, two = pools(2, total=1000)
    exchange(one.repository, Wish({"total": 400}))
    task = {"task": "t", "batch": "b", "master": "m", "worker": "w"}
    assert one.ledger.allocate("a", **task, tokens=400, accounts=["total"])
    one.ledger.spend("a", 100)
    exchange(one.repository, Wish({}))
    one.ledger.spend("a", 50)  # never reported
    done = reclaim(two.coordination, one.repository.host)
    assert done.left == {"total": 100}
    assert two.shared.slice_of(one.repository.host) == {"total": 100}
    assert two.ask("b", 850) == "ok"
    exchange(one.repository, Wish({}))
    held = one.ledger.balance()
    assert (held.total, held.spent, held.allocated, one.ledger.left("a")) == (150, 150, 0, 0)
    assert one.shared.assigned("total") == 1000


def test_a_new_identity_does_not_spend_the_old_one_s_slice(pools: Callable[..., list[Pool]]) -> None:
    (pool,) = pools(1, total=1000)
    assert pool.ask("a", 600) == "ok"
    pool.repository.take_new_identity()
    assert pool.ledger.balance().total == 0
    assert pool.ask("b", 401) == "exhausted"
    assert pool.budgeting.close("a") == 0


def test_many_hosts_never_hold_or_spend_more_than_there_is(pools: Callable[..., list[Pool]]) -> None:
    made = pools(4, total=4000)
    code = """
    import random, sys, threading; from pathlib import Path
    from cortex_git.models import Task
    from cortex_git.store.coordination import Coordination
    from cortex_git.limits.ledger import Ledger
    from cortex_git.workers.budgeting import Budgeting
    coordination = Coordination.open(Path(sys.argv[1])); chance = random.Random(sys.argv[1])
    woken = threading.Event(); budgeting = Budgeting(coordination, woken.set)
    task = Task.model_validate({"task": "t", "batch": "b", "title": "t"})
    ledger = Ledger(coordination.repository.durable_state, coordination.repository.host)
    number = 0
    while True:
        woken.clear()
        answer = budgeting.allocate(task, f"n{number}", "w", 200)
        if answer == "exhausted":
            break
        if answer == "wait":
            woken.wait(20)
            continue
        ledger.spend(f"n{number}", chance.randrange(100, 201)); budgeting.close(f"n{number}"); number += 1
    budgeting.stop()
    print(ledger.balance().spent)
    """
    running = [python(code, str(pool.repository.folder)) for pool in made]
    shared = BudgetRef(made[0].repository)
    while any(process.poll() is None for process in running):
        assert shared.read().document.assigned("total") <= 4000
    spent = 0
    for process in running:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        spent += int(out)
    document = shared.read().document
    assert spent == document.spent("total") == document.assigned("total")
    assert 2000 < spent <= 4000


def held(tokens: int | None, spent: int = 0, reserved: int = 0, allocated: int = 0) -> Balance:
    return balanced("total", tokens, spent, reserved, allocated)


def test_the_rule_of_a_slice() -> None:
    assert target(held(None), 0, 1000, Wish({}), need=100) == 250, "a quarter of what is free"
    assert target(held(None), 0, 1000, Wish({}, live_hosts=5), need=100) == 100, "or what is needed"
    assert target(held(None), 0, 99, Wish({}), need=100) == 0, "nothing where it is not enough"
    assert target(held(500, 100, 50, 50), 500, 0, Wish({}, give_back=True)) == 200
    assert target(held(500, 100), 500, -300, Wish({})) == 200, "a lowered limit takes what is not bound"
    assert target(held(500, 100, 0, 300), 500, -500, Wish({})) == 400, "but nothing that was promised"
    assert target(held(500, 300), 100, 0, Wish({})) == 300, "what was spent is a fact"


@given(
    st.integers(0, 100), st.integers(0, 100), st.integers(0, 100), st.integers(0, 300),
    st.integers(-300, 300),
    st.integers(0, 200), st.integers(1, 5), st.booleans(),
)  # fmt: skip
def test_a_slice_takes_no_more_than_is_free_beyond_what_was_used(
    spent: int, reserved: int, allocated: int, mine: int, free: int, need: int, hosts: int, back: bool
) -> None:
    now = held(max(mine, spent + reserved + allocated), spent, reserved, allocated)
    found = target(now, mine, free, Wish({}, hosts, give_back=back), need)
    bound = spent + reserved + allocated
    assert found >= spent + reserved
    assert found <= max(mine + free, min(mine, bound), spent + reserved)


def test_the_snapshot_for_people(pools: Callable[..., list[Pool]]) -> None:
    (pool,) = pools(1, total=1000)
    assert pool.ask("a", 100) == "ok"
    pool.ledger.settle(pool.ledger.reserve("a", 50, model="m", provider="p"), Usage(input=30))
    look(pool.coordination)
    written = json.loads((pool.repository.folder / "coordination/token-budget.json").read_text())
    figures = written["token_budget"]
    assert figures == {"total": 1000, "allocated": 70, "in_use": 30, "available": 900}
    one = written["allocations"]["worker-fix-001"]
    assert (one["master"], one["tokens"]) == ("security-master", 100)
