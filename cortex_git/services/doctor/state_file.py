"""The check of this host's SQLite file, and how a damaged one is put aside with nothing lost.

Owns the order of that: move the file away, read what can be read, enter that into a new one. Must
never touch a file that a running command has open.
"""

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from cortex_git.errors import EnvironmentProblem
from cortex_git.flocks import file_lock
from cortex_git.gitio import Git
from cortex_git.services.doctor.findings import Finding, Mend, many, ok, problem
from cortex_git.services.doctor.held import keep
from cortex_git.services.doctor.patient import NEWER, Patient
from cortex_git.services.doctor.processes import is_told, with_open
from cortex_git.services.doctor.salvage import Salvaged, salvage
from cortex_git.state import connect, transaction

_DONE = "entered"
_LATE_S = 5.0
"""Seconds for commands to end that opened the file in the moment before it was moved."""
_NUMBERED_ANEW = ("outbox", "intents")


def sound(patient: Patient) -> Iterator[Finding]:
    """state.db: whether it is whole, and of a version that can be read."""
    path = patient.private / "state.db"
    for aside in sorted((patient.private / "damaged").glob("*/state.db")):
        if not (aside.parent / _DONE).exists():
            yield _half_done(patient, aside.parent)
    if not path.exists():
        yield ok("there is no state.db yet: the first command makes it", str(path))
        return
    fault = patient.state_problem
    if fault == NEWER:
        yield problem(
            f"state.db cannot be used: {NEWER}",
            str(path),
            why="this version must not write it",
            do="install a newer cortex-git on this host, or use another clone",
        )
    elif fault is not None:
        yield problem(
            f"state.db is damaged: {fault}",
            str(path),
            why="it holds what was not published yet; all else in it is made anew from git",
            mend=Mend(
                "save what the outbox still holds, and put the damaged file aside",
                lambda: renew(patient.private, patient.git),
            ),
        )
    else:
        version = patient.state.execute("PRAGMA user_version").fetchone()[0]
        yield ok(f"state.db is whole (version {version}, {path.stat().st_size / 1024:,.0f} KiB)", str(path))


def _half_done(patient: Patient, aside: Path) -> Finding:
    return problem(
        "a damaged state.db was put aside, and what it still held was not brought over",
        str(aside),
        why="results that were not published are in it",
        mend=Mend(f"save what can be read in {aside}", lambda: bring_over(patient.private, aside)),
    )


def renew(private: Path, git: Git) -> str:
    """Move the damaged file of the clone into `damaged/`, and enter what can be read of it into a new one.

    The commits of a push under way are kept: what cannot be read is in them, and the check `held` finds it.
    Raises EnvironmentProblem while a command has it open.
    """
    aside = private / "damaged" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    # Whoever publishes or fetches holds one of these, and opens the file before.
    with file_lock(private / "publish.lock"), file_lock(private / "fetch.lock"):
        users = with_open(*_parts(private))
        if users or not is_told():
            named = ", ".join(map(str, users)) or "unknown to this system"
            raise EnvironmentProblem(
                f"commands have {private / 'state.db'} open (processes: {named})",
                "end them, then run `cortex-git doctor --fix` again",
            )
        keep(git)
        aside.mkdir(parents=True)
        for path in _parts(private):
            if path.exists():
                path.rename(aside / path.name)
        return f"put the damaged state.db into {aside} and {bring_over(private, aside)}"


def bring_over(private: Path, aside: Path) -> str:
    """Enter what can be read of the file in `aside` into the clone's own, and note there that it was done."""
    saved = _bring(private, aside)
    late, waited = time.monotonic() + _LATE_S, False
    while with_open(*_parts(aside)) and time.monotonic() < late:
        waited = True
        time.sleep(0.1)  # opened it in the moment before it was moved
    if waited:
        saved = max(saved, _bring(private, aside))
    (aside / _DONE).touch()
    return f"saved {many(saved, 'waiting document')} from it"


def _bring(private: Path, aside: Path) -> int:
    with tempfile.TemporaryDirectory(dir=private, prefix="salvage-") as folder:
        for path in _parts(aside):
            if path.exists():
                shutil.copy2(path, folder)
        found = salvage(Path(folder, "state.db"))
    _enter(private / "state.db", found)
    return len(found.waiting)


def _parts(folder: Path) -> list[Path]:
    return [folder / name for name in ("state.db", "state.db-wal", "state.db-shm")]


def _enter(path: Path, found: Salvaged) -> None:
    """Into the new file; a command that was faster has made one, and it gets them."""
    try:
        with closing(connect(path, durable=True)) as connection, transaction(connection):
            for table, rows in found.rows.items():
                _insert(connection, table, rows)
    except sqlite3.Error as error:
        raise EnvironmentProblem(f"{path} cannot be made anew: {error}", "check the disk") from error


def _insert(connection: sqlite3.Connection, table: str, rows: list[dict[str, object]]) -> None:
    """The columns that this version has. An entry that is there already stays as it is."""
    known = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    for row in rows:
        kept = {
            name: value
            for name, value in row.items()
            if name in known and not (name == "id" and table in _NUMBERED_ANEW)
        }
        names, marks = ", ".join(kept), ",".join("?" * len(kept))
        connection.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", list(kept.values()))  # noqa: S608
