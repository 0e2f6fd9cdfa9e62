"""`scripts/fuzz.py`, as far as it goes without the fuzzer itself."""

import subprocess
import sys
from pathlib import Path

from gitworld import CHECKOUT

from fuzz.targets import all_targets


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(CHECKOUT / "scripts/fuzz.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


def test_every_target_is_listed_and_begins_without_a_fault() -> None:
    assert run("--list").stdout.split() == list(all_targets())
    for target in all_targets().values():
        assert target.seeds
        for seed in target.seeds:
            target.check(seed)


def test_an_input_is_run_again(tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_bytes(b"retry-after: 5")
    done = run("--repeat", "headers", str(file))
    assert (done.returncode, done.stdout) == (0, "headers: no fault\n"), done.stderr
