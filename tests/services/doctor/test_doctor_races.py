"""`doctor --fix` again and again beside a batch, on its clone and on another: nothing lost, nothing twice."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from gitworld import add_tasks, assert_sound, cortex, git, python, result_commits
from poolworld import until

from cortex_git.store.coordination import Coordination

TASKS = 40


def _doctors(folder: Path, stop: Path) -> "subprocess.Popen[str]":
    """Treats the clone until the file is there; prints what it did, and what it could not do."""
    return python(
        """
        import json, sys
        from pathlib import Path
        from cortex_git.services.doctor.examining import Request, treat
        folder, stop = map(Path, sys.argv[1:])
        rounds, deeds, failures, faults = 0, [], [], []
        while rounds < 1 or not stop.exists():
            found = treat(Request(folder))
            rounds += 1
            deeds += found.deeds
            failures += found.failures
            faults += [
                entry.finding.summary for entry in found.entries
                if "this check failed" in entry.finding.summary or (
                    entry.finding.severity == "problem" and not entry.fixed)
            ]
        print(json.dumps({"rounds": rounds, "deeds": deeds, "failures": failures, "faults": faults}))
        """,
        str(folder),
        str(stop),
    )


@pytest.mark.race
def test_mending_beside_a_batch(clones: Callable[[int], list[Path]], bare: Path, tmp_path: Path) -> None:
    """The first batch command is killed in its midst; a second one carries on, doctors beside both."""
    here, elsewhere = clones(2)
    add_tasks(Coordination.open(here), TASKS, runner="sleep", context={"seconds": 0.05})
    stop = tmp_path / "stop"
    doctors = [_doctors(folder, stop) for folder in (here, here, elsewhere)]
    work = ("spawn-workers", "--type", "scan-worker", "--count", "3", "--tasks", "b1-*")
    killed = subprocess.Popen(
        [sys.executable, "-m", "cortex_git", *work],
        cwd=here,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: len(result_commits(bare)) >= TASKS // 8)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    done = cortex(*work, cwd=here)
    assert done.returncode == 0, done.stderr
    stop.touch()
    told = []
    for doctor in doctors:
        out, errors = doctor.communicate(timeout=110)
        assert doctor.returncode == 0, errors
        told.append(json.loads(out))
    assert [one["faults"] for one in told] == [[], [], []]
    assert sum(one["rounds"] for one in told) > 3
    assert any(one["deeds"] for one in told)
    tasks = Counter(line.rpartition(" ")[2] for line in result_commits(bare))
    assert tasks == Counter(f"b1-t{number:03d}" for number in range(TASKS))
    assert {line.split(" ")[-2] for line in result_commits(bare)} == {"completed"}
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""
    assert_sound(bare)
