"""The ground of a torture: a bare remote, clones, their folders for control, and a `git` first in PATH.

Owns what lies where below one folder. Must never touch a repository or settings of the user's.
"""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cortex_git.analysis.bench.workspace import new_host, new_remote, own_environment, plain_environment
from cortex_git.analysis.torture.plan import BATCH, HostPlan, Plan, task_name
from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import Git
from cortex_git.models import Task
from cortex_git.state import now
from cortex_git.store.coordination import Coordination
from cortex_git.store.tasks import new_batch

MARK_RUN = "TORTURE_RUN"
"""Environment variable that everything this torture started has."""
MARK_HOST = "TORTURE_HOST"
"""The same, for what belongs to one host."""
MOST_ATTEMPTS = 20

_STAND_IN = """\
#!/bin/sh
real={git}
test -e {quiet} && exec "$real" "$@"
skip=
for word do
  case "$skip$word" in
    -c) skip=x ;;
    x*) skip= ;;
    -*) ;;
    push|fetch|ls-remote) exec {python} -I -S {between} "$@" ;;
    *) exec "$real" "$@" ;;
  esac
done
exec "$real" "$@"
"""

_NO_DETECTOR = """\
class Rules:
    def __init__(self, **_options): pass


class Scanner:
    def __init__(self, _rules): pass

    def scan(self, _text, **_options): return []
"""


@dataclass
class World:
    """One torture's folder and what is in it."""

    folder: Path
    plan: Plan
    patch: Path | None = None
    real_git: str = field(default_factory=lambda: shutil.which("git") or "git")

    @property
    def remote(self) -> Path:
        """The bare repository itself."""
        return self.folder / "remote.git"

    @property
    def address(self) -> Path:
        """The way to it that hosts know, which may lead nowhere for a while."""
        return self.folder / "origin.git"

    @property
    def runs(self) -> Path:
        """The log of runs, one JSON object a line."""
        return self.folder / "runs.jsonl"

    @property
    def events(self) -> Path:
        """What the driver did, one JSON object a line."""
        return self.folder / "events.jsonl"

    @property
    def asks(self) -> Path:
        return self.folder / "asks"

    @property
    def quiet(self) -> Path:
        """While this exists no fault strikes any more."""
        return self.folder / "quiet"

    @property
    def mark(self) -> str:
        return str(self.folder)

    def clone(self, host: str) -> Path:
        return self.folder / "hosts" / host

    def control(self, host: str) -> Path:
        return self.folder / "control" / host

    def host_mark(self, host: str) -> str:
        return f"{self.folder}/{host}"

    def environment(self, host: str) -> dict[str, str]:
        """What a command of a host is started with."""
        home = self.folder / "home"
        base = own_environment(**plain_environment())
        for name in [name for name in base if name.startswith(("CORTEX_", "GIT_"))]:
            if name not in plain_environment():
                del base[name]
        return {
            **base,
            "PATH": os.pathsep.join([str(self.folder / "bin"), os.environ.get("PATH", "")]),
            "PYTHONPATH": os.pathsep.join([str(self.folder / "plugin"), base["PYTHONPATH"]]),
            "HOME": str(home),
            "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
            "XDG_CONFIG_HOME": str(home),
            "XDG_DATA_HOME": str(home),
            "XDG_CACHE_HOME": str(home),
            "CORTEX_CONFIG_HOME": str(home),
            MARK_RUN: self.mark,
            MARK_HOST: self.host_mark(host),
            "TORTURE": str(self.control(host)),
            "TORTURE_GIT": self.real_git,
            "TORTURE_REMOTE": str(self.remote),
            "TORTURE_ASKS": str(self.asks),
            "TORTURE_RUNS": str(self.runs),
        }

    def command(self, host: HostPlan, arguments: Sequence[str]) -> list[str]:
        """A command line of the product, as this host starts it."""
        patch = str(self.patch) if self.patch else ""
        control = str(self.control(host.name))
        return [
            sys.executable,
            "-P",
            str(self.folder / "bin" / "boot.py"),
            control,
            f"{host.clock_s:g}",
            patch,
            *arguments,
        ]

    def add_control(self, host: HostPlan) -> None:
        """The folder through which a host is told its faults, and tells what it does."""
        control = self.control(host.name)
        (control / "pids").mkdir(parents=True, exist_ok=True)
        (control / "plan.json").write_text(json.dumps(host.points))


def build(folder: Path, plan: Plan, patch: Path | None = None) -> World:
    """Make everything that the plan's hosts need; their clones are there, and the tasks on the branch.

    Raises EnvironmentProblem where git is not to be found.
    """
    world = World(folder, plan, patch)
    if shutil.which("git") is None:
        raise EnvironmentProblem("git was not found", "install git 2.30 or newer")
    for name in ("hosts", "control", "asks", "home", "bin", "plugin"):
        (folder / name).mkdir()
    _stand_in(world)
    _plug_in(world)
    new_remote(world.remote)
    remote = Git(world.remote)
    # A server has time enough to wait for a lock; and unreachable claims are kept for the checker.
    for setting in ("receive.autogc=false", "core.packedRefsTimeout=20000", "core.filesRefLockTimeout=5000"):
        remote.run("config", *setting.split("="))
    world.address.symlink_to(world.remote)
    first = new_host(world.clone(plan.hosts[0].name), world.address)
    _settle_leases(first, plan)
    _add_tasks(Coordination.open(world.clone(plan.hosts[0].name)), plan)
    for host in plan.hosts[1:]:
        if not host.boxed:
            Git(folder).run("clone", "--quiet", str(world.address), str(world.clone(host.name)))
    for host in plan.hosts:
        world.add_control(host)
    return world


def _stand_in(world: World) -> None:
    """Put our `git` where hosts find it first; only calls that talk to the remote take a longer way."""
    for name in ("between.py", "boot.py"):
        # A copy: each call reads it anew, whatever becomes of this checkout meanwhile.
        shutil.copy(Path(__file__).with_name(name), world.folder / "bin")
    # As on a real server, what serves a push is not ended with the one who pushes: killed in the midst, a
    # git leaves a lock behind that nobody may remove.
    server = world.folder / "bin" / "receive-pack"
    alone = shutil.which("setsid") or ""
    server.write_text(f'#!/bin/sh\nexec {alone} {_quoted(world.real_git)} receive-pack "$@"\n')
    server.chmod(0o755)
    config = f'[remote "origin"]\n\treceivepack = "{_quoted(server)}"\n'  # git hands it to a shell
    (world.folder / "home" / "gitconfig").write_text(config)
    path = world.folder / "bin" / "git"
    path.write_text(
        _STAND_IN.format(
            git=_quoted(world.real_git),
            quiet=_quoted(world.quiet),
            python=_quoted(sys.executable),
            between=_quoted(world.folder / "bin" / "between.py"),
        )
    )
    path.chmod(0o755)


def _quoted(path: str | Path) -> str:
    return shlex.quote(str(path))


def _plug_in(world: World) -> None:
    """Offer the runner `torture` to the hosts, as another package would."""
    info = world.folder / "plugin" / "cortex_torture-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cortex-torture\nVersion: 1.0\n")
    # Its rules take a second of every host's start, and no trial has a secret.
    (world.folder / "plugin" / "kingfisher_sdk.py").write_text(_NO_DETECTOR)
    (info / "entry_points.txt").write_text(
        "[cortex_git.runners]\ntorture = cortex_git.analysis.torture.running\n"
    )


def _settle_leases(first: Coordination, plan: Plan) -> None:
    """Short leases, so that takeovers happen; they are shared by all hosts through the branch."""
    folder, git = first.repository.folder, first.repository.git
    config = folder / "coordination" / "config.toml"
    timing = f"lease_s = {plan.lease_s:g}\nheartbeat_s = {plan.heartbeat_s:g}\nretry_base_s = 0.1\n"
    config.write_text(f"{config.read_text()}fold_every_s = 4\n[leases]\n{timing}give_up_s = 20\n")
    who = ("-c", "user.name=torture", "-c", "user.email=torture@example.invalid")
    git.run(*who, "commit", "--quiet", "--all", "-m", "chore: short leases")
    git.run("push", "--quiet", "origin", "HEAD:main")


def _add_tasks(coordination: Coordination, plan: Plan) -> None:
    tasks = [
        Task(
            task=task_name(number),
            batch=BATCH,
            title=f"trial {number}",
            runner="torture",
            max_attempts=MOST_ATTEMPTS,
            context={
                "seconds": plan.seconds[task_name(number)],
                "fails": plan.fails.get(task_name(number), 0),
            },
            created_at=now(),
        )
        for number in range(plan.tasks)
    ]
    batch = new_batch(BATCH, plan.tasks, coordination.repository.host)
    coordination.add_batch(batch, tasks)
    coordination.fold()
