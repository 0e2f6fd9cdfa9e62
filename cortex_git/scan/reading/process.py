"""git for reading somebody else's repository: nothing of theirs or of the user's configuration runs.

Owns the environment, settings and resource limits of these calls. Must never allow a transport, a
prompt, a hook or a credential that was not asked for.
"""

import os
import re
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, BinaryIO, cast

from cortex_git.gitio import DEFAULT_TIMEOUT_S, Completed, Git, GitTimedOut, redact
from cortex_git.scan.reading.limits import Limits, restrict_process
from cortex_git.scan.sources import REMOTE_SCHEMES, Credentials, HostToken

_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.askPass=",
    "core.protectNTFS=true",
    "core.protectHFS=true",
    # Derived files that a repository brings along could lie; objects and pack indexes are enough.
    "core.commitGraph=false",
    "core.multiPackIndex=false",
    # Memory: large blobs are streamed, packs are mapped in small windows, one thread unpacks.
    "core.bigFileThreshold=1m",
    "core.packedGitWindowSize=16m",
    "core.packedGitLimit=64m",
    "core.deltaBaseCacheLimit=16m",
    "pack.threads=1",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=no",
    "fetch.writeCommitGraph=false",
    "fetch.unpackLimit=1",
    "transfer.bundleURI=false",
    "protocol.version=2",
    "protocol.allow=never",
    "credential.helper=",
    "credential.interactive=never",
    "http.followRedirects=initial",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
)

_NOT_FOR_HELPERS = (
    "GIT_DIR",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_PARAMETERS",
    "XDG_CONFIG_HOME",
)

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*_TOKEN")
_ACCOUNT = re.compile(r"[a-z0-9-]+")

_KEPT_COMPLAINTS = 256 * 1024
_MOST_COMPLAINTS = 8 * 1024 * 1024


class GuardedGit(Git):
    """git on a repository of our own making, with capped memory and file sizes."""

    def __init__(
        self, directory: Path, limits: Limits, *, remote: bool = False, credentials: Credentials | None = None
    ) -> None:
        environment, settings = _environment(directory), list(_SETTINGS)
        if remote:
            environment["GIT_ALLOW_PROTOCOL"] = ":".join(REMOTE_SCHEMES)
            settings += [f"protocol.{scheme}.allow=always" for scheme in REMOTE_SCHEMES]
            _add_credentials(environment, settings, credentials or Credentials())
        super().__init__(directory, environment=environment, config=settings, bounded=False)
        self._limits = limits

    def start(
        self, *args: str, stdin: int | BinaryIO | None = None, timeout: float = DEFAULT_TIMEOUT_S
    ) -> "subprocess.Popen[bytes]":
        process = super().start(*args, stdin=stdin, timeout=timeout)
        restrict_process(process.pid, self._limits.git_memory_bytes, self._limits.download_bytes)
        return process

    def run_talkative(self, *args: str, stdin: bytes = b"", timeout: float) -> Completed:
        """Run git to its end, where its error text is the other side's to write and may have no end.

        `stdin` must fit into a pipe (64 KiB). Standard output is left unread. Raises GitTimedOut.
        """
        kept, total = b"", 0
        with self.streaming(*args, timeout=timeout) as process:
            questions, complaints = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stderr)
            with suppress(BrokenPipeError):
                questions.write(stdin)
                questions.close()
            started = time.monotonic()
            while chunk := os.read(complaints.fileno(), 65536):
                total += len(chunk)
                kept = (kept + chunk)[-_KEPT_COMPLAINTS:]
                if total > _MOST_COMPLAINTS:
                    return Completed(1, b"", "fatal: the server writes messages without end")
            status = process.wait()
        if status < 0 and time.monotonic() - started >= timeout - 1:
            raise GitTimedOut(f"git took over {timeout:g} s", "is the remote slow?")
        return Completed(status, b"", redact(kept.decode("utf-8", "replace").strip()))


def _environment(directory: Path) -> dict[str, str]:
    """Nothing from the system, the user or the calling process decides what git does."""
    return {
        "GIT_DIR": str(directory),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "GIT_EXTERNAL_DIFF": "",
        "GIT_PAGER": "cat",
        # Also keeps libcurl from reading ~/.netrc. ssh finds its own files by the account, not by HOME.
        "HOME": str(directory),
        "XDG_CONFIG_HOME": str(directory),
    }


def _add_credentials(
    environment: dict[str, str],
    settings: list[str],
    credentials: Credentials,
    home: Mapping[str, str] = os.environ,
) -> None:
    """The named programs run with the user's own home folder and configuration, git itself does not."""
    if credentials.askpass:
        environment["GIT_ASKPASS"] = credentials.askpass
        environment["HOME"] = home.get("HOME", environment["HOME"])
    if credentials.helper:
        settings.append(f"credential.helper=!{_with_user_settings(credentials.helper, home)}")
    settings += [
        f"credential.{token.origin}.helper=!{_answer_with(token)}"
        for token in credentials.tokens
        if home.get(token.variable) and _ORIGIN.fullmatch(token.origin)
    ]


def _answer_with(token: HostToken) -> str:
    """A helper that git asks for this host alone; the token stays in the environment, where it is."""
    if not (_VARIABLE.fullmatch(token.variable) and _ACCOUNT.fullmatch(token.user)):
        return "false"
    answer = f"printf 'username=%s\\npassword=%s\\n' {token.user} \"${token.variable}\""
    return f'answer() {{ test "$1" = get && {answer}; }}; answer'


def _with_user_settings(helper: str, home: Mapping[str, str]) -> str:
    if helper.startswith("!"):
        command = helper[1:]
    elif helper.startswith("/"):
        command = helper
    else:
        command = f"git credential-{helper}"
    unset = f"unset {' '.join(_NOT_FOR_HELPERS)}"
    kept = [f"{name}={shlex.quote(home[name])}" for name in ("HOME", "XDG_CONFIG_HOME") if name in home]
    export = f"export {' '.join(kept)}; " if kept else ""
    return f"{unset}; {export}{command}"


def bare_folder(folder: Path, settings: Sequence[str]) -> None:
    """Make `folder` the skeleton of a bare repository with this configuration; needs no git process."""
    (folder / "HEAD").write_bytes(b"ref: refs/heads/none\n")
    (folder / "config").write_text("\n".join(settings) + "\n", encoding="utf-8")
