"""Checks of the machine: each fault really made, seen and explained, and not reported without it."""

import json
import os
from pathlib import Path

import pytest
from doctorworld import assert_well, bad, entries_of, in_namespace, look, one

from cortex_git.config import config_folder, data_folder
from cortex_git.scan.advisories.database import FILE
from cortex_git.services.doctor import environment, storage
from cortex_git.services.doctor.checks import CHECKS
from cortex_git.services.doctor.findings import Severity
from cortex_git.services.doctor.toml_lines import line_of


@pytest.mark.parametrize("check", ["git", "helpers", "python", "host-settings", "file-system", "disk"])
def test_a_sound_machine(host: Path, check: str) -> None:
    assert_well(host, check)
    assert_well(None, check)


@pytest.mark.parametrize("check", ["ownership", "permissions"])
def test_a_sound_clone(host: Path, check: str) -> None:
    assert_well(host, check)


def _program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_an_old_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, "git", "echo git version 2.29.1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = one(None, "git", Severity.PROBLEM)
    assert "2.29.1 is too old" in found.finding.summary
    assert found.finding.where == str(tmp_path / "git")


def test_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git was not found" in one(None, "git", Severity.PROBLEM).finding.summary


def test_no_helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, "timeout", "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = one(None, "helpers", Severity.NOTE)
    assert found.finding.summary == "setpriv not found"


def test_an_old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "OLDEST_PYTHON", (4, 0))
    assert bad(None, "python")[0].severity is Severity.PROBLEM


def test_a_folder_of_somebody_else(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    found = one(host, "ownership", Severity.PROBLEM)
    assert found.finding.advice == f"git config --global --add safe.directory {host}"


def test_a_read_only_clone(host: Path) -> None:
    document = in_namespace(
        'mount --bind "$1" "$1"; mount -o remount,ro,bind "$1"; doctor --offline --repository "$1"', host
    )
    (found,) = entries_of(document, "permissions")
    assert (found["severity"], found["summary"]) == ("problem", "the file system is mounted read-only")
    assert document["problems"] == 1, document


def test_a_clone_without_the_right_to_write(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {host / ".git" / "objects"}
    monkeypatch.setattr(storage.os, "access", lambda path, _mode: path not in refused)
    found = one(host, "permissions", Severity.PROBLEM)
    assert found.finding.where == str(host / ".git" / "objects")
    assert found.finding.advice == f"chmod -R u+w {host / '.git'}"


def test_a_full_disk(host: Path, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    document = in_namespace(
        'mount -t tmpfs -o size=8m,nr_inodes=600 none "$2"; cp -r "$1" "$2/clone";'
        ' doctor --offline --repository "$2/clone"',
        host,
        tmp_path / "small",
    )
    space, files = entries_of(document, "disk")
    assert space["severity"] == files["severity"] == "problem"
    assert "the disk is full" in space["summary"]
    assert "more files" in files["summary"]


def test_a_machine_without_an_id(host: Path) -> None:
    document = in_namespace(
        'mount --bind /dev/null /etc/machine-id; doctor --offline --repository "$1"', host
    )
    found = entries_of(document, "clocks")
    assert [entry["severity"] for entry in found] == ["note"]
    assert "no id of its own" in found[0]["summary"]


def test_no_namespaces_for_agents(tmp_path: Path) -> None:
    script = 'cd "$1"; echo 0 > /proc/sys/user/max_user_namespaces; doctor'
    (found,) = entries_of(in_namespace(script, tmp_path), "confinement")
    assert (found["severity"], found["what_to_do"]) == ("note", "sysctl user.max_user_namespaces=10000")


def test_a_network_file_system_is_told_by_its_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    inner = tmp_path / "a b"
    inner.mkdir()
    (inner / "c").mkdir()
    escaped = str(inner).replace(" ", "\\040")
    mounts.write_text(f"none / ext4 rw 0 0\nserver:/x {escaped} nfs4 rw 0 0\n")
    assert storage.kind_of(inner / "c", mounts) == "nfs4"
    assert storage.kind_of(tmp_path, mounts) == "ext4"


def test_a_network_file_system_is_a_warning(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "kind_of", lambda _folder: "nfs4")
    assert "nfs4" in one(host, "file-system", Severity.WARNING).finding.summary


def test_locks_that_exclude_nobody(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the kernel's locks are not those of the server: here nobody holds the lock at all."""
    from contextlib import nullcontext

    monkeypatch.setattr(storage, "file_lock", lambda _path: nullcontext())
    found = one(host, "file-system", Severity.PROBLEM)
    assert "given to a second process" in found.finding.summary
    assert list((host / ".git").glob("doctor-*")) == []


def _write_own(text: str) -> Path:
    config_folder().mkdir(parents=True, exist_ok=True)
    path = config_folder() / "config.toml"
    path.write_text(text)
    return path


def test_broken_settings_of_this_host_are_all_told_with_their_lines() -> None:
    path = _write_own('[claude]\nkey_fil = "x"\n\n[agents]\nturns = 0\n\n[commands.x]\nargv = []\n')
    found = {entry.finding.where: entry.finding.summary for entry in bad(None, "host-settings")}
    assert set(found) == {f"{path}:2", f"{path}:5", f"{path}:8"}
    assert found[f"{path}:2"] == "claude.key_fil: there is no such setting; key_file is near"


def test_settings_that_others_may_write() -> None:
    path = _write_own("confirm_above_usd = 5\n")
    path.chmod(0o666)
    assert one(None, "host-settings", Severity.WARNING).finding.advice == f"chmod go-w {path}"


def test_a_key_that_others_can_read() -> None:
    key = _write_own("").with_name("anthropic.key")
    key.write_text("secret-key")
    key.chmod(0o644)
    found = one(None, "host-settings", Severity.PROBLEM)
    assert found.finding.advice == f"chmod 600 {key}"
    assert "secret-key" not in str(found)
    key.chmod(0o600)
    assert_well(None, "host-settings")


def test_no_advisories_and_damaged_ones() -> None:
    one(None, "advisories", Severity.NOTE)
    database = data_folder() / FILE
    database.parent.mkdir(parents=True)
    database.write_bytes(b"no database" * 100)
    assert one(None, "advisories", Severity.WARNING).finding.advice == "cortex-git advisories update"


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("schema",), 1),
        (("pool", "max"), 4),
        (("pool", "types", "scan-worker", "max"), 9),
        (("pool", "schedule", "day"), 3),
        (("nothing",), None),
    ],
    ids=["top", "table", "quoted", "nearest", "none"],
)
def test_the_line_of_a_setting(key: tuple[str, ...], line: int | None) -> None:
    text = 'schema = 1\n# [pool]\n[pool]\nmax = 5\n\n[leases]\nmax = 1\n[pool.types."scan-worker"]\nmax=3\n'
    assert line_of(text, key) == line


def test_every_check_says_what_it_looks_at() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS)
    for check in CHECKS:
        assert check.looks.endswith("."), check.id


def test_outside_of_a_repository_only_the_machine_is_looked_at() -> None:
    assert look(None, "branch") == []
    assert json.dumps([entry.to_json() for entry in look(None, "git")])
