"""A small Dask cluster for the tests of the engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from daskworld import Cluster, cluster


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler and two workers, real processes on this machine."""
    with cluster(tmp_path / "cluster", 2) as made:
        yield made
