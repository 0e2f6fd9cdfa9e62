"""Runs other scanners over one repository's lockfiles, laid out in a folder of their own.

Owns what they get to see: the lockfiles and what those are read with, never the repository's other files,
which could configure them. Must never let one that fails, hangs or prints nonsense cost more than a gap.
"""

import copy
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cortex_git.gitio import redact
from cortex_git.processes import end_marked, signal_session
from cortex_git.scan.lockfiles import kind_of
from cortex_git.scan.others.programs import Chosen, OtherScanner
from cortex_git.scan.others.seen import Answer, LeftOut, Looked, Seen, Told, Unreadable
from cortex_git.scan.reading import OutOfTime, Snapshot
from cortex_git.scan.records import NotScanned

MOST_OUTPUT = 64 * 1024 * 1024
"""Bytes of an answer."""
_BESIDE = {"npm": "package.json", "cargo": "Cargo.toml", "go": "go.sum", "poetry": "pyproject.toml"}
"""Without which a scanner does not read a lockfile, or tells less."""
_MOST_SAID = 200
_MOST_LEFT = 50
"""Complaints of one run that are told, each a gap."""
_MOST_COMPLAINT = 256 * 1024
"""Bytes at the end of what one complained about."""
_LOOK_S = 0.5
"""How often the length of an answer is looked at."""
_MARK = "CORTEX_OTHER_SCANNER"


@dataclass(frozen=True, slots=True)
class Asked:
    """Everybody's answers, and what could not be had."""

    answers: tuple[Answer, ...]
    gaps: tuple[NotScanned, ...]


def ask(
    snapshot: Snapshot, lockfiles: Sequence[str], scanners: Sequence[Chosen], pinned: Collection[str]
) -> Asked:
    """Have every scanner look at the lockfiles of its kinds; `pinned` are those that hold a package."""
    answers: list[Answer] = []
    gaps: list[NotScanned] = []
    own = copy.copy(snapshot)  # with limits and gaps of its own: most was read once already
    own.limits = replace(snapshot.limits, total_bytes=3 * snapshot.limits.total_bytes)
    own.not_scanned = []
    with tempfile.TemporaryDirectory(prefix="cortex-git-others-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        try:
            there = _laid_out(own, lockfiles, folder)
        except OutOfTime as problem:
            return Asked((), (NotScanned("other scanners", f"the repository {problem}"),))
        for one in scanners:
            wanted = [path for path in there if one.scanner.files.knows(path)]
            if not wanted:
                continue
            answer, missing = _asked(one, folder, wanted, snapshot, pinned)
            answers.append(answer)
            gaps += missing
    return Asked(tuple(answers), (*own.not_scanned, *gaps))


def _laid_out(snapshot: Snapshot, lockfiles: Sequence[str], folder: Path) -> list[str]:
    """Write the lockfiles, and what stands beside them, into the folder; the lockfiles that are there."""
    wanted = dict.fromkeys(lockfiles)
    for path in lockfiles:
        beside = _BESIDE.get(kind_of(path) or "")
        if beside and snapshot.oid(name := path[: path.rfind("/") + 1] + beside):
            wanted[name] = None
    there: list[str] = []
    for path, data in snapshot.read(wanted):
        if ".." in path.split("/") or path.startswith("/"):
            continue
        place = folder / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        except OSError as problem:  # git knows names that are too long here, and files that are folders, too
            snapshot.skip(path, f"cannot be laid out for other scanners: {problem.strerror}")
            continue
        there.append(path)
    return [path for path in there if kind_of(path)]


def _asked(
    one: Chosen, folder: Path, lockfiles: Sequence[str], snapshot: Snapshot, pinned: Collection[str]
) -> tuple[Answer, list[NotScanned]]:
    seen: list[Seen] = []
    looked: list[Looked] = []
    read: list[str] = []
    gaps: list[NotScanned] = []
    places = [""] if one.scanner.whole else list(lockfiles)
    known = set(lockfiles)
    for place in places:
        what = f"{place} by {one.name}" if place else one.name
        try:
            told = _run(one, folder, place, snapshot.deadline.left())
        except OutOfTime as problem:
            gaps.append(NotScanned(what, f"the repository {problem}"))
            break
        except Unreadable as problem:
            gaps.append(NotScanned(what, str(problem)))
            continue
        seen += [
            finding
            for finding in told
            if isinstance(finding, Seen) and finding.lockfile in known and finding.ids and finding.package
        ]
        looked += [one for one in told if isinstance(one, Looked)]
        gaps += [
            NotScanned(f"{left.what} in {what}" if left.what else what, left.reason)
            for left in told
            if isinstance(left, LeftOut)
        ]
        asked = [place] if place else lockfiles
        unread = _unread(one.scanner, asked, told)
        read += [path for path in asked if path not in unread]
        gaps += [
            NotScanned(f"{path} by {one.name}", "it is not among the lockfiles that it says it read")
            for path in asked
            if path in unread and path in pinned and one.scanner.files.reads(path)
        ]
    saw = tuple(looked) if one.scanner.names_read else None
    return Answer(one.name, frozenset(read), tuple(dict.fromkeys(seen)), saw), gaps


def _unread(scanner: OtherScanner, lockfiles: Sequence[str], told: Sequence[Told]) -> set[str]:
    """The lockfiles that it does not say it read; those it is not known to read, where it says it of none."""
    if not scanner.names_read:
        return {path for path in lockfiles if not scanner.files.reads(path)}
    return set(lockfiles) - {looked.lockfile for looked in told if isinstance(looked, Looked)}


def _run(one: Chosen, folder: Path, lockfile: str, timeout_s: float) -> list[Told]:
    """What it tells of the folder, or of one lockfile. Raises Unreadable with the reason."""
    scanner = one.scanner
    cwd = (folder / lockfile).parent if lockfile else folder
    words = scanner.words(Path(lockfile).name if lockfile else str(folder))
    program = shutil.which(scanner.program)
    if program is None:
        raise Unreadable(f"{scanner.program} is not installed on this host")
    status, out, said = _output([program, *words, *one.more], cwd, timeout_s)
    if status in scanner.silent:
        return []
    lines = [line.strip().replace(f"{folder}/", "") for line in said.splitlines() if line.strip()]
    try:
        told = list(scanner.read(_json(out), lockfile or str(folder)))
    except (Unreadable, ValueError, RecursionError) as problem:
        why = f": {redact(lines[-1])[:_MOST_SAID]}" if lines else ""
        reason = str(problem) if isinstance(problem, Unreadable) else "its answer is not JSON"
        raise Unreadable(f"{reason} (status {status}{why})") from None
    return [*told, *_partial(scanner, status, lines)]


def _partial(scanner: OtherScanner, status: int, lines: Sequence[str]) -> list[LeftOut]:
    """What a run that did answer says that it left out."""
    pattern = scanner.complains
    left = [line for line in lines if pattern.match(line)] if pattern else []
    if not left and scanner.whole_answers is not None and status not in scanner.whole_answers:
        left = [f"it ended with status {status}, and may not have looked at everything"]
    return [LeftOut("", redact(line)[:_MOST_SAID]) for line in left[:_MOST_LEFT]]


def _json(data: bytes) -> Any:
    return json.loads(data)


def _output(command: Sequence[str], cwd: Path, timeout_s: float) -> tuple[int, bytes, str]:
    """Status, output and the end of what it complained about.

    Raises Unreadable where it takes or prints too much, or cannot be started. Ends what it leaves behind.
    """
    mark = uuid.uuid4().hex
    ends = time.monotonic() + max(1.0, timeout_s)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**os.environ, _MARK: mark},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        except OSError as problem:
            raise Unreadable(f"it cannot be started: {problem.strerror}") from None
        try:
            while process.poll() is None:
                if max(os.fstat(file.fileno()).st_size for file in (out, err)) > MOST_OUTPUT:
                    break
                if time.monotonic() > ends:
                    raise Unreadable(f"it took longer than {timeout_s:.0f} s")
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=_LOOK_S)
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            signal_session(process.pid, signal.SIGKILL)
            end_marked(_MARK, mark)
            status = process.wait()
        if max(os.fstat(file.fileno()).st_size for file in (out, err)) > MOST_OUTPUT:
            raise Unreadable(f"it prints more than {MOST_OUTPUT >> 20} MiB")
        out.seek(0)
        err.seek(max(0, err.seek(0, os.SEEK_END) - _MOST_COMPLAINT))
        return status, out.read(), err.read().decode("utf-8", "replace")
