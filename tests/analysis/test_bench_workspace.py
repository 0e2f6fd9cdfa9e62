"""A benchmark leaves nothing behind: no folder, no process, however it ends."""

import os
import shlex
import signal
import sys
import time
from pathlib import Path

import pytest

from cortex_git.analysis.bench.workspace import Command, plain_environment, run_together, workspace
from cortex_git.errors import EnvironmentProblem


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_folder_goes_by_a_signal_too(number: signal.Signals) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), workspace() as folder:
        (folder / "some").mkdir()
        os.kill(os.getpid(), number)
        time.sleep(5)
    assert not folder.exists()
    assert signal.getsignal(signal.SIGTERM) is before


def _command(folder: Path, name: str, script: str) -> Command:
    return Command(("sh", "-c", script), folder, plain_environment(), folder / f"{name}.out")


def test_programs_run_at_the_same_time(tmp_path: Path) -> None:
    """Each waits for what the other writes."""
    wait = "until [ -e {1} ]; do sleep 0.01; done"
    first = _command(tmp_path, "first", f"touch a; {wait.replace('{1}', 'b')}; echo first")
    second = _command(tmp_path, "second", f"touch b; {wait.replace('{1}', 'a')}; echo second")
    assert run_together([first, second], 30) < 30
    assert (tmp_path / "first.out").read_text() == "first\n"


def test_programs_over_their_time_are_ended_with_what_they_started(tmp_path: Path) -> None:
    script = f"{shlex.quote(sys.executable)} -c 'import time; time.sleep(60)' & echo $! > child; wait"
    with pytest.raises(EnvironmentProblem, match="took over"):
        run_together([_command(tmp_path, "slow", script)], 1.0)
    child = int((tmp_path / "child").read_text())
    until = time.monotonic() + 10
    while time.monotonic() < until and _runs(child):
        time.sleep(0.05)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_program_that_fails_is_named(tmp_path: Path) -> None:
    good = _command(tmp_path, "good", "true")
    bad = _command(tmp_path, "bad", "echo no such thing >&2; exit 3")
    with pytest.raises(EnvironmentProblem, match="status 3: no such thing"):
        run_together([good, bad], 30)


def test_git_of_a_script_has_an_identity_and_no_settings_of_the_person() -> None:
    environment = plain_environment(EXTRA="1")
    assert environment["GIT_AUTHOR_NAME"] and environment["GIT_COMMITTER_EMAIL"]
    assert environment["GIT_CONFIG_GLOBAL"] == os.devnull
    assert environment["EXTRA"] == "1"
