"""Which commits many repositories are at, so that those that have not moved need no scan.

Refs of local repositories are read as plain files, which takes no process; where they are not plain
(reftable, symbolic links, more than a few MiB of packed refs, a commit id) git is asked, and of a remote
repository with `git ls-remote`. Must never name another commit than a scan would read: in doubt it names
none, and the repository is scanned. What is named is only ever compared, so a tag's own id is as good.
"""

import os
import re
import selectors
import stat
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, NamedTuple, cast

from cortex_git.errors import CortexError
from cortex_git.scan.reading.facts import object_facts
from cortex_git.scan.reading.host_gate import HostGate, host_of
from cortex_git.scan.reading.limits import Deadline, Limits, OutOfTime
from cortex_git.scan.reading.local import borrow, locate
from cortex_git.scan.reading.process import GuardedGit, bare_folder
from cortex_git.scan.sources import Credentials, Source

MOST_AT_ONCE = 16
"""git processes that are asked at the same time."""
REFS_AT_ONCE = 100
"""Of one remote repository that are asked for with one `git ls-remote`."""
ANSWER_S = 30.0
"""Seconds that one repository has to answer."""
MOST_S = 120.0
"""Seconds for all of them: whoever was not asked by then is not known."""
MOST_LATE = 3
"""Times that a host may let us wait for nothing; then the rest of it is not asked."""
_MAX_PACKED = 8 * 1024 * 1024
_MAX_REF = 4096
_MAX_ANSWER = 64 * 1024
_MAX_LINKS = 5
_OID = rb"[0-9a-f]{40}(?:[0-9a-f]{24})?"
_PLAIN = re.compile(rb"(?:ref: (?P<ref>refs/[^\s\0]+)|(?P<oid>" + _OID + rb"))\n?")
_NAME = re.compile(
    r"refs/(?:(?!\.)[^/\x00-\x20\x7f~^:?*\[\\]+(?<!\.lock)/)*(?!\.)[^/\x00-\x20\x7f~^:?*\[\\]+"
)
_HEX = re.compile(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")
_OF_ONE_WORKTREE = ("refs/bisect/", "refs/rewritten/", "refs/worktree/")
_RULES = ("refs/{}", "refs/tags/{}", "refs/heads/{}", "refs/remotes/{}", "refs/remotes/{}/HEAD")
"""Where git looks for a short name, in its order (gitrevisions); `HEAD` is not among them."""


def heads_of(
    sources: Sequence[Source],
    credentials: Credentials | None = None,
    limits: Limits | None = None,
    gate: HostGate | None = None,
) -> list[str | None]:
    """The commit that each source names now, None where that could not be told. Raises for none of them.

    `gate`: whose places are held while a host is asked.
    """
    found = [plain_head(source) if source.local else None for source in sources]
    left = [number for number, commit in enumerate(found) if commit is None]
    if not left:
        return found
    together, patience = _together(sources, left), _Patience()
    with ThreadPoolExecutor(min(MOST_AT_ONCE, len(together)), "cortex-heads") as pool:
        asked = pool.map(
            lambda ns: _asked_heads([sources[n] for n in ns], credentials, limits, gate, patience), together
        )
        for numbers, commits in zip(together, asked, strict=True):
            for number, commit in zip(numbers, commits, strict=True):
                found[number] = commit
    return found


class _Patience:
    """How long all are waited for, and which hosts no more."""

    def __init__(self) -> None:
        self._ends = time.monotonic() + MOST_S
        self._late: Counter[str] = Counter()

    def left(self, source: Source) -> float:
        """Seconds that it has to answer; 0 where it is not to be asked."""
        if not source.local and self._late[host_of(source)] >= MOST_LATE:
            return 0.0
        return max(min(ANSWER_S, self._ends - time.monotonic()), 0.0)

    def late(self, source: Source) -> None:
        self._late[host_of(source)] += 1


def _together(sources: Sequence[Source], numbers: Sequence[int]) -> list[list[int]]:
    """Which of them one git process answers for: full names of refs of one remote repository."""
    parts: dict[str, list[list[int]]] = {}
    alone: list[list[int]] = []
    for number in numbers:
        source = sources[number]
        if source.local or not (source.ref or "").startswith("refs/"):
            alone.append([number])
            continue
        own = parts.setdefault(source.url, [[]])
        if len(own[-1]) == REFS_AT_ONCE:
            own.append([])
        own[-1].append(number)
    return alone + [part for own in parts.values() for part in own]


def plain_head(source: Source) -> str | None:
    """What the files of a local repository say, where they say it plainly."""
    try:
        place = _place(source.url)
        if os.access(f"{place.common}/reftable", os.F_OK):
            return None
        if source.ref is None or source.ref == "HEAD":
            return _followed(place, _content(f"{place.own}/HEAD", _MAX_REF) or b"", 0)
        if _HEX.fullmatch(source.ref):
            return None
        names = [rule.format(source.ref) for rule in _RULES]
        own = [source.ref] if source.ref.startswith("refs/") else []
        return next((oid for name in (*own, *names) if (oid := _ref(place, name, 0))), None)
    except (CortexError, OSError, ValueError):
        return None


class _NotPlain(ValueError):
    """git has to say what this is."""


class _Place(NamedTuple):
    own: str
    """With the HEAD."""
    common: str
    """With the refs."""


def _place(path: str) -> _Place:
    """Where its refs are. Plain checkouts are known by three looks: `locate` takes three times as long."""
    git = f"{path}/.git"
    plain = os.access(f"{git}/HEAD", os.F_OK) and os.access(f"{git}/objects", os.F_OK)
    if plain and not os.access(f"{git}/commondir", os.F_OK):
        return _Place(git, git)
    found = locate(Path(path))
    return _Place(str(found.own), str(found.common))


def _content(path: str, limit: int) -> bytes | None:
    """What is in a file, None where there is none; links, pipes and what is larger are not plain."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        facts = os.fstat(handle)
        if stat.S_ISDIR(facts.st_mode):
            return None
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > limit:
            raise _NotPlain
        return os.read(handle, limit)
    finally:
        os.close(handle)


def _followed(place: _Place, content: bytes, links: int) -> str | None:
    plain = _PLAIN.fullmatch(content)
    if plain is None or links > _MAX_LINKS:
        raise _NotPlain
    if plain["oid"]:
        return plain["oid"].decode()
    return _ref(place, os.fsdecode(plain["ref"]), links + 1)


def _ref(place: _Place, name: str, links: int) -> str | None:
    """What a ref says, None where there is none. A loose one counts before a packed one."""
    if not _NAME.fullmatch(name) or ".." in name or "@{" in name or name.startswith(_OF_ONE_WORKTREE):
        raise _NotPlain
    loose = _content(f"{place.common}/{name}", _MAX_REF)
    if loose is not None:
        return _followed(place, loose, links)
    return _packed(_content(f"{place.common}/packed-refs", _MAX_PACKED) or b"", os.fsencode(name))


def _packed(data: bytes, name: bytes) -> str | None:
    """The commit under `name` in packed-refs: of an annotated tag the line below it, with `^`."""
    line = re.search(rb"^(" + _OID + rb") " + re.escape(name) + rb"\n(?:\^(" + _OID + rb")$)?", data, re.M)
    return (line[2] or line[1]).decode() if line else None


def _asked_heads(
    sources: Sequence[Source],
    credentials: Credentials | None,
    limits: Limits | None,
    gate: HostGate | None,
    patience: _Patience,
) -> list[str | None]:
    """What git says, with one process: of a source, or of full names of one remote repository."""
    first, nothing = sources[0], cast("list[str | None]", [None] * len(sources))
    if not patience.left(first):
        return nothing
    try:
        with (gate or HostGate()).place(first):
            limits = limits or Limits()
            seconds, began = min(patience.left(first), limits.time_s), time.monotonic()
            if not seconds:
                return nothing
            refs = [source.ref for source in sources]
            found = _asked(first, refs, credentials, limits, Deadline(seconds))
    except CortexError:
        return nothing
    if found == nothing and time.monotonic() - began >= seconds:
        patience.late(first)
    return found


def _asked(
    source: Source,
    refs: Sequence[str | None],
    credentials: Credentials | None,
    limits: Limits,
    deadline: Deadline,
) -> list[str | None]:
    try:
        with tempfile.TemporaryDirectory(prefix="cortex-git-head-", ignore_cleanup_errors=True) as name:
            if not source.local:
                return _remote(source.url, refs, Path(name), credentials, limits, deadline)
            git = borrow(Path(source.url), Path(name), limits, deadline)
            with object_facts(git, deadline) as facts:
                [commit] = facts.ask([f"{source.ref or 'HEAD'}^{{commit}}"])
            return [commit.oid if commit else None]
    except (CortexError, OSError, ValueError, OutOfTime):
        return [None] * len(refs)


def _remote(
    url: str,
    refs: Sequence[str | None],
    folder: Path,
    credentials: Credentials | None,
    limits: Limits,
    deadline: Deadline,
) -> list[str | None]:
    nothing: list[str | None] = [None] * len(refs)
    if refs[0] is not None and _HEX.fullmatch(refs[0]):
        return nothing
    git = GuardedGit(folder, limits, remote=True, credentials=credentials)
    bare_folder(folder, ["[core]", "\trepositoryformatversion = 0", "\tbare = true"])
    (folder / "objects").mkdir()
    (folder / "refs").mkdir()
    patterns = [text for ref in refs for name in _names(ref) for text in (name, f"{name}^{{}}")]
    with git.streaming("ls-remote", "--", url, *patterns, timeout=deadline.left()) as process:
        out = _read(cast("IO[bytes]", process.stdout), cast("IO[bytes]", process.stderr))
        if out is None or process.wait():
            return nothing
    lines = (line.partition("\t") for line in out.decode("utf-8", "replace").splitlines())
    said = {name: oid for oid, _, name in lines}
    return [_said_of(ref, said) for ref in refs]


def _names(ref: str | None) -> list[str]:
    return ["HEAD"] if ref is None else [ref, *(rule.format(ref) for rule in _RULES)]


def _said_of(ref: str | None, said: Mapping[str, str]) -> str | None:
    name = next((name for name in _names(ref) if name in said), "")
    oid = said.get(f"{name}^{{}}") or said.get(name, "")
    return oid if re.fullmatch(_OID.decode(), oid) else None


def _read(answers: IO[bytes], complaints: IO[bytes]) -> bytes | None:
    """All of the answers, None where they are too long; complaints are read and dropped."""
    kept = b""
    with selectors.DefaultSelector() as waiting:
        for pipe in (answers, complaints):
            waiting.register(pipe, selectors.EVENT_READ)
        while waiting.get_map():
            for key, _ in waiting.select():
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    waiting.unregister(key.fileobj)
                elif key.fileobj is answers:
                    kept += chunk
                if len(kept) > _MAX_ANSWER:
                    return None
    return kept
