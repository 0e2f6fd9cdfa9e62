"""Torture finds it when a part of the protocol is taken out, which shows that it can fail.

The part is taken out in the hosts' processes only, by a patch that their commands run first. Each is found by
one of the races that every `cortex-git torture` runs first.
"""

from pathlib import Path

import pytest

from cortex_git.analysis.torture.directed import RACES, face, races_of
from cortex_git.analysis.torture.faults import chosen

MUTANTS = Path(__file__).parent / "mutants"

CASES = {
    "no_empty_lease": ("claim-of-a-claimed-task", "epoch 1, attempt 1"),
    "no_recheck": ("claim-of-a-finished-task", "duplicate"),
    "no_claim_lease_on_publish": ("publish-of-a-lost-claim", "duplicate"),
    "no_nonce_on_claim": ("claim-that-never-arrived", "epoch 1, attempt 1"),
    "no_nonce_on_publish": ("publish-by-two-copies", "as fenced, and published"),
}
"""By what is taken out: the race that needs it, and what is to be told."""


@pytest.mark.race
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", CASES)
def test_a_part_that_is_taken_out_is_missed(mutant: str) -> None:
    race, told = CASES[mutant]
    faced, report = face(RACES[race], print, patch=MUTANTS / f"{mutant}.py")
    assert faced.struck, faced
    assert any(told in what for what in faced.problems.values()), report.to_json()
    assert report.histories.keys() == faced.problems.keys()
    assert all(report.histories.values())


def test_every_race_and_every_patch_is_tried() -> None:
    assert {path.stem for path in MUTANTS.glob("*.py")} == set(CASES)
    assert sorted(race for race, _ in CASES.values()) == sorted(RACES)
    assert races_of(chosen("all")) == tuple(RACES.values())
    assert [race.name for race in races_of(chosen("freeze"))] == ["publish-of-a-lost-claim"]
