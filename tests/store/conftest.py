"""Coordination repositories to test the store on: with a remote and without."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create


@pytest.fixture(params=["remote", "local"])
def coordination(request: pytest.FixtureRequest, tmp_path: Path, bare: Path) -> Coordination:
    """One host's coordination; every test of it runs on both kinds of ref store."""
    folder = tmp_path / "host-0"
    create(folder, str(bare) if request.param == "remote" else None)
    return Coordination.open(folder)


@pytest.fixture
def hosts(clones: Callable[[int], list[Path]]) -> Callable[[int], list[Coordination]]:
    """So many hosts on one remote."""
    return lambda count: [Coordination.open(folder) for folder in clones(count)]
