"""`status` as a person meets it: one screen of a real repository, whole at 80 by 24 and at 120 by 40."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gitworld import add_tasks, claim_all, finish, git
from poolworld import pool, until

from cortex_git.services.pool_client import pool_status
from cortex_git.store.coordination import Coordination
from cortex_git.store.heartbeat import Signs, beat
from cortex_git.store.index import Scope

LABELS = ("Host", "Queue", "Pool", "Budget", "24 hours", "Workers", "Claims", "Results", "Hosts")


def status(
    folder: Path, *arguments: str, columns: int = 80, lines: int = 24, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """The command in a terminal of this size, or rather without one: nothing else is known of it."""
    return subprocess.run(
        [sys.executable, "-m", "cortex_git", "status", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": str(columns), "LINES": str(lines), **environment},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.fixture
def two(clones: Callable[[int], list[Path]]) -> tuple[Coordination, Coordination]:
    """This host and another one: results and claims of both, long ids and short, and a heartbeat."""
    here, there = map(Coordination.open, clones(2))
    add_tasks(here, 4, "done", priority="high")
    finish(here, here.claim(Scope(batch="done"), 2, lambda _: "worker-scan-001"))
    finish(there, there.claim(Scope(batch="done"), 2, lambda _: "worker-scan-002"))
    add_tasks(here, 30, "b1", type="documentation-worker")
    add_tasks(there, 3, "a-batch-with-a-long-name-" + "x" * 60, priority="critical", type="fix-worker")
    here.claim(Scope(batch="b1"), 3, lambda _: "worker-documentation-001")
    there.claim(Scope(batch="b1"), 9, lambda _: "worker-documentation-002")
    beat(there.repository, Signs(7))
    return here, there


def assert_whole(out: str, columns: int, lines: int) -> None:
    """On one screen, prompt included, and each name either whole or not there at all."""
    shown = out.splitlines()
    assert len(shown) <= lines - 1, out
    assert max(map(len, shown)) <= columns, out
    assert [line[:10].strip() for line in shown if line[:10].strip()] == list(LABELS), out


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (120, 40)])
def test_one_screen(two: tuple[Coordination, Coordination], columns: int, lines: int) -> None:
    here, there = two
    done = status(here.repository.folder, columns=columns, lines=lines)
    assert (done.returncode, done.stderr) == (0, "")
    assert_whole(done.stdout, columns, lines)
    out = " ".join(done.stdout.split())
    assert f"Host {here.repository.host}, remote origin" in out
    assert "33 open, 12 of them claimed; 3 critical, 30 medium; 30 documentation-worker, 3 fix-worker" in out
    assert "Claims 12: 12 running" in out
    assert "Results 4: 4 completed" in out
    assert f"{there.repository.host} 7 workers seen" in out
    names = {task.task for task in (*_tasks(here, "b1"), *_tasks(here, "done"))}
    found = re.findall(r"(?:b1|done)-t\S*", done.stdout)
    assert found
    assert set(found) <= names  # none of them cut
    hidden = sum(int(number) for number in re.findall(r"… and (\d+) more", done.stdout))
    assert hidden + len(found) == 12 + 4


def _tasks(coordination: Coordination, batch: str) -> list[Any]:
    from cortex_git.store.tasks import listed

    return listed(coordination.repository, Scope(batch=batch))


def test_the_longest_ids_there_can_be_are_whole_though_on_several_lines(
    clones: Callable[[int], list[Path]],
) -> None:
    here = Coordination.open(clones(1)[0])
    name = "t" + "0123456789" * 9 + "-end"  # with its number 100 characters
    add_tasks(here, 2, name)
    names = [claim.task.task for claim in claim_all(here, 2, name)]
    assert len(names[0]) == 100
    for columns, lines in ((80, 24), (120, 40)):
        out = status(here.repository.folder, columns=columns, lines=lines).stdout
        assert_whole(out, columns, lines)
        together = re.sub(r"\n +", "", out)
        assert all(name in together for name in names), out


def test_as_json(two: tuple[Coordination, Coordination], conforms: Callable[[Any, str], None]) -> None:
    here, there = two
    done = status(here.repository.folder, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    conforms(found, "status")
    assert found["queue"]["open"] == sum(found["queue"]["by_priority"].values()) == 33
    assert found["queue"]["by_type"] == {"documentation-worker": 30, "fix-worker": 3}
    assert len(found["claims"]) == 12
    own = [claim for claim in found["claims"] if claim["host"] == here.repository.host]
    assert (len(own), {claim["exact"] for claim in own}) == (3, {True})
    others = [claim for claim in found["claims"] if claim["host"] == there.repository.host]
    assert {claim["exact"] for claim in others} == {False}
    assert found["results"]["by_status"] == {"completed": 4}
    assert {result["host"] for result in found["results"]["last"]} == {
        here.repository.host,
        there.repository.host,
    }
    assert [(host["host"], host["workers"], host["own"]) for host in found["hosts"]] == [
        (there.repository.host, 7, False)
    ]
    assert (found["pool"], found["problem"], found["alert"]) == (None, None, None)
    assert found["utilization"]["average_active"] is None


def test_tokens_of_results_are_added_up_once(clones: Callable[[int], list[Path]]) -> None:
    from gitworld import result_for

    here = Coordination.open(clones(1)[0])
    add_tasks(here, 3)
    for number, claim in enumerate(claim_all(here, 3)):
        here.record([(claim, result_for(here, claim, tokens_used=1000 + number), {})])
        here.flush()
        used = json.loads(status(here.repository.folder, "--format", "json").stdout)["budget"]["used"]
        assert used == sum(1000 + n for n in range(number + 1))
    assert "3,003 of 1,000,000 tokens used" in status(here.repository.folder).stdout


def test_without_the_remote_it_says_so_and_shows_what_is_known(
    two: tuple[Coordination, Coordination], bare: Path, conforms: Callable[[Any, str], None]
) -> None:
    here, _ = two
    status(here.repository.folder)
    shutil.move(bare, bare.with_name("gone"))
    done = status(here.repository.folder)
    assert done.returncode == 3
    assert done.stderr.startswith("the remote does not answer: ")
    assert "Offline   the remote does not answer; what follows was seen before" in done.stdout
    assert "33 open" in done.stdout
    assert len(done.stdout.splitlines()) <= 23
    document = status(here.repository.folder, "--format", "json")
    conforms(json.loads(document.stdout), "status")
    assert document.returncode == 3
    assert json.loads(document.stdout)["problem"]


def test_in_a_new_repository_without_a_remote(tmp_path: Path) -> None:
    from cortex_git.store.creation import create

    create(tmp_path / "alone", None)
    done = status(tmp_path / "alone")
    assert (done.returncode, done.stderr) == (0, "")
    assert_whole(done.stdout, 80, 24)
    assert "no remote" in done.stdout
    assert "Queue     empty" in done.stdout
    assert git(tmp_path / "alone", "status", "--porcelain") == ""


def test_what_others_wrote_cannot_reach_the_terminal(clones: Callable[[int], list[Path]]) -> None:
    here = Coordination.open(clones(1)[0])
    add_tasks(here, 1, type="\x1b[2Jevil\nHosts     none " + "x" * 5000)
    here.claim(Scope(), 1, lambda _: "\x1b]0;title\x07\u202e" + "w" * 3000)
    done = status(here.repository.folder)
    assert done.returncode == 0
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", done.stdout)
    assert_whole(done.stdout, 80, 24)


def test_with_a_pool(clones: Callable[[int], list[Path]], conforms: Callable[[Any, str], None]) -> None:
    here = Coordination.open(clones(1)[0])
    folder = here.repository.folder
    add_tasks(here, 40, runner="sleep", context={"seconds": 600})
    with pool(folder, "--workers", "3") as process:
        until(lambda: sum(w["status"] == "busy" for w in (pool_status(folder) or {})["workers"]) == 3)
        until(lambda: len(json.loads(status(folder, "--format", "json").stdout)["workers"]) == 3)
        found = json.loads(status(folder, "--format", "json").stdout)
        conforms(found, "status")
        until(lambda: "3: 3 busy" in status(folder).stdout)
        found = json.loads(status(folder, "--format", "json").stdout)
        assert found["pool"]["pid"] == process.pid == found["workers"][0]["pool"]
        assert found["budget"]["held"] == 3 * 8000
        running = {worker["task"]: worker["worker"] for worker in found["workers"]}
        started = {claim["task"]: claim["worker"] for claim in found["claims"] if claim["started"]}
        assert started == running
        for columns, lines in ((80, 24), (120, 40)):
            done = status(folder, columns=columns, lines=lines)
            assert done.returncode == 4  # 40 tasks are more than three workers are meant for
            shown = done.stdout.splitlines()
            assert len(shown) <= lines - 1
            assert max(map(len, shown)) <= columns
            assert "Alert     a queue of 40 is 13.3 times the maximum of 3 workers" in done.stdout
            assert all(f"worker-pool-{n:03d} busy b1-t0" in done.stdout for n in (1, 2, 3)), done.stdout
        process.kill()
        process.wait()
        after = status(folder)
        assert after.returncode == 0
        assert "Workers   none" in after.stdout
        assert json.loads((folder / "coordination/worker-pool.json").read_text())["active_workers"] == []


def test_colour_only_on_a_terminal_and_not_with_no_color(two: tuple[Coordination, Coordination]) -> None:
    folder = two[0].repository.folder
    assert "\x1b" not in status(folder).stdout
    assert "\x1b[" in status(folder, FORCE_COLOR="1").stdout
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", status(folder, FORCE_COLOR="1", NO_COLOR="1").stdout)
