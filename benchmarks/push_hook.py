"""What the pre-push hook adds to a push that changes no lockfile, beside the time of `git --version`.

    .venv/bin/python benchmarks/push_hook.py                 # 20 pushes with and 20 without, interleaved
    .venv/bin/python benchmarks/push_hook.py --json FILE

**In pushes**: each round makes two commits in two clones alike, of which one has the hook, pushes both to
bare remotes on this machine and runs `git --version`, every other round in the opposite order. What the
hook adds is the median over the rounds of (with - without), so that what is slow for a while is slow in
both; `ratio` is that over the median of `git --version`. The promise, at most 4, is held or not by it.

**Alone**: the hook as git runs it, with the lines of one such push, and `git --version`, 200 times each in
turns. A push varies by more than the hook takes; here there is nothing else.

Both are told on the clock and in processor time (user and system, of a process and all that it waited for):
a busy machine moves the first and hardly the second. `ratio_low` and `ratio_high` are where the ratio lies
in 19 of 20 cases (order statistics of the differences); `clear` is false where 4 lies between them, and only
more rounds or a quieter machine can tell.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).parents[1]
PROMISE = 4.0
FILES = 200
"""In the repository, of which each push changes three."""
Turn = tuple[str, list[str], Path, bytes]
"""What is run: its kind, the command, where, and its standard input."""
QUIET = {"gc.auto": "0", "maintenance.auto": "false", "receive.autogc": "false", "core.fsync": "none"}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Taken(NamedTuple):
    """Milliseconds: on the clock, and of processors (with every process that was waited for)."""

    clock: float
    processor: float


def taken(command: list[str], cwd: Path, stdin: bytes = b"") -> Taken:
    """Run it once; `stdin` has to be small enough for a pipe to hold."""
    given, end = os.pipe()
    os.write(end, stdin)
    os.close(end)
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=cwd, stdin=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    clock = time.perf_counter() - started
    os.close(given)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Taken(clock * 1000, (used.ru_utime + used.ru_stime) * 1000)


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


def measure(rounds: int, alone: int) -> dict[str, object]:
    """Milliseconds of each kind, and what follows from them."""
    with tempfile.TemporaryDirectory(prefix="push-hook-") as name:
        folder = Path(name)
        plain, hooked = made(folder, "plain"), made(folder, "hooked")
        command = [sys.executable, "-m", "cortex_git", "hooks", "install", str(hooked), "--only", "pre-push"]
        subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True)
        push, version = ["git", "push", "-q", "origin", "main"], ["git", "--version"]
        turns: list[Turn] = [
            ("without", push, plain, b""),
            ("version", version, plain, b""),
            ("with", push, hooked, b""),
        ]
        pushes: dict[str, list[Taken]] = {kind: [] for kind, *_ in turns}
        for number in range(-2, rounds):  # two rounds first, that do not count
            commit(plain, number)
            commit(hooked, number)
            _round(turns, number, pushes)
        commit(hooked, rounds)
        tip, old = git(hooked, "rev-parse", "HEAD"), git(hooked, "rev-parse", "origin/main")
        line = f"refs/heads/main {tip} refs/heads/main {old}\n".encode()
        hook = [str(hooked / ".git/hooks/pre-push"), "origin", str(folder / "hooked.git")]
        turns = [("version", version, hooked, b""), ("hook", hook, hooked, line)]
        singles: dict[str, list[Taken]] = {kind: [] for kind, *_ in turns}
        for number in range(-2, alone):
            _round(turns, number, singles)
    clock, processor = (_told(pushes, singles, by) for by in Taken._fields)
    return {
        "schema": 1,
        "rounds": rounds,
        "alone": alone,
        **clock,
        **{f"processor_{name}": value for name, value in processor.items()},
        "promise": PROMISE,
        "held": clock["ratio"] <= PROMISE,
        "clear": not clock["ratio_low"] <= PROMISE < clock["ratio_high"],
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "git": git(CHECKOUT, "--version").removeprefix("git version "),
    }


def _round(turns: Sequence[Turn], number: int, times: Mapping[str, list[Taken]]) -> None:
    for kind, what, where, stdin in turns if number % 2 else reversed(turns):
        one = taken(what, where, stdin)
        if number >= 0:
            times[kind].append(one)


def _told(pushes: Mapping[str, list[Taken]], singles: Mapping[str, list[Taken]], by: str) -> dict[str, float]:
    """The figures by one of the two measures of time."""
    version, hook = _median(singles["version"], by), _median(singles["hook"], by)
    pairs = zip(pushes["with"], pushes["without"], strict=True)
    added = [getattr(one, by) - getattr(other, by) for one, other in pairs]
    low, high = _range(added)
    unit = _median(pushes["version"], by)
    told = {
        "git_version_ms": unit,
        "push_without_ms": _median(pushes["without"], by),
        "push_with_ms": _median(pushes["with"], by),
        "added_ms": statistics.median(added),
        "ratio": statistics.median(added) / unit,
        "ratio_low": low / unit,
        "ratio_high": high / unit,
        "hook_alone_ms": hook,
        "git_version_alone_ms": version,
        "hook_alone_ratio": hook / version,
    }
    return {name: round(value, 3) for name, value in told.items()}


def _median(times: Sequence[Taken], by: str) -> float:
    return float(statistics.median(getattr(one, by) for one in times))


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Where the median that the values were drawn around lies with 95 %: two of the values in order."""
    ordered, count = sorted(values), len(values)
    below, out = 0.0, 0
    while out < count // 2 and (below := below + math.comb(count, out) / 2**count) <= 0.025:
        out += 1
    out = max(out - 1, 0)
    return ordered[out], ordered[count - 1 - out]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="pushes of each kind")
    parser.add_argument("--alone", type=int, default=200, help="runs of the hook alone")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    found = measure(options.rounds, options.alone)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print("| what (median) | ms | ms of processors |")
    print("| --- | ---: | ---: |")
    for label, key in (
        ("git --version", "git_version_ms"),
        ("push without the hook", "push_without_ms"),
        ("push with the hook", "push_with_ms"),
        ("added by the hook", "added_ms"),
        ("the hook alone", "hook_alone_ms"),
        ("git --version beside it", "git_version_alone_ms"),
    ):
        print(f"| {label} | {found[key]:.2f} | {found[f'processor_{key}']:.2f} |")
    for label, prefix in (("on the clock", ""), ("in processor time", "processor_")):
        ratio, low, high, alone = (
            found[f"{prefix}{key}"] for key in ("ratio", "ratio_low", "ratio_high", "hook_alone_ratio")
        )
        print(
            f"{label}: {ratio:.2f} times `git --version` ({low:.2f} to {high:.2f}), alone {alone:.2f} times"
        )
    verdict = "held" if found["held"] else "NOT held"
    if not found["clear"]:
        verdict += ", but 4 is within the range: too noisy on the clock to be sure"
    print(f"at most {PROMISE:g} times: {verdict} ({found['rounds']} rounds, load {found['load']})")
    return 0 if found["held"] else 1


if __name__ == "__main__":
    sys.exit(main())
