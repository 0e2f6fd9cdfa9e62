"""`bench scan`: the same repositories by `--parallel`, by `--sequential` and by `xargs -P` over single scans.

Owns that the three are comparable: real commands, each run with data and cache folders of its own, the
same database, no cached result. Must never report times of runs that did not find the same.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from cortex_git.analysis.bench.repositories import make_repositories
from cortex_git.analysis.bench.workspace import (
    OWN,
    Command,
    Say,
    own_environment,
    part_of,
    run_together,
    workspace,
)
from cortex_git.config import data_folder
from cortex_git.errors import EnvironmentProblem
from cortex_git.scan.advisories.database import FILE, open_default, open_starter
from cortex_git.store.creation import create

MODES = ("parallel", "sequential", "xargs")
_MOST_S = 900.0

Finding = tuple[str, str, str, str]
"""Repository, advisory, package, version."""


@dataclass
class ScanTimes:
    """Seconds of each run by mode, and what every run found."""

    repositories: int
    workers: int
    packages: int
    database: str
    seconds: dict[str, list[float]] = field(default_factory=lambda: {mode: [] for mode in MODES})
    findings: frozenset[Finding] | None = None

    def to_json(self) -> dict[str, object]:
        """Medians in seconds; `parallel_to_xargs` is at most 1.1 where the promise holds."""
        middle = {mode: median(times) for mode, times in self.seconds.items()}
        return {
            "parallel_s": round(middle["parallel"], 3),
            "sequential_s": round(middle["sequential"], 3),
            "xargs_s": round(middle["xargs"], 3),
            "parallel_to_xargs": round(middle["parallel"] / middle["xargs"], 3),
            "sequential_to_parallel": round(middle["sequential"] / middle["parallel"], 3),
            "findings": len(self.findings or ()),
            "repositories": self.repositories,
            "workers": self.workers,
            "packages": self.packages,
            "database": self.database,
            "runs_s": {mode: [round(time, 3) for time in times] for mode, times in self.seconds.items()},
        }


def bench_scan(repositories: int, workers: int, packages: int, runs: int, say: Say) -> ScanTimes:
    """Time the three modes `runs` times in turn, each turn in another order.

    Raises EnvironmentProblem where there is no xargs, a command fails, or two runs found different things.
    """
    if shutil.which("xargs") is None:
        raise EnvironmentProblem("there is no xargs on this machine", "install findutils")
    with workspace() as folder:
        say(f"making {repositories} repositories of {packages} packages each")
        made = [str(path) for path in make_repositories(folder / "repositories", repositories, packages)]
        database, line = _database(folder)
        times = ScanTimes(repositories, workers, packages, line)
        for number in range(runs):
            for mode in (*MODES[number % 3 :], *MODES[: number % 3]):
                with part_of(folder) as place:
                    took, found = _run(place, mode, made, workers, database)
                _same(times, mode, found)
                times.seconds[mode].append(took)
                say(f"run {number + 1} of {runs}: {mode} {took:.2f} s, {len(found)} findings")
    return times


def _database(folder: Path) -> tuple[Path, str]:
    """The imported database, or the starter set where there is none, and what it is called."""
    found = open_default(data_folder()) or open_starter(folder / "starter")
    with found:
        return found.path.resolve(), found.description()


def _same(times: ScanTimes, mode: str, found: frozenset[Finding]) -> None:
    if times.findings is None:
        times.findings = found
    if found != times.findings:
        different = len(found ^ times.findings)
        raise EnvironmentProblem(
            f"{mode} found {different} findings more or less than the first run",
            "please report this: all modes must find the same",
        )


def _run(
    place: Path, mode: str, repositories: Sequence[str], workers: int, database: Path
) -> tuple[float, frozenset[Finding]]:
    """One run in fresh folders: seconds, and what it found."""
    environment = _fresh_folders(place, database)
    (place / "reports").mkdir()
    if mode == "xargs":
        arguments, names = _xargs(place, repositories, workers)
    else:
        arguments, names = _one_command(place, mode, repositories, workers), None
    command = Command(arguments, place, environment, place / "output", names)
    took = run_together([command], _MOST_S)
    return took, _findings(place / "reports", len(repositories))


def _fresh_folders(place: Path, database: Path) -> dict[str, str]:
    """Folders of the run's own, holding nothing but the database."""
    linked = place / "data" / FILE
    linked.parent.mkdir(parents=True)
    linked.symlink_to(database)
    return own_environment(CORTEX_DATA_HOME=str(place / "data"), CORTEX_CACHE_HOME=str(place / "cache"))


def _scan_into(place: Path, name: str) -> tuple[str, ...]:
    report, coordination = f"{place}/reports/{name}.json", f"{place}/coordination/{name}"
    fixed = (*OWN, "multi-repo-scan", "--format", "json", "--allow-incomplete")
    return (*fixed, "--output", report, "--repository", coordination)


def _one_command(place: Path, mode: str, repositories: Sequence[str], workers: int) -> tuple[str, ...]:
    create(place / "coordination" / "all", None)
    how = ("--sequential",) if mode == "sequential" else ("--parallel", "--workers", str(workers))
    return (*_scan_into(place, "all"), *how, *repositories)


def _xargs(place: Path, repositories: Sequence[str], workers: int) -> tuple[tuple[str, ...], Path]:
    """xargs over single scans, and the file of names that it reads; it puts each in place of `{}`.

    Every scan has a coordination repository of its own, made before: they have nothing to wait for.
    """
    names = [Path(repository).name for repository in repositories]
    for name in names:
        create(place / "coordination" / name, None)
    listing = place / "names"
    listing.write_bytes("".join(f"{name}\0" for name in names).encode())
    one = (*_scan_into(place, "{}"), "--sequential", f"{Path(repositories[0]).parent}/{{}}")
    return ("xargs", "-0", "-P", str(workers), "-I", "{}", *one), listing


def _findings(reports: Path, repositories: int) -> frozenset[Finding]:
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(reports.glob("*.json"))]
    rows = [row for document in documents for row in document["repositories"]]
    failed = [row for row in rows if row["status"] != "scanned"]
    if failed or len(rows) != repositories:
        raise EnvironmentProblem(
            f"{len(rows) - len(failed)} of {repositories} repositories were scanned",
            str(failed[0]["error"] or failed[0]["not_scanned"]) if failed else "please report this",
        )
    return frozenset(
        (row["repo"], finding["id"], finding["package"], finding["version"])
        for row in rows
        for finding in row["findings"]
    )
