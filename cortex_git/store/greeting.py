"""What a remote says of itself when it is greeted: protocol, object format, filters, and how long that takes.

Owns the reading of git's packet trace, the only place where git tells these. Changes nothing on the remote.
"""

import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from cortex_git.gitio import Git
from cortex_git.store.refs import unreachable

_PACKET = re.compile(r"packet: +ls-remote< (?P<text>.*)")
_VERSION = re.compile(r"version ([0-9]+)")
_LOOKS = 2
"""Looks that are timed: the first may pay for name resolution and a cold server."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What was told: `protocol` is git's protocol version, `round_trip_ms` the quicker of two `ls-remote`."""

    protocol: int
    object_format: str
    filters: bool
    """Whether it serves partial clones; only scanning uses that."""
    round_trip_ms: float


def greet(git: Git, remote: str) -> Greeting:
    """Ask the remote for one ref that does not exist. Raises RemoteUnreachable."""
    took: list[float] = []
    text = ""
    with tempfile.TemporaryDirectory(prefix="cortex-greeting-") as folder:
        trace = Path(folder, "packets")
        traced = Git(git.directory, environment={**git.environment, "GIT_TRACE_PACKET": str(trace)})
        for _ in range(_LOOKS):
            began = time.monotonic()
            done = traced.run("ls-remote", "--quiet", remote, "refs/cortex/none", check=False)
            took.append(time.monotonic() - began)
            if done.status:
                raise unreachable(remote, done.stderr)
        text = trace.read_text("utf-8", "replace") if trace.exists() else ""
    return understood(text, 1000 * min(took))


def understood(trace: str, round_trip_ms: float) -> Greeting:
    """What a packet trace of `git ls-remote` tells."""
    words: set[str] = set()
    version = 0
    for match in _PACKET.finditer(trace):
        found = _VERSION.fullmatch(match["text"].strip())
        version = int(found[1]) if found else version
        words.update(re.split(r"[ =]|\\0", match["text"]))
        if "object-format=sha256" in match["text"]:
            words.add("sha256")
    return Greeting(
        protocol=version,
        object_format="sha256" if "sha256" in words else "sha1",
        filters="filter" in words,
        round_trip_ms=round(round_trip_ms, 1),
    )
