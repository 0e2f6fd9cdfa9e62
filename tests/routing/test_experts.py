"""Our experts, and those of a repository's settings."""

import pytest

from cortex_git.config import ExpertSettings, RoutingSettings, Settings
from cortex_git.errors import BadInput
from cortex_git.models import WORKER_TYPES, Expert
from cortex_git.routing.experts import OURS, experts_of
from cortex_git.routing.worker_types import NAMES


def test_ours_are_those_of_the_tasks() -> None:
    assert [(one.name, one.master) for one in OURS] == [(one.value, one.master) for one in Expert]
    assert set(NAMES) == set(WORKER_TYPES)
    assert {kind for one in OURS for kind in one.worker_types} == set(WORKER_TYPES)


def test_settings_add_one_without_code() -> None:
    given = ExpertSettings(examples=["May we use GPL code?"], labels=["Law"], budget=700, runner="command")
    found = experts_of(Settings(experts={"legal": given}))
    assert [*found] == ["security", "development", "inventory", "documentation", "legal"]
    legal = found["legal"]
    assert (legal.master, legal.worker_types, legal.runner, legal.budget) == (
        "legal-master", ("analysis-worker",), "command", 700,
    )  # fmt: skip
    assert set(legal.labels) == {"legal", "law"}


def test_settings_change_ours() -> None:
    given = ExpertSettings(master="blue-team", worker_types=["analysis-worker"], labels=["infosec"])
    security = experts_of(Settings(experts={"security": given}))["security"]
    assert (security.master, security.worker_types) == ("blue-team", ("analysis-worker",))
    assert {"security", "infosec"} <= set(security.labels)


@pytest.mark.parametrize(
    ("experts", "said"),
    [
        ({"legal": ExpertSettings(examples=["x"], worker_types=["lawyer"])}, "no worker type 'lawyer'"),
        ({"security": ExpertSettings(worker_types=["lawyer"])}, "experts.security.worker_types"),
        ({"legal": ExpertSettings()}, "nothing says what is for it"),
        ({"legal": ExpertSettings(keywords={"x": -1})}, "nothing says what is for it"),
        ({"Legal!": ExpertSettings(examples=["x"])}, "not a usable name"),
        ({"fix-worker": ExpertSettings(examples=["x"])}, "not a usable name"),
        ({"legal": ExpertSettings(examples=[" "])}, "empty"),
    ],
)
def test_settings_that_cannot_be_are_told(experts: dict[str, ExpertSettings], said: str) -> None:
    with pytest.raises(BadInput, match=said) as raised:
        experts_of(Settings(experts=experts))
    assert "\n" not in str(raised.value) and raised.value.hint


def test_the_general_one_has_to_be_one() -> None:
    with pytest.raises(BadInput, match=r"routing\.general"):
        experts_of(Settings(routing=RoutingSettings(general="nobody")))
