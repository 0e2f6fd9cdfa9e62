"""The soak of many agents, in small: `benchmarks/agents_soak.py` says what it does and checks."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import agents_soak


@pytest.mark.race
@pytest.mark.timeout(300)
def test_agents_that_are_killed_spend_no_more_than_the_budget(tmp_path: Path) -> None:
    """With less than they need, so that the command stops at the limit, and goes on with more."""
    arguments = ["--workers", "4", "--tasks", "6", "--kill-every", "2.5", "--total", "12000"]
    found = agents_soak.soak(tmp_path, agents_soak.parsed([*arguments, "--budget", "12000"]))
    found["broken"] = [one for one in found["broken"] if not one.startswith("looked at least")]
    assert found["broken"] == [], found
    assert found["looks"]["looks"] > 100
    assert agents_soak.LIMIT in found["exit_statuses"]
