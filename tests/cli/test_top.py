"""`top`: what is on the screen, at 80×24 and 120×40, and what its keys do to a pool that really runs."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from gitworld import add_tasks, cortex
from poolworld import plug_in, pool, until, with_path
from screenworld import screen_lines, until_shown, watch
from textual.pilot import Pilot

from cortex_git.services.pool_client import pool_status
from cortex_git.store.coordination import Coordination
from cortex_git.store.results import read_results

SIZES = [(80, 24), (120, 40)]
HINTS = "↑↓ select   c cancel task   r retry a failed task   d drain   l log   q quit"
LONG = "check-every-lockfile-of-the-payments-team-and-of-all-who-depend-on-it-2026-11"
"""A batch whose task ids are wider than their column."""

COLOUR = re.compile(rb"\x1b\[(?:\d+;)*(?:[34][0-8]|9[0-7]|10[0-7])[;m]")
"""A terminal's code that sets a colour (39 and 49, its own colours, set none)."""

LOUD = """
import sys, time

def preload():
    pass

def run(task, context):
    print(task["task"], "on stdout", flush=True)
    print("on stderr", file=sys.stderr, flush=True)
    time.sleep(600)
"""


def busy(folder: Path, count: int) -> None:
    until(
        lambda: (
            sum(w["status"] == "busy" for w in (pool_status(folder) or {"workers": []})["workers"]) == count
        )
    )


def result_of(folder: Path, task: str) -> str | None:
    """The status that another clone would see."""
    coordination = Coordination.open(folder)
    coordination.pull()
    found = read_results(coordination.repository, [task])
    return found[0].status if found else None


def unfolded(text: str) -> str:
    """The screen without its columns and line ends: what was folded is in one piece again."""
    return "".join(text.split())


@pytest.mark.parametrize("size", SIZES)
def test_everything_is_there_and_nothing_is_cut(host: Path, bare: Path, size: tuple[int, int]) -> None:
    add_tasks(Coordination.open(host), 2, LONG, runner="sleep", context={"seconds": 600})
    width, height = size

    async def look(pilot: "Pilot[None]") -> None:
        text = await until_shown(
            pilot,
            lambda text: text.count(" busy ") >= 3 and "Tokens/min" in text and "worker-pool-003" in text,
        )
        lines = screen_lines(pilot.app)
        assert len(lines) == height
        assert max(map(len, lines)) <= width
        for title in ("─Queue and results", "─Workers─", "─Log of worker-pool-001─"):
            assert title in text
        assert unfolded(f"cortex-git top: {host}") in unfolded(text)
        assert f"Pool {found['pid']}: 3 workers, target 3 (3–3), policy fixed, least-loaded" in text
        assert "Queue 2   busy 2   completed 0   failed 0   to be published 0" in text
        assert "Results/min" in text
        assert "Tokens/min" in text
        for number in (1, 2, 3):
            assert f" worker-pool-00{number} " in text
        assert HINTS in text
        assert "…" not in text
        for number in (0, 1):
            assert task_column(lines, f"{LONG}-t00{number}")

    with pool(host, "--workers", "3"):
        busy(host, 2)
        found = pool_status(host)
        assert found is not None
        watch(host, size, look)


def task_column(lines: list[str], task: str) -> bool:
    """Whether the id can be read in the last column of the workers panel, over one or more lines."""
    head = next(line for line in lines if line.lstrip().startswith("Worker "))
    start = head.index("Task")
    return task in "".join(line[start:].rstrip("▁▂▃▄▅▆▇█ ") for line in lines)


def test_without_a_pool_it_says_so_and_keeps_looking(host: Path) -> None:
    async def look(pilot: "Pilot[None]") -> None:
        text = await until_shown(pilot, lambda text: "No pool runs here" in text)
        assert "start one with `cortex-git pool start --detach`" in text
        assert HINTS in text
        await pilot.press("d", "y")
        await until_shown(pilot, lambda text: text.count("No pool runs here") == 2)
        with pool(host, "--workers", "1"):
            await until_shown(pilot, lambda text: "1 worker, target 1" in text)
        await until_shown(pilot, lambda text: "No pool runs here: start" in text)

    watch(host, (80, 24), look)


def test_drain_asks_first_and_then_drains(host: Path) -> None:
    add_tasks(Coordination.open(host), 1, runner="sleep", context={"seconds": 2})

    async def look(pilot: "Pilot[None]") -> None:
        await until_shown(pilot, lambda text: " busy " in text)
        await pilot.press("d")
        await until_shown(pilot, lambda text: "finish 1 tasks, then end? (y/n)" in text)
        await pilot.press("n")
        await until_shown(pilot, lambda text: "Nothing was done" in text)
        status = pool_status(host)
        assert status is not None
        assert not status["draining"]
        await pilot.press("d", "y")
        await until_shown(pilot, lambda text: "No pool runs here: start" in text)

    with pool(host, "--workers", "2") as process:
        busy(host, 1)
        watch(host, (80, 24), look)
        assert process.wait(timeout=60) == 0
    assert result_of(host, "b1-t000") == "completed"


def test_the_second_drain_ends_the_pool_at_once(host: Path) -> None:
    add_tasks(Coordination.open(host), 1, runner="sleep", context={"seconds": 600})

    async def look(pilot: "Pilot[None]") -> None:
        await until_shown(pilot, lambda text: " busy " in text)
        await pilot.press("d", "y")
        await until_shown(pilot, lambda text: ", draining: " in text)
        await pilot.press("d")
        await until_shown(pilot, lambda text: "drains already. End it" in text)
        await pilot.press("y")
        await until_shown(pilot, lambda text: "No pool runs here: start" in text)

    with pool(host, "--workers", "1") as process:
        busy(host, 1)
        watch(host, (80, 24), look)
        process.wait(timeout=60)
    assert result_of(host, "b1-t000") is None


def test_cancel_ends_the_task_of_the_selected_worker(clones: Callable[[int], list[Path]]) -> None:
    here, there = clones(2)
    add_tasks(Coordination.open(here), 2, runner="sleep", context={"seconds": 600})
    asked: list[str] = []

    async def look(pilot: "Pilot[None]") -> None:
        await until_shown(pilot, lambda text: text.count(" busy ") >= 3)
        await pilot.press("down")
        await until_shown(pilot, lambda text: "Log of worker-pool-002" in text)
        await pilot.press("c")
        text = await until_shown(pilot, lambda text: "of worker-pool-002? (y/n)" in text)
        asked.append(text.partition("Cancel task ")[2].split()[0])
        await pilot.press("y")
        await until_shown(pilot, lambda text: f"Task {asked[0]} is cancelled" in text)

    with pool(here, "--workers", "2"):
        busy(here, 2)
        watch(here, (80, 24), look)
        assert result_of(there, asked[0]) == "cancelled"
    others = {"b1-t000", "b1-t001"} - {asked[0]}
    assert [result_of(there, task) for task in others] == [None]


def test_retry_lists_what_failed_and_does_it_again(host: Path) -> None:
    coordination = Coordination.open(host)
    add_tasks(coordination, 2, LONG, runner="sleep", context={"seconds": "no number"}, max_attempts=1)
    with pool(host, "--workers", "2"):
        until(lambda: result_of(host, f"{LONG}-t001") and result_of(host, f"{LONG}-t000"))

    async def look(pilot: "Pilot[None]") -> None:
        await until_shown(pilot, lambda text: "No pool runs here" in text)
        await pilot.press("r")
        text = await until_shown(pilot, lambda text: "Failed tasks (2, newest first)" in text)
        assert max(map(len, screen_lines(pilot.app))) <= 80
        assert f"{LONG}-t000" in unfolded(text)
        assert "context.seconds is not a number" in " ".join(text.split())
        assert "↑↓ select   enter retry it   esc back" in text
        chosen = unfolded(text.partition("\n> ")[2])[: len(LONG) + len("-t000")]
        await pilot.resize_terminal(120, 40)
        wide = await until_shown(pilot, lambda text: f"> {chosen}\n" in text)
        assert "context.seconds is not a number\n" in wide
        assert "esc back" in wide
        await pilot.resize_terminal(80, 24)
        await pilot.press("enter")
        text = await until_shown(pilot, lambda text: "(y/n)" in text)
        assert unfolded(f"Do task {chosen} again, as a new task? (y/n)") in unfolded(text)
        await pilot.press("y")
        done = unfolded(f"Task {chosen} is done again as {chosen}-r1")
        await until_shown(pilot, lambda text: done in unfolded(text))
        await pilot.press("r")
        await until_shown(pilot, lambda text: "Failed tasks (1, newest first)" in text)
        await pilot.press("d", "y", "escape")  # what cannot be seen is not asked
        text = await until_shown(pilot, lambda text: HINTS in text)
        assert "No pool runs here\n" not in text

    watch(host, (80, 24), look)


def test_what_was_agreed_to_is_done_though_top_is_left(clones: Callable[[int], list[Path]]) -> None:
    here, there = clones(2)
    add_tasks(Coordination.open(here), 1, runner="sleep", context={"seconds": 600})

    async def look(pilot: "Pilot[None]") -> None:
        await until_shown(pilot, lambda text: " busy " in text)
        await pilot.press("c", "y", "q")

    with pool(here, "--workers", "1"):
        busy(here, 1)
        watch(here, (80, 24), look)
        assert result_of(there, "b1-t000") == "cancelled"


def test_nothing_failed(host: Path) -> None:
    async def look(pilot: "Pilot[None]") -> None:
        await pilot.press("r")
        await until_shown(pilot, lambda text: "No failed task waits to be retried" in text)

    watch(host, (80, 24), look)


def test_what_a_worker_prints_is_in_its_log(
    host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_in(tmp_path, "loud", LOUD)
    monkeypatch.setenv("PYTHONPATH", with_path(tmp_path))
    add_tasks(Coordination.open(host), 1, runner="loud")

    async def look(pilot: "Pilot[None]") -> None:
        text = await until_shown(pilot, lambda text: "on stderr" in text)
        assert "\nb1-t000 on stdout\n" in text

    with pool(host, "--workers", "1"):
        busy(host, 1)
        watch(host, (80, 24), look)


def test_the_log_of_the_selected_worker_is_followed(host: Path) -> None:
    """What another process adds to the file, which may also be cut."""
    log = host / ".git/cortex/logs/worker-pool-001.log"

    async def look(pilot: "Pilot[None]") -> None:
        await until_shown(pilot, lambda text: "Log of worker-pool-001" in text)
        with log.open("a") as file:
            file.write("first line\nwith \x1b[31mcolour\x1b]0;title\x07\n")
        text = await until_shown(pilot, lambda text: "first line" in text)
        assert "with \\x1b[31mcolour\\x1b]0;title\\x07" in text
        with log.open("a") as file:
            file.writelines(f"line {number}\n" for number in range(40))
        text = await until_shown(pilot, lambda text: "line 39" in text)
        assert "first line" not in text
        few = text.count("\nline ")
        await pilot.press("l")
        text = await until_shown(pilot, lambda text: text.count("\nline ") > few)
        assert "worker-pool-001" in text
        os.truncate(log, 0)
        await until_shown(pilot, lambda text: "line 39" not in text and "Nothing was printed yet." in text)

    with pool(host, "--workers", "1"):
        watch(host, (80, 24), look)


def test_it_needs_textual(host: Path) -> None:
    """As if it were not installed: an interpreter in which it cannot be found."""
    script = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "textual":
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent())
from cortex_git.cli.main import main
sys.argv = ["cortex-git", "top"]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=host, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr == "error: `top` needs Textual: run `pip install 'cortex-git[top]'`\n"
    assert done.stdout == ""


def test_it_needs_a_terminal_and_a_repository(host: Path, tmp_path: Path) -> None:
    done = cortex("top", cwd=host)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: `top` needs a terminal: run `cortex-git status`")
    assert done.stderr.count("\n") == 1
    nowhere = cortex("top", cwd=tmp_path)
    assert (nowhere.returncode, nowhere.stderr.count("\n")) == (3, 1)
    assert "no coordination repository here" in nowhere.stderr


@pytest.mark.parametrize(("colour", "key"), [(True, b"q"), (False, b"\x03")])
def test_in_a_real_terminal_until_it_is_left(host: Path, colour: bool, key: bytes) -> None:
    """As over ssh: nothing but a terminal's two ends; without colour not one colour code is written."""
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    if not colour:
        environment["NO_COLOR"] = "1"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cortex_git", "top"],
        cwd=host, env=environment, stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    try:
        written = read_until(ours, b"No pool runs here")
        os.write(ours, key)
        written += read_until(ours, None)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert b"q quit" in written
    assert bool(COLOUR.search(written)) is colour


def read_until(terminal: int, words: bytes | None) -> bytes:
    """What a program writes to its terminal until it has written `words`, or has ended."""
    written = b""
    deadline = time.monotonic() + 60
    while words is None or words not in written:
        assert time.monotonic() < deadline, written
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                written += os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
    return written
