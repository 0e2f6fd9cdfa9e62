"""A pool whose parent, workers or tasks die or misbehave: nothing left running, nothing lost or twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from gitworld import add_tasks, assert_sound, cortex, result_commits
from poolworld import plug_in, pool, until, untold, with_path

from cortex_git.config import Bounds
from cortex_git.errors import BadInput
from cortex_git.models import ClaimRecord, Result, Task
from cortex_git.processes import descendants
from cortex_git.services.pool_client import ask_pool, pool_status
from cortex_git.services.pool_requests import Requests
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.tasks import new_batch
from cortex_git.workers.assigning import Order
from cortex_git.workers.attempts import Attempts
from cortex_git.workers.batch import BatchRun
from cortex_git.workers.claimer import Claimer, GivenClaims
from cortex_git.workers.events import Event
from cortex_git.workers.lanes import Lane, LanePlan
from cortex_git.workers.orders import Orders
from cortex_git.workers.pool import Pool
from cortex_git.workers.pool import running as opened
from cortex_git.workers.sizing import Sizer
from cortex_git.workers.spawning import WarmSpawner
from cortex_git.workers.staffing import Staffing


def settings(host: Path, text: str) -> None:
    with (host / "coordination/config.toml").open("a") as config:
        config.write(f"\n{text}\n")


def running(pids: list[int]) -> list[int]:
    return [pid for pid in pids if _state(pid) not in "ZX"]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def _busy(host: Path) -> int:
    found = pool_status(host)
    return sum(worker["status"] == "busy" for worker in found["workers"]) if found else 0


@pytest.mark.race
def test_the_parent_killed_with_twenty_busy_workers(host: Path, bare: Path) -> None:
    names = [
        task.task
        for task in add_tasks(
            Coordination.open(host), 60, runner="sleep", context={"seconds": 0.5}, max_attempts=9
        )
    ]
    with pool(host, "--workers", "20") as process:
        until(lambda: len(result_commits(bare)) > 0 and _busy(host) >= 15)
        below = descendants(process.pid)
        assert len(below) >= 20
        process.send_signal(signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 5
        while running(below) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert running(below) == []
    with pool(host, "--workers", "20"):
        until(lambda: len(result_commits(bare)) == len(names))
    assert_sound(bare)


LEAK = """
import os
held = []
def preload(): pass
def run(task, context):
    from cortex_git.runners import RunOutcome
    held.append(os.urandom(1) * (25 * 1024 * 1024))
    return RunOutcome("completed", {"pid": os.getpid()})
"""


def test_a_worker_that_leaks_is_replaced_and_nothing_is_lost(
    host: Path, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_in(tmp_path, "leak", LEAK)
    monkeypatch.setenv("PYTHONPATH", with_path(tmp_path))
    settings(host, "[pool]\nrss_mib = 200")
    add_tasks(Coordination.open(host), 40, runner="leak")
    highest = 0.0
    with pool(host, "--workers", "2"):
        while len(result_commits(bare)) < 40:
            found = pool_status(host)
            assert found is not None
            highest = max(highest, *(_rss_mib(worker["pid"]) for worker in found["workers"]))
            time.sleep(0.2)
    assert highest < 200 + 2 * 25 + 100  # the limit, the task that passes it, and what a worker begins with
    coordination = Coordination.open(host)
    coordination.pull()
    results = coordination.results(Scope(batch="b1"))
    assert len(results) == 40
    assert len({result.output["pid"] for result in results}) >= 40 * 25 / (200 + 100)
    assert_sound(bare)


def _rss_mib(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0.0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20 if len(fields) > 1 else 0.0


def test_a_worker_leaves_after_so_many_tasks_and_after_so_long(host: Path, bare: Path) -> None:
    settings(host, "[pool]\nmax_tasks = 3\nmax_age_s = 3600")
    add_tasks(Coordination.open(host), 12, runner="echo")
    with pool(host, "--workers", "1"):
        first = (pool_status(host) or {})["workers"][0]["pid"]
        until(lambda: len(result_commits(bare)) == 12)
        found = pool_status(host)
        assert found is not None
        assert [worker["worker"] for worker in found["workers"]] == ["worker-pool-001"]
        assert found["workers"][0]["pid"] != first
    assert_sound(bare)


STRAY = """
( setsid sh -c 'echo $$ > "{folder}/$CORTEX_TASK.$CORTEX_ATTEMPT"; exec sleep 600' & ) &
{then}
"""


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize("end", ["task", "worker", "pool"])
def test_what_a_task_left_running_is_ended(
    host: Path, tmp_path: Path, commands: Callable[..., None], end: str, warm: bool
) -> None:
    strays = tmp_path / "strays"
    strays.mkdir()
    then = f'until [ -s "{strays}/$CORTEX_TASK.$CORTEX_ATTEMPT" ]; do sleep 0.05; done'
    then += "" if end == "task" else "; sleep 300"
    commands(stray=STRAY.format(folder=strays, then=then))
    (task,) = add_tasks(
        Coordination.open(host), 1, runner="command", context={"command": "stray"}, max_attempts=1
    )
    command = ["spawn-workers", "--count", "1", *([] if warm else ["--cold"])]
    process = subprocess.Popen(
        [sys.executable, "-m", "cortex_git", *command],
        cwd=host,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    note = strays / f"{task.task}.1"
    until(lambda: note.exists() and note.read_text().strip())
    stray = int(note.read_text())
    if end == "worker":
        os.kill(_worker_of(stray), signal.SIGKILL)
    elif end == "pool":
        process.send_signal(signal.SIGKILL)
    until(lambda: not running([stray]), 20)
    process.kill()
    process.communicate()


def _worker_of(stray: int) -> int:
    """The worker that adopted what its task left behind."""
    until(lambda: os.getsid(_parent(stray)) == _parent(stray))
    return _parent(stray)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_type_with_bounds_of_its_own(host: Path, bare: Path) -> None:
    settings(host, "[pool.types.fix-worker]\nmin = 1\nmax = 1")
    coordination = Coordination.open(host)
    tasks = [
        Task(task=f"{kind}-{number}", batch="b1", title="t", type=f"{kind}-worker", runner="sleep",
             context={"seconds": 0.3})
        for kind in ("fix", "test")
        for number in range(4)
    ]  # fmt: skip
    coordination.add_batch(new_batch("b1", len(tasks), "host"), tasks)
    with pool(host, "--min", "4", "--max", "4"):
        until(lambda: len(result_commits(bare)) == 8)
        found = pool_status(host)
        assert found is not None
        assert sorted(w["worker"] for w in found["workers"])[0] == "worker-fix-001"
        assert sum(w["type"] == "fix-worker" for w in found["workers"]) == 1
    coordination.pull()
    fixes = [result for result in coordination.results(Scope(batch="b1")) if result.type == "fix-worker"]
    assert {result.worker for result in fixes} == {"worker-fix-001"}
    spans = sorted((_time(r.started_at), _time(r.completed_at)) for r in fixes)
    assert all(ended <= began for (_, ended), (began, _) in pairwise(spans))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_pool_grows_with_the_queue_and_shrinks_again(host: Path, bare: Path) -> None:
    settings(host, "[pool]\ncooldown_s = 0.5\nsettle_s = 0.5")
    with pool(host, "--policy", "tree", "--min", "2", "--max", "12") as process:
        until(lambda: _live(host) == 5)
        add_tasks(Coordination.open(host), 30, runner="sleep", context={"seconds": 0.5})
        cortex("pool", "status", cwd=host)
        until(lambda: _live(host) == 12)
        until(lambda: len(result_commits(bare)) == 30)
        until(lambda: _live(host) == 5)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert "5 to 12 workers: " in err
    assert " to 5 workers: " in err
    assert_sound(bare)


def _live(host: Path) -> int:
    found = pool_status(host)
    return len(found["workers"]) if found else -1


def test_a_remote_that_goes_away_and_comes_back(host: Path, bare: Path) -> None:
    add_tasks(Coordination.open(host), 4, runner="sleep", context={"seconds": 1})
    with pool(host, "--workers", "2") as process:
        until(lambda: _busy(host) == 2)
        bare.rename(bare.with_name("away"))
        until(lambda: (pool_status(host) or {})["problem"])
        assert cortex("pool", "status", cwd=host).stderr.startswith("the remote does not answer: ")
        assert process.poll() is None
        bare.with_name("away").rename(bare)
        until(lambda: len(result_commits(bare)) == 4)
    assert_sound(bare)


class Silent:
    """Nobody watches."""

    def started(self, task: str, worker: str, repo: str | None) -> None: ...
    def finished(self, result: Result) -> None: ...
    def event(self, event: Event) -> None: ...
    def note(self, text: str) -> None: ...


@pytest.mark.parametrize(
    "wrong",
    [
        {"deadline": "soon"},
        {"deadline": float("nan")},
        {"deadline": -1},
        {"budget": "much"},
        {"budget": -1},
        {"runner": 5},
        {"task_id": 5},
        {"task_id": {"task": "b1-t000"}},
    ],
)
def test_a_request_that_makes_no_sense_is_refused(host: Path, bare: Path, wrong: dict[str, object]) -> None:
    coordination = Coordination.open(host)
    add_tasks(coordination, 1)
    run = BatchRun(coordination, Pool(WarmSpawner([]), 0, str), Scope(batch="b1"), watcher=Silent())
    try:
        with pytest.raises(BadInput):
            Requests(coordination, run).handle({"kind": "spawn", "task_id": "b1-t000", **wrong}, print)
    finally:
        run._pool.close()
    assert not coordination.pull().claims


def test_no_request_and_no_runner_ends_the_pool(
    host: Path, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_in(tmp_path, "strange", STRANGE)
    monkeypatch.setenv("PYTHONPATH", with_path(tmp_path))
    spawn = {"kind": "spawn", "type": "analysis-worker"}
    with pool(host, "--workers", "1") as process:
        for task, more in (("n-1", {"requested": float("nan")}), ("n-2", {"requested": -1e300})):
            answer = ask_pool(host, {**spawn, "task_id": task, "runner": "echo", **more})
            assert answer is not None
            assert answer["status"] == "completed"
            assert answer["result"]["spawn_s"] < 3600
        strange = ask_pool(host, {**spawn, "task_id": "n-3", "runner": "strange"})
        assert strange is not None
        assert strange["status"] == "failed"
        assert "no result" in strange["result"]["error"]
        assert process.poll() is None
    assert_sound(bare)


STRANGE = """
def preload(): pass
def run(task, context):
    from cortex_git.runners import RunOutcome
    return RunOutcome("splendid", tokens_used=-1)
"""


def test_a_summary_that_this_host_cannot_make_ends_no_pool(
    host: Path, bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CORTEX_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "data/advisories").mkdir(parents=True)
    (tmp_path / "data/advisories/osv.sqlite").write_bytes(b"no database" * 100)
    coordination = Coordination.open(host)
    settings(host, "[leases]\nretry_base_s = 0.1\nretry_max_s = 0.2")
    (task,) = [Task(task="m-1", batch="m", title="one", runner="echo", created_at="2026-01-01T00:00:00Z")]
    coordination.add_batch(new_batch("m", 1, coordination.repository.host, merge=True), [task])
    with pool(host, "--workers", "1") as process:
        until(lambda: len(result_commits(bare)) == 2 or process.poll() is not None)
        assert process.poll() is None
        asked = cortex("spawn-worker", "-i", "m.merge", cwd=host)
        assert asked.returncode == 2
        assert "last task of its batch" in asked.stderr
    assert_sound(bare)


def test_who_looks_for_a_task_takes_it_from_nobody_who_waits(host: Path) -> None:
    coordination = Coordination.open(host)
    attempts = Attempts(
        coordination, Silent(), lambda: None, options=lambda _: {}, allowances=untold(coordination)
    )
    pool_of_none = Pool(WarmSpawner([]), 0, str)
    given = GivenClaims(coordination)
    orders = Orders(coordination, attempts, given, [], pool_of_none, lambda: None)
    try:
        waiting = attempts.waiters.follow("b1-t000")
        assert orders.join("b1-t000", Order(), lambda task: task) is None
        assert not waiting.done()
        orders.close()
        assert waiting.result(timeout=0).state == "the pool was stopped"
    finally:
        pool_of_none.close()


def test_a_claim_that_comes_as_the_pool_ends_is_given_back(host: Path) -> None:
    coordination = Coordination.open(host)
    add_tasks(coordination, 2)
    attempts = Attempts(
        coordination, Silent(), lambda: None, options=lambda _: {}, allowances=untold(coordination)
    )
    pool_of_none = Pool(WarmSpawner([]), 0, str)
    orders = Orders(coordination, attempts, GivenClaims(coordination), [], pool_of_none, lambda: None)
    try:
        early = orders.place(coordination.claim_task("b1-t000", "w"), Order())
        late = coordination.claim_task("b1-t001", "w")
        orders.close()
        assert not coordination.locks.path("b1-t000").exists()
        futures = [early, orders.place(late, Order())]
        assert [future.result(timeout=0).result for future in futures] == [None, None]
    finally:
        pool_of_none.close()
    assert not coordination.pull().claims
    assert not coordination.locks.path("b1-t001").exists()


def test_a_worker_told_to_leave_while_it_starts_leaves(host: Path) -> None:
    coordination = Coordination.open(host)
    attempts = Attempts(
        coordination, Silent(), lambda: None, options=lambda _: {}, allowances=untold(coordination)
    )
    settings_ = coordination.repository.settings.pool
    with opened(Pool(WarmSpawner([]), 0, str)) as started:
        plan = LanePlan(Scope(), name=str, policy="fixed", bounds=Bounds(min=0, max=4), fixed=1)
        sizer = Sizer(settings_, policy="fixed", bounds=plan.bounds, fixed=1)
        lane = Lane(plan, Claimer(coordination, plan.scope, 1, "w", lambda: None), sizer)
        staffing = Staffing(
            coordination, started, [lane], attempts, untold(coordination), lambda _: None, alerts=False
        )
        for _ in range(3):
            staffing.add(lane)
        staffing.tick(draining=False)
        assert sum(bool(slot.leaving) for slot in started.slots) == 2
        until(lambda: started.wait(0.1) == [] and all(slot.ready for slot in started.slots))
        staffing.tick(draining=False)
        assert [slot.leaving for slot in started.slots] == [""]


def test_a_pool_that_shrinks_gives_back_what_it_cannot_start_soon(host: Path) -> None:
    coordination = Coordination.open(host)
    add_tasks(coordination, 30, runner="sleep", context={"seconds": 30})
    wake: list[int] = []
    claimer = Claimer(coordination, Scope(batch="b1"), 8, "w", lambda: wake.append(1), 0.3)
    claimer.start()
    until(lambda: len(claimer.waiting()) == 16)
    claimer.resize(1)
    until(lambda: len(claimer.waiting()) == 2)
    claimer.stop()
    assert claimer.crash is None
    (freed,) = coordination.claim(Scope(batch="b1"), 1, lambda _: "other")
    coordination.claims.release([freed])
    assert sum(record.state == "running" for record in records(coordination)) == 0


def records(coordination: Coordination) -> list[ClaimRecord]:
    view = coordination.pull()
    found = [coordination.claims.record(oid) for oid in view.claims.values()]
    return [record for record in found if record is not None]
