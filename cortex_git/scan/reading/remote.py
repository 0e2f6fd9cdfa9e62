"""Fetches of a remote repository only what a scan reads: one commit, its trees, the lockfile blobs.

Owns the temporary repository that the fetches go to and their retries. Must never let a server send it
elsewhere than over the allowed protocols, nor write more to disk than the limits say.
"""

import random
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cortex_git.gitio import Completed, GitTimedOut, telling_line
from cortex_git.scan.reading.errors import NoCommit, RepositoryUnreadable
from cortex_git.scan.reading.host_gate import HostGate
from cortex_git.scan.reading.limits import Deadline, Limits
from cortex_git.scan.reading.process import GuardedGit, bare_folder
from cortex_git.scan.sources import Credentials, Source

HEAD = "refs/scan/head"
RETRIES = 2
FIRST_PAUSE_S = 0.5
_REMOTE = "scan"
TRANSIENT = re.compile(
    r"connection reset|timed? ?out|returned error: (?:5\d\d|429)|early eof|unexpected disconnect"
    r"|temporary failure in name resolution|remote end hung up unexpectedly|connection was closed"
    r"|operation too slow|empty reply from server|kex_exchange_identification",
    re.IGNORECASE,
)
BUSY = re.compile(r"returned error: (?:429|503)", re.IGNORECASE)
"""The whole host wants fewer requests: nobody here asks it for the length of the pause."""
_NO_MEMORY = re.compile(r"out of memory", re.IGNORECASE)


class Remote:
    """One remote repository, and the folder that holds what was fetched of it."""

    def __init__(
        self,
        source: Source,
        folder: Path,
        credentials: Credentials,
        limits: Limits,
        deadline: Deadline,
        gate: HostGate | None = None,
    ) -> None:
        self._source = source
        self._gate = gate or HostGate()
        self._folder = folder
        self._limits = limits
        self._deadline = deadline
        self._with_filter = True
        self._object_format = "sha1"
        self.git = GuardedGit(folder, limits, remote=True, credentials=credentials)

    def fetch_commit(self) -> None:
        """Fetch the commit to the ref `HEAD`, with its trees (from a server without filters its blobs too).

        Raises NoCommit when HEAD names none, RepositoryUnreadable else.
        """
        wanted = f"+{self._source.ref or 'HEAD'}:{HEAD}"
        done = self._fetch_into_fresh_folder(wanted)
        if done.status and "mismatched algorithms" in done.stderr:
            self._object_format = "sha256"
            done = self._fetch_into_fresh_folder(wanted)
        self._close_to_remote()
        if done.status:
            self._raise_for(done.stderr)

    def fetch_blobs(self, oids: Iterable[str]) -> str | None:
        """Fetch these blobs in one go; None, or why it could not be done.

        A server that refuses single objects is asked for the whole commit, once.
        """
        wanted = "".join(f"{oid}\n" for oid in oids).encode()
        self._open_to_remote()
        try:
            done = self._fetch("--filter=blob:none", "--stdin", _REMOTE, stdin=wanted)
        finally:
            self._close_to_remote()
        if done.status == 0:
            return None
        if "not our ref" in done.stderr or "unadvertised object" in done.stderr:
            return self._fetch_everything()
        return self._reason(done.stderr)

    def _fetch_everything(self) -> str | None:
        if not self._with_filter:
            return "the server does not give single objects"
        self._with_filter = False
        try:
            self.fetch_commit()
        except (RepositoryUnreadable, NoCommit) as error:
            return error.message
        return None

    def _fetch_into_fresh_folder(self, refspec: str) -> Completed:
        for leftover in ("objects", "refs"):
            shutil.rmtree(self._folder / leftover, ignore_errors=True)
            (self._folder / leftover).mkdir()
        (self._folder / "shallow").unlink(missing_ok=True)
        self._open_to_remote()
        filtered = ("--filter=blob:none",) if self._with_filter else ()
        return self._fetch("--depth=1", *filtered, _REMOTE, refspec)

    def _fetch(self, *args: str, stdin: bytes = b"") -> Completed:
        """`git fetch`, again after a pause when the failure looks like a passing one."""
        command = (
            *("-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags"),
            *("--no-write-fetch-head", "--recurse-submodules=no", *args),
        )
        late = f"{self._source.repo} did not answer within {self._limits.time_s:g} s"
        return patiently(
            lambda: self.git.run_talkative(*command, stdin=stdin, timeout=self._deadline.left()),
            self._deadline,
            late,
            self._gate,
            self._source,
        )

    def _open_to_remote(self) -> None:
        self._configure(
            [
                f'[remote "{_REMOTE}"]',
                f"\turl = {_quoted(self._source.url)}",
                *(["\tpromisor = true", "\tpartialclonefilter = blob:none"] if self._with_filter else []),
            ]
        )

    def _close_to_remote(self) -> None:
        """Forget the remote, so that no later read of a missing object starts a fetch by itself."""
        self._configure([])

    def _configure(self, more: list[str]) -> None:
        sha256 = self._object_format == "sha256"
        lines = ["[core]", f"\trepositoryformatversion = {int(sha256)}", "\tbare = true"]
        if sha256:
            lines += ["[extensions]", "\tobjectFormat = sha256"]
        bare_folder(self._folder, lines + more)

    def _reason(self, stderr: str) -> str:
        if self._download_was_cut():
            return f"the download passed the limit of {self._limits.download_bytes:,} bytes"
        if _NO_MEMORY.search(stderr):
            return f"unpacking it takes over {self._limits.git_memory_bytes:,} bytes of memory"
        return telling_line(stderr)

    def _download_was_cut(self) -> bool:
        """git's unpacker is ended by a signal at the limit, without a word, and leaves its file behind."""
        unfinished = (self._folder / "objects" / "pack").glob("tmp_*")
        return any(file.stat().st_size >= self._limits.download_bytes for file in unfinished)

    def _raise_for(self, stderr: str) -> None:
        reason = self._reason(stderr)
        if "couldn't find remote ref" in reason:
            if self._source.ref is None:
                raise NoCommit("HEAD names no commit", "push something, or name a branch with @branch")
            raise RepositoryUnreadable(
                f"no branch or tag is called {self._source.ref!r}", "check the name, or give a full commit id"
            )
        hint = (
            "check the address, the network and the credentials (--use-token, --askpass, --credential-helper)"
        )
        raise RepositoryUnreadable(f"{self._source.repo} could not be fetched ({reason})", hint)


def patiently(
    fetch: Callable[[], Completed],
    deadline: Deadline,
    late: str,
    gate: HostGate | None = None,
    source: Source | None = None,
) -> Completed:
    """How `fetch` ended, after pauses and further tries while its failure looks like a passing one.

    Holds one of the host's places in the gate while it runs; the wait for one is not counted. Raises
    RepositoryUnreadable that says `late` where the time runs out in it.
    """
    for attempt in range(RETRIES + 1):
        try:
            with _place(gate, source, deadline):
                done = fetch()
        except GitTimedOut:
            raise RepositoryUnreadable(late, "try again later") from None
        if done.status == 0 or attempt == RETRIES or not TRANSIENT.search(done.stderr):
            return done
        pause = FIRST_PAUSE_S * 2**attempt * random.uniform(0.5, 1.5)  # noqa: S311  spreads retries
        if gate is not None and source is not None and BUSY.search(done.stderr):
            gate.rest(source, pause)
        time.sleep(min(pause, deadline.left()))
    raise AssertionError("the last attempt returns")


@contextmanager
def _place(gate: HostGate | None, source: Source | None, deadline: Deadline) -> Iterator[None]:
    if gate is None or source is None:
        yield
        return
    started = time.monotonic()
    with gate.place(source):
        deadline.extend(time.monotonic() - started)
        yield


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
