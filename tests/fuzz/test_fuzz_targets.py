"""Every target on its valid inputs, and on any other; lockfiles have tests of their own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.mutating import MORE, inputs
from fuzz.targets import FAMILIES, targets_of

TARGETS = {
    name: target
    for family in FAMILIES
    if family != "lockfiles"
    for name, target in targets_of(family).items()
}


@pytest.mark.parametrize("name", TARGETS)
def test_valid_inputs_have_no_fault(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].check(seed)


@pytest.mark.parametrize("name", TARGETS)
@MORE
@given(data=st.data())
def test_any_input(name: str, data: st.DataObject) -> None:
    TARGETS[name].check(data.draw(inputs(TARGETS[name].seeds)))
