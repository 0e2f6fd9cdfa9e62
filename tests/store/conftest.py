"""Coordination repositories to test the store on: with a remote and without."""

from collections.abc import Callable
from pathlib import Path

import pytest
from gitworld import new_coordination

from cortex_git.store.coordination import Coordination


@pytest.fixture(params=["remote", "local"])
def coordination(request: pytest.FixtureRequest, tmp_path: Path, bare: Path) -> Coordination:
    """One host's coordination; every test of it runs on both kinds of ref store."""
    return Coordination.open(
        new_coordination(tmp_path / "host-0", bare if request.param == "remote" else None)
    )


@pytest.fixture
def hosts(clones: Callable[[int], list[Path]]) -> Callable[[int], list[Coordination]]:
    """So many hosts on one remote."""
    return lambda count: [Coordination.open(folder) for folder in clones(count)]
