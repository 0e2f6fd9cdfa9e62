"""Many agents against a provider that fails at random, while workers are killed: nothing may be overspent.

Runs the real command line, real worker processes and a real git remote against a local server that speaks
the Messages API. Another process looks at the ledger all the while. Run it from a checkout in which
`scripts/test.sh` has set up `.venv`:

    .venv/bin/python benchmarks/agents_soak.py --workers 64 --tasks 500

With a --total that is less than the tasks need, the command stops at the limit with exit status 4; then the
budget is raised and the same command goes on. It prints what it found as JSON; the exit status is 1 where a
promise was broken.
"""

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

CHECKOUT = Path(__file__).parents[1]
LIMIT = 4


class World:
    """A folder with a remote, a host, its settings, a provider, and a process that looks at the ledger."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder = folder
        self.host = folder / "the host"
        self.options = options
        self.kills = 0
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(CHECKOUT),
            "ANTHROPIC_API_KEY": "soak-test-key",
            "CORTEX_CONFIG_HOME": str(folder / "config"),
            "CORTEX_DATA_HOME": str(folder / "data"),
            "CORTEX_CACHE_HOME": str(folder / "cache"),
            "GIT_CONFIG_GLOBAL": os.devnull,
        }

    def cortex(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cortex_git", *arguments]
        return subprocess.run(
            command, cwd=self.host, env=self.environment, capture_output=True, text=True, check=False
        )

    def make(self, url: str) -> None:
        """The remote, the host and the tasks."""
        remote = self.folder / "remote.git"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(remote)], check=True)
        self.host.mkdir()
        told = self.cortex("init", str(self.host), "--remote", str(remote))
        assert told.returncode == 0, told.stderr
        config = self.folder / "config"
        config.mkdir()
        (config / "config.toml").write_text(
            "confirm_above_usd = 100000\n"
            f'[claude]\nbase_url = "{url}"\ntimeout_s = {self.options.timeout}\n'
            "[agents]\nmax_output = 800\n"
        )
        shared = self.host / "coordination" / "config.toml"
        rates = f"[rates.claude]\nrequests_per_minute = {self.options.requests_per_minute}\n"
        shared.write_text(
            shared.read_text()
            + f"\n[budget]\ntotal = {self.options.total}\n[leases]\nretry_base_s = 0.2\nretry_max_s = 2\n"
            + (rates if self.options.requests_per_minute else "")
        )
        lines = [
            json.dumps(
                {"id": f"task-{number:04d}", "title": f"Task {number}", "type": "analysis-worker",
                 "budget": self.options.budget}
            )
            for number in range(self.options.tasks)
        ]  # fmt: skip
        (self.folder / "tasks.jsonl").write_text("\n".join(lines))
        added = self.cortex("task", "add", "--file", str(self.folder / "tasks.jsonl"), "--batch", "soak")
        assert added.returncode == 0, added.stderr

    @property
    def database(self) -> Path:
        return self.host / ".git" / "cortex" / "state.db"

    def run(self) -> list[int]:
        """The command again and again, with random kills, until all is done; its exit statuses."""
        statuses: list[int] = []
        dice = random.Random(self.options.seed)
        while len(statuses) < 40:
            command = [sys.executable, "-m", "cortex_git", "spawn-workers", "--batch", "soak"]
            command += ["--yes", "--count", str(self.options.workers)]
            with (self.folder / f"run-{len(statuses)}.log").open("w") as log:
                running = subprocess.Popen(
                    command, cwd=self.host, env=self.environment, stdout=log, stderr=log
                )
                self._kill_at_random(running, dice)
            statuses.append(running.wait())
            if statuses[-1] == LIMIT:
                raised = self.cortex("budget", "set", "--total", str(self.total() * 2))
                assert raised.returncode == 0, raised.stderr
            elif statuses[-1] >= 0:
                break
        return statuses

    def _kill_at_random(self, running: "subprocess.Popen[bytes]", dice: random.Random) -> None:
        """A worker every so often, and now and then the command itself."""
        while running.poll() is None:
            try:
                running.wait(self.options.kill_every * dice.uniform(0.5, 1.5))
            except subprocess.TimeoutExpired:
                pass
            else:
                return
            if dice.random() < self.options.kill_command:
                running.kill()
                self.kills += 1
                return
            with_workers = [
                child for child in _children(running.pid) if "forkserver" in " ".join(_line(child))
            ]
            workers = [one for child in with_workers for one in child.children()]
            if workers:
                victim = dice.choice(workers)
                try:
                    victim.send_signal(signal.SIGKILL)
                    self.kills += 1
                except psutil.NoSuchProcess:
                    continue

    def total(self) -> int:
        shown = self.cortex("budget", "show", "--format", "json")
        return int(json.loads(shown.stdout)["token_budget"]["total"])


def _children(pid: int) -> list[psutil.Process]:
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _line(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def watch(database: Path, out: Path) -> None:
    """Be the process that looks: every balance that does not add up is noted. Ends with its stdin."""
    from cortex_git import state
    from cortex_git.limits.balances import balances

    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)  # to look often, though 64 workers keep the machine busy
    connection = state.connect(database)
    hosts: list[str] = []
    looks, wrong, begun = 0, [], time.monotonic()
    in_seconds: Counter[int] = Counter()
    while not ended.is_set():
        if looks % 100 == 0:
            hosts = [row[0] for row in connection.execute("SELECT DISTINCT host FROM grants")]
        for host in hosts:
            for one in balances(connection, host):
                whole = one.allocated + one.in_use + one.available == one.total
                least = min(one.allocated, one.in_use, one.available, one.total, one.spent)
                if not whole or least < 0 or one.overdrawn or (one.limited and one.spent > one.total):
                    wrong.append(repr(one))
        looks += 1
        in_seconds[int(time.monotonic() - begun)] += 1
        time.sleep(0.002)
    seconds = time.monotonic() - begun
    slowest = min(list(in_seconds.values())[1:-1], default=0)
    found = {"looks": looks, "per_s": looks / seconds, "slowest_s": slowest, "wrong": wrong[:10]}
    out.write_text(json.dumps(found))


def judge(world: World, url: str, looked: dict[str, Any], statuses: list[int]) -> dict[str, Any]:
    """What was promised against what is there now."""
    import urllib.request

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url}/_log") as answer:
        server = json.loads(answer.read())
    connection = sqlite3.connect(world.database)
    world.cortex("sync")
    results = json.loads(world.cortex("results", "list", "--batch", "soak", "--format", "json").stdout)
    shown = json.loads(world.cortex("budget", "show", "--format", "json").stdout)["token_budget"]
    spent = connection.execute("SELECT sum(spent) FROM grants WHERE account = 'total'").fetchone()[0] or 0
    log = connection.execute("SELECT id, kind, at, ended FROM gate_log ORDER BY id").fetchall()
    closures = [row for row in log if row[1] == "close"]
    within = [
        call[0]
        for call in log
        if call[1] == "call" and any(c[0] < call[0] and c[2] <= call[2] < c[3] for c in closures)
    ]
    commits = subprocess.run(
        ["git", "log", "--format=%s", "main"],
        cwd=world.folder / "remote.git", capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    published = Counter(line.split(" ")[-1] for line in commits if line.startswith("feat("))
    statuses_of = Counter(one["status"] for one in results["results"])
    answered = Counter(one["status"] for one in server["log"] if one["path"] == "/v1/messages")
    found = {
        "tasks": world.options.tasks,
        "workers": world.options.workers,
        "exit_statuses": statuses,
        "kills": world.kills,
        "results": len(results["results"]),
        "by_status": dict(statuses_of),
        "published_twice": [task for task, times in published.items() if times > 1],
        "server_billed": server["billed"],
        "ledger_spent": spent,
        "token_budget": shown,
        "looks": looked,
        "requests": sum(answered.values()),
        "answers": {str(status): count for status, count in sorted(answered.items())},
        "closures": len(closures),
        "admitted_while_closed": within,
    }
    found["broken"] = [
        promise
        for promise, held in {
            "every task has one result": found["results"] == world.options.tasks
            and len(published) == world.options.tasks and not found["published_twice"],
            "spent at most the total": spent <= shown["total"],
            "billed at most what the ledger says": server["billed"] <= spent,
            "the invariant held at every look": not looked["wrong"],
            "looked at least 100 times a second": looked["per_s"] >= 100,
            "nothing was admitted while closed": not within,
            "the figures add up": shown["allocated"] + shown["in_use"] + shown["available"] == shown["total"],
            "nothing is held any more": shown["allocated"] == 0,
        }.items()
        if not held
    ]  # fmt: skip
    return found


def soak(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One soak in `folder`; what it found."""
    world = World(folder, options)
    server = subprocess.Popen(
        [sys.executable, str(CHECKOUT / "tests" / "modelworld.py"), "--seed", str(options.seed),
         "--throttled", "0.05", "--overloaded", "0.02", "--dropped", "0.02", "--hangs", "0.01",
         "--hang", str(options.timeout * 2), "--retry-after", "1", "--latency", "0.02", "0.2"],
        stdout=subprocess.PIPE, text=True, env=world.environment,
    )  # fmt: skip
    assert server.stdout is not None
    watcher = None
    try:
        url = server.stdout.readline().strip()
        world.make(url)
        seen = folder / "looks.json"
        watcher = subprocess.Popen(
            [sys.executable, __file__, "--watch", str(world.database), str(seen)],
            stdin=subprocess.PIPE, env=world.environment,
        )  # fmt: skip
        statuses = world.run()
        watcher.communicate()
        return judge(world, url, json.loads(seen.read_text()), statuses)
    finally:
        server.kill()
        server.wait()
        if watcher is not None:
            watcher.kill()
            watcher.wait()


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--total", type=int, default=20_000_000, help="tokens")
    parser.add_argument("--budget", type=int, default=20_000, help="tokens of a task")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=3.0, help="longest silence of the provider, seconds")
    parser.add_argument("--requests-per-minute", type=int, default=0)
    parser.add_argument("--kill-every", type=float, default=1.0, help="seconds between kills of a worker")
    parser.add_argument("--kill-command", type=float, default=0.03, help="part of kills that hit the command")
    parser.add_argument("--keep", type=Path, help="folder to work in, and to keep")
    return parser.parse_args(arguments)


def main() -> int:
    if sys.argv[1:2] == ["--watch"]:
        watch(Path(sys.argv[2]), Path(sys.argv[3]))
        return 0
    options = parsed(sys.argv[1:])
    if options.keep is not None:
        options.keep.mkdir(parents=True)
        found = soak(options.keep, options)
    else:
        with tempfile.TemporaryDirectory(prefix="cortex soak ") as folder:
            found = soak(Path(folder), options)
    print(json.dumps(found, indent=2))
    return 1 if found["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
