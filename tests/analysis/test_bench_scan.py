"""`bench scan` compares real commands that must find the same."""

import shutil
from pathlib import Path

import pytest

from cortex_git.analysis.bench import scan
from cortex_git.analysis.bench.repositories import make_repositories
from cortex_git.analysis.bench.scan import ScanTimes, bench_scan
from cortex_git.errors import EnvironmentProblem, ExitCode
from cortex_git.gitio import Git

said: list[str] = []
needs_xargs = pytest.mark.skipif(shutil.which("xargs") is None, reason="there is no xargs here")


@needs_xargs
def test_all_modes_find_the_same() -> None:
    times = bench_scan(repositories=3, workers=2, packages=12, runs=1, say=said.append)
    assert {mode: len(seconds) for mode, seconds in times.seconds.items()} == {
        "parallel": 1, "sequential": 1, "xargs": 1,
    }  # fmt: skip
    assert times.findings is not None
    repositories = {finding[0] for finding in times.findings}
    assert len(repositories) == 3
    assert len(times.findings) >= 9  # three old releases in each repository, each with an advisory or more
    assert times.database.startswith("starter set")


def test_other_findings_are_an_error() -> None:
    times = ScanTimes(1, 1, 1, "starter")
    scan._same(times, "parallel", frozenset({("r", "CVE-1", "p", "1")}))
    scan._same(times, "xargs", frozenset({("r", "CVE-1", "p", "1")}))
    with pytest.raises(EnvironmentProblem, match="sequential found 1 findings more or less"):
        scan._same(times, "sequential", frozenset())


@needs_xargs
def test_a_repository_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_a_broken_one(folder: Path, count: int, packages: int) -> list[Path]:
        made = make_repositories(folder, count, packages)
        for file in (made[0] / "objects").rglob("*"):
            if file.is_file():
                file.unlink()
        return made

    monkeypatch.setattr(scan, "make_repositories", with_a_broken_one)
    with pytest.raises(EnvironmentProblem):
        bench_scan(repositories=2, workers=2, packages=5, runs=1, say=said.append)


def test_without_xargs_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentProblem, match="no xargs on this machine: install findutils") as caught:
        bench_scan(1, 1, 1, 1, said.append)
    assert caught.value.exit_code == ExitCode.ENVIRONMENT


def test_medians() -> None:
    times = ScanTimes(20, 20, 500, "starter")
    times.seconds = {"parallel": [1.0, 9.0, 2.0], "sequential": [4.0, 4.0, 4.0], "xargs": [8.0, 8.0, 7.0]}
    found = times.to_json()
    assert (found["parallel_s"], found["sequential_s"], found["xargs_s"]) == (2.0, 4.0, 8.0)
    assert (found["parallel_to_xargs"], found["sequential_to_parallel"]) == (0.25, 2.0)


def test_repositories_are_the_same_every_time(tmp_path: Path) -> None:
    tips = [
        [Git(path).text("rev-parse", "main") for path in make_repositories(tmp_path / name, 4, 9)]
        for name in ("one", "two")
    ]
    assert tips[0] == tips[1]
    assert len(set(tips[0])) == 4
    lock = Git(tmp_path / "one" / "repository-001").text("show", "main:requirements.txt").splitlines()
    assert len(lock) == 10  # the first line says who wrote the file
