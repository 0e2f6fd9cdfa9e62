"""Faults that are done from outside of a host: to the remote, to a clone's files, to all of its processes.

Owns what strikes when so many tasks are finished, what a call of git asked for, and that all of it is over
in the end.
"""

import json
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cortex_git.analysis.torture import between, reach
from cortex_git.analysis.torture.boxes import Box
from cortex_git.analysis.torture.hosts import Host
from cortex_git.analysis.torture.plan import Fault, Happening, HostPlan
from cortex_git.analysis.torture.world import MARK_HOST, World
from cortex_git.errors import CortexError
from cortex_git.gitio import Git

_HOOK = "#!/bin/sh\necho refused for a while >&2\nexit 1\n"
_LOOK_S = 0.2
_RUBBISH = b'{"schema": 1, "task": '


class Happenings:
    """Carries out faults for one torture; `hosts` grows by the copies."""

    def __init__(self, world: World, hosts: dict[str, Host], boxes: dict[str, Box]) -> None:
        self._world = world
        self._hosts = hosts
        self._boxes = boxes
        self._due = list(world.plan.happenings)
        self._ends: list[tuple[float, Callable[[], None]]] = []
        self._guard = threading.Lock()
        self._draw = random.Random(f"{world.plan.seed} happenings")  # noqa: S311 - repeatable, not secret

    def look(self, share: float) -> None:
        """Do what is due when `share` of all tasks have a result, what was asked for, and end what lasted."""
        now = time.monotonic()
        due = [end for at, end in self._ends if at <= now]
        self._ends = [(at, end) for at, end in self._ends if at > now]
        for end in due:
            end()
        for path in sorted(self._world.asks.glob("*.json")):
            self._answer(path)
        while self._due and self._due[0].at <= share:
            self._strike(self._due.pop(0))

    def end(self) -> None:
        """No more faults, and whatever lasts is over."""
        self._world.quiet.touch()
        for _ in range(200):  # one may have to wait for another
            if not self._ends:
                break
            _, end = self._ends.pop(0)
            end()
        for path in self._world.asks.glob("*.json"):
            path.unlink(missing_ok=True)

    def _log(self, fault: str, how: str, host: str | None, tasks: list[str] | None = None) -> None:
        entry = {
            "t": time.monotonic(), "host": host or "all", "event": "fault", "fault": fault, "how": how,
            "kind": "driver", "tasks": tasks or [],
        }  # fmt: skip
        between.append(str(self._world.events), entry)

    def _lasting(self, seconds: float, end: Callable[[], None]) -> None:
        self._ends.append((time.monotonic() + seconds, end))

    def _answer(self, path: Path) -> None:
        """What a call of git on some host asked for."""
        try:
            asked = json.loads(path.read_text())
            host = self._hosts[asked["host"]]
        except (OSError, ValueError, KeyError):
            path.unlink(missing_ok=True)
            return
        fault, tasks = asked["fault"], asked["tasks"]
        self._log(fault, asked["how"], host.name, tasks)
        if fault == "freeze":
            self._freeze(host, asked["s"], tasks, early=asked["how"] == "until-finished")
        elif fault == "copy":
            self._copy(host, asked.get("own", []))
        elif fault == "restart-host":
            host.kill()
        path.unlink(missing_ok=True)

    def _freeze(self, host: Host, seconds: float, tasks: list[str], *, early: bool) -> None:
        """Stop a host for so long; `early`: at most so long, until others have finished one of its tasks."""
        mark = self._world.host_mark(host.name)
        reach.send(MARK_HOST, mark, signal.SIGSTOP)
        until = time.monotonic() + seconds
        claims = self._world.remote / "refs" / "cortex" / "claims"

        def thaw() -> None:
            over = time.monotonic() >= until or self._world.quiet.exists()
            if not over and all((claims / task).exists() for task in tasks):
                self._lasting(_LOOK_S, thaw)
                return
            entry = {"t": time.monotonic(), "host": host.name, "event": "continued", "tasks": tasks}
            between.append(str(self._world.events), entry)
            if early and all((claims / task).exists() for task in tasks):
                between.append(str(self._world.events), {**entry, "event": "missed", "fault": "freeze"})
            reach.send(MARK_HOST, mark, signal.SIGCONT)

        self._lasting(_LOOK_S if early else seconds, thaw)

    def _copy(self, host: Host, own: list[str]) -> None:
        """Copy the clone as it is, in the midst of its work, and have the copy work as well.

        Its first look at the remote comes late: when the original has published what the copy believes to
        be publishing (`own`: its result ref and the tip of that push), and more.
        """
        how: Fault = {"how": "before", "s": 2.0}
        if own:
            ref, tip = own
            before = Git(self._world.remote).refs(ref).get(ref, "")
            how = {"how": "until-past", "own": [ref, before, tip], "s": 20.0}
        late: dict[str, dict[str, list[Fault]]] = {"ls-remote": {"1": [{"fault": "delay", **how}]}}
        plan = HostPlan(f"{host.name}-copy", (("spawn-workers", "--count", "1"),), late, host.plan.clock_s)
        if plan.name in self._hosts or host.plan.boxed:
            return
        shutil.copytree(
            host.clone, self._world.clone(plan.name), symlinks=True, ignore=_sockets, copy_function=_copied
        )
        self._world.add_control(plan)
        self._hosts[plan.name] = Host(self._world, plan)
        self._hosts[plan.name].start()

    def _strike(self, happening: Happening) -> None:
        of_all = {
            "remote-down": self._remote_down,
            "refuse": self._refuse,
            "outsider": self._outsider,
            "corrupt-claim": self._corrupt_claim,
        }
        of_one = {
            "corrupt-lock": self._corrupt_lock,
            "corrupt-state": self._corrupt_state,
            "disk-full": self._disk_full,
            "read-only": self._read_only,
        }
        if happening.host is None:
            of_all[happening.fault](happening.seconds)
        else:
            of_one[happening.fault](happening.seconds, self._hosts[happening.host])

    def _remote_down(self, seconds: float) -> None:
        """Take the way to the remote away; what is under way already comes to its end."""
        address = self._world.address
        away = address.with_name("origin-away")
        with suppress(OSError):
            address.rename(away)
            self._log("remote-down", f"for {seconds} s", None)
            self._lasting(seconds, lambda: _rename(away, address))

    def _refuse(self, seconds: float) -> None:
        hook = self._world.remote / "hooks" / "pre-receive"
        beside = self._world.folder / "pre-receive"
        beside.write_text(_HOOK)
        beside.chmod(0o755)
        with suppress(OSError):
            beside.rename(hook)
            self._log("refuse", f"for {seconds} s", None)
            self._lasting(seconds, lambda: hook.unlink(missing_ok=True))

    def _outsider(self, _seconds: float) -> None:
        with suppress(CortexError):
            git = Git(self._world.remote)
            head = git.text("rev-parse", "refs/heads/main")
            commit = self._commit(f"{head}^{{tree}}", "by hand", head)
            git.run("update-ref", "refs/heads/main", commit, head)
            self._log("outsider", "commit on main", None)

    def _commit(self, tree: str, message: str, *parents: str) -> str:
        who = ("-c", "user.name=outsider", "-c", "user.email=outsider@example.invalid")
        above = [part for parent in parents for part in ("-p", parent)]
        return Git(self._world.remote).text(*who, "commit-tree", tree, *above, "-m", message)

    def _corrupt_claim(self, _seconds: float) -> None:
        """Rubbish in the place of a claim of a task that nobody had yet."""
        with suppress(CortexError, OSError):
            git = Git(self._world.remote)
            blob = git.text("hash-object", "-w", "--stdin", stdin=_RUBBISH)
            tree = git.text("mktree", stdin=f"100644 blob {blob}\tclaim.json\n".encode())
            commit = self._commit(tree, "claim of nobody")
            ran = self._world.runs.read_text() if self._world.runs.exists() else ""
            names = [f"t{number:04d}" for number in range(self._world.plan.tasks)]
            fresh = [name for name in names if f'"{name}"' not in ran]
            self._draw.shuffle(fresh)
            zero = "0" * len(commit)
            for name in fresh[:20]:
                if not git.run("update-ref", f"refs/cortex/claims/{name}", commit, zero, check=False).status:
                    self._log("corrupt-claim", "pushed by an outsider", None, [name])
                    return

    def _corrupt_lock(self, _seconds: float, host: Host) -> None:
        locks = host.clone / "coordination" / "locks"
        for lock in sorted(locks.glob("*.lock")):
            with suppress(OSError):
                (lock / "owner.json").write_bytes(b"\0rubbish{")
                self._log("corrupt-lock", "owner file", host.name, [lock.stem])
                return
        lock = locks / f"t{self._draw.randrange(self._world.plan.tasks):04d}.lock"
        with suppress(OSError):
            lock.mkdir(parents=True)
            (lock / "owner.json").write_bytes(b"\0rubbish{")
            self._log("corrupt-lock", "a lock of nobody", host.name, [lock.stem])

    def _corrupt_state(self, _seconds: float, host: Host) -> None:
        host.between_commands("corrupt-state")

    def _disk_full(self, seconds: float, host: Host) -> None:
        box = self._boxes.get(host.name)
        if box is None:
            self._limit_files(seconds, host)
        elif box.fill():
            self._log("disk-full", f"tmpfs in a namespace, for {seconds} s", host.name)
            self._lasting(seconds, lambda: self._free(box))

    def _free(self, box: Box) -> None:
        if not box.free():
            self._lasting(0.5, lambda: self._free(box))

    def _limit_files(self, seconds: float, host: Host) -> None:
        """Where there are no namespaces: no process of the host may make a file longer than it is."""
        import resource

        mark = self._world.host_mark(host.name)
        pids = list(reach.marked(MARK_HOST, mark))
        for pid in pids:
            with suppress(OSError, ValueError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        self._log("disk-full", f"RLIMIT_FSIZE, for {seconds} s", host.name)

        def lift() -> None:
            for pid in reach.marked(MARK_HOST, mark):
                with suppress(OSError, ValueError):
                    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)

        self._lasting(seconds, lift)

    def _read_only(self, seconds: float, host: Host) -> None:
        box = self._boxes.get(host.name)
        if box is not None and box.make_read_only():
            self._log("read-only", f"mount in a namespace, for {seconds} s", host.name)
            self._lasting(seconds, box.make_writable)


def _rename(source: Path, target: Path) -> None:
    with suppress(OSError):
        source.rename(target)


def _sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not (Path(folder, name).is_file() or Path(folder, name).is_dir())]


def _copied(source: str, target: str) -> None:
    with suppress(OSError):  # a file may be gone by now
        shutil.copy2(source, target)
