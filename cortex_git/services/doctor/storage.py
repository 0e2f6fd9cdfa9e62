"""Checks of the disk that a clone lies on: whether it keeps promises, has room, and may be written.

Owns what is tried out on the file system. What it makes for that it removes again.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cortex_git.config import data_folder
from cortex_git.flocks import file_lock
from cortex_git.gitio import telling_line
from cortex_git.services.doctor.findings import Finding, NotLooked, ok, problem, warning
from cortex_git.services.doctor.patient import Patient

MIB = 1024 * 1024
_LEAST, _LITTLE = 64 * MIB, 1024 * MIB
_LEAST_INODES, _LITTLE_INODES = 1000, 10_000
_NETWORK = {
    "9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "gfs2", "gpfs", "lustre", "ncpfs", "nfs",
    "nfs4", "ocfs2", "smb3", "smbfs", "virtiofs",
}  # fmt: skip
_TRY = """
import fcntl, sqlite3, sys
connection = sqlite3.connect(sys.argv[1] + "/try.db", timeout=5, isolation_level=None)
assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal", "its mode is not kept"
assert connection.execute("SELECT count(*) FROM t").fetchone()[0] == 1, "a committed row is not seen"
connection.execute("INSERT INTO t VALUES (2)")
with open(sys.argv[1] + "/try.lock", "a") as handle:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(0)
sys.exit("a lock that is held is given to a second process")
"""


def _ground(patient: Patient) -> Path:
    """The folder that this host's own files are, or would be, in."""
    if patient.is_outside:
        folder = data_folder()
        while not folder.is_dir():
            folder = folder.parent
        return folder
    return patient.private if patient.private.is_dir() else patient.git_dir


def file_system(patient: Patient) -> Iterator[Finding]:
    """The file system: SQLite's log and file locks, tried out between two processes; a network's is told."""
    ground = _ground(patient)
    kind = kind_of(ground)
    failed = _tried(ground)
    move = "keep the clone on a local disk; the remote may be anywhere"
    if failed:
        why = "the outbox and the locks between processes of this host rest on them"
        yield problem(f"SQLite or file locks do not work here: {failed}", str(ground), why=why, do=move)
    elif kind in _NETWORK:
        why = "locks and SQLite worked between two processes of this machine; between machines they may not"
        yield warning(f"this is a network file system ({kind})", str(ground), why=why, do=move)
    else:
        yield ok(f"file locks and SQLite work ({kind or 'file system unknown'})", str(ground))


def _tried(ground: Path) -> str | None:
    """What failed of a write-ahead log and a file lock shared with a second process; None for nothing."""
    import sqlite3
    from contextlib import closing

    try:
        scratch = Path(tempfile.mkdtemp(prefix="doctor-", dir=ground))
    except OSError:
        raise NotLooked("the clone cannot be written") from None
    try:
        with closing(sqlite3.connect(scratch / "try.db", isolation_level=None)) as connection:
            if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                return "SQLite cannot keep a write-ahead log"
            connection.execute("CREATE TABLE t (n)")
            connection.execute("INSERT INTO t VALUES (1)")
            with file_lock(scratch / "try.lock"):
                command = [sys.executable, "-I", "-S", "-c", _TRY, str(scratch)]
                done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
            if done.returncode:
                return telling_line(done.stderr)
            if connection.execute("SELECT count(*) FROM t").fetchone()[0] != 2:
                return "what another process committed is not seen"
    except (OSError, sqlite3.Error, subprocess.SubprocessError) as error:
        return str(error)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return None


def kind_of(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The type of the file system that `folder` is on; empty where the system does not say."""
    try:
        lines = [line.split() for line in mounts.read_text().splitlines()]
    except OSError:
        return ""
    resolved = folder.resolve()
    best, kind = -1, ""
    for words in lines:
        point = Path(words[1].encode().decode("unicode_escape"))
        if resolved.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), words[2]
    return kind


def room(patient: Patient) -> Iterator[Finding]:
    """Free space and inodes of the disk."""
    ground = _ground(patient)
    found = os.statvfs(ground)
    free = found.f_bavail * found.f_frsize
    why = "results that cannot be written down are run again"
    do = f"free some space on the disk of {ground}"
    text = f"{free / MIB:,.0f} MiB free"
    if free < _LEAST:
        yield problem(f"the disk is full: {text}", str(ground), why=why, do=do)
    elif free < _LITTLE:
        yield warning(f"little space: {text}", str(ground), why=why, do=do)
    if found.f_files and found.f_favail < _LITTLE_INODES:
        make = problem if found.f_favail < _LEAST_INODES else warning
        yield make(f"only {found.f_favail:,} more files fit on the disk", str(ground), why=why, do=do)
    elif free >= _LITTLE:
        yield ok(text, str(ground))


def permissions(patient: Patient) -> Iterator[Finding]:
    """Whether the clone may be written."""
    places = [patient.git_dir, patient.git_dir / "objects", patient.git_dir / "refs", patient.private]
    places += [patient.private / "state.db", patient.config.parent, patient.config.parent / "locks"]
    barred = [place for place in places if place.exists() and not os.access(place, os.W_OK)]
    if not barred:
        yield ok("the clone can be written", str(patient.git_dir))
        return
    read_only = bool(os.statvfs(barred[0]).f_flag & os.ST_RDONLY)
    owner = barred[0].stat().st_uid
    yield problem(
        "the file system is mounted read-only"
        if read_only
        else "this user may not write everything of the clone",
        str(barred[0]),
        why="a host writes what it fetched, claimed and has still to publish into .git",
        do="work in a clone of your own"
        if read_only or owner != os.getuid()
        else f"chmod -R u+w {patient.git_dir}",
    )


def ownership(patient: Patient) -> Iterator[Finding]:
    """Whether git trusts whom the folder belongs to."""
    done = patient.git.run("rev-parse", "--git-dir", check=False)
    if "dubious ownership" in done.stderr:
        yield problem(
            "git does not trust this folder, because it belongs to somebody else",
            str(patient.folder),
            why="every command on it fails until you say that you do",
            do=f"git config --global --add safe.directory {patient.folder}",
        )
    else:
        yield ok("git trusts whom the folder belongs to", str(patient.folder))
