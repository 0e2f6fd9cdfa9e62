"""`benchmarks/many_repositories.py`, in small: it runs to its end, and what it prints is what it found."""

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "many_repositories.py"


def test_the_benchmark_runs_and_all_of_its_runs_find_the_same() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), "--repositories", "3", "--loop", "1", "--workers", "2"],
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    runs = {run["name"]: run for run in document["runs"]}
    assert list(runs) == ["loop over 1, scaled", "git alone", "first run", "second run", "rescan, cached"]
    assert runs["first run"]["findings"] == runs["second run"]["findings"] >= 3
    assert runs["first run"]["command_mib"] > 0
    assert document["first_to_second"] > 0
    assert done.stderr.count("\n| ") == 1 + 1 + len(runs)
