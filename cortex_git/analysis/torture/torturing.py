"""One torture from its plan to its report: hosts let loose, faults, quiet again, a check of the remote.

Owns the order of it and that nothing is left running. Ctrl-C or SIGTERM end everything that was started.
"""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from cortex_git.analysis.torture import history, reach
from cortex_git.analysis.torture.boxes import Box
from cortex_git.analysis.torture.checking import check
from cortex_git.analysis.torture.happenings import Happenings
from cortex_git.analysis.torture.hosts import Host
from cortex_git.analysis.torture.plan import Plan, task_name
from cortex_git.analysis.torture.report import Report
from cortex_git.analysis.torture.world import MARK_RUN, World, build
from cortex_git.errors import CortexError
from cortex_git.gitio import Git

Say = Callable[[str], None]
TIDY = "tidy"
"""A task that is added when all others are finished."""
_TICK_S = 0.04
_COUNT_S = 0.7
"""How often results on the remote are counted."""
_MOST_NAMED = 4
"""Hosts that are told one by one."""
_TELL_S = 5.0
_SYNCS = 3
_ENDING = (signal.SIGTERM, signal.SIGHUP)
_REMOVAL_TRIES = 50


@contextmanager
def ground(keep: Path | None) -> Iterator[Path]:
    """A folder for one torture; removed at the end, with everything that was started, unless it is kept."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in before:  # what is left to do is to end, and a second one must not cut that short
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    # A signal that whoever started us has us ignore stays ignored, as SIGHUP under nohup.
    heeded = [n for n in _ENDING if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.getsignal(number) for number in heeded}
    for number in heeded:
        signal.signal(number, interrupt)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="cortex-torture-", dir=keep)).resolve()
    try:
        yield folder
    finally:
        reach.kill_all(MARK_RUN, str(folder))
        if keep is None:
            for _ in range(_REMOVAL_TRIES):
                shutil.rmtree(folder, ignore_errors=True)
                if not folder.exists():
                    break
                time.sleep(0.1)
        for number, handler in before.items():
            signal.signal(number, handler)


def torture(
    plan: Plan,
    folder: Path,
    say: Say,
    *,
    repeat: str,
    patch: Path | None = None,
    limit_s: float | None = None,
) -> Report:
    """Run the plan below `folder`. After `limit_s` without all results, what is missing counts as lost.

    `patch` is a Python file that every command of the hosts runs first. Raises EnvironmentProblem.
    """
    started = time.monotonic()
    say(f"seed {plan.seed}: {plan.clones} clones, {plan.tasks} tasks, {len(plan.faults)} kinds of faults")
    world = build(folder, plan, patch)
    boxes = _boxes(world, say)
    hosts = {
        host.name: Host(world, host, boxes[host.name].inside if host.name in boxes else ())
        for host in plan.hosts
    }
    happenings = Happenings(world, hosts, boxes)
    try:
        for host in hosts.values():
            host.start()
        finished = _until_finished(world, hosts, happenings, say, limit_s or _generous(plan))
        happenings.end()
        say(f"seed {plan.seed}: {'all tasks finished' if finished else 'time is up'}; waiting for quiet")
        waiting = _come_to_rest(hosts, plan, say)
    finally:
        happenings.end()
        for host in hosts.values():
            host.finish()
        reach.kill_all(MARK_RUN, world.mark)
        for box in boxes.values():
            box.close()
    return _report(world, hosts, started, repeat, waiting)


def _generous(plan: Plan) -> float:
    return 120.0 + 8.0 * plan.clones + 1.0 * plan.tasks + 20 * plan.lease_s


def _boxes(world: World, say: Say) -> dict[str, Box]:
    """Clones on file systems of their own, where this machine can make any."""
    boxes: dict[str, Box] = {}
    for host in world.plan.hosts:
        if not host.boxed:
            continue
        clone, source = world.clone(host.name), world.folder / f"{host.name}-source"
        Git(world.folder).run("clone", "--quiet", str(world.address), str(source))
        try:
            boxes[host.name] = Box(clone, {**os.environ, MARK_RUN: world.mark})
        except OSError as error:
            say(f"{host.name} has no file system of its own here ({error}): read-only is skipped,")
            say("and a limit of file sizes stands in for disk-full")
            with suppress(FileNotFoundError):
                clone.rmdir()
            source.rename(clone)
        else:
            boxes[host.name].take(source)
            shutil.rmtree(source)
    return boxes


def _until_finished(
    world: World, hosts: dict[str, Host], happenings: Happenings, say: Say, limit_s: float
) -> bool:
    """Wait until every task has a result on the remote; False where that took over `limit_s`."""
    names = {task_name(number) for number in range(world.plan.tasks)}
    started = time.monotonic()
    counted = told = 0.0
    done: set[str] = set()
    while time.monotonic() - started < limit_s:
        now = time.monotonic()
        if now - counted >= _COUNT_S:
            done |= _finished(world) & names
            counted = now
        if now - told >= _TELL_S:
            told = now
            alive = sum(bool(host.running) for host in hosts.values())
            say(f"{now - started:5.0f} s: {len(done)} of {len(names)} tasks finished, {alive} hosts at work")
        happenings.look(len(done) / max(len(names), 1))
        if done >= names:
            return True
        time.sleep(_TICK_S)
    return False


def _finished(world: World) -> set[str]:
    """Tasks with a result commit on the remote, as far as it can be reached now."""
    with suppress(CortexError):
        log = Git(world.remote).text("log", "--format=%s", "--glob=refs/cortex/results")
        return {line.rpartition(" ")[2] for line in log.splitlines() if line.startswith("feat(")}
    return set()


def _come_to_rest(hosts: dict[str, Host], plan: Plan, say: Say) -> dict[str, int]:
    """Let commands end, publish or fence what waits, and fold; what waits in outboxes nevertheless."""
    deadline = time.monotonic() + 20 + 3 * plan.lease_s
    for host in hosts.values():
        host.finish()
    for patience in (deadline, deadline + 15):
        _join_all(hosts, patience, say)
        for host in hosts.values():
            host.terminate()
    for host in hosts.values():
        if not host.join(0):
            host.kill()
            host.join(10)
    waiting: dict[str, int] = {}
    say("all hosts are at rest; publishing what waits, then a look at what the remote holds")
    for host in hosts.values():
        for _ in range(_SYNCS):
            if not host.waiting() or not host.command("sync"):
                break
        if left := host.waiting():
            waiting[host.name] = left
    _tidy(next(iter(hosts.values())))
    return waiting


def _join_all(hosts: dict[str, Host], until: float, say: Say) -> None:
    """Wait for the commands of all hosts, and tell how many are left."""
    told = time.monotonic()
    while left := [host.name for host in hosts.values() if not host.join(0)]:
        now = time.monotonic()
        if now >= until:
            return
        if now - told >= _TELL_S:
            told = now
            named = ", ".join(left) if len(left) <= _MOST_NAMED else f"{left[0]} to {left[-1]}"
            say(
                f"{len(hosts) - len(left)} of {len(hosts)} hosts have ended their last command; left: {named}"
            )
        hosts[left[0]].join(_COUNT_S)


def _tidy(host: Host) -> None:
    """The last fold. Claims of the dead on finished tasks go with the next claim, so one more is made."""
    if Git(host.world.remote).refs("refs/cortex/claims/"):
        host.command("task", "add", "--id", TIDY, "--runner", "torture", "--title", "one more claim")
        host.command("spawn-workers", "--count", "1", "--tasks", TIDY)
    host.command("sync")


def _report(
    world: World, hosts: dict[str, Host], started: float, repeat: str, waiting: dict[str, int]
) -> Report:
    plan = world.plan
    found = history.events(world)
    names = [task_name(number) for number in range(plan.tasks)]
    runs, pushed = history.read(world.runs), history.acknowledged(found)
    findings = check(world.remote, names, runs, acknowledged=pushed, fails=plan.fails, lease_s=plan.lease_s)
    counted = history.injected(found)
    report = Report(
        plan=plan,
        findings=findings,
        faults={fault: counted[fault] for fault in plan.faults},
        wall_s=time.monotonic() - started,
        repeat=repeat,
        internal_errors=[text for host in hosts.values() for text in host.internal_errors],
        waiting=waiting,
        folder=str(world.folder),
        missed=history.missed(found),
    )
    for problem in report.problems:
        report.histories[problem] = history.of_task(problem, found)
    return report
