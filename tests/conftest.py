"""Fixtures for every test: nothing of the person's own machine is read, and the network is closed."""

import gc
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A quick look each time, so that the whole suite stays short; a thorough one with HYPOTHESIS_PROFILE=full.
# Where CI is set every run has the same examples: what fails there fails for whoever runs it again.
settings.register_profile("quick", max_examples=25, deadline=None, derandomize="CI" in os.environ)
settings.register_profile("full", max_examples=500, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# Hundreds of commands are started: where the environment says to keep no bytecode, each would compile it all.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A forecast is small: without this its library spins on every core, which the other tests need.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

CHECKOUT = Path(__file__).parents[1]
_REAL_CONNECT = socket.socket.connect


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """More than there are cores: tests of pools and of remotes wait for other processes half their time."""
    return len(os.sched_getaffinity(0)) * 3 // 2 or 1


def pytest_collection_finish() -> None:
    """What was imported stays: no collection of garbage looks through all of it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test, and git without the person's settings."""
    home = tmp_path_factory.mktemp("home")
    for variable, name in (
        ("HOME", "."),
        ("XDG_CONFIG_HOME", "xdg-config"),
        ("XDG_DATA_HOME", "xdg-data"),
        ("XDG_CACHE_HOME", "xdg-cache"),
        ("CORTEX_CONFIG_HOME", "config"),
        ("CORTEX_DATA_HOME", "data"),
        ("CORTEX_CACHE_HOME", "cache"),
    ):
        monkeypatch.setenv(variable, str(home / name))
    # Compiling the detector's rules takes seconds: once for all tests, of this run and the next.
    rules = Path(tempfile.gettempdir()) / f"cortex-git-secret-rules-{os.getuid()}"
    rules.mkdir(mode=0o700, exist_ok=True)
    monkeypatch.setenv("KF_RULE_CACHE_DIR", str(rules))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    for variable in ("CORTEX_REPOSITORY", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    return home


@pytest.fixture(autouse=True)
def closed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections to anywhere but this machine raise; processes we start get a proxy that refuses."""

    def connect(self: socket.socket, address: object) -> None:
        inside = isinstance(address, str | bytes) or (
            isinstance(address, tuple) and str(address[0]) in ("127.0.0.1", "::1", "localhost")
        )
        if not inside:
            raise AssertionError(f"a test tried to reach {address}")
        _REAL_CONNECT(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connect)
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost,::1")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """An empty bare repository to be a remote."""
    folder = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(folder)], check=True)
    return folder


@pytest.fixture
def clones(bare: Path, tmp_path: Path) -> Iterator[Callable[[int], list[Path]]]:
    """So many clones of one coordination remote, each a host of its own."""
    from gitworld import new_coordination

    def make(count: int) -> list[Path]:
        folders = [new_coordination(tmp_path / "host-0", bare)]
        for number in range(1, count):
            folder = tmp_path / f"host-{number}"
            subprocess.run(["git", "clone", "-q", str(bare), str(folder)], check=True)
            folders.append(folder)
        return folders

    yield make


@pytest.fixture
def commands(own_folders: Path) -> Callable[..., None]:
    """Put programs on this host's own list, each a shell script."""

    def write(**scripts: str) -> None:
        folder = Path(os.environ["CORTEX_CONFIG_HOME"])
        folder.mkdir(parents=True, exist_ok=True)
        entries = [
            f'[commands.{name}]\nargv = ["sh", "-c", {json.dumps(text)}]\n' for name, text in scripts.items()
        ]
        (folder / "config.toml").write_text("\n".join(entries))

    return write


@pytest.fixture
def host(tmp_path: Path, bare: Path) -> Path:
    """A clone of a fresh coordination repository with a remote."""
    from gitworld import new_coordination

    return new_coordination(tmp_path / "host", bare)
