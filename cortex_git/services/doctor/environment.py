"""Checks of this machine: the programs that are needed, its clocks, and what agents need.

Owns what is looked at outside of any repository. Changes nothing.
"""

import platform
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

from cortex_git.config import data_folder
from cortex_git.errors import CortexError
from cortex_git.gitio import Git
from cortex_git.pages.text import counted
from cortex_git.services.doctor.findings import Finding, note, ok, problem, warning
from cortex_git.services.doctor.patient import Patient
from cortex_git.state import boot_id, machine_id, monotonic

OLDEST_GIT = (2, 30)
OLDEST_PYTHON = (3, 11)
_HELPERS = ("setpriv", "timeout")


def git_version(_patient: Patient) -> Iterator[Finding]:
    """Whether git is there, and new enough."""
    install = "install git 2.30 or newer"
    try:
        said = Git(Path("/")).text("version")
    except CortexError as error:
        yield problem(error.message, why="everything rests on git", do=install)
        return
    found = re.search(r"(\d+)\.(\d+)", said)
    where = shutil.which("git") or ""
    if found is None:
        yield warning(
            f"git does not say its version: {said[:80]}",
            where,
            why="it may be too old, or another program of that name",
            do="check which git comes first in PATH",
        )
    elif (int(found[1]), int(found[2])) < OLDEST_GIT:
        why = "older ones lack what claims and atomic publishing rest on"
        yield problem(f"{said} is too old", where, why=why, do=install)
    else:
        yield ok(said, where)


def helpers(_patient: Patient) -> Iterator[Finding]:
    """setpriv and timeout, by which a git that talks to a remote ends together with us."""
    missing = [name for name in _HELPERS if shutil.which(name) is None]
    if not missing:
        yield ok("setpriv and timeout are there")
        return
    yield note(
        f"{' and '.join(missing)} not found",
        why="a git that talks to a remote which hangs may outlive the command that was killed",
        do="apt install util-linux coreutils" if platform.system() == "Linux" else "nothing on this system",
    )


def python(_patient: Patient) -> Iterator[Finding]:
    """The versions of Python and of its SQLite."""
    text = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    if tuple(map(int, platform.python_version_tuple()[:2])) < OLDEST_PYTHON:
        yield problem(
            f"{text} is too old", why="nothing of ours runs on it", do="install Python 3.11 or newer"
        )
    else:
        yield ok(text)


def clocks(_patient: Patient) -> Iterator[Finding]:
    """The monotonic clock, boot id and machine id, by which leases, dead processes and copies are told."""
    try:
        boot, _ = boot_id(), monotonic()
    except (OSError, AttributeError) as error:
        yield problem(f"no monotonic clock or boot id: {error}", why="leases are counted by them")
        return
    if "/" not in boot:
        yield note(
            "the system has no random boot id",
            "/proc/sys/kernel/random/boot_id",
            why="other clones' dead processes on this machine are told by their silence alone",
        )
    elif not machine_id():
        yield note(
            "the machine has no id of its own",
            "/etc/machine-id",
            why="a clone copied to another such machine is told by its folder alone",
            do="systemd-machine-id-setup",
        )
    else:
        yield ok("monotonic clock, boot id and machine id can be read")


def agents(_patient: Patient) -> Iterator[Finding]:
    """User namespaces, which confine what a model's tools start."""
    from cortex_git.runners.agent.commands import isolated

    try:
        able = isolated()
    except (OSError, CortexError, subprocess.SubprocessError):
        able = False
    if able:
        yield ok("programs of agents can be confined")
        return
    yield note(
        "programs that a model starts cannot be confined here",
        "/proc/sys/user/max_user_namespaces",
        why="without user namespaces agents get no tool that runs programs; nothing else is affected",
        do="sysctl user.max_user_namespaces=10000",
    )


def advisories(_patient: Patient) -> Iterator[Finding]:
    """The advisory database: whether there is one, is as it was imported, and how old it is."""
    from datetime import UTC, datetime

    from cortex_git.scan.advisories.status import status

    update = "cortex-git advisories update"
    try:
        found = status(data_folder(), check=True)
    except CortexError as error:
        yield warning(error.message, str(data_folder()), why="scans cannot use it", do=update)
        return
    where = str(found.path)
    if found.imported_at is None:
        why = "scans match against the small starter set alone, and say so"
        yield note("no advisories were imported yet", where, why=why, do=update)
        return
    days = (datetime.now(UTC) - found.imported_at).days
    text = f"{counted(found.records, 'advisory', 'advisories')}, imported {_days_ago(days)}"
    if days < -1:
        why = "this host's clock is behind: expiries, ages and --changed-since cannot be right"
        yield warning("the advisories were imported in the future", where, why=why, do="set the clock")
    elif days > _OLD_DAYS:
        yield note(text, where, why="newer vulnerabilities are not found", do=update)
    else:
        yield ok(text, where)


_OLD_DAYS = 14


def _days_ago(days: int) -> str:
    return f"{counted(days, 'day')} ago" if days > 0 else "today"
