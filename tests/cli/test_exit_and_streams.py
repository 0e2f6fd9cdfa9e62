"""What a shell sees: exit codes, stdout and stderr apart, closed pipes, other encodings, signals."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import Command
from gitworld import start_cortex

PROGRAM = f"{shlex.quote(sys.executable)} -m cortex_git"
LATIN = "Zoë \u2603 \U0001f600"


def shell(script: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a line of bash with `cortex` as the program; a failure anywhere in a pipe is its status."""
    return subprocess.run(
        ["bash", "-c", f'set -o pipefail; cortex() {{ {PROGRAM} "$@"; }}; {script}'],
        capture_output=True,
        env={**os.environ, **environment},
        check=False,
        timeout=60,
    )


@pytest.fixture
def titled(cortex: Command, coordinated: Path) -> Path:
    """A repository with a task whose title is beyond Latin-1."""
    cortex("task", "add", "--title", LATIN, "--id", "t", "--runner", "echo")
    return coordinated


def test_help_and_version(cortex: Command) -> None:
    assert cortex("--version").out.startswith("cortex-git ")
    assert "multi-repo-scan" in cortex("--help").out
    assert "--deadline" in cortex("spawn-worker", "-h").out


@pytest.mark.parametrize("group", [[], ["task"], ["results"], ["advisories"]])
def test_a_group_alone_shows_its_help(cortex: Command, group: list[str]) -> None:
    done = cortex(*group)
    assert done.code == 2
    assert "Usage: cortex-git" in done.out + done.err
    assert "error:" not in done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nosuch"], "cortex-git --help"),
        (["task", "nosuch"], "cortex-git task --help"),
        (["task", "add", "--nosuch"], "cortex-git task add --help"),
        (["task", "show", "a", "b"], "unexpected"),
        (["--nosuch"], "cortex-git --help"),
    ],
)
def test_wrong_usage_is_one_line_with_the_way_to_the_help(
    cortex: Command, here: Path, arguments: list[str], told: str
) -> None:
    done = cortex(*arguments)
    assert told in done.error(2)
    assert done.err.count("\n") == 1


def test_a_bug_is_one_line_and_a_traceback_only_with_debug(
    cortex: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("cortex_git.services.open_coordination", broken)
    assert "ZeroDivisionError: oops" in cortex("sync").error(70)
    shown = cortex("--debug", "sync")
    assert shown.code == 70
    assert "Traceback" in shown.err


def test_an_error_of_ours_has_its_traceback_with_debug(cortex: Command, here: Path) -> None:
    shown = cortex("--debug", "sync")
    assert shown.code == 3
    assert "Traceback" in shown.err
    assert shown.err.splitlines()[-1].startswith("error: no coordination repository")


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("cortex activation --queue 1", 0),
        ("cortex activation --queue -1", 2),
        ("cortex task list", 3),
        ("cortex nosuch", 2),
    ],
)
def test_exit_codes_of_real_processes(here: Path, script: str, code: int) -> None:
    assert shell(script).returncode == code


INTERRUPTED_AT = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == at:
            os.kill(os.getpid(), signal.SIGINT)
at = sys.argv.pop(1)
sys.meta_path.insert(0, Interrupting())
from cortex_git.__main__ import main
main()
"""


@pytest.mark.parametrize(
    "module",
    [
        "cortex_git.cli.leaving", "cortex_git.cli.main", "typer", "cortex_git.errors", "cortex_git.cli.tasks",
        "cortex_git.cli.bench_planning", "sqlite3", "cortex_git.store.coordination",
    ],
)  # fmt: skip
def test_ctrl_c_while_it_starts_is_no_page_of_imports(coordinated: Path, module: str) -> None:
    """Whichever import it hits, of the command line or of a command."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AT, module, "task", "list"],
        capture_output=True, cwd=coordinated, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_ctrl_c_that_was_ignored_stays_so(coordinated: Path) -> None:
    """As for a command in the background of a script."""
    code = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{INTERRUPTED_AT}"
    done = subprocess.run(
        [sys.executable, "-c", code, "typer", "task", "list"],
        capture_output=True, cwd=coordinated, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"no tasks\n")


def test_a_reader_that_leaves_changes_nothing(titled: Path) -> None:
    done = shell("cortex task list --format json | true; cortex spawn-worker -i t | head -c 1")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"w", b"")
    wrong = shell("cortex results show nope 2>&1 | true")
    assert (wrong.returncode, wrong.stderr) == (2, b"")


def test_a_reader_that_leaves_hides_no_finding(here: Path, checkout: object, cortex: Command) -> None:
    made = checkout("r1")  # type: ignore[operator]
    done = shell(f"cortex multi-repo-scan {made} --allow-incomplete --fail-on high | head -1")
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_closed_streams(titled: Path) -> None:
    assert shell("cortex task list >&-").returncode == 0
    done = shell("cortex task list --format json 2>&-")
    assert json.loads(done.stdout)["tasks"][0]["task"] == "t"
    assert shell("cortex nosuch 2>&-").returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("options", ["", "--format json"])
def test_a_full_disk_behind_standard_output_is_one_line(titled: Path, options: str) -> None:
    done = shell(f"cortex task list {options} >/dev/full")
    errors = [line for line in done.stderr.splitlines() if line]
    assert (done.returncode, b"Traceback" in done.stderr, len(errors)) == (3, False, 1)
    assert b"No space left on device" in errors[0]


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
)
def test_encodings_that_cannot_hold_the_text(titled: Path, environment: dict[str, str]) -> None:
    shown = shell("cortex task show t; cortex task list; cortex results list", **environment)
    assert (shown.returncode, b"Traceback" in shown.stderr) == (0, False)
    assert b"\\u2603" in shown.stdout
    machine = shell("cortex task show t --format json", **environment)
    assert json.loads(machine.stdout.decode())["task"]["title"] == LATIN


def test_arguments_that_are_no_text(coordinated: Path) -> None:
    done = shell("cortex task add --title $'a\\xff' --id x; cortex results show $'a\\xff'")
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert done.stderr.count(b"error: ") == 2


def test_no_colour_where_nobody_looks(titled: Path) -> None:
    for environment in ({"NO_COLOR": "1"}, {"TERM": "xterm-256color"}, {"FORCE_COLOR": "1", "NO_COLOR": "1"}):
        done = shell("cortex task list; cortex spawn-workers --dry-run", **environment)
        assert done.returncode == 0
        assert b"\x1b[3" not in done.stdout + done.stderr, environment


def test_no_colour_on_a_terminal_that_wants_none(titled: Path) -> None:
    import pty

    def seen(**environment: str) -> bytes:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "cortex_git", "task", "list"],
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color", **environment},
        )
        os.close(theirs)
        found = b""
        try:
            while part := os.read(ours, 4096):
                found += part
        except OSError:
            pass
        os.close(ours)
        assert process.wait() == 0
        return found

    assert b"\x1b[" in seen()
    assert b"\x1b[3" not in seen(NO_COLOR="1")


def wait_until(true: object, process: "subprocess.Popen[str]") -> None:
    while not true():  # type: ignore[operator]
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_drains(cortex: Command, coordinated: Path, number: signal.Signals) -> None:
    lines = [
        json.dumps({"title": "x", "id": f"s-{n}", "runner": "sleep", "context": {"seconds": 1}})
        for n in range(8)
    ]
    cortex("task", "add", "--file", "-", stdin="\n".join(lines))
    process = start_cortex("spawn-workers", "--count", "1", "--format", "json", cwd=coordinated)
    assert process.stderr is not None
    process.stderr.readline()
    locks = coordinated / "coordination/locks"
    wait_until(lambda: locks.is_dir() and any(locks.iterdir()), process)
    time.sleep(0.7)  # a worker is well into its first task
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert number.name in err
    found = json.loads(out)
    assert found["failed"] == found["waiting"] == 0
    assert found["completed"] < 8
    rows = cortex("task", "list", "--format", "json").json()["tasks"]
    assert sorted({row["status"] for row in rows} - {"completed"}) == ["open"]
    assert sum(row["status"] == "completed" for row in rows) == found["completed"]
