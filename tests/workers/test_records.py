"""What a pool writes down: its workers and samples on this host's disk, and worker-pool.json for people."""

import json
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gitworld import add_tasks, claim_all, cortex, finish, git, new_coordination, python, result_for
from poolworld import until

from cortex_git import state
from cortex_git.state import now
from cortex_git.store.coordination import Coordination
from cortex_git.store.repository import Repository, open_repository
from cortex_git.workers.records import PoolRecords
from cortex_git.workers.roster import live_workers, write_document
from cortex_git.workers.snapshot import PoolSnapshot, WorkerView

FILE = "coordination/worker-pool.json"
OTHER_POOL = """
    import os, sys, time
    from pathlib import Path
    from test_records import snapshot, worker
    from cortex_git.store.repository import open_repository
    from cortex_git.workers.records import PoolRecords
    repository = open_repository(Path(sys.argv[1]))
    records = PoolRecords(repository)
    records._write_at = 0.0
    names = ["worker-other-%03d" % n for n in range(1, 4)]
    records.observe(snapshot(*(worker(name, task=None) for name in names), owner="spawn-workers"))
    print("there", flush=True)
    turn = 0
    while sys.argv[2] == "busy" or not sys.stdin.readline():
        turn += 1
        records._write_at = 0.0
        tasks = ["t-%d" % (turn + n) for n in range(3)]
        records.observe(snapshot(*map(worker, names, tasks), owner="spawn-workers"))
        print("there", flush=True)
    records.close()
"""


def worker(name: str = "worker-pool-001", task: str | None = None, **fields: Any) -> WorkerView:
    status = "busy" if task else "idle"
    given = {"type": "", "pid": 4242, "status": status, "started_at": now()[:10] + "T23:59:59.000Z"}
    given |= {
        "task": task,
        "master": "security-master" if task else None,
        "token_budget": 8000 if task else 0,
    }
    return WorkerView(worker=name, **(given | fields))


def snapshot(*workers: WorkerView, **fields: Any) -> PoolSnapshot:
    given = {"pid": os.getpid(), "owner": "pool", "started_at": now(), "policy": "fixed", "min": 1, "max": 9}
    given |= {"strategy": "least-loaded", "target": len(workers), "workers": workers}
    return PoolSnapshot(**(given | fields))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A coordination repository whose pools sample at every look."""
    new_coordination(tmp_path / "here")
    config = tmp_path / "here/coordination/config.toml"
    config.write_text(config.read_text() + "\n[pool]\nsample_s = 0.001\n")
    git(tmp_path / "here", "-c", "user.name=a", "-c", "user.email=a@b.invalid", "commit", "-qam", "sample")
    return open_repository(tmp_path / "here")


def document(repository: Repository) -> dict[str, Any]:
    value = json.loads((repository.folder / FILE).read_text())
    assert isinstance(value, dict)
    return value


def named(repository: Repository) -> list[str]:
    return [found.worker for found in live_workers(repository)]


def test_the_file_is_in_the_published_form(repository: Repository) -> None:
    records = PoolRecords(repository)
    records.observe(snapshot(worker(task="t-1", type="fix-worker"), worker("worker-pool-002", pid=4243)))
    assert document(repository) == {
        "active_workers": [
            {
                "worker_id": "worker-pool-001",
                "worker_type": "fix-worker",
                "spawned_by": "security-master",
                "status": "busy",
                "task_id": "t-1",
                "token_budget": 8000,
            },
            {
                "worker_id": "worker-pool-002",
                "worker_type": "any",
                "spawned_by": "pool",
                "status": "idle",
                "task_id": None,
                "token_budget": 0,
            },
        ],
        "stats": {"total_spawned_today": 2, "total_completed_today": 0, "success_rate": 0.0},
    }
    records.close()
    assert document(repository)["active_workers"] == []
    assert git(repository.folder, "status", "--porcelain") == ""


def test_a_worker_for_any_type_is_of_its_tasks_type(repository: Repository) -> None:
    add_tasks(Coordination(repository), 1, type="review-worker")
    PoolRecords(repository).observe(snapshot(worker(task="b1-t000")))
    assert document(repository)["active_workers"][0]["worker_type"] == "review-worker"


def test_it_is_written_only_when_it_says_something_new(repository: Repository) -> None:
    assert write_document(repository, Counter()), "there was none"
    assert not write_document(repository, Counter())
    assert write_document(repository, Counter({"completed": 1}))


def test_todays_results_of_this_host_are_counted_from_git(clones: Callable[[int], list[Path]]) -> None:
    here, other = map(Coordination.open, clones(2))
    add_tasks(here, 5)
    other.pull()
    finish(other, claim_all(other, 2))
    claims = claim_all(here, 3)
    here.record([(claims[0], result_for(here, claims[0], status="failed"), {})])
    finish(here, claims[1:])
    records = PoolRecords(here.repository)
    records.observe(snapshot(worker()))
    stats = document(here.repository)["stats"]
    assert stats == {"total_spawned_today": 1, "total_completed_today": 2, "success_rate": 0.6667}
    records.close()
    again = PoolRecords(here.repository)
    again.observe(snapshot(worker()))
    assert document(here.repository)["stats"]["total_completed_today"] == 2, "counted anew, not twice"


def test_a_worker_that_left_has_an_end(repository: Repository) -> None:
    records = PoolRecords(repository)
    first, second = worker(), worker("worker-pool-002", pid=4243)
    records.observe(snapshot(first, second))
    records.observe(snapshot(replace(second, status="busy", task="t-1", master="security-master")))
    assert [(found.worker, found.status, found.task) for found in live_workers(repository)] == [
        ("worker-pool-002", "busy", "t-1")
    ]
    ends = repository.state.execute("SELECT worker, ended_at IS NULL FROM workers ORDER BY worker").fetchall()
    assert ends == [("worker-pool-001", 0), ("worker-pool-002", 1)]
    records.close()
    assert named(repository) == []


def test_pools_of_one_clone_add_up_and_a_killed_one_is_gone(repository: Repository) -> None:
    mine = PoolRecords(repository)
    mine.observe(snapshot(worker()))
    other = python("import sys; sys.path.insert(0, sys.argv[3])\n" + _plain(OTHER_POOL),
                   str(repository.folder), "quiet", str(Path(__file__).parent))  # fmt: skip
    assert other.stdout is not None
    assert other.stdout.readline() == "there\n", other.communicate()
    names = ["worker-other-001", "worker-other-002", "worker-other-003", "worker-pool-001"]
    assert sorted(named(repository)) == names
    assert sorted(w["worker_id"] for w in document(repository)["active_workers"]) == names
    os.kill(other.pid, signal.SIGKILL)
    other.communicate()
    assert named(repository) == ["worker-pool-001"]
    PoolRecords(repository).observe(snapshot(worker()))
    left = repository.state.execute(
        "SELECT count(*) FROM workers WHERE ended_at IS NULL AND pool = ?", (other.pid,)
    )
    assert left.fetchone() == (0,), "the next pool writes down that they have ended"
    assert document(repository)["stats"]["total_spawned_today"] == 4


def _plain(code: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in code.splitlines())


@pytest.mark.race
def test_the_file_is_whole_whenever_its_writer_is_killed(repository: Repository) -> None:
    for turn in range(6):
        writer = python("import sys; sys.path.insert(0, sys.argv[3])\n" + _plain(OTHER_POOL),
                        str(repository.folder), "busy", str(Path(__file__).parent))  # fmt: skip
        assert writer.stdout is not None
        for _ in range(3 + turn * 7):
            assert writer.stdout.readline() == "there\n", writer.communicate()
            document(repository)
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
        assert set(document(repository)) == {"active_workers", "stats"}
    assert named(repository) == []
    records = PoolRecords(repository)
    records.observe(snapshot())
    assert document(repository)["active_workers"] == []
    records.close()
    assert git(repository.folder, "status", "--porcelain") == ""


def test_samples_say_how_busy_the_time_between_them_was(repository: Repository) -> None:
    records = PoolRecords(repository)
    records.observe(snapshot(worker(task="t-1"), worker("worker-pool-002", pid=4243)))
    time.sleep(0.02)
    records.observe(snapshot(queue=7, completed=3, failed=1, tokens_used=50, target=2))
    time.sleep(0.02)
    records.close()
    rows = repository.state.execute(
        "SELECT live, busy, peak, queue, target, completed, failed, tokens_used FROM samples ORDER BY id"
    ).fetchall()
    assert [row[:3] for row in rows] == [
        (pytest.approx(2.0), pytest.approx(1.0), 1),
        (pytest.approx(0.0), pytest.approx(0.0), 0),
    ]
    assert rows[0][3:] == (7, 2, 3, 1, 50)


def test_what_is_old_is_forgotten(repository: Repository) -> None:
    PoolRecords(repository).observe(snapshot(worker()))
    with state.transaction(repository.state) as connection:
        for at in ("2020-01-01T00:00:00.000Z", now()):
            connection.execute(
                "INSERT INTO samples (at, interval_s, boot, pool, pool_started, live, busy, peak, queue,"
                " target, rss_mib, completed, failed, tokens_used)"
                " VALUES (?, 5, 'b', 1, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0)",
                (at,),
            )
            connection.execute(
                "INSERT INTO workers VALUES ('b', 1, 1.0, 'pool', 'w', '', 1, ?, ?, 'idle', NULL, NULL, 0)",
                (at, at),
            )
    PoolRecords(repository).observe(snapshot())
    for table, column in (("samples", "at"), ("workers", "ended_at")):
        oldest = repository.state.execute(f"SELECT min({column}) FROM {table}").fetchone()[0]
        assert oldest > "2021", table


def test_nothing_new_costs_next_to_nothing(tmp_path: Path) -> None:
    """A small part of what a look costs that is written down: no disk, no git."""
    new_coordination(tmp_path / "here")
    repository = open_repository(tmp_path / "here")
    records = PoolRecords(repository)
    seen = snapshot(*(worker(f"worker-pool-{n:03d}", pid=n) for n in range(64)))
    began = time.perf_counter()
    records.observe(seen)
    written = time.perf_counter() - began
    quiet = []
    for _ in range(20):
        began = time.perf_counter()
        records.observe(seen)
        quiet.append(time.perf_counter() - began)
    assert sorted(quiet)[10] < written / 5


def test_a_database_of_the_version_before_gets_the_tables(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    state.connect(path).close()
    with sqlite3.connect(path) as old:
        for table in ("workers", "samples", "outcomes"):
            old.execute(f"DROP TABLE {table}")
        old.execute("INSERT INTO own VALUES ('kept', 'yes')")
        old.execute("PRAGMA user_version = 1")
    upgraded = state.connect(path)
    assert upgraded.execute("PRAGMA user_version").fetchone() == (state.VERSION,)
    assert upgraded.execute("SELECT value FROM own WHERE key = 'kept'").fetchone() == ("yes",)
    for table in ("workers", "samples", "outcomes"):
        assert upgraded.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_a_real_batch_leaves_its_records(tmp_path: Path, bare: Path) -> None:
    new_coordination(tmp_path / "here", bare)
    coordination = Coordination.open(tmp_path / "here")
    add_tasks(coordination, 4, type="analysis-worker", runner="sleep", context={"seconds": 1.0})
    done = cortex("spawn-workers", "--type", "analysis-worker", "--count", "2", cwd=tmp_path / "here")
    assert done.returncode == 0, done.stderr
    repository = coordination.repository
    until(lambda: (repository.folder / FILE).exists(), 5)
    assert document(repository)["active_workers"] == []
    stats = document(repository)["stats"]
    assert (stats["total_spawned_today"], stats["total_completed_today"], stats["success_rate"]) == (
        2,
        4,
        1.0,
    )
    live, busy = repository.state.execute("SELECT max(live), max(busy) FROM samples").fetchone()
    assert 0 < busy <= live <= 2
    assert git(repository.folder, "status", "--porcelain") == ""
