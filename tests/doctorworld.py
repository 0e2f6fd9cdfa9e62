"""What tests of the doctor share: one check on one clone, and what is left when it has mended that."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gitworld import CHECKOUT

from cortex_git.services.doctor.checks import CHECKS, Check
from cortex_git.services.doctor.examining import Entry, made
from cortex_git.services.doctor.findings import Severity
from cortex_git.services.doctor.patient import Patient

BY_ID: dict[str, Check] = {check.id: check for check in CHECKS}
OLD = 3600.0
COMMIT = ("-c", "user.name=a", "-c", "user.email=a@example.invalid", "commit", "-q", "-m")


def look(folder: Path | None, check: str, **options: bool) -> list[Entry]:
    """What one check says of the clone, looked at anew."""
    return list(made(BY_ID[check], Patient(folder, **options)))


def bad(folder: Path | None, check: str, **options: bool) -> list[Entry]:
    """What it finds that is not well."""
    return [entry for entry in look(folder, check, **options) if entry.severity is not Severity.OK]


def assert_well(folder: Path | None, check: str, **options: bool) -> None:
    """That the check was made, and finds nothing."""
    entries = look(folder, check, **options)
    assert entries
    assert [e.finding for e in entries if e.severity is not Severity.OK or not e.looked] == []


def one(folder: Path | None, check: str, severity: Severity, **options: bool) -> Entry:
    """The only thing that the check finds: it is as bad as that, and explained, with something to do."""
    found = bad(folder, check, **options)
    assert [(e.severity, e.looked) for e in found] == [(severity, True)], [e.finding for e in found]
    entry = found[0]
    assert entry.finding.why, entry
    assert entry.finding.advice, entry
    return entry


def mended(folder: Path, check: str, **options: bool) -> list[str]:
    """Mend what the check finds, and see that it finds nothing then; what was done."""
    mends = [entry.finding.mend for entry in bad(folder, check, **options)]
    assert mends
    assert None not in mends
    deeds = [mend.run() for mend in mends if mend]
    assert_well(folder, check, **options)
    return deeds


def age(path: Path, seconds: float = OLD) -> Path:
    """Make a file look as old as that."""
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then), follow_symlinks=False)
    return path


def in_namespace(script: str, *arguments: str | Path) -> dict[str, Any]:
    """The doctor's document, with the mounts that a shell script makes before it, where only it sees them.

    The script has the arguments as $1…, and runs the doctor by `doctor …`.
    """
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here")
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-e", "-c"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespaces for users here")
    program = (
        f'doctor() {{ {shlex.quote(sys.executable)} -m cortex_git doctor --format json "$@"; }}\n{script}'
    )
    done = subprocess.run(
        [*command, program, "sh", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def entries_of(document: dict[str, Any], check: str) -> list[dict[str, Any]]:
    """What the document says of one check, but for good news."""
    return [entry for entry in document["checks"] if entry["id"] == check and entry["severity"] != "ok"]
