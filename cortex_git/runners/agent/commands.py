"""Runs one program on a task's files: no shell, no keys, no network unless asked for, for a bounded time.

Owns what such a program sees and how it is made to end, with everything it started. What it may be is
for `words`; the limits themselves are set by `launcher`. Must never run in the worker's own environment.
"""

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cortex_git.config import config_folder, load_host_settings
from cortex_git.errors import BadInput
from cortex_git.gitio import ENVIRONMENT as GIT_ENVIRONMENT
from cortex_git.locating import private_folder
from cortex_git.processes import end_marked, signal_session
from cortex_git.runners.agent import launcher
from cortex_git.runners.agent.confinement import Refused

HEAD, TAIL = 1500, 4000
"""Bytes of a program's output that are kept from its beginning and its end."""
_GRACE_S = 2.0
_LEFT_OPEN_S = 0.5
"""How long output is still read once the program has ended and something holds its pipe."""
_MARK = "CORTEX_RUN"
_PASSED_ON = ("CORTEX_WORKER_MARK", "GOROOT", "JAVA_HOME", "RUSTUP_HOME", "TZ", "VIRTUAL_ENV")
"""The worker's mark is how what it leaves behind is found when it is killed."""
_PRIVATE = (
    *(".aws", ".azure", ".cargo/credentials", ".cargo/credentials.toml", ".claude", ".claude.json", ".codex"),
    *(".config/gcloud", ".config/gh", ".config/git/credentials", ".docker", ".git-credentials", ".gnupg"),
    *(".kube", ".m2/settings.xml", ".netrc", ".npmrc", ".password-store", ".pypirc", ".ssh"),
)
"""Where people keep keys, below their home folder."""
_SOCKETS = ("/run/docker.sock", "/var/run/docker.sock", "/run/podman", "/run/user")
_GIT_QUIET = (
    *(
        "core.hooksPath=/dev/null",
        "core.fsmonitor=false",
        "core.pager=cat",
        "diff.external=",
        "color.ui=false",
    ),
    *("gc.auto=0", "maintenance.auto=false", "protocol.allow=never", "log.showSignature=false"),
)
_GIT_NO_PROGRAMS = {"diff": ("--no-ext-diff", "--no-textconv"), "blame": ("--no-textconv",)}
_GIT_NO_PROGRAMS |= {"log": _GIT_NO_PROGRAMS["diff"], "show": _GIT_NO_PROGRAMS["diff"]}


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that has ended: its status (None: over its time), seconds, and what is kept of its output."""

    status: int | None
    seconds: float
    output: bytes
    left_out: int
    """Bytes of the output between HEAD and TAIL that are not there."""


class Commands:
    """Runs programs in one folder, with one scratch folder for all of them."""

    def __init__(
        self,
        folder: Path,
        private: tuple[Path, ...] = (),
        *,
        network: bool = False,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """`network`: programs may use it, as those must that fetch packages. They get `variables`, too."""
        self._folder = folder.resolve()
        self._network = network
        self._variables = dict(variables or {})
        self._scratch = Path(tempfile.mkdtemp(prefix="cortex-run-"))
        weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
        (self._scratch / "tmp").mkdir()
        self._private = private

    def run(
        self,
        words: list[str],
        limit_s: float,
        *,
        below: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run a program that `words_of` let through, in the folder `below` ours.

        One with a path is found there. `variables` are added to its environment. Raises Refused where it
        is not installed, and where that folder is reached by a symbolic link.
        """
        folder = self._folder / below
        if folder.resolve() != folder or not folder.is_relative_to(self._folder) or not folder.is_dir():
            raise Refused(f"{below} is no folder of the repository")
        path = _search_path(self._folder)
        program = shutil.which(folder / words[0] if "/" in words[0] else words[0], path=path)
        if program is None:
            raise Refused(f"{words[0]} is not installed here")
        mark = uuid.uuid4().hex
        limits = self._limits(limit_s, folder)
        command = [sys.executable, "-I", "-S", launcher.__file__, limits, program]
        started = time.monotonic()
        process = subprocess.Popen(
            command + arguments(words),
            cwd=folder,
            env=environment(path, self._scratch) | self._variables | dict(variables or {}) | {_MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        kept = _Kept()
        try:
            late = not _ended(process, kept, started + limit_s)
            if late:
                _signal_group(process, signal.SIGTERM)
                _ended(process, kept, time.monotonic() + _GRACE_S)
        finally:
            _end(process, mark)
            kept.rest(process)
        return Ran(None if late else process.returncode, time.monotonic() - started, *kept.result())

    def _limits(self, limit_s: float, folder: Path) -> str:
        cpu_s = int(limit_s * (os.cpu_count() or 1)) + 5
        hidden, fixed = self._kept_away()
        return json.dumps(
            {
                "parent": os.getpid(),
                "cpu_s": cpu_s,
                "isolated": isolated(),
                "network": self._network,
                "hidden": hidden,
                "fixed": fixed,
                "folder": str(folder),
            }
        )

    def _kept_away(self) -> tuple[list[str], list[str]]:
        """What a program may not see, and what it may not change: git's files, which others trust later."""
        home = Path.home()
        hidden = [home / name for name in _PRIVATE] + [Path(name) for name in _SOCKETS]
        hidden += [config_folder(), *_key_files(), *self._private]
        fixed = [self._folder / ".git"]
        own = private_folder(self._folder)
        if own is not None:
            hidden.append(own)
            fixed.append(own.parent)
        needed = [self._folder, *(path.resolve() for path in fixed if path.exists())]
        real = {path.resolve() for path in hidden if path.exists()}
        apart = {part for path in real for part in _apart(path, needed)}
        return [str(path) for path in sorted(apart)], [str(path) for path in fixed if path.exists()]


def _key_files() -> list[Path]:
    with contextlib.suppress(BadInput):
        host = load_host_settings()
        named = (host.claude.key_file, host.openai.key_file)
        return [Path(name).expanduser() for name in named if name]
    return []


def _apart(path: Path, needed: list[Path]) -> Iterator[Path]:
    """`path`, or what lies in it beside what is needed there."""
    if path in needed:
        return
    if not any(one.is_relative_to(path) for one in needed):
        yield path
    else:
        for below in path.iterdir():
            yield from _apart(below, needed)


@cache
def isolated() -> bool:
    """Whether programs get namespaces of their own here; without, the list of programs is all there is."""
    if not sys.platform.startswith("linux"):
        return False
    limits: dict[str, object] = {"parent": os.getpid(), "cpu_s": 10, "isolated": True, "network": False}
    limits |= {"hidden": [], "fixed": [], "folder": "/"}
    command = [
        sys.executable,
        "-I",
        "-S",
        launcher.__file__,
        json.dumps(limits),
        shutil.which("true") or "true",
    ]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def environment(path: str, scratch: Path) -> dict[str, str]:
    """All that a program gets to know of ours: no key, no agent's socket, nothing of git's or this tool's."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    rustup = Path.home() / ".rustup"
    if rustup.is_dir():
        passed.setdefault("RUSTUP_HOME", str(rustup))
    return {
        **passed,
        "PATH": path,
        "HOME": str(scratch),
        "TMPDIR": str(scratch / "tmp"),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **GIT_ENVIRONMENT,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }


def arguments(words: list[str]) -> list[str]:
    """What follows the program; git is told to start no program of the repository's choice."""
    if words[0] != "git":
        return words[1:]
    settings = [part for setting in _GIT_QUIET for part in ("-c", setting)]
    subcommand, *rest = words[1:]
    return ["--no-pager", *settings, subcommand, *_GIT_NO_PROGRAMS.get(subcommand, ()), *rest]


def _search_path(folder: Path) -> str:
    """PATH without entries that are relative or lie in the task's folder: those hold the task's files."""
    entries = [Path(entry) for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if entry]
    sound = [e for e in entries if e.is_absolute() and not e.resolve().is_relative_to(folder)]
    return os.pathsep.join(map(str, sound))


class _Kept:
    """The beginning and the end of an output, however long it is."""

    def __init__(self) -> None:
        self._head, self._tail, self._size = bytearray(), bytearray(), 0

    def add(self, data: bytes) -> None:
        self._size += len(data)
        room = HEAD - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room > 0 else data
        del self._tail[:-TAIL]

    def rest(self, process: "subprocess.Popen[bytes]") -> None:
        """What is in the pipe still, then close it."""
        if process.stdout is None:
            return
        end = time.monotonic() + _LEFT_OPEN_S
        with process.stdout, contextlib.suppress(OSError):
            os.set_blocking(process.stdout.fileno(), False)
            while time.monotonic() < end and (data := os.read(process.stdout.fileno(), 65536)):
                self.add(data)

    def result(self) -> tuple[bytes, int]:
        left_out = self._size - len(self._head) - len(self._tail)
        mark = f"\n[{left_out} bytes left out]\n".encode() if left_out else b""
        return bytes(self._head) + mark + bytes(self._tail), left_out


def _ended(process: "subprocess.Popen[bytes]", kept: _Kept, deadline: float) -> bool:
    """Read until the program has ended, or until the deadline; whether it has."""
    assert process.stdout is not None  # noqa: S101 (it was asked for)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        is_open = True
        while process.poll() is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if not is_open:
                time.sleep(min(left, 0.02))
            elif selector.select(min(left, 0.05)):
                data = os.read(process.stdout.fileno(), 65536)
                kept.add(data)
                is_open = bool(data)
    return True


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _end(process: "subprocess.Popen[bytes]", mark: str) -> None:
    """Everything the program started. The first process of its namespace takes all others along."""
    _signal_group(process, signal.SIGKILL)
    signal_session(process.pid, signal.SIGKILL)
    process.wait()
    if not isolated():
        end_marked(_MARK, mark)
