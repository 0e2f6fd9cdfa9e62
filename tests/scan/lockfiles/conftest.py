"""Reads one lockfile of an imagined repository, and keeps the tests of real tools for those who ask."""

from collections.abc import Callable

import pytest

from cortex_git.scan.lockfiles import read_lockfile
from cortex_git.scan.records import LockfileContent

Read = Callable[..., LockfileContent]


@pytest.fixture
def read() -> Read:
    """`read(path, content, {other path: content})` with text or bytes as content."""

    def run(path: str, content: str | bytes, others: dict[str, str | bytes] | None = None) -> LockfileContent:
        files = {name: as_bytes(value) for name, value in (others or {}).items()}
        return read_lockfile(path, as_bytes(content), files.get)

    return run


def as_bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def pairs(content: LockfileContent) -> set[tuple[str, str]]:
    """(name, version) of each package."""
    return {(package.name, package.version) for package in content.packages}


def gaps(content: LockfileContent) -> dict[str, str]:
    """What was not scanned -> its reason."""
    return {gap.what: gap.reason for gap in content.not_scanned}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Real package managers take minutes and a registry: run them only when `-m` names them."""
    if "real_tools" in (config.option.markexpr or ""):
        return
    left_out = [item for item in items if _is_ours(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not _is_ours(item)]


def _is_ours(item: pytest.Item) -> bool:
    return "real_tools" in item.keywords and "tests/scan/lockfiles" in item.path.as_posix()
