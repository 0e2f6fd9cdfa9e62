"""Scans of many small local repositories: one by one, all at once, and all once more with nothing changed.

    python benchmarks/many_repositories.py [--repositories 1000] [--loop 25] [--workers 4] [--advisories DIR]

Makes the repositories (fixed seed), then runs real commands with data and cache folders of their own. The
loop is `multi-repo-scan REPO`, one repository after another, over `--loop` of them, and its time is scaled to
all. git alone reads the same objects with nothing of ours: `rev-parse`, `ls-tree -r` and `cat-file --batch`.
Every run must find the same, and the second run, which is done three times, must scan nothing. Prints a table
to stderr and JSON to stdout.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psutil

CHECKOUT = Path(__file__).resolve().parents[1]
SEED = 20_240_601
LOOK_S = 0.2
"""Seconds between two looks at the memory of a command and of all that it started."""
MIB = 1024 * 1024
SHARED = 0.2
"""Share of lockfiles that are one of a few that several repositories have."""
SECOND_RUNS = 3
PLAIN_FILES = 40
"""Other files of each repository, in folders."""
KNOWN: dict[str, tuple[tuple[str, str], ...]] = {
    "npm": (("lodash", "4.17.15"), ("minimist", "1.2.0"), ("axios", "0.21.0"), ("ws", "7.4.0")),
    "pypi": (("requests", "2.19.1"), ("urllib3", "1.24.1"), ("jinja2", "2.10"), ("pyyaml", "5.1")),
    "cargo": (("time", "0.1.42"), ("smallvec", "0.6.9"), ("regex", "1.5.4")),
    "go": (("golang.org/x/text", "v0.3.2"), ("github.com/gin-gonic/gin", "v1.6.0")),
}
"""Old releases with known vulnerabilities, one in each lockfile, so that there is something to compare."""
NAMES = {"npm": "package-lock.json", "pypi": "requirements.txt", "cargo": "Cargo.lock", "go": "go.mod"}
ECOSYSTEMS = {"npm": "npm", "pypi": "PyPI", "cargo": "crates.io", "go": "Go"}
CORTEX = (sys.executable, "-m", "cortex_git", "multi-repo-scan", "--format", "json", "--allow-incomplete")

Finding = tuple[str, str, str, str]


def lockfile(chance: random.Random, kind: str) -> bytes:
    """A lockfile of 20 to 400 made-up packages and one well-known one."""
    pins = dict([chance.choice(KNOWN[kind])])
    for _ in range(chance.randrange(20, 401)):
        version = f"{chance.randrange(10)}.{chance.randrange(30)}.{chance.randrange(30)}"
        name = f"bench-{chance.randrange(10**6):06d}"
        pins[f"example.org/{name}" if kind == "go" else name] = f"v{version}" if kind == "go" else version
    if kind == "npm":
        packages = {f"node_modules/{name}": {"version": version} for name, version in pins.items()}
        root = {"": {"name": "bench", "version": "1.0.0", "dependencies": pins}}
        document = {"name": "bench", "lockfileVersion": 3, "packages": {**root, **packages}}
        return json.dumps(document, indent=2).encode()
    if kind == "pypi":
        return "".join(f"{name}=={version}\n" for name, version in pins.items()).encode()
    if kind == "cargo":
        source = "registry+https://github.com/rust-lang/crates.io-index"
        blocks = (
            f'[[package]]\nname = "{name}"\nversion = "{version}"\nsource = "{source}"\n'
            for name, version in pins.items()
        )
        return ("version = 3\n\n" + "\n".join(blocks)).encode()
    lines = "".join(f"\t{name} {version}\n" for name, version in pins.items())
    return f"module example.org/bench\n\ngo 1.21.0\n\nrequire (\n{lines})\n".encode()


def make_repositories(folder: Path, count: int, kinds: Sequence[str]) -> list[Path]:
    """Checkouts without work trees being written: one commit each, 1 to 5 lockfiles, some plain files."""
    chance = random.Random(SEED)
    shared = [(kind, lockfile(chance, kind)) for kind in kinds for _ in range(5)]
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder / "template")], check=True)
    made = []
    for number in range(count):
        files: dict[str, bytes] = {}
        for place in range(chance.randrange(1, 6)):
            kind = chance.choice(kinds)
            content = lockfile(chance, kind)
            if chance.random() < SHARED:
                kind, content = chance.choice(shared)
            files[f"service-{place}/{NAMES[kind]}" if place else NAMES[kind]] = content
        for name in range(PLAIN_FILES):
            files[f"src/part-{name % 5}/file_{name}.py"] = b"print(%d, %d)\n" % (number, name)
        made.append(_commit(folder / "template", folder / f"repository-{number:04d}", files))
    return made


def _commit(template: Path, repository: Path, files: dict[str, bytes]) -> Path:
    for inner in ("objects/info", "objects/pack", "refs/heads", "refs/tags"):
        (repository / ".git" / inner).mkdir(parents=True)
    for name in ("HEAD", "config"):
        (repository / ".git" / name).write_bytes((template / ".git" / name).read_bytes())
    head = b"commit refs/heads/main\ncommitter bench <bench@example.invalid> 1735689600 +0000\ndata 5\npins\n"
    body = b"".join(
        b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content)
        for path, content in files.items()
    )
    command = ["git", "-C", str(repository), "fast-import", "--quiet"]
    subprocess.run(command, input=head + body + b"done\n", check=True)
    return repository


@dataclass
class Run:
    """One command: seconds, the most memory in MiB, and what it found."""

    name: str
    seconds: float = 0.0
    command_mib: float = 0.0
    """Most resident memory of the command itself."""
    process_mib: float = 0.0
    """The same of the largest process that it started: a worker, or git."""
    together_mib: float = 0.0
    """Most proportional memory (PSS) of all of them together at one look."""
    findings: frozenset[Finding] = field(default=frozenset(), repr=False)
    taken_over: int = field(default=0, repr=False)
    """Rows that an earlier batch had."""

    def to_json(self) -> dict[str, Any]:
        document = {k: value for k, value in asdict(self).items() if k not in ("findings", "taken_over")}
        rounded = {k: round(v, 2) if isinstance(v, float) else v for k, v in document.items()}
        return {**rounded, "findings": len(self.findings)}


class _Memory(threading.Thread):
    """Looks at a process and all below it until told to stop."""

    def __init__(self, pid: int, run: Run) -> None:
        super().__init__(daemon=True)
        self._top, self._run, self._over = psutil.Process(pid), run, threading.Event()
        self._seen: set[int] = set()
        """Processes of the look before: one that is only just forked shows the memory of who forked it."""

    def run(self) -> None:
        while not self._over.wait(LOOK_S):
            together = 0.0
            try:
                all_of_them = [self._top, *self._top.children(recursive=True)]
            except psutil.Error:
                return
            now = {process.pid for process in all_of_them}
            before, self._seen = self._seen, now
            for process in all_of_them:
                if process.pid not in before:
                    continue
                place = Path("/proc") / str(process.pid)
                try:
                    status = (place / "status").read_text()
                    together += _kib(place / "smaps_rollup", "Pss:") / 1024
                except OSError:
                    continue
                peak = _in(status, "VmHWM:") / 1024
                if process.pid == self._top.pid:
                    self._run.command_mib = max(self._run.command_mib, peak)
                else:
                    self._run.process_mib = max(self._run.process_mib, peak)
            self._run.together_mib = max(self._run.together_mib, together)

    def stop(self) -> None:
        self._over.set()
        self.join()


def _kib(path: Path, name: str) -> int:
    return _in(path.read_text(), name)


def _in(text: str, name: str) -> int:
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith(name)), 0)


def carry_out(name: str, command: Sequence[str], environment: dict[str, str], *, look: bool = True) -> Run:
    """Run a command to its end; an error with what it said unless it succeeds."""
    run = Run(name)
    began = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(list(command), env=environment, stdout=out, stderr=errors)
        memory = _Memory(process.pid, run) if look else None
        if memory is not None:
            memory.start()
        process.wait()
        run.seconds = time.monotonic() - began
        if memory is not None:
            memory.stop()
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{name} ended with {process.returncode}: {errors.read().decode()[-2000:]}")
        out.seek(0)
        rows = _rows(out.read())
    run.findings = frozenset(
        (row["repo"], finding["id"], finding["package"], finding["version"])
        for row in rows
        for finding in row["findings"]
    )
    run.taken_over = sum(row["unchanged_since"] is not None for row in rows)
    return run


def git_alone(repositories: Sequence[Path], workers: int) -> Run:
    """Read every lockfile's blob by git processes alone, as many at once as there are workers."""

    def read(repository: Path) -> int:
        git = ["git", "-C", str(repository)]
        subprocess.run([*git, "rev-parse", "HEAD^{commit}"], check=True, capture_output=True)
        listed = subprocess.run([*git, "ls-tree", "-r", "-z", "HEAD"], check=True, capture_output=True).stdout
        lines = (line.partition(b"\t") for line in listed.split(b"\0") if line)
        oids = [
            head.split()[2] for head, _, path in lines if path.decode().rpartition("/")[2] in NAMES.values()
        ]
        asked = subprocess.run(
            [*git, "cat-file", "--batch"], input=b"\n".join(oids) + b"\n", check=True, capture_output=True
        )
        return len(asked.stdout)

    began = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        total = sum(pool.map(read, repositories))
    print(f"git alone read {total / MIB:.0f} MiB", file=sys.stderr)
    return Run("git alone", time.monotonic() - began)


def _rows(document: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    if document.startswith(b"{"):
        rows = json.loads(document).get("repositories", [])
    failed = [row["error"] for row in rows if row["status"] == "failed"]
    if failed:
        raise SystemExit(f"{len(failed)} repositories failed: {failed[0]}")
    return rows


def _environment(place: Path) -> dict[str, str]:
    folders = {f"CORTEX_{name}_HOME": str(place / name.lower()) for name in ("DATA", "CACHE", "CONFIG")}
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), "GIT_CONFIG_GLOBAL": os.devnull, **folders}


def _same(expected: Run, run: Run, taken_over: int = 0) -> None:
    if expected.findings != run.findings:
        different = len(expected.findings ^ run.findings)
        raise SystemExit(f"{run.name} found {different} findings more or less than {expected.name}")
    if run.taken_over != taken_over:
        raise SystemExit(f"{run.name} took over {run.taken_over} rows, and not {taken_over}")


def measure(place: Path, repositories: Sequence[Path], loop: int, workers: int, advisories: str) -> list[Run]:
    """The loop in folders of its own, then the runs over all, each with what the one before left."""
    alone, all_of_them = _environment(place / "loop"), _environment(place / "all")
    runs: list[Run] = []
    if advisories:
        update = (*CORTEX[:3], "advisories", "update", "--from", advisories)
        runs.append(carry_out("import of advisories", update, all_of_them))
        carry_out("import of advisories", update, alone, look=False)
    picked = repositories[:: max(1, len(repositories) // loop)][:loop]
    # Once without the clock: the embedded coordination repository and the starter set are made then. Of the
    # sample, so that neither the loop nor the first run has a row to take over.
    carry_out("warm-up", (*CORTEX, "--sample"), alone, look=False)
    looped = Run(f"loop over {len(picked)}, scaled")
    for repository in picked:
        one = carry_out("loop", (*CORTEX, str(repository)), alone, look=False)
        looped.seconds += one.seconds
        looped.findings |= one.findings
    looped.seconds *= len(repositories) / len(picked)
    carry_out("warm-up", (*CORTEX, "--sample"), all_of_them, look=False)
    listing = place / "names"
    listing.write_text("".join(f"{path}\n" for path in repositories))
    run_all = (*CORTEX, "--workers", str(workers), "--repos-file", str(listing))
    first = carry_out("first run", (*run_all, "--batch", "first"), all_of_them)
    _same(first, first)
    names = {str(path) for path in picked}
    if {finding for finding in first.findings if finding[0] in names} != looped.findings:
        raise SystemExit("the loop and the first run did not find the same")
    seconds = [carry_out("second run", run_all, all_of_them) for _ in range(SECOND_RUNS)]
    for second in seconds:
        _same(first, second, len(repositories))
    seconds[0].seconds = median(second.seconds for second in seconds)
    rescan = carry_out("rescan, cached", (*run_all, "--rescan"), all_of_them)
    _same(first, rescan)
    return [*runs, looped, git_alone(repositories, workers), first, seconds[0], rescan]


def table(runs: Sequence[Run], repositories: int) -> str:
    lines = [
        "| run | seconds | ms a repository | command, MiB | largest process, MiB | together (PSS), MiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for run in runs:
        each = "" if "import" in run.name else f"{1000 * run.seconds / repositories:.1f}"
        memory = [f"{mib:.0f}" if mib else "" for mib in (run.command_mib, run.process_mib, run.together_mib)]
        lines.append(f"| {run.name} | {run.seconds:.2f} | {each} | {' | '.join(memory)} |")
    return "\n".join(lines)


def ratios(runs: Sequence[Run]) -> dict[str, float]:
    seconds = {run.name.split(" over ")[0]: run.seconds for run in runs}
    return {
        "loop_to_first": round(seconds["loop"] / seconds["first run"], 2),
        "first_to_git_alone": round(seconds["first run"] / seconds["git alone"], 2),
        "first_to_second": round(seconds["first run"] / seconds["second run"], 2),
        "first_to_rescan": round(seconds["first run"] / seconds["rescan, cached"], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repositories", type=int, default=1000)
    parser.add_argument("--loop", type=int, default=25, help="repositories that are scanned one by one")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--advisories", default="", metavar="DIR", help="OSV dumps to import first")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="cortex-many-", ignore_cleanup_errors=True) as scratch:
        place = Path(scratch)
        print(f"making {given.repositories} repositories", file=sys.stderr)
        dumps = Path(given.advisories)
        # Where the dumps say nothing of an ecosystem, every row would be incomplete, and is scanned again.
        kinds = [
            k for k, name in sorted(ECOSYSTEMS.items()) if not given.advisories or (dumps / name).is_dir()
        ]
        repositories = make_repositories(place / "repositories", given.repositories, kinds)
        runs = measure(place, repositories, given.loop, given.workers, given.advisories)
    print(table(runs, given.repositories), file=sys.stderr)
    machine = {"cores": os.cpu_count(), "load_before": round(load, 1), "python": sys.version.split()[0]}
    document = {"schema": 1, **vars(given), **ratios(runs), "runs": [run.to_json() for run in runs]}
    document.pop("advisories")
    print(json.dumps({**document, "machine": machine}, indent=2))


if __name__ == "__main__":
    main()
