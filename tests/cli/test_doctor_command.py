"""`doctor` as a person meets it: one screen, the exit status, and no wreck that it does not survive."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import Command, Done
from gitworld import add_tasks, claim_all, finish, git, result_for

from cortex_git.cli.doctor_view import render
from cortex_git.services.doctor.checks import CHECKS, Check
from cortex_git.services.doctor.examining import Entry, Examination
from cortex_git.services.doctor.findings import Finding, Severity
from cortex_git.store.coordination import Coordination

Conforms = Callable[[Any, str], None]


def checked(done: Done, conforms: Conforms) -> Any:
    """The document, after what holds for every one of them."""
    document = done.json()
    conforms(document, "doctor")
    assert "Traceback" not in done.err
    assert [entry for entry in document["checks"] if "this check failed" in entry["summary"]] == []
    standing = [entry for entry in document["checks"] if not entry["fixed"]]
    assert document["problems"] == sum(entry["severity"] == "problem" for entry in standing)
    assert done.code == (3 if document["problems"] else 0)
    for entry in document["checks"]:
        if entry["severity"] in ("warning", "problem"):
            assert entry["why"], entry
    return document


def test_a_sound_repository(cortex: Command, coordinated: Path, conforms: Conforms) -> None:
    coordination = Coordination.open(coordinated)
    add_tasks(coordination, 2)
    finish(coordination, claim_all(coordination))
    coordination.fold()
    document = checked(cortex("doctor", "--format", "json"), conforms)
    assert document["repository"] == str(coordinated)
    assert {entry["id"] for entry in document["checks"]} == {check.id for check in CHECKS}
    bad = [entry for entry in document["checks"] if entry["severity"] in ("warning", "problem")]
    assert bad == []
    done = cortex("doctor")
    assert (done.code, done.out.splitlines()[-1].strip()) == (0, "All is well.")
    assert "the remote does all that is needed under refs/cortex" in " ".join(done.out.split())
    assert "asking the remote" in done.err


def test_outside_of_a_repository(cortex: Command, here: Path, conforms: Conforms) -> None:
    document = checked(cortex("doctor", "--format", "json"), conforms)
    assert document["repository"] is None
    assert {entry["area"] for entry in document["checks"]} == {"environment"}
    assert "only this machine was" in cortex("doctor").out
    assert list(here.iterdir()) == []


def test_offline_leaves_the_remote_alone(
    cortex: Command, coordinated: Path, bare: Path, conforms: Conforms
) -> None:
    bare.rename(bare.with_name("away"))
    document = checked(cortex("doctor", "--offline", "--format", "json"), conforms)
    assert "remote" not in {entry["area"] for entry in document["checks"]}
    done = cortex("doctor", "--offline")
    assert done.err == ""
    assert re.search(r"^remote +not looked at \(--offline\)$", done.out, re.MULTILINE)
    assert cortex("doctor").code == 3
    assert coordinated.exists()


def test_fix_mends_all_at_once_and_says_what_it_did(
    cortex: Command, coordinated: Path, bare: Path, conforms: Conforms
) -> None:
    """A damaged state.db hides what else is wrong; that is found and mended in the same run."""
    coordination = Coordination.open(coordinated)
    add_tasks(coordination, 2)
    claims = claim_all(coordination)
    coordination.record([(claim, result_for(coordination, claim), {}) for claim in claims])
    for connection in (coordination.repository.state, coordination.repository.durable_state):
        connection.close()
    with (coordinated / ".git/cortex/state.db").open("r+b") as file:
        file.write(b"damaged ")
    (coordinated / ".git/cortex/pool.sock").touch()
    plan = checked(cortex("doctor", "--fix", "--dry-run", "--format", "json"), conforms)
    assert plan["dry_run"] is True
    assert "save what the outbox still holds, and put the damaged file aside" in plan["deeds"]
    assert (coordinated / ".git/cortex/state.db").read_bytes().startswith(b"damaged ")
    document = checked(cortex("doctor", "--fix", "--format", "json"), conforms)
    assert document["failures"] == []
    fixed = {entry["id"]: entry["severity"] for entry in document["checks"] if entry["fixed"]}
    assert fixed["state"] == "problem"
    assert {"pool", "outbox", "fold"} <= set(fixed)
    assert document["problems"] == document["warnings"] == 0
    assert git(bare, "ls-tree", "-r", "--name-only", "main", "coordination/results").count(".json") == 2
    again = checked(cortex("doctor", "--fix", "--format", "json"), conforms)
    assert again["deeds"] == []


def test_what_cannot_be_mended_stands_and_says_why(
    cortex: Command, coordinated: Path, bare: Path, conforms: Conforms
) -> None:
    coordination = Coordination.open(coordinated)
    add_tasks(coordination, 1)
    hook = bare / "hooks" / "update"
    hook.write_text('#!/bin/sh\n[ "$1" != refs/heads/main ] || { echo protected >&2; exit 1; }\n')
    hook.chmod(0o755)
    document = checked(cortex("doctor", "--fix", "--format", "json"), conforms)
    (found,) = [entry for entry in document["checks"] if entry["id"] == "fold"]
    assert (found["fixed"], found["fixable"]) == (False, True)
    assert "the remote refused the branch main" in document["failures"][0]
    assert "failed" in cortex("doctor", "--fix").out


def test_dry_run_alone_is_refused(cortex: Command, coordinated: Path) -> None:
    assert "--dry-run goes with --fix" in cortex("doctor", "--dry-run").error(2)
    assert coordinated.exists()


def _as_a_file(path: str) -> Callable[[Path], None]:
    def wreck(folder: Path) -> None:
        shutil.rmtree(folder / path, ignore_errors=True)
        (folder / path).write_text("garbage")

    return wreck


def _as_a_folder(path: str) -> Callable[[Path], None]:
    def wreck(folder: Path) -> None:
        (folder / path).unlink(missing_ok=True)
        (folder / path).mkdir(parents=True)

    return wreck


def _without(path: str) -> Callable[[Path], None]:
    def wreck(folder: Path) -> None:
        target = folder / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()

    return wreck


def _garbage(path: str, content: bytes) -> Callable[[Path], None]:
    def wreck(folder: Path) -> None:
        (folder / path).write_bytes(content)

    return wreck


def _git(*arguments: str) -> Callable[[Path], None]:
    def wreck(folder: Path) -> None:
        git(folder, *arguments)

    return wreck


def _leading_nowhere(folder: Path) -> None:
    shutil.rmtree(folder / ".git")
    (folder / ".git").write_text("gitdir: /nowhere")


def _with_garbage_for_objects(folder: Path) -> None:
    for path in (folder / ".git" / "objects").glob("??/*"):
        path.chmod(0o644)
        path.write_bytes(b"garbage")


def _two_remotes(folder: Path) -> None:
    git(folder, "remote", "rename", "origin", "one")
    git(folder, "remote", "add", "two", "/nowhere")


WRECKS: dict[str, Callable[[Path], None]] = {
    "no settings": _without("coordination/config.toml"),
    "settings are garbage": _garbage("coordination/config.toml", b"\xff\x00["),
    "settings are a folder": _as_a_folder("coordination/config.toml"),
    "HEAD is garbage": _garbage(".git/HEAD", b"\xff\xfe"),
    "HEAD is gone": _without(".git/HEAD"),
    "no .git": _without(".git"),
    ".git leads nowhere": _leading_nowhere,
    "no objects": _without(".git/objects"),
    "objects are garbage": _with_garbage_for_objects,
    "git's settings are garbage": _garbage(".git/config", b"[[\xff"),
    "refs are garbage": _garbage(".git/packed-refs", b"\xff\xff garbage\n"),
    "no .git/cortex": _without(".git/cortex"),
    ".git/cortex is a file": _as_a_file(".git/cortex"),
    "state.db is a folder": _as_a_folder(".git/cortex/state.db"),
    "host.json is a folder": _as_a_folder(".git/cortex/host.json"),
    "locks are a file": _as_a_file("coordination/locks"),
    "publish.lock is a folder": _as_a_folder(".git/cortex/publish.lock"),
    "no remote": _git("remote", "remove", "origin"),
    "two remotes": _two_remotes,
    "the remote is no repository": _git("remote", "set-url", "origin", "/dev/null"),
}  # fmt: skip


@pytest.mark.parametrize("wreck", WRECKS)
def test_no_wreck_ends_it_with_a_traceback(
    cortex: Command, coordinated: Path, conforms: Conforms, wreck: str
) -> None:
    coordination = Coordination.open(coordinated)
    add_tasks(coordination, 1)
    for connection in (coordination.repository.state, coordination.repository.durable_state):
        connection.close()
    WRECKS[wreck](coordinated)
    where = ("--repository", coordinated)
    checked(cortex("doctor", *where, "--offline", "--format", "json"), conforms)
    checked(cortex("doctor", *where, "--fix", "--format", "json"), conforms)


def test_a_folder_that_is_not_there(cortex: Command, here: Path, conforms: Conforms) -> None:
    document = checked(cortex("doctor", "--repository", here / "gone", "--format", "json"), conforms)
    assert document["problems"] >= 1


def _examination(entries: list[Entry]) -> Examination:
    return Examination(Path("/somewhere"), entries)


def _entry(number: int, severity: Severity, text: str = "x") -> Entry:
    check = Check(f"c{number}", "host", CHECKS[0].run)
    return Entry(check, Finding(severity, f"{text} {number}", f"/w{number}", f"why {number}", f"do {number}"))


def test_the_worst_comes_first_and_every_finding_is_there() -> None:
    kinds = [Severity.NOTE, Severity.WARNING, Severity.OK, Severity.PROBLEM] * 8
    entries = [_entry(number, severity) for number, severity in enumerate(kinds)]
    lines = render(_examination(entries), 80, 24)
    labels = [label for label, _ in lines if label in ("note", "warning", "problem")]
    assert labels == ["problem"] * 8 + ["warning"] * 8 + ["note"] * 8
    text = "\n".join(text for _, text in lines)
    for entry in entries:
        if entry.severity is not Severity.OK:
            assert entry.finding.summary in text
            assert entry.finding.advice in text
    assert text.count("why:") == 16  # notes in a line each, where room is short
    assert all(len(label) <= 13 and len(text) <= 67 for label, text in lines)


def test_an_area_that_was_left_out_is_not_called_well() -> None:
    left = replace(_entry(1, Severity.NOTE, "not looked at: because"), looked=False)
    (line,) = [text for label, text in render(_examination([left]), 80, 24) if label == "host"]
    assert "left out" in line
    assert "well" not in line


def test_what_others_chose_is_escaped() -> None:
    lines = render(_examination([_entry(1, Severity.WARNING, "evil \x1b[31m\x07 name")]), 80, 24)
    assert not any("\x1b" in text or "\x07" in text for _, text in lines)


def test_the_page_lists_every_check() -> None:
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \| (.*) \|$", page, re.MULTILINE)
    assert rows == [(check.id, check.looks, check.mends or "—") for check in CHECKS]
    assert json.dumps(rows)
