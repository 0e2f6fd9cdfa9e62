"""Results that came too late: kept, found again from any clone, and shown with what stands in their place."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from gitworld import add_tasks, claim_all, cortex, finish, git, result_for, start_cortex
from poolworld import until

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.services.fenced import fenced_of, fenced_rows
from cortex_git.services.overview import overview
from cortex_git.store.claim_records import Claim
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.index import Scope

TASK = "b1-t000"


@pytest.fixture(params=["remote", "local"])
def host(request: pytest.FixtureRequest, tmp_path: Path, bare: Path) -> Coordination:
    create(tmp_path / "host", str(bare) if request.param == "remote" else None)
    return Coordination.open(tmp_path / "host")


def superseded(host: Coordination, count: int = 1) -> list[tuple[Claim, Claim]]:
    """Of so many tasks the claim that was taken over, whose result came late, and the one that was made."""
    add_tasks(host, count)
    pairs: list[tuple[Claim, Claim]] = []
    for old in claim_all(host):
        host.claims.started(old)
        new = host.claims.take_over(old)
        assert new is not None
        host.record([(old, result_for(host, old, output={"said": "late"}, tokens_used=5), {})])
        pairs.append((old, new))
    return pairs


def conforms(rows: list[dict[str, Any]]) -> None:
    import jsonschema

    schema = json.loads((Path(__file__).parents[2] / "docs/schemas/results-fenced-1.json").read_text())
    jsonschema.validate({"schema": 1, "fenced": rows}, schema)
    known = set(schema["properties"]["fenced"]["items"]["properties"])
    assert all(set(row) <= known for row in rows)


def test_it_is_shown_with_what_stands_in_its_place(host: Coordination) -> None:
    ((old, new),) = superseded(host)
    assert host.flush().fenced == [old.record.nonce]
    (row,) = fenced_rows(host, Scope())
    conforms([row])
    assert row["fenced_at"].endswith("Z")
    told = {"task": TASK, "status": "completed", "epoch": 1, "attempt": 1, "nonce": old.record.nonce}
    assert row.items() >= {**told, "kept": "shared", "tokens_used": 5, "worker": old.record.worker}.items()
    assert row["instead"].items() >= {"status": "running", "epoch": 2, "attempt": 2}.items()
    finish(host, [new])
    (row,) = fenced_rows(host, Scope(batch="b1", glob="b1-*"))
    assert row["instead"].items() >= {"status": "completed", "epoch": 2, "host": host.repository.host}.items()
    (whole,) = fenced_of(host, TASK)
    conforms([whole])
    assert whole["result"]["output"] == {"said": "late"}
    assert fenced_rows(host, Scope(glob="c*")) == fenced_rows(host, Scope(batch="c")) == []
    with pytest.raises(BadInput, match="task 'b1-t001' has no fenced result"):
        fenced_of(host, "b1-t001")


def test_reading_them_leaves_nothing_behind_that_a_pull_would_go_through(host: Coordination) -> None:
    superseded(host, 3)
    host.flush()
    before = git(host.repository.folder, "for-each-ref")
    assert len(fenced_rows(host, Scope())) == 3
    assert git(host.repository.folder, "for-each-ref") == before


def test_what_somebody_pushed_in_their_place_hides_none(host: Coordination) -> None:
    superseded(host)
    host.flush()
    remote = host.repository.remote
    where = (
        Path(git(host.repository.folder, "remote", "get-url", remote)) if remote else host.repository.folder
    )
    for name in ("nobody/n1", f"{TASK}/n2", "a/b/c", "alone"):
        git(where, "update-ref", f"refs/cortex/fenced/{name}", "HEAD" if remote is None else "main")
    rows = fenced_rows(host, Scope())
    conforms(rows)
    assert sorted((row["task"], row["status"]) for row in rows) == [
        ("", "unreadable"), ("a/b", "unreadable"), (TASK, "completed"), (TASK, "unreadable"),
        ("nobody", "unreadable"),
    ]  # fmt: skip
    assert [row["batch"] for row in rows if row["task"] in (TASK, "nobody")].count("b1") == 2
    assert len(fenced_of(host, TASK)) == 2


def test_one_that_cannot_be_kept_yet_is_shown_from_the_outbox(bare: Path, tmp_path: Path) -> None:
    create(tmp_path / "host", str(bare))
    host = Coordination.open(tmp_path / "host")
    superseded(host)
    hook = bare / "hooks" / "update"
    hook.write_text('#!/bin/sh\ncase "$1" in refs/cortex/fenced/*) exit 1;; esac\n')
    hook.chmod(0o755)
    with pytest.raises(EnvironmentProblem, match="could not be kept"):
        host.flush()
    (row,) = fenced_rows(host, Scope())
    conforms([row])
    assert (row["kept"], row["fenced_at"], row["status"]) == ("outbox", None, "completed")
    found = overview(host)
    assert (found.waiting, found.fencing, found.to_json()["results"]["fencing"]) == (1, 1, 1)
    assert "1 wait to be published, 1 of them came too late" in cortex("status", cwd=tmp_path / "host").stdout
    shown = cortex("results", "list", "--fenced", cwd=tmp_path / "host")
    assert "waits in the outbox" in shown.stdout
    hook.unlink()
    host.flush()
    assert [row["kept"] for row in fenced_rows(host, Scope())] == ["shared"]
    assert overview(host).fencing == 0


def test_a_remote_that_is_away_is_told(bare: Path, tmp_path: Path) -> None:
    create(tmp_path / "host", str(bare))
    bare.rename(tmp_path / "away")
    done = cortex("results", "list", "--fenced", cwd=tmp_path / "host")
    assert (done.returncode, done.stderr.startswith("error: remote")) == (3, True), done.stderr


def answer(done: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["fenced"]
    conforms(found)
    return found


@pytest.mark.race
def test_a_host_that_stood_still_past_its_lease_finds_its_work_kept(
    clones: Callable[[int], list[Path]], bare: Path
) -> None:
    """The command and all its workers are stopped with the task in hand, and go on after the takeover."""
    folders = clones(2)
    for folder in folders:
        config = folder / "coordination" / "config.toml"
        config.write_text(f"{config.read_text()}\n[leases]\nlease_s = 2\nheartbeat_s = 0.5\n")
    host = Coordination.open(folders[0])
    add_tasks(host, 1, runner="sleep", context={"seconds": 2})
    slow = start_cortex("spawn-workers", "--count", "1", cwd=folders[0])
    try:
        lock = folders[0] / "coordination" / "locks" / f"{TASK}.lock" / "started"
        until(lambda: lock.exists() or slow.poll() is not None)
        group = [slow.pid, *_below(slow.pid)]
        for pid in group:
            os.kill(pid, signal.SIGSTOP)
        quick = cortex("spawn-workers", "--count", "1", "--runner", "echo", cwd=folders[1])
        assert quick.returncode == 0, quick.stderr
        for pid in group:
            with suppress(ProcessLookupError):  # whoever goes on first may end one that stands still
                os.kill(pid, signal.SIGCONT)
        _, errors = slow.communicate(timeout=60)
    finally:
        if slow.poll() is None:
            os.killpg(slow.pid, signal.SIGKILL)
            slow.communicate()
    assert "see `cortex-git results list --fenced`" in errors
    for folder in folders:
        (row,) = answer(cortex("results", "list", "--fenced", "--format", "json", cwd=folder))
        assert (row["host"], row["epoch"], row["kept"]) == (host.repository.host, 1, "shared")
        assert row["instead"]["host"] == Coordination.open(folders[1]).repository.host
        assert (row["instead"]["status"], row["instead"]["epoch"]) == ("completed", 2)
    (whole,) = answer(cortex("results", "show", TASK, "--fenced", "--format", "json", cwd=folders[1]))
    assert whole["result"]["output"] == {"slept_s": 2.0}
    printed = cortex("results", "show", TASK, "--fenced", cwd=folders[1])
    assert "instead: completed by worker-scan-001 of" in printed.stdout
    none = cortex("results", "list", "--fenced", "--batch", "none", cwd=folders[1])
    assert (none.stdout, "no fenced results" in none.stderr) == ("", True)


def _below(pid: int) -> list[int]:
    """All processes that one has started, and those that they have."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *_below(child)]
    return found
