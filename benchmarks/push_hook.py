"""What the pre-push hook adds to a push that changes no lockfile, beside the time of `git --version`.

    .venv/bin/python benchmarks/push_hook.py                 # 20 pushes with and 20 without, interleaved
    .venv/bin/python benchmarks/push_hook.py --json FILE

Each round makes two commits in two clones alike, of which one has the hook, and pushes both to bare remotes
on this machine, in turns which first; between them `git --version` is run. `added` is the median over the
rounds of (with - without); the promise is that it is at most 4 times the median of `git --version`. A push
varies more than what is measured, on a busy machine by far more: so the hook alone, run as git runs it, is
reported beside it, by its median and by its best time over the best of `git --version`.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).parents[1]
PROMISE = 4.0
FILES = 200
"""In the repository, of which each push changes three."""
QUIET = {"gc.auto": "0", "maintenance.auto": "false", "receive.autogc": "false", "core.fsync": "none"}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Taken(NamedTuple):
    """Milliseconds: on the clock, and of processors (with every process that was waited for)."""

    clock: float
    processor: float


def taken(command: list[str], cwd: Path, stdin: bytes = b"") -> Taken:
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, check=True)
    clock, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(clock * 1000, processor * 1000)


def made(folder: Path, name: str) -> Path:
    """A clone with a history, lockfiles among its files, and its own bare remote."""
    remote, top = folder / f"{name}.git", folder / name
    git(folder, "init", "-q", "--bare", "-b", "main", str(remote))
    git(folder, "init", "-q", "-b", "main", str(top))
    for setting, value in (("user.name", "a"), ("user.email", "a@example.invalid")):
        git(top, "config", setting, value)
    git(top, "remote", "add", "origin", str(remote))
    for setting, value in QUIET.items():  # a push's own cost varies by more than what is measured
        git(top, "config", setting, value)
        git(remote, "config", setting, value)
    for number in range(FILES):
        file = top / f"src/part{number % 20}/f{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"x = {number}\n" * 40)
    for path in ("package-lock.json", "services/api/go.mod", "requirements.txt"):
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text("")
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "first")
    git(top, "push", "-q", "origin", "main")
    return top


def commit(top: Path, number: int) -> None:
    for place in range(3):
        (top / f"src/part{place}/f{place}.py").write_text(f"x = {number}\n" * 40)
    git(top, "commit", "-q", "--no-verify", "-am", f"change {number}")


def measure(rounds: int) -> dict[str, object]:
    """Milliseconds of each kind, and what follows from them."""
    with tempfile.TemporaryDirectory(prefix="push-hook-") as name:
        folder = Path(name)
        plain, hooked = made(folder, "plain"), made(folder, "hooked")
        command = [sys.executable, "-m", "cortex_git", "hooks", "install", str(hooked), "--only", "pre-push"]
        subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True)
        push = ["git", "push", "-q", "origin", "main"]
        times: dict[str, list[Taken]] = {kind: [] for kind in ("version", "without", "with", "hook")}
        for number in range(-2, rounds):  # two rounds first, that do not count
            commit(plain, number)
            commit(hooked, number)
            tip, old = git(hooked, "rev-parse", "HEAD"), git(hooked, "rev-parse", "origin/main")
            line = f"refs/heads/main {tip} refs/heads/main {old}\n".encode()
            hook = [str(hooked / ".git/hooks/pre-push"), "origin", str(folder / "hooked.git")]
            turns = [
                ("without", push, plain, b""),
                ("version", ["git", "--version"], plain, b""),
                ("with", push, hooked, b""),
                ("hook", hook, hooked, line),
            ]
            for kind, what, where, stdin in turns if number % 2 else reversed(turns):
                one = taken(what, where, stdin)
                if number >= 0:
                    times[kind].append(one)
    clocks = {kind: [one.clock for one in values] for kind, values in times.items()}
    work = {kind: [one.processor for one in values] for kind, values in times.items()}
    version, added = statistics.median(clocks["version"]), _added(clocks)
    return {
        "schema": 1,
        "rounds": rounds,
        "git_version_ms": round(version, 3),
        "push_without_ms": round(statistics.median(clocks["without"]), 3),
        "push_with_ms": round(statistics.median(clocks["with"]), 3),
        "added_ms": round(added, 3),
        "ratio": round(added / version, 2),
        "hook_alone_ms": round(statistics.median(clocks["hook"]), 3),
        "hook_alone_ratio": round(statistics.median(clocks["hook"]) / version, 2),
        "hook_alone_best_ratio": round(min(clocks["hook"]) / min(clocks["version"]), 2),
        "processor_ratio": round(_added(work) / statistics.median(work["version"]), 2),
        "promise": PROMISE,
        "held": added / version <= PROMISE,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "git": git(CHECKOUT, "--version").removeprefix("git version "),
    }


def _added(times: dict[str, list[float]]) -> float:
    return statistics.median(a - b for a, b in zip(times["with"], times["without"], strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="pushes of each kind")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    found = measure(options.rounds)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print("| what (median) | ms | times `git --version` |")
    print("| --- | ---: | ---: |")
    version = float(str(found["git_version_ms"]))
    for label, key in (
        ("git --version", "git_version_ms"),
        ("push without the hook", "push_without_ms"),
        ("push with the hook", "push_with_ms"),
        ("added by the hook", "added_ms"),
        ("the hook alone", "hook_alone_ms"),
    ):
        value = float(str(found[key]))
        print(f"| {label} | {value:.2f} | {value / version:.2f} |")
    print(f"the hook alone, the best of each: {found['hook_alone_best_ratio']} times")
    print(f"in processor time, added to a push: {found['processor_ratio']} times that of `git --version`")
    verdict = "held" if found["held"] else "NOT held"
    print(f"at most {PROMISE:g} times: {verdict} ({found['rounds']} rounds, load {found['load']})")
    return 0 if found["held"] else 1


if __name__ == "__main__":
    sys.exit(main())
