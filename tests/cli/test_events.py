"""`--log-format json`: what is on stderr, one JSON object a line, and that stdout does not change."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from command_line import Command
from gitworld import CHECKOUT, python, start_cortex

from cortex_git.cli.events import LogFormat, choose, tell
from cortex_git.models import Result
from cortex_git.workers import events
from cortex_git.workers.events import Event, EventName

SCHEMA = json.loads((CHECKOUT / "docs/schemas/event-1.json").read_text())
PAGE = (CHECKOUT / "docs/events.md").read_text(encoding="utf-8")
RESULT = Result(
    task="t", batch="b", status="failed", worker="w", host="h", nonce="n" * 8, error="it broke", spawn_s=0.1
)
SAMPLES = [
    events.note("told"),
    events.error("error: it broke", 3, traceback=None),
    events.batch_started("2 tasks", 2, 1, "b"),
    events.batch_finished(1, 1, 0.5),
    events.task_started("t", "w", None),
    events.task_finished(RESULT),
    events.pool_scaled(5, 10, 12, ["a queue of 12"]),
    events.worker_started("w", "", 17),
    events.worker_recycled("w", "its memory is above 500 MiB", 9, 501.24),
    events.worker_died("w", None, "died (status -9)"),
    events.alert("40 tasks wait", 40, 20),
    events.budget_level("warn", "total", 820, 1000),
]


@pytest.fixture
def lines(conforms: Callable[[Any, str], None]) -> Callable[[str], list[dict[str, Any]]]:
    """The events on stderr; each line must be one, of the published form."""

    def parse(err: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in err.splitlines()]
        for event in found:
            conforms(event, "event")
        return found

    return parse


@pytest.fixture
def json_format() -> Iterator[None]:
    choose(LogFormat.JSON)
    yield
    choose(LogFormat.TEXT)


def named(found: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [event for event in found if event["event"] in names]


# The form of a line


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.name)
@pytest.mark.usefixtures("json_format")
def test_every_event_is_as_the_schema_and_the_page_say(
    event: Event, capsys: pytest.CaptureFixture[str], lines: Callable[[str], list[dict[str, Any]]]
) -> None:
    tell(event)
    (line,) = lines(capsys.readouterr().err)
    (row,) = re.findall(rf"^\| `{event.name}` \|.*\|(.*)\|$", PAGE, re.MULTILINE)
    rule = [rule["then"]["required"] for rule in SCHEMA["allOf"] if _about(rule) == event.name]
    fields = line.keys() - set(SCHEMA["required"])
    assert fields == {name for names in rule for name in names}
    assert all(f"`{name}`" in row for name in fields), row
    assert line["text"] == event.text


def _about(rule: dict[str, Any]) -> str:
    return str(rule["if"]["properties"]["event"]["const"])


def test_no_event_is_left_out() -> None:
    names = set(get_args(EventName))
    assert names == {event.name for event in SAMPLES} == set(SCHEMA["properties"]["event"]["enum"])
    section = PAGE.partition("\n## Events\n")[2].partition("\n## ")[0]
    assert names == set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


@pytest.mark.usefixtures("json_format")
def test_no_text_can_make_a_line_of_its_own_or_a_command_to_ci(
    capsys: pytest.CaptureFixture[str], lines: Callable[[str], list[dict[str, Any]]]
) -> None:
    text = '##vso[task.complete]\n{"event": "error"}\r\x1b[2J\u2028\u202e ☃ \udc80 ###'
    tell(events.note(text))
    err = capsys.readouterr().err
    assert err.isascii()
    assert "##" not in err
    (line,) = lines(err)
    assert line["text"] == text


@pytest.mark.usefixtures("json_format")
def test_lines_of_many_threads_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    def talk(name: str) -> None:
        for number in range(200):
            tell(events.note(f"{name} {number} {'x' * 300}"))

    threads = [threading.Thread(target=talk, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [json.loads(line)["text"] for line in capsys.readouterr().err.splitlines()]
    assert len(set(told)) == len(told) == 1600


@pytest.mark.parametrize("form", LogFormat)
def test_a_signal_in_the_midst_of_a_line_neither_waits_nor_breaks_it(form: str) -> None:
    """Its handler tells something too, in the thread whose line it interrupts."""
    running = python(
        """
        import signal, sys, threading
        from cortex_git.cli.events import LogFormat, choose, tell
        from cortex_git.workers.events import note
        choose(LogFormat(sys.argv[1]))
        signal.signal(signal.SIGUSR1, lambda number, frame: tell(note("handler")))
        print("ready", flush=True)
        for number in range(3000):
            tell(note("line" + "." * 200))
        """,
        form,
    )
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.readline()
    for _ in range(50):
        running.send_signal(signal.SIGUSR1)
        running.stderr.readline()
    rest = running.stderr.read()
    assert running.wait(timeout=60) == 0
    words = [json.loads(line)["text"] if form == "json" else line for line in rest.splitlines()]
    assert set(words) <= {"handler", "line" + "." * 200}


def test_as_text_only_what_is_for_people_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    for event in SAMPLES:
        tell(event)
    assert capsys.readouterr().err.splitlines() == [event.text for event in SAMPLES if event.for_people]


# Commands


def test_a_batch_tells_each_start_and_each_end(
    cortex: Command, coordinated: Path, lines: Callable[[str], list[dict[str, Any]]]
) -> None:
    add_echoes(cortex, 3)
    done = cortex("spawn-workers", "-n", "2", "--log-format", "json", "--format", "json")
    found = lines(done.err)
    assert (done.code, done.json()["completed"]) == (0, 3)
    assert [event["event"] for event in (found[0], found[-1])] == ["batch_started", "batch_finished"]
    for name in ("task_started", "task_finished"):
        assert sorted(event["task"] for event in named(found, name)) == ["t0", "t1", "t2"]
    for event in named(found, "task_finished"):
        start = next(e for e in named(found, "task_started") if e["task"] == event["task"])
        assert found.index(start) < found.index(event)
        assert (event["worker"], event["status"], event["level"]) == (start["worker"], "completed", "info")
    assert {key: found[-1][key] for key in ("completed", "failed")} == {"completed": 3, "failed": 0}


def test_standard_output_is_the_same_in_both_formats(cortex: Command, coordinated: Path) -> None:
    shown = []
    for form in ("text", "json"):
        add_echoes(cortex, 1, form)
        shown.append(cortex("spawn-workers", "-n", "1", "--log-format", form).out)
    text, as_json = (re.sub(r"[\d.]+ (s|ms)", r"N \1", out) for out in shown)
    assert text == as_json != ""


def test_a_scan_names_its_repositories_and_its_batch(
    cortex: Command, here: Path, checkout: Callable[..., Path], lines: Callable[[str], list[dict[str, Any]]]
) -> None:
    good = checkout("good")
    done = cortex("--log-format", "json", "multi-repo-scan", good, here / "missing", "--format", "json")
    found = lines(done.err)
    assert done.json()["repositories_failed"] == 1
    (begin,) = named(found, "batch_started")
    assert (begin["tasks"], begin["batch"]) == (2, done.json()["batch"])
    assert {str(good), str(here / "missing")} <= {e["repo"] for e in named(found, "task_started")}


def test_a_failed_task_is_a_warning_with_its_reason(
    cortex: Command,
    coordinated: Path,
    commands: Callable[..., None],
    lines: Callable[[str], list[dict[str, Any]]],
) -> None:
    commands(bad="echo no such luck; exit 5")
    arguments = ("-i", "t", "--runner", "command", "--context", '{"command": "bad"}')
    (coordinated / "coordination/config.toml").open("a").write("[leases]\nretry_base_s = 0.01\n")
    done = cortex("task", "add", "--title", "t", "--id", "t", *arguments[2:])
    done = cortex("spawn-workers", "-n", "1", "--log-format", "json")
    found = lines(done.err)
    (end,) = named(found, "task_finished")
    assert (done.code, end["status"], end["level"], end["attempt"]) == (1, "failed", "warning", 3)
    assert "5" in end["error"]
    assert len(named(found, "task_started")) == 3
    assert len([e for e in named(found, "note") if "attempt" in e["text"]]) == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--log-format", "json", "spawn-workers"), 3),
        (("spawn-workers", "--log-format", "json"), 3),
        (("--log-format", "json", "task", "show", "nosuch", "more"), 2),
        (("--log-format=json", "spawn-workers", "--nosuch"), 2),
        (("--log-format", "json", "nosuch"), 2),
        (("--log-format", "json", "activation", "--queue", "-1"), 2),
    ],
)
def test_an_error_is_a_line_too(
    arguments: tuple[str, ...],
    code: int,
    cortex: Command,
    here: Path,
    lines: Callable[[str], list[dict[str, Any]]],
) -> None:
    done = cortex(*arguments)
    (line,) = lines(done.err)
    assert (done.code, line["event"], line["level"], line["exit_code"]) == (code, "error", "error", code)
    assert (done.out, line["traceback"]) == ("", None)


def test_a_traceback_stays_within_the_line(
    cortex: Command, here: Path, lines: Callable[[str], list[dict[str, Any]]]
) -> None:
    (line,) = lines(cortex("--debug", "--log-format", "json", "spawn-workers").err)
    assert line["traceback"].startswith("Traceback")
    assert "EnvironmentProblem" in line["traceback"]


def test_the_option_nearest_to_the_command_wins_and_none_outlives_it(cortex: Command, here: Path) -> None:
    assert cortex("--log-format", "json", "spawn-workers", "--log-format", "text").err.startswith("error: ")
    assert cortex("--log-format", "text", "spawn-workers", "--log-format", "json").err.startswith("{")
    assert cortex("spawn-workers").err.startswith("error: ")
    assert "xml" in cortex("--log-format", "xml", "spawn-workers").err


def test_nothing_is_drawn_on_a_terminal(
    cortex: Command, coordinated: Path, lines: Callable[[str], list[dict[str, Any]]]
) -> None:
    """A real one, where without the option there is a bar."""
    add_echoes(cortex, 2)
    drawn = on_a_terminal(coordinated, "spawn-workers", "-n", "1")
    assert "\x1b[" in drawn
    add_echoes(cortex, 2, "again")
    told = on_a_terminal(coordinated, "spawn-workers", "-n", "1", "--log-format", "json")
    assert "\x1b" not in told
    assert len(named(lines(told), "task_finished")) == 2


def test_an_interrupt_is_told_and_what_ran_is_finished(
    cortex: Command, coordinated: Path, lines: Callable[[str], list[dict[str, Any]]]
) -> None:
    for number in range(3):
        name = f"t{number}"
        cortex("task", "add", "--title", name, "--id", name, "--runner", "sleep", "--context", "seconds=1")
    running = start_cortex("spawn-workers", "-n", "1", "--log-format", "json", cwd=coordinated)
    assert running.stderr is not None
    head = [running.stderr.readline(), running.stderr.readline()]
    assert "task_started" in head[1]
    running.send_signal(signal.SIGINT)
    rest = running.stderr.read()
    running.wait(timeout=60)
    found = lines("".join(head) + rest)
    assert running.returncode == 130
    assert len(named(found, "task_finished")) == 1
    assert any("SIGINT" in event["text"] for event in named(found, "note"))


def add_echoes(cortex: Command, count: int, name: str = "t") -> None:
    for number in range(count):
        title = f"{name}{number}"
        assert cortex("task", "add", "--title", title, "--id", title, "--runner", "echo").code == 0


def on_a_terminal(folder: Path, *arguments: str) -> str:
    """What a command writes on stderr when that is a terminal."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "cortex_git", *arguments],
        cwd=folder,
        env={**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    told = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # Linux's end of a terminal that nobody holds any more
            break
        if not part:
            break
        told += part
    os.close(ours)
    assert running.wait(timeout=60) == 0
    return told.decode().replace("\r\n", "\n")
