"""Torture finds it when a part of the protocol is taken out, which shows that it can fail.

The part is taken out in the hosts' processes only, by a patch that their commands run first. Each plan is
one that a seed could give, cut down to what needs that part: two hosts, a few tasks and one fault.
"""

from pathlib import Path

import pytest

from cortex_git.analysis.torture.plan import HostPlan, Plan, task_name
from cortex_git.analysis.torture.torturing import Report, ground, torture

MUTANTS = Path(__file__).parent / "mutants"
TASKS = 8
LONG_S = 30.0
WORK = (("spawn-workers", "--count", "1"),)

Fault = dict[str, object]


def plan_of(fault: Fault, kind: str, *, seconds: float) -> Plan:
    """Two hosts with a fault at the first call of a kind of the first; tasks take so many `seconds`.

    One host where it is to be copied: it has to publish more than once.
    """
    points = {kind: {"1": [fault]}}
    hosts = (HostPlan("h00", WORK, points), HostPlan("h01", WORK))
    if fault["fault"] == "copy":
        hosts = hosts[:1]
    names = [task_name(number) for number in range(TASKS)]
    return Plan(
        seed=1,
        clones=len(hosts),
        tasks=TASKS,
        faults=(str(fault["fault"]),),
        lease_s=2.0,
        heartbeat_s=0.6,
        hosts=hosts,
        happenings=(),
        seconds=dict.fromkeys(names, seconds),
        fails={},
    )


CASES = {
    "no_empty_lease": (
        {"fault": "delay", "how": "until-claimed", "s": LONG_S}, "claim", 0.5, "epoch 1, attempt 1",
    ),
    "no_recheck": ({"fault": "delay", "how": "until-finished", "s": LONG_S}, "claim", 0.05, "duplicate"),
    "no_claim_lease_on_publish": (
        {"fault": "freeze", "how": "until-finished", "s": LONG_S}, "publish", 0.05, "duplicate",
    ),
    "no_nonce_on_claim": ({"fault": "lost-push", "how": "lost"}, "claim", 0.3, "epoch 1, attempt 1"),
    "no_nonce_on_publish": ({"fault": "copy", "how": "before"}, "publish", 0.2, "as fenced, and published"),
}  # fmt: skip
"""By what is taken out: the fault, where it strikes, seconds of a task, and what is to be told."""


def tortured(mutant: str, *, patched: bool) -> Report:
    fault, kind, seconds, _ = CASES[mutant]
    patch = MUTANTS / f"{mutant}.py" if patched else None
    with ground(None) as folder:
        plan = plan_of(fault, kind, seconds=seconds)
        return torture(plan, folder, lambda _: None, repeat="", patch=patch, limit_s=60)


@pytest.mark.race
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", CASES)
def test_a_part_that_is_taken_out_is_missed(mutant: str) -> None:
    report = tortured(mutant, patched=True)
    fault, told = str(CASES[mutant][0]["fault"]), CASES[mutant][3]
    assert report.faults[fault] == 1
    assert any(told in what for what in report.problems.values()), report.to_json()
    assert all(report.histories.values())


def test_every_patch_is_tried() -> None:
    assert {path.stem for path in MUTANTS.glob("*.py")} == set(CASES)
