"""What `bench route` measures, by sentences that can be looked at, and by those held out."""

import pytest

from cortex_git.analysis.bench.routing import bench_route, counted
from cortex_git.errors import BadInput
from cortex_git.routing.judging import Case
from cortex_git.routing.sentences import held_out

NAMES = ("security", "development", "inventory", "documentation")


def test_the_router_holds_what_is_said_of_it() -> None:
    found = bench_route(held_out(NAMES))
    router, baseline = found.router, found.baseline
    assert router.plain is not None and router.hard is not None and router.both is not None
    assert baseline.plain is not None and baseline.hard is not None
    assert router.plain >= 0.90 and router.hard >= 0.75 and router.both >= 0.70
    assert router.plain > baseline.plain and router.hard > 2 * baseline.hard
    assert found.calibration_error <= 0.06
    assert sum(found.layers.values()) == found.cases == sum(one.cases for one in found.reliability)


def test_kinds_are_told_apart() -> None:
    cases = [
        Case("Bump lodash from 4.17.20 to 4.17.21", ("inventory",)),
        Case("Fix CVE and document the patch", ("security", "documentation")),
    ]
    found = bench_route(cases).to_json()
    assert found["router"] == {"plain": 1.0, "hard": None, "both": 1.0}
    assert set(found["baseline"]) == {"plain", "hard", "both"}
    assert found["cases"] == 2


def test_the_baseline_counts_words() -> None:
    assert counted("Typo in the README guide")[0] == "documentation"
    assert counted("password, password: fix")[0] == "security"
    assert counted("nothing of it") == ["security", "development"]


def test_no_sentence_is_no_measurement() -> None:
    with pytest.raises(BadInput, match="no sentences"):
        bench_route([])
