"""The scripts that set themselves up: once, safely, from anywhere, in the caller's folder.

A stand-in for Python notes what it is asked to do, so that no package index is needed.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
STAND_IN = """\
#!/usr/bin/env bash
note() { printf '%s\\n' "$*" >>"$STAND_IN_LOG"; }
case "$1 ${2-}" in
"-c "*) exec "$REAL_PYTHON" "$@" ;;
"-m venv")
    note "venv"
    mkdir -p "$3/bin"
    sleep 0.2
    cp "$0" "$3/bin/python"
    ;;
"-m pip")
    [[ $3 != --version ]] || exit 0
    note "pip ${@: -1}"
    sleep "${PIP_TAKES:-0.2}"
    exit "${PIP_STATUS:-0}"
    ;;
"-m compileall")
    note "compile ${@: -1}"
    exit "${COMPILE_STATUS:-0}"
    ;;
*)
    note "run in $PWD"
    printf '<%s>' "$@"
    ;;
esac
"""


class Checkout:
    """A copy of the scripts in a folder with spaces, and the stand-in."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a check out [x]"
        self.root.mkdir()
        shutil.copytree(CHECKOUT / "scripts", self.root / "scripts")
        shutil.copy(CHECKOUT / "pyproject.toml", self.root)
        self.stand_in = folder / "stand-in"
        self.stand_in.write_text(STAND_IN)
        self.stand_in.chmod(0o755)
        self.log = folder / "log"
        self.log.touch()
        self.environment = {
            **os.environ,
            "CORTEX_PYTHON": str(self.stand_in),
            "REAL_PYTHON": sys.executable,
            "STAND_IN_LOG": str(self.log),
        }

    def start(
        self, script: Path | str, *arguments: str, cwd: Path | None = None, **environment: str
    ) -> "subprocess.Popen[str]":
        path = script if isinstance(script, Path) else self.root / "scripts" / script
        return subprocess.Popen(
            [str(path), *arguments],
            cwd=cwd,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self, script: Path | str, *arguments: str, cwd: Path | None = None, **environment: str
    ) -> tuple[int, str, str]:
        process = self.start(script, *arguments, cwd=cwd, **environment)
        out, error = process.communicate(timeout=60)
        return process.returncode, out, error

    @property
    def installed(self) -> list[str]:
        """What an installation without extras asks of the stand-in."""
        return ["pip .", f"compile {self.root / 'cortex_git'}"]

    def noted(self) -> list[str]:
        """What the stand-in was asked to do since the last look."""
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return lines


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.mark.parametrize(
    ("script", "command"),
    [
        ("multi-repo-scan.sh", "multi-repo-scan"),
        ("spawn-worker.sh", "spawn-worker"),
        ("parallel-spawn-workers.sh", "spawn-workers"),
    ],
)
def test_flags_reach_the_command_in_the_callers_folder(
    checkout: Checkout, tmp_path: Path, script: str, command: str
) -> None:
    here = tmp_path / "somewhere else"
    here.mkdir()
    link = tmp_path / "link"
    link.symlink_to(os.path.relpath(checkout.root / "scripts" / script, tmp_path))
    status, out, _ = checkout.run(link, "--workers", "2", "a b", "", cwd=here)
    assert status == 0
    assert out == f"<-P><-m><cortex_git><{command}><--workers><2><a b><>"
    assert checkout.noted() == ["venv", *checkout.installed, f"run in {here}"]


def test_a_second_run_installs_nothing_and_a_changed_project_does(checkout: Checkout) -> None:
    checkout.run("spawn-worker.sh")
    checkout.noted()
    status, _, error = checkout.run("spawn-worker.sh", cwd=checkout.root)
    assert (status, error) == (0, "")
    assert checkout.noted() == [f"run in {checkout.root}"]
    with (checkout.root / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    checkout.run("spawn-worker.sh", cwd=checkout.root)
    assert checkout.noted() == [*checkout.installed, f"run in {checkout.root}"]


def test_a_moved_checkout_is_set_up_again(checkout: Checkout) -> None:
    checkout.run("spawn-worker.sh")
    checkout.noted()
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    checkout.run("spawn-worker.sh", cwd=checkout.root)
    assert checkout.noted() == [*checkout.installed, f"run in {checkout.root}"]


def test_tests_have_an_installation_of_their_own(checkout: Checkout, tmp_path: Path) -> None:
    checkout.run("spawn-worker.sh")
    checkout.noted()
    status, out, _ = checkout.run("test.sh", "-k", "one", cwd=tmp_path)
    assert (status, out) == (0, "<-m><pytest><-k><one>")
    assert checkout.noted() == ["pip .[test]", checkout.installed[-1], f"run in {checkout.root}"]


def test_two_at_once_install_once(checkout: Checkout) -> None:
    running = [checkout.start("spawn-worker.sh", cwd=checkout.root) for _ in range(5)]
    assert [process.wait(60) for process in running] == [0] * 5
    assert sorted(checkout.noted()) == sorted(["venv", *checkout.installed, *[f"run in {checkout.root}"] * 5])


@pytest.mark.parametrize("reached", ["venv", "pip ."])
def test_an_interrupted_set_up_is_done_again(checkout: Checkout, reached: str) -> None:
    process = checkout.start("spawn-worker.sh", PIP_TAKES="30")
    while reached not in checkout.log.read_text().splitlines():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    checkout.noted()
    status, _, _ = checkout.run("spawn-worker.sh", cwd=checkout.root)
    assert status == 0
    again = ["venv"] if reached == "venv" else []
    assert checkout.noted() == [*again, *checkout.installed, f"run in {checkout.root}"]


def test_a_failed_installation_says_so_and_is_tried_again(checkout: Checkout) -> None:
    status, out, error = checkout.run("multi-repo-scan.sh", PIP_STATUS="1")
    assert (status, out) == (3, "")
    assert error.splitlines()[-1] == "cortex-git: the installation failed: see above"
    assert checkout.run("multi-repo-scan.sh")[0] == 0


def test_a_checkout_that_cannot_be_compiled_works_all_the_same(checkout: Checkout) -> None:
    status, _, error = checkout.run("spawn-worker.sh", COMPILE_STATUS="1")
    assert (status, error.splitlines()[-1]) == (0, "cortex-git: set-up is done")


def test_without_a_python_one_line_says_what_to_do(checkout: Checkout, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "env", "git"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    old = tools / "python3"
    old.write_text("#!/usr/bin/env bash\nexit 1\n")
    old.chmod(0o755)
    status, _, error = checkout.run("multi-repo-scan.sh", PATH=str(tools), CORTEX_PYTHON="")
    assert status == 3
    assert error.count("\n") == 1
    assert "no Python 3.11 or newer" in error


def test_a_working_environment_made_by_hand_is_kept(checkout: Checkout) -> None:
    (checkout.root / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(checkout.stand_in, checkout.root / ".venv" / "bin" / "python")
    (checkout.root / ".venv" / "mine").touch()
    checkout.run("spawn-worker.sh", cwd=checkout.root)
    assert checkout.noted() == [*checkout.installed, f"run in {checkout.root}"]
    assert (checkout.root / ".venv" / "mine").exists()


def test_the_whole_suite_runs_on_all_cores(checkout: Checkout, tmp_path: Path) -> None:
    assert checkout.run("test.sh", cwd=tmp_path)[1] == "<-m><pytest><--numprocesses><auto><--dist><worksteal>"
