"""When a worker is replaced, what its log holds, and that what a process started ends with it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from poolworld import until

from cortex_git.config import PoolSettings
from cortex_git.processes import descendants, end_descendants, end_marked
from cortex_git.workers import logs
from cortex_git.workers.logs import keep_small, log_path, opened_log
from cortex_git.workers.pool import Slot
from cortex_git.workers.recycling import measure, resident_mib, why_leave

SETTINGS = PoolSettings(rss_mib=500, max_tasks=10, max_age_s=60)


@pytest.mark.parametrize(
    ("slot", "why"),
    [
        (Slot("w", rss_mib=500.0, tasks_done=9, asked_at=0.0), ""),
        (Slot("w", rss_mib=500.1), "it has 500 MiB, more than 500"),
        (Slot("w", tasks_done=10), "it has carried out 10 tasks"),
        (Slot("w", asked_at=-1.0), "it is 61 s old"),
    ],
)
def test_why_a_worker_leaves(slot: Slot, why: str) -> None:
    assert why_leave(slot, SETTINGS, now_s=60.0) == why


def test_memory_counts_what_the_worker_started() -> None:
    code = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'x = bytearray(80 << 20); input()'])"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        slot = Slot("w", pid=process.pid)
        deadline = time.monotonic() + 30
        while slot.rss_mib < 80 and time.monotonic() < deadline:
            measure(slot)
            time.sleep(0.02)
        assert slot.rss_mib >= 80
        measure(slot, whole=False)
        assert slot.rss_mib < 80
    assert resident_mib(process.pid) == 0.0


def test_a_log_that_is_full_is_cut_under_its_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MOST_BYTES", 10)
    with opened_log(tmp_path, "worker-pool-001") as log:
        assert log is not None
        os.write(log, b"short\n")
        keep_small(tmp_path)
        assert log_path(tmp_path, "worker-pool-001").read_bytes() == b"short\n"
        os.write(log, b"long enough\n")
        keep_small(tmp_path)
        os.write(log, b"next\n")
    assert log_path(tmp_path, "worker-pool-001").read_bytes() == b"next\n"
    assert (tmp_path / "worker-pool-001.log.1").read_bytes() == b"short\nlong enough\n"
    with opened_log(None, "any") as none:
        assert none is None


def test_descendants_end_softly_first_but_those_that_are_spared() -> None:
    shell = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
    code = f"import subprocess; subprocess.run(['sh', '-c', {shell!r}])"
    script = f"""
import subprocess, sys, time
from cortex_git.processes import descendants, end_descendants
import os
doomed = subprocess.Popen([sys.executable, "-c", {code!r}])
spared = subprocess.Popen(["sleep", "60"])
while len(descendants(doomed.pid)) < 1: time.sleep(0.02)
below = descendants(os.getpid())
end_descendants(but={{spared.pid}}, grace_s=5)
left = descendants(os.getpid())
spared.kill()
print(doomed.pid in below, left == [spared.pid])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"


def test_what_carries_a_mark_is_ended_wherever_it_went() -> None:
    environment = {**os.environ, "CORTEX_TEST_MARK": "m1"}
    marked = subprocess.Popen(["sleep", "60"], env=environment, start_new_session=True)
    other = subprocess.Popen(["sleep", "60"], env={**environment, "CORTEX_TEST_MARK": "m2"})
    # `Popen` may return a moment before the kernel shows the environment.
    until(lambda: b"CORTEX_TEST_MARK" in Path(f"/proc/{marked.pid}/environ").read_bytes())
    end_marked("CORTEX_TEST_MARK", "m1")
    assert marked.wait(timeout=30) == -9
    assert other.poll() is None
    other.kill()
    other.wait()
    assert descendants(marked.pid) == []
    end_descendants(marked.pid)
