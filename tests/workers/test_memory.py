"""Free memory: the machine's, or what the tightest of our control groups leaves, in both versions of them."""

from pathlib import Path

import psutil
import pytest

from cortex_git.workers.memory import free_mib

MIB = 1024 * 1024


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    """Where control groups are mounted."""
    return tmp_path / "cgroup"


def ours(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "self-cgroup"
    path.write_text(text)
    return path


def second(folder: Path, limit: str, current_mib: int, copies_mib: int = 0, high: str = "max") -> None:
    """A control group as version 2 shows it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.high").write_text(f"{high}\n")
    (folder / "memory.current").write_text(f"{current_mib * MIB}\n")
    (folder / "memory.stat").write_text(f"anon 1\ninactive_file {copies_mib * MIB}\n")


def first(folder: Path, limit: int, current_mib: int, copies_mib: int = 0) -> None:
    """A control group as version 1 shows it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{current_mib * MIB}\n")
    (folder / "memory.stat").write_text(f"inactive_file 0\ntotal_inactive_file {copies_mib * MIB}\n")


def machine_mib() -> float:
    return psutil.virtual_memory().available / MIB


def test_the_machine_itself() -> None:
    assert 0 < free_mib() <= psutil.virtual_memory().total / MIB


def test_no_limit_leaves_the_machines_memory(groups: Path, tmp_path: Path) -> None:
    second(groups, "max", 10)
    first(groups / "memory", 9223372036854771712, 10)
    found = free_mib(groups, ours(tmp_path, "4:memory:/\n0::/\n"))
    assert found == pytest.approx(machine_mib(), rel=0.5)
    assert free_mib(groups, tmp_path / "none") == pytest.approx(machine_mib(), rel=0.5)


def test_version_2_counts_copies_of_files_as_free(groups: Path, tmp_path: Path) -> None:
    second(groups / "user/pool", str(100 * MIB), 80, copies_mib=15)
    assert free_mib(groups, ours(tmp_path, "0::/user/pool\n")) == 35


def test_the_group_above_may_be_tighter(groups: Path, tmp_path: Path) -> None:
    second(groups / "user", str(200 * MIB), 190)
    second(groups / "user/pool", str(100 * MIB), 20)
    assert free_mib(groups, ours(tmp_path, "0::/user/pool\n")) == 10


def test_the_mark_above_which_the_kernel_slows_a_group_counts_too(groups: Path, tmp_path: Path) -> None:
    second(groups / "pool", str(100 * MIB), 20, high=str(50 * MIB))
    assert free_mib(groups, ours(tmp_path, "0::/pool\n")) == 30


def test_version_1_in_a_container_that_is_told_a_path_of_the_host(groups: Path, tmp_path: Path) -> None:
    first(groups / "memory", 64 * MIB, 40, copies_mib=6)
    assert free_mib(groups, ours(tmp_path, "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n")) == 30


def test_more_than_the_limit_in_use_is_nothing_free(groups: Path, tmp_path: Path) -> None:
    second(groups, str(10 * MIB), 12)
    assert free_mib(groups, ours(tmp_path, "0::/\n")) == 0
