"""The plan of faults: the same from the same seed, and every fault somewhere in it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cortex_git.analysis.torture.faults import FAULTS, SUSPICIOUS, chosen
from cortex_git.analysis.torture.plan import make_plan, spots_of
from cortex_git.errors import BadInput

CHECKOUT = Path(__file__).parents[3]


def test_the_same_seed_gives_the_same_plan_in_another_process() -> None:
    """Whatever that process's hashes are: nothing may hang on the order of a set."""
    code = (
        "import json; from cortex_git.analysis.torture.plan import make_plan;"
        "from cortex_git.analysis.torture.faults import chosen;"
        "print(json.dumps(make_plan(7, 8, 50, chosen('all')).to_json()))"
    )
    plans = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=CHECKOUT,
            env={**os.environ, "PYTHONHASHSEED": number},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for number in ("1", "2")
    ]
    assert plans[0] == plans[1]
    assert json.loads(plans[0]) == json.loads(json.dumps(make_plan(7, 8, 50, chosen("all")).to_json()))
    assert json.loads(plans[0]) != json.loads(json.dumps(make_plan(8, 8, 50, chosen("all")).to_json()))


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_in_the_plan_that_asks_for_it(fault: str) -> None:
    plan = make_plan(3, 4, 20, (fault,))
    at_points = [f["fault"] for h in plan.hosts for n in h.points.values() for fs in n.values() for f in fs]
    timed = [happening.fault for happening in plan.happenings]
    clocks = ["clock" for host in plan.hosts if host.clock_s]
    assert set(at_points + timed + clocks) == {fault}


def test_some_seed_strikes_each_place_where_a_fault_can_strike() -> None:
    for fault in FAULTS:
        struck = {
            (kind, entry["how"])
            for seed in range(12)
            for host in make_plan(seed, 5, 20, (fault,)).hosts
            for kind, numbers in host.points.items()
            for entries in numbers.values()
            for entry in entries
        }
        assert struck == {(spot.kind, spot.how) for spot in spots_of(fault, 5.0)}, fault


def test_without_suspicion_leases_are_longer_than_any_test() -> None:
    harmless = tuple(name for name in FAULTS if name not in SUSPICIOUS and name != "corrupt-claim")
    assert make_plan(1, 5, 20, harmless).lease_s == 60
    assert make_plan(1, 5, 20, ("freeze",)).lease_s < 10


def test_a_single_clone_is_not_on_a_file_system_of_its_own() -> None:
    """It makes the coordination repository, before there is any namespace."""
    assert [host.boxed for host in make_plan(1, 1, 5, chosen("all")).hosts] == [False]


def test_faults_are_named_in_any_order_and_unknown_ones_refused() -> None:
    assert chosen("freeze, lost-ack") == ("lost-ack", "freeze")
    assert chosen("none") == ()
    assert chosen("all") == tuple(FAULTS)
    with pytest.raises(BadInput, match="no fault is called 'earthquake'"):
        chosen("lost-ack,earthquake")
