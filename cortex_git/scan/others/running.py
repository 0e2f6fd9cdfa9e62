"""Runs other scanners over one repository's lockfiles, laid out in a folder of their own.

Owns what they get to see: the lockfiles and what those are read with, never the repository's other files,
which could configure them. Must never let one that fails, hangs or prints nonsense cost more than a gap.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cortex_git.scan.lockfiles import kind_of
from cortex_git.scan.others.programs import Chosen
from cortex_git.scan.others.seen import Answer, Seen, Unreadable
from cortex_git.scan.reading import Snapshot
from cortex_git.scan.records import NotScanned

MOST_OUTPUT = 64 * 1024 * 1024
"""Bytes of an answer."""
_BESIDE = {"npm": "package.json", "cargo": "Cargo.toml", "go": "go.sum", "poetry": "pyproject.toml"}
"""Without which a scanner does not read a lockfile, or tells less."""
_MOST_SAID = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """Everybody's answers, and what could not be had."""

    answers: tuple[Answer, ...]
    gaps: tuple[NotScanned, ...]


def ask(snapshot: Snapshot, lockfiles: Sequence[str], scanners: Sequence[Chosen]) -> Asked:
    """Have every scanner look at the lockfiles of its kinds."""
    answers: list[Answer] = []
    gaps: list[NotScanned] = []
    with tempfile.TemporaryDirectory(prefix="cortex-git-others-") as name:
        folder = Path(name).resolve()
        there = _laid_out(snapshot, lockfiles, folder)
        for one in scanners:
            wanted = [path for path in there if kind_of(path) in one.scanner.kinds]
            if not wanted:
                continue
            answer, missing = _asked(one, folder, wanted, snapshot)
            answers.append(answer)
            gaps += missing
    return Asked(tuple(answers), tuple(gaps))


def _laid_out(snapshot: Snapshot, lockfiles: Sequence[str], folder: Path) -> list[str]:
    """Write the lockfiles, and what stands beside them, into the folder; the lockfiles that are there."""
    wanted = dict.fromkeys(lockfiles)
    for path in lockfiles:
        parent, _, _ = path.rpartition("/")
        beside = _BESIDE.get(kind_of(path) or "")
        name = f"{parent}/{beside}" if parent else beside
        if beside and snapshot.oid(str(name)):
            wanted[str(name)] = None
    before = len(snapshot.not_scanned)
    there: list[str] = []
    for path, data in snapshot.read(wanted):
        if ".." in path.split("/") or path.startswith("/"):
            continue
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        there.append(path)
    del snapshot.not_scanned[before:]  # our own reading has said so already
    return [path for path in there if kind_of(path)]


def _asked(
    one: Chosen, folder: Path, lockfiles: Sequence[str], snapshot: Snapshot
) -> tuple[Answer, list[NotScanned]]:
    seen: list[Seen] = []
    read: list[str] = []
    gaps: list[NotScanned] = []
    places = [""] if one.scanner.whole else list(lockfiles)
    for place in places:
        try:
            found = list(_run(one, folder, place, snapshot.deadline.left()))
        except Unreadable as problem:
            what = f"{place} by {one.name}" if place else one.name
            gaps.append(NotScanned(what, str(problem)))
            continue
        known = set(lockfiles)
        seen += [
            finding for finding in found if finding.lockfile in known and finding.ids and finding.package
        ]
        read += [place] if place else lockfiles
    return Answer(one.name, frozenset(read), tuple(dict.fromkeys(seen))), gaps


def _run(one: Chosen, folder: Path, lockfile: str, timeout_s: float) -> Iterable[Seen]:
    """What it found in the folder, or in one lockfile. Raises Unreadable with the reason."""
    scanner = one.scanner
    cwd = (folder / lockfile).parent if lockfile else folder
    words = scanner.words(Path(lockfile).name if lockfile else str(folder))
    program = shutil.which(scanner.program)
    if program is None:
        raise Unreadable(f"{scanner.program} is not installed on this host")
    status, out, said = _output([program, *words, *one.more], cwd, timeout_s)
    if status in scanner.silent:
        return ()
    try:
        return list(scanner.read(_json(out), lockfile or str(folder)))
    except (Unreadable, ValueError, RecursionError) as problem:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        why = f": {lines[-1][:_MOST_SAID]}" if lines else ""
        reason = str(problem) if isinstance(problem, Unreadable) else "its answer is not JSON"
        raise Unreadable(f"{reason} (status {status}{why})") from None


def _json(data: bytes) -> Any:
    return json.loads(data)


def _output(command: Sequence[str], cwd: Path, timeout_s: float) -> tuple[int, bytes, str]:
    """Status, output and the end of what it complained about. Raises Unreadable where it takes too long."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
        try:
            status = process.wait(timeout=max(1.0, timeout_s))
        except subprocess.TimeoutExpired:
            raise Unreadable(f"it took longer than {timeout_s:.0f} s") from None
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        size = out.seek(0, os.SEEK_END)
        if size > MOST_OUTPUT:
            raise Unreadable(f"its answer is longer than {MOST_OUTPUT >> 20} MiB")
        out.seek(0)
        err.seek(max(0, err.seek(0, os.SEEK_END) - 4096))
        return status, out.read(), err.read().decode("utf-8", "replace")
