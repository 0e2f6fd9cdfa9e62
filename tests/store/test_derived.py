"""What the state file keeps beside its index is at any time what going through all of it would find."""

import random
import sqlite3
from pathlib import Path

import pytest
from gitworld import add_tasks, claim_all, finish

from cortex_git import state
from cortex_git.models import Task
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.open_tasks import count_ready, open_tasks
from cortex_git.store.outcomes import outcomes

OPEN = """
    SELECT t.task, t.batch, t.type, t.rank, (SELECT count(*) FROM waits w WHERE w.task = t.task
        AND NOT EXISTS (SELECT 1 FROM results r WHERE r.task = w.needs))
    FROM tasks t WHERE NOT EXISTS (SELECT 1 FROM results r WHERE r.task = t.task) ORDER BY t.task"""
UNREAD = """
    SELECT r.task FROM results r WHERE NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.task = r.task)
    ORDER BY r.task"""
TOTALS = "SELECT status, host, count(*), sum(tokens_used) FROM outcomes GROUP BY status, host ORDER BY 1, 2"
VERSION_4 = Path(__file__).parents[1] / "fixtures" / "state-4.sql"


def assert_as_counted(connection: sqlite3.Connection) -> None:
    kept = "SELECT task, batch, type, rank, unmet FROM open_tasks ORDER BY task"
    assert connection.execute(kept).fetchall() == connection.execute(OPEN).fetchall()
    assert connection.execute("SELECT task FROM unread").fetchall() == connection.execute(UNREAD).fetchall()
    kept = "SELECT * FROM totals WHERE results ORDER BY status, host"
    assert connection.execute(kept).fetchall() == connection.execute(TOTALS).fetchall()


def step(connection: sqlite3.Connection, chance: random.Random) -> None:
    """One of the things that the index does, in any order and again and again."""
    name, other = (f"t{chance.randrange(12)}" for _ in range(2))
    kind = chance.choice(["task", "waits", "result", "outcome", "archive", "forget"])
    if kind == "task":
        row = (name, "b", chance.randrange(4), "scan-worker", state.now(), name, b"", "0")
        connection.execute("INSERT OR REPLACE INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    elif kind == "waits":
        if chance.random() < 0.3:
            connection.execute("DELETE FROM waits WHERE task = ?", (name,))
        connection.execute("INSERT OR IGNORE INTO waits VALUES (?, ?)", (name, other))
    elif kind == "result":
        connection.execute("INSERT OR IGNORE INTO results VALUES (?, 'b', 'p', '0')", (name,))
    elif kind == "outcome":
        if connection.execute("SELECT 1 FROM results WHERE task = ?", (name,)).fetchone():
            connection.execute("DELETE FROM outcomes WHERE task = ?", (name,))
            row = (name, "0", chance.choice(["completed", "failed"]), "w", f"h{chance.randrange(2)}", "", 7)
            connection.execute(f"INSERT INTO outcomes VALUES ({'?,' * 7} '', '', 0, 0, 0, 0, 0)", row)
    elif kind == "forget":
        connection.execute("DELETE FROM outcomes WHERE task = ?", (name,))
    else:
        connection.execute("INSERT OR IGNORE INTO results VALUES (?, 'b', 'p', '0')", (name,))
        connection.execute("DELETE FROM tasks WHERE task = ?", (name,))
        connection.execute("DELETE FROM waits WHERE task = ?", (name,))


@pytest.mark.parametrize("seed", range(20))
def test_kept_through_whatever_is_entered(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    connection = state.connect(tmp_path / "state.db")
    for _ in range(120):
        step(connection, chance)
        assert_as_counted(connection)


def test_an_older_file_is_brought_up_to_date_with_its_outbox(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as old:
        old.executescript(VERSION_4.read_text())
        old.execute("PRAGMA user_version = 4")
        entry = ("n1", "t1", "c1", "feat: t1", '{"coordination/results/b/t1.json": "{}"}', "queued")
        old.execute(
            "INSERT INTO outbox (nonce, task, claim, message, files, state) VALUES (?,?,?,?,?,?)", entry
        )
        old.execute("INSERT INTO intents (tip, host, entries) VALUES ('tip', 'h', '[\"n1\"]')")
        old.execute("INSERT INTO own VALUES ('tip h', 'abc')")
        old.execute("INSERT INTO results VALUES ('t0', 'b', 'coordination/results/b/t0.json', 'o')")
        old.execute("INSERT INTO indexed VALUES ('trunk/0', 'abc')")
    old.close()
    new = state.connect(path)
    found = new.execute("SELECT nonce, task, claim, message, files, state FROM outbox").fetchall()
    assert found == [entry]
    assert new.execute("SELECT tip, state FROM intents").fetchall() == [("tip", "open")]
    assert new.execute("SELECT value FROM own WHERE key = 'tip h'").fetchone() == ("abc",)
    assert new.execute("SELECT count(*) FROM indexed").fetchone() == (0,)  # read anew from git
    assert new.execute("SELECT task FROM unread").fetchall() == [("t0",)]
    assert_as_counted(new)
    assert new.execute("PRAGMA user_version").fetchone() == (state.VERSION,)


def test_an_older_clone_knows_everything_after_its_next_pull(coordination: Coordination) -> None:
    add_tasks(coordination, 6)
    finish(coordination, claim_all(coordination, 2))
    connection = coordination.repository.state
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
    for name in names:
        connection.execute(f"DROP TRIGGER {name}")
    for table in ("open_tasks", "unread", "totals"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("PRAGMA user_version = 4")
    again = Coordination.open(coordination.repository.folder)
    again.pull()
    assert_as_counted(again.repository.state)
    assert len(open_tasks(again.repository, Scope(), 10)) == 4 == count_ready(again.repository, Scope())
    assert outcomes(again.repository, 5).by_status == {"completed": 2}
    assert_as_counted(again.repository.state)


def test_the_next_task_is_found_without_going_through_all(coordination: Coordination) -> None:
    """By SQLite's own account: an index gives the order, and nothing is sorted."""
    connection = coordination.repository.state
    for scope in (Scope(), Scope(batch="b"), Scope(type="scan-worker")):
        condition, values = scope.where
        plan = connection.execute(
            f"EXPLAIN QUERY PLAN SELECT t.task FROM open_tasks t WHERE {condition} AND t.unmet = 0"
            " ORDER BY t.due, t.created_at, t.task",
            values,
        ).fetchall()
        text = " ".join(row[3] for row in plan)
        assert "TEMP B-TREE" not in text, text


def test_the_most_urgent_are_found_beyond_those_that_are_taken(coordination: Coordination) -> None:
    """With more taken, and more merges that are not ripe, than are looked at together."""
    connection = coordination.repository.state
    task = Task(task="last", batch="b", title="t", created_at=state.now())
    rows = [(f"b{n}.merge", f"b{n}", 0, "scan-worker", "2020-01-01", f"p{n}", b"", "0") for n in range(2500)]
    rows += [(f"taken{n}", "b", 1, "scan-worker", "2020-01-01", f"q{n}", b"", "0") for n in range(3000)]
    rows += [("last", "b", 3, "scan-worker", task.created_at, "p", task.to_bytes(), "0")]
    connection.executemany("INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    taken = [f"taken{n}" for n in range(3000)]
    assert [one.task for one in open_tasks(coordination.repository, Scope(), 1, skip=taken)] == ["last"]
