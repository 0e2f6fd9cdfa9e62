"""The only caller of git: one wrapper with a clean environment, a timeout and errors that can be read.

Owns how git is started (through GitPython), ended and understood. Must never run a hook, open a
prompt, or let a URL's user name and password reach an error text.
"""

import hashlib
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from cortex_git.errors import EnvironmentProblem
from cortex_git.processes import TookTooLong, bound, finished, kill_group

REPOSITORY_VARIABLES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
"""What a calling hook sets (`git rev-parse --local-env-vars`, and the quarantine); none may reach us."""

# GitPython adds to the environment but cannot take away from it, so what a hook left is dropped here.
for _name in REPOSITORY_VARIABLES:
    os.environ.pop(_name, None)

# Without git, GitPython would raise where it is imported; `Git.start` says it better.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

ENVIRONMENT: Mapping[str, str] = {
    "GIT_TERMINAL_PROMPT": "0",
    "GCM_INTERACTIVE": "never",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    # A desktop's own prompt; who gives passwords by a program names it in GIT_ASKPASS or core.askPass.
    "SSH_ASKPASS": "",
}
_READABLE = {"LC_ALL": "C", "LANGUAGE": "C"}
"""What git says is read, in English."""
_SSH = ("-c", "core.sshCommand=ssh -o BatchMode=yes")
"""For those who name no ssh of their own."""

PLUMBING = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "push.followTags=false",
    "push.gpgSign=false",
    "core.packedRefsTimeout=20000",
    "core.filesRefLockTimeout=5000",
)
"""Settings of every call on a coordination repository; the user's hooks are not ours to run."""

DEFAULT_TIMEOUT_S = 120.0
_TALKS_TO_REMOTES = frozenset({"fetch", "ls-remote", "push"})
_USER_INFO = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s]+@")
"""Up to the last `@` before the path: people write passwords with `@` and quotes in them, too."""
_QUERY = re.compile(
    r"""(?P<plain>[a-zA-Z][a-zA-Z0-9+.-]*://[^\s"<>?#]*)(?:\?|#(?=[^\s"<>]{0,200}=))"""
    r"""[^\s"<>]*?(?=[]'):;,.]{0,3}(?:[\s"<>]|\Z))"""
)
"""A URL's query, and a fragment that gives something a value: hosts take tokens there."""


class GitFailed(EnvironmentProblem):
    """git ended with an error; the message is its first telling line, the hint what was run."""

    def __init__(self, message: str, hint: str = "", status: int = 1) -> None:
        super().__init__(message, hint)
        self.status = status


class GitTimedOut(GitFailed):
    """git did not end in time and was killed; what it did remotely is unknown."""


class Completed(NamedTuple):
    """A finished call: exit status, standard output as bytes, standard error as redacted text."""

    status: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "replace")


def redact(text: str) -> str:
    """`text` without the user name, password and query of any URL in it."""
    return _QUERY.sub(r"\g<plain>", _USER_INFO.sub(r"\g<scheme>", text))


@dataclass(frozen=True, slots=True)
class PushedRef:
    """One line of `git push --porcelain`: `flag` is one of `' ' + - * ! =`."""

    flag: str
    ref: str
    summary: str

    @property
    def stale(self) -> bool:
        """The lease did not hold: the remote has another value than expected."""
        return self.flag == "!" and "stale info" in self.summary

    @property
    def bystander(self) -> bool:
        """Refused only because another ref of the same atomic push was."""
        return self.flag == "!" and "atomic push" in self.summary

    @property
    def busy(self) -> bool:
        """Another push held or changed the ref between the server's list of refs and its lock on this one."""
        return self.flag == "!" and any(words in self.summary for words in _COLLISION)


_COLLISION = (
    "failed to update ref",
    "cannot lock ref",
    "failed to lock",
    "unable to lock",
    "reference already exists",
    "reference does not exist",
    "incorrect old value",
    "atomic transaction failed",
)
"""What servers answer for a ref that two pushes change at once (git 2.30 to 2.51, JGit)."""


def parse_push(stdout: str) -> list[PushedRef]:
    """The status lines of `git push --porcelain`; other lines (`To …`, `Done`, hints) are passed over."""
    lines: list[PushedRef] = []
    for line in stdout.splitlines():
        parts = line.split("\t", 2)
        if len(parts) != 3 or len(parts[0]) != 1 or parts[0] not in " +-*!=":
            continue
        _, separator, ref = parts[1].rpartition(":")
        if separator:
            lines.append(PushedRef(parts[0], ref, parts[2]))
    return lines


class Git:
    """git in one repository (or none yet), always with the same settings and a time limit.

    `environment` is added to every call; `config` are `key=value` settings put before the command.
    `bounded`: calls to a remote end when this process is killed. A worker's need not, since its whole
    session is ended with it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        environment: Mapping[str, str] | None = None,
        config: Sequence[str] = PLUMBING,
        bounded: bool = True,
    ) -> None:
        self.directory = directory
        self.environment = {**ENVIRONMENT, **_READABLE, **(environment or {})}
        self._bounded = bounded
        self._own_ssh: bool | None = None
        self.object_format: str | None = None
        """`sha1` or `sha256` once somebody has asked."""
        self._config = [part for setting in config for part in ("-c", setting)]

    def start(
        self, *args: str, stdin: int | BinaryIO | None = None, timeout: float = DEFAULT_TIMEOUT_S
    ) -> "subprocess.Popen[bytes]":
        """Start git in a process group of its own, so that a Ctrl-C ends nothing half-way.

        Standard output and error are pipes. The caller waits for it; `run` and `streaming` do. What
        talks to a remote ends with us, and a little after `timeout` at the latest.
        """
        import git
        import git.exc

        if not (self.directory.is_dir() and os.access(self.directory, os.X_OK)):
            # GitPython would run git in the folder that this process is in.
            raise GitFailed(f"{self.directory} is not a folder", "give an existing one")
        ssh = self._ssh() if args[0] in _TALKS_TO_REMOTES else ()
        command = ["git", *self._config, *ssh, *args]
        if self._bounded and args[0] in _TALKS_TO_REMOTES:
            command = bound(command, timeout + 10)
        try:
            wrapper = git.Git(self.directory).execute(
                command,
                as_process=True,
                istream=stdin,
                env=dict(self.environment),
                process_group=0,
            )
        except git.exc.GitCommandNotFound as error:
            raise EnvironmentProblem("git was not found", "install git 2.30 or newer") from error
        popen = cast("subprocess.Popen[bytes]", wrapper.proc)
        wrapper.proc = None  # GitPython would terminate it when the wrapper goes out of scope
        return popen

    def _ssh(self) -> Sequence[str]:
        """Settings by which ssh never asks, where the person's own do not say how to call it."""
        if self._own_ssh is None:
            named = {"GIT_SSH", "GIT_SSH_COMMAND"} & {*os.environ, *self.environment}
            self._own_ssh = bool(named or self.run("config", "core.sshCommand", check=False).text.strip())
        return () if self._own_ssh else _SSH

    def run(
        self,
        *args: str,
        stdin: bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        check: bool = True,
    ) -> Completed:
        """Run git to its end, or kill its process group after `timeout` seconds.

        With `check`, a status other than 0 raises `GitFailed`.
        """
        with self.start(
            *args, stdin=subprocess.PIPE if stdin is not None else None, timeout=timeout
        ) as process:
            try:
                out, err = finished(process, stdin, timeout)
            except TookTooLong:
                raise GitTimedOut(f"git {args[0]} took over {timeout:g} s", "is the remote slow?") from None
        done = Completed(process.returncode, out, redact(err.decode("utf-8", "replace").strip()))
        if check and done.status:
            raise GitFailed(telling_line(done.stderr), f"from: git {args[0]}", done.status)
        return done

    def text(self, *args: str, stdin: bytes | None = None) -> str:
        """Standard output as text, without the last newline."""
        return self.run(*args, stdin=stdin).text.rstrip("\n")

    @contextmanager
    def streaming(
        self, *args: str, timeout: float = DEFAULT_TIMEOUT_S
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """git with open pipes; killed, group and all, when the block is left or `timeout` passes."""
        import threading

        process = self.start(*args, stdin=subprocess.PIPE, timeout=timeout)
        watchdog = threading.Timer(timeout, kill_group, args=(process,))
        watchdog.daemon = True
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            kill_group(process)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()

    def blobs(self, names: Iterable[str]) -> dict[str, bytes]:
        """The contents of the named blobs (`oid` or `commit:path`); names that do not exist are left out."""
        wanted = list(dict.fromkeys(names))
        if not wanted:
            return {}
        out = self.run("cat-file", "--batch", stdin="".join(f"{name}\n" for name in wanted).encode()).stdout
        found: dict[str, bytes] = {}
        position = 0
        for name in wanted:
            end = out.index(b"\n", position)
            header = out[position:end].split(b" ")
            position = end + 1
            if header[-1] not in (b"missing", b"ambiguous"):
                size = int(header[2])
                if header[1] == b"blob":
                    found[name] = out[position : position + size]
                position += size + 1
        return found

    def refs(self, *prefixes: str) -> dict[str, str]:
        """Every ref under the prefixes, with its object id."""
        out = self.text("for-each-ref", "--format=%(objectname) %(refname)", *prefixes)
        return {ref: oid for oid, _, ref in (line.partition(" ") for line in out.splitlines())}


def blob_id(content: bytes, like: str) -> str:
    """The object id git gives to a blob, in the hash of the object id `like`."""
    header = f"blob {len(content)}\0".encode()
    algorithm = hashlib.sha256 if len(like) == 64 else hashlib.sha1
    return algorithm(header + content).hexdigest()


def remote_words(stderr: str) -> str:
    """The first line that the server itself said of a refusal (a hook's, say); empty where there is none."""
    for line in stderr.splitlines():
        text = "".join(c for c in line.removeprefix("remote:") if c.isprintable()).strip(" -=*")
        if line.startswith("remote:") and text:
            return text[:200]
    return ""


_SAYS_NOTHING = "fatal: Could not read from remote repository."


def telling_line(stderr: str) -> str:
    """The line of git's error text that says what is wrong."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if _SAYS_NOTHING in lines[1:]:
        # What ssh, or the program behind it, said before git gave up.
        return lines[lines.index(_SAYS_NOTHING) - 1].removeprefix("remote:").strip()
    for marker in ("fatal:", "error:", "remote:"):
        for line in lines:
            if line.startswith(marker):
                return line.removeprefix(marker).strip()
    return lines[-1] if lines else "git failed without a word"
