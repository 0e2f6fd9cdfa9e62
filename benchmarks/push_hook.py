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
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
PROMISE = 4.0
FILES = 200
"""In the repository, of which each push changes three."""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def seconds(command: list[str], cwd: Path, stdin: bytes = b"") -> float:
    started = time.perf_counter()
    subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, check=True)
    return time.perf_counter() - started


def made(folder: Path, name: str) -> Path:
    """A clone with a history, lockfiles among its files, and its own bare remote."""
    remote, top = folder / f"{name}.git", folder / name
    git(folder, "init", "-q", "--bare", "-b", "main", str(remote))
    git(folder, "init", "-q", "-b", "main", str(top))
    for setting, value in (("user.name", "a"), ("user.email", "a@example.invalid"), ("gc.auto", "0")):
        git(top, "config", setting, value)
    git(top, "remote", "add", "origin", str(remote))
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
        times: dict[str, list[float]] = {kind: [] for kind in ("version", "without", "with", "hook")}
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
                taken = seconds(what, where, stdin)
                if number >= 0:
                    times[kind].append(taken * 1000)
    version = statistics.median(times["version"])
    added = statistics.median(a - b for a, b in zip(times["with"], times["without"], strict=True))
    return {
        "schema": 1,
        "rounds": rounds,
        "git_version_ms": round(version, 3),
        "push_without_ms": round(statistics.median(times["without"]), 3),
        "push_with_ms": round(statistics.median(times["with"]), 3),
        "added_ms": round(added, 3),
        "ratio": round(added / version, 2),
        "hook_alone_ms": round(statistics.median(times["hook"]), 3),
        "hook_alone_ratio": round(statistics.median(times["hook"]) / version, 2),
        "hook_alone_best_ratio": round(min(times["hook"]) / min(times["version"]), 2),
        "promise": PROMISE,
        "held": added / version <= PROMISE,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "git": git(CHECKOUT, "--version").removeprefix("git version "),
    }


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
    verdict = "held" if found["held"] else "NOT held"
    print(f"at most {PROMISE:g} times: {verdict} ({found['rounds']} rounds, load {found['load']})")
    return 0 if found["held"] else 1


if __name__ == "__main__":
    sys.exit(main())
