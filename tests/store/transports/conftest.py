"""The store's fixtures, with a real server between the hosts and their remote."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from transportworld import Way, way_to

from cortex_git.gitio import Git
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.refs import Outcome, RefStore, RemoteRefs


@pytest.fixture(params=["http", "ssh"])
def way(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    with way_to(request.param, tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def bare(way: Way) -> Path:
    return way.bare


@pytest.fixture
def clones(way: Way, tmp_path: Path) -> Callable[[int], list[Path]]:
    def make(count: int) -> list[Path]:
        create(tmp_path / "host-0", way.url)
        folders = [tmp_path / f"host-{number}" for number in range(count)]
        for folder in folders[1:]:
            subprocess.run(["git", "clone", "-q", str(way.bare), str(folder)], check=True)
            subprocess.run(["git", "-C", str(folder), "remote", "set-url", "origin", way.url], check=True)
        return folders

    return make


@pytest.fixture
def coordination(clones: Callable[[int], list[Path]]) -> Coordination:
    return Coordination.open(clones(1)[0])


@pytest.fixture
def refs(way: Way, tmp_path: Path) -> RefStore:
    from refcontract import commits

    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path / "clone")], check=True)
    git = Git(tmp_path / "clone")
    git.run("remote", "add", "origin", way.url)
    store = RemoteRefs(git, "origin", "refs/cortex", "main")
    assert store.move_trunk(commits(store, 9)[8], None) is Outcome.APPLIED
    return store
