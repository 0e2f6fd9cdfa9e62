"""Many ask a pool at once, or while it is busy: they wait for it, and for each other, instead of failing."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gitworld import add_tasks
from poolworld import Quiet, until, untold

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.services import pool_client
from cortex_git.services.pool_client import pool_status
from cortex_git.services.pool_requests import Requests
from cortex_git.store import locks
from cortex_git.store.coordination import Coordination
from cortex_git.workers.assigning import Order
from cortex_git.workers.attempts import Attempts
from cortex_git.workers.claimer import GivenClaims
from cortex_git.workers.orders import Orders
from cortex_git.workers.pool import Pool
from cortex_git.workers.spawning import WarmSpawner

TASK = "b1-t000"
STOPPED = "the pool was stopped"


@pytest.fixture(autouse=True)
def no_patience_with_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every claim takes longer than a lock is waited for, as behind a slow remote."""
    monkeypatch.setattr(locks, "TRIES", 1)


@pytest.fixture
def pool_of_none(host: Path) -> Iterator[tuple[Coordination, Orders, Requests]]:
    """What serves the requests to a pool that has no worker: who waits is let go when its orders close."""
    coordination = Coordination.open(host)
    attempts = Attempts(
        coordination, Quiet(), lambda: None, options=lambda _: {}, allowances=untold(coordination)
    )
    pool = Pool(WarmSpawner([]), 0, str)
    orders = Orders(coordination, attempts, GivenClaims(coordination), [], pool, lambda: None)
    run = SimpleNamespace(orders=orders, draining=False, snapshot=SimpleNamespace(problem=None))
    yield coordination, orders, Requests(coordination, cast("Any", run))
    pool.close()


class Entered(dict[str, Any]):
    """Counts who has looked whether somebody else is getting hold of the task."""

    count = 0

    def setdefault(self, key: str, default: Any = None, /) -> Any:
        self.count += 1
        return super().setdefault(key, default)


def counted(requests: Requests) -> Entered:
    entered = requests._getting = Entered()
    return entered


def asked(requests: Requests, task: str = TASK) -> dict[str, Any]:
    return requests.handle(
        {"kind": "spawn", "type": "analysis-worker", "runner": "echo", "task_id": task}, print
    )


def test_requests_at_once_for_one_task_have_the_end_of_one_claim(
    pool_of_none: tuple[Coordination, Orders, Requests], monkeypatch: pytest.MonkeyPatch
) -> None:
    coordination, orders, requests = pool_of_none
    claiming, go_on = threading.Event(), threading.Event()
    real, entered = coordination.claims.claim_locked, counted(requests)

    def slow(*arguments: Any) -> Any:
        claiming.set()
        assert go_on.wait(60)
        return real(*arguments)

    monkeypatch.setattr(coordination.claims, "claim_locked", slow)
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(asked, requests)
        assert claiming.wait(60)
        others = [threads.submit(asked, requests) for _ in range(2)]
        with pytest.raises(TimeoutError):
            others[0].result(timeout=0.2)  # it has failed by then where it waits for the lock alone
        until(lambda: entered.count == 3)
        go_on.set()
        until(lambda: len(orders._given.waiting()) == 1)
        orders.close()
        answers = [one.result(timeout=60) for one in (first, *others)]
    assert [answer["reason"] for answer in answers] == [STOPPED] * 3


def test_a_task_that_the_pool_is_claiming_itself_is_waited_for(
    pool_of_none: tuple[Coordination, Orders, Requests],
) -> None:
    coordination, orders, requests = pool_of_none
    (task,) = add_tasks(coordination, 1)
    view = coordination.pull()
    assert coordination.locks.acquire(TASK)  # as its claimer does before it pushes
    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(asked, requests)
        with pytest.raises(TimeoutError):
            asking.result(timeout=0.2)  # it has failed by then where it waits for the lock alone
        claim = coordination.claims.claim_locked(task, view, "w")
        assert claim is not None
        end = orders.place(claim, Order())
        until(lambda: len(orders._attempts.waiters._followed.get(TASK, [])) == 2)
        orders.close()
        assert asking.result(timeout=60)["reason"] == end.result(timeout=0).state == STOPPED


def test_the_error_of_one_claim_is_told_to_all_who_asked_at_once(
    pool_of_none: tuple[Coordination, Orders, Requests], monkeypatch: pytest.MonkeyPatch
) -> None:
    coordination, _, requests = pool_of_none
    claiming, go_on, claims = threading.Event(), threading.Event(), []
    entered = counted(requests)

    def refused(*arguments: Any) -> Any:
        claims.append(arguments)
        claiming.set()
        assert go_on.wait(60)
        raise BadInput("no such luck", "")

    monkeypatch.setattr(coordination, "claim_new", refused)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(asked, requests)
        assert claiming.wait(60)
        second = threads.submit(asked, requests)
        with pytest.raises(TimeoutError):
            second.result(timeout=0.2)
        until(lambda: entered.count == 2)
        go_on.set()
        for one in (first, second):
            with pytest.raises(BadInput, match="no such luck"):
                one.result(timeout=60)
    assert len(claims) == 1
    assert requests._getting == {}


@contextmanager
def full_door(host: Path) -> Iterator[socket.socket]:
    """A pool's socket before which as many wait as the kernel lets wait."""
    private = host / ".git/cortex"
    private.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as door, socket.socket(socket.AF_UNIX) as guest:
        door.bind(str(private / "pool.sock"))
        door.listen(0)
        guest.connect(str(private / "pool.sock"))
        yield door


def test_a_pool_with_a_crowd_before_its_door_is_waited_for(host: Path) -> None:
    with full_door(host) as door, ThreadPoolExecutor(1) as threads:
        asking = threads.submit(pool_status, host)
        with pytest.raises(TimeoutError):
            asking.result(timeout=0.2)  # where it is passed by, it has answered that there is no pool
        door.accept()[0].close()
        guest, _ = door.accept()
        with guest:
            guest.makefile("rb").readline()
            guest.sendall(b'{"answer": {"pid": 5}}\n')
            assert asking.result(timeout=60) == {"pid": 5}


def test_a_pool_that_hangs_is_left_and_not_taken_for_none(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_client, "_ANSWER_S", 0.1)
    with full_door(host) as door:
        with pytest.raises(EnvironmentProblem, match=r"let nobody in for 0\.1 s"):
            pool_status(host)
        door.accept()[0].close()
        with pytest.raises(EnvironmentProblem, match=r"said nothing for 0\.1 s"):
            pool_status(host)
    assert pool_status(host) is None  # nobody listens there any more
