"""What tests of several services share: a small Dask cluster, and servers of models."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from daskworld import Cluster, cluster
from modelworld import MessagesServer, Serve


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler and two workers, real processes on this machine."""
    with cluster(tmp_path / "cluster", 2) as made:
        yield made


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start a server that this host's claude is at."""
    started: list[MessagesServer] = []

    def make(*arguments: Any, **settings: Any) -> MessagesServer:
        server = MessagesServer(*arguments, **settings)
        server.__enter__()
        started.append(server)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        return server

    yield make
    for server in started:
        server.__exit__()
