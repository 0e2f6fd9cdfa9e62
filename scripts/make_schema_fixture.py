#!/usr/bin/env python3
"""Make a small coordination repository as this version writes it, in the bundle that is named.

`tests/fixtures/schema-1.bundle` was made by it, once. It is never made again: it holds what schema 1 wrote,
and `tests/store/test_schema_fixture.py` proves that every later version can read it and work on in it. When
the schema changes, the script writes `schema-2.bundle` beside it.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cortex_git.config import DEFAULT_CONFIG
from cortex_git.gitio import blob_id
from cortex_git.models import WORKER_TYPES, Batch, ClaimRecord, Document, Result, Task, Tombstone
from cortex_git.store import layout
from cortex_git.store.budget_ref import FILE, BudgetDocument

HERE, THERE = "alder-aaaa1111", "birch-bbbb2222"
"""Two hosts that never were."""
AT = "2026-01-05T10:00:{:02d}.000Z"
_DATE = 1767607200
"""The same moment in seconds since 1970."""
STATUSES = ("completed", "failed", "cancelled", "timed_out", "budget_exhausted")

Files = dict[str, bytes]


def task(name: str, batch: str = "tasks", **fields: Any) -> Task:
    """One of the fixture's tasks; trials, so that whoever reads the fixture can run them."""
    given = {
        "task": name,
        "batch": batch,
        "title": f"Do {name}",
        "runner": "echo",
        "created_at": AT.format(0),
    }
    return Task.model_validate(given | fields)


def result(of: Task, status: str = "completed", host: str = HERE, **fields: Any) -> Result:
    """What came of a task."""
    given = {
        "task": of.task, "batch": of.batch, "status": status, "type": of.type, "master": of.responsible,
        "worker": "worker-trial-001", "host": host, "nonce": f"{of.task:0<8}", "started_at": AT.format(1),
        "completed_at": AT.format(2), "duration_s": 1.0, "spawn_s": 0.01, "tokens_used": 7,
        "error": None if status == "completed" else f"it ended as {status}", "output": {"said": of.title},
    }  # fmt: skip
    return Result.model_validate(given | fields)


def claim(name: str, state: str, **fields: Any) -> ClaimRecord:
    """Who had a task when the fixture was made."""
    given = {
        "task": name, "state": state, "worker": "worker-trial-002", "host": THERE, "nonce": f"{name:0<8}",
        "lease_s": 0.2, "claimed_at": AT.format(3), "pid": 4711, "pid_started": 1.0, "boot_id": "none/none",
    }  # fmt: skip
    return ClaimRecord.model_validate(given | fields)


def files_of(*documents: Document, sharded: bool = False) -> Files:
    """Documents where they belong."""
    found: Files = {}
    for one in documents:
        match one:
            case Batch():
                path = layout.batch_path(one.batch)
            case Task():
                path = layout.task_path(one.batch, one.task, sharded=sharded)
            case Result():
                path = layout.result_beside(layout.task_path(one.batch, one.task, sharded=sharded))
            case Tombstone():
                path = layout.archive_path(one.name)
            case _:
                raise TypeError(one)
        found[path] = one.to_bytes()
    return found


class Repository:
    """A bare repository, written by `git fast-import` with dates that never change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._git("init", "--quiet", "--bare", "--initial-branch=main")

    def _git(self, *arguments: str, stdin: bytes = b"") -> str:
        command = ["git", "-C", str(self._folder), "-c", "pack.threads=1", *arguments]
        return (
            subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True).stdout.decode().strip()
        )

    def commit(
        self, ref: str, message: str, files: Files, base: str | None = None, gone: Files | None = None
    ) -> str:
        """Put a commit on `base` (None: on nothing) at `ref`; its object id."""
        heading = f"from {base}\n" if base else ""
        who = "cortex-git <cortex-git@cortex-git.invalid>"
        text = message.encode()
        parts = [f"reset {ref}\n".encode()]
        parts += [f"commit {ref}\ncommitter {who} {_DATE} +0000\ndata {len(text)}\n".encode(), text, b"\n"]
        parts += [heading.encode(), *(f"D {path}\n".encode() for path in gone or {})]
        for path, content in files.items():
            parts += [f"M 100644 inline {path}\ndata {len(content)}\n".encode(), content, b"\n"]
        self._git("fast-import", "--quiet", "--force", "--date-format=raw", stdin=b"".join([*parts, b"\n"]))
        return self._git("rev-parse", ref)

    def bundle(self, file: Path) -> None:
        self._git("bundle", "create", "--quiet", str(file.absolute()), "--all")


def make(file: Path) -> None:
    """Write the bundle."""
    with tempfile.TemporaryDirectory() as folder:
        repository = Repository(Path(folder))
        _write(repository)
        repository.bundle(file)


def _write(repository: Repository) -> None:
    config = DEFAULT_CONFIG.format(namespace="refs/cortex", branch="main")
    base = repository.commit("refs/heads/main", "coordination", {layout.CONFIG: config.encode()})
    gone = files_of(*_gone())
    held = repository.commit("refs/cortex/archive/gone", "chore(cortex): add batch gone", gone, base)
    folded = {**_single_tasks(), **_scan(), **_wide(), **gone}
    trunk = repository.commit("refs/heads/main", "chore(cortex): fold", folded, held)
    repository.commit(
        "refs/heads/main", "chore(cortex): archive gone", files_of(_stone(held, gone)), trunk, gone
    )
    repository.commit(f"refs/cortex/results/{HERE}", "feat(security-master): done", _unfolded(), trunk)
    repository.commit(
        f"refs/cortex/results/{THERE}", "feat(development-master): done", _by_the_other(), trunk
    )
    for name, state, fields in (
        ("claimed", "running", {}),
        ("released", "released", {"attempt": 2, "retry_after_s": 0.0}),
        ("half-cancelled", "cancelled", {}),
    ):
        body = claim(name, state, **fields).to_bytes()
        repository.commit(f"refs/cortex/claims/{name}", f"claim {name}: {state}", {layout.CLAIM_FILE: body})
    for number, host in enumerate((HERE, THERE)):
        beat = {
            "schema": 1, "host": host, "boot_id": "none/none", "pid": 4711, "workers": number,
            "at": AT.format(4), "monotonic": 1.0,
        }  # fmt: skip
        body = json.dumps(beat, indent=2, sort_keys=True).encode() + b"\n"
        repository.commit(f"refs/cortex/hosts/{host}", f"heartbeat of {host}", {layout.HOST_FILE: body})
    late = files_of(result(task("done-completed"), host=THERE, nonce="late0000"))
    repository.commit("refs/cortex/fenced/done-completed/late0000", "fenced: feat: late", late, base)
    budget = BudgetDocument(
        nonce="first000",
        limits={"total": 50_000, "batch:scan": None},
        slices={HERE: {"total": 2_000}, THERE: {"total": 1_000}},
        reported={HERE: {"total": 700}},
    )
    repository.commit("refs/cortex/budget", "budget", {FILE: budget.to_bytes()})


def _single_tasks() -> Files:
    """The open batch `tasks`: a task of each worker type and each ending, parts, hand-offs, retries."""
    kinds = [task(f"open-{kind}", type=kind) for kind in WORKER_TYPES]
    ended = [task(f"done-{status.replace('_', '-')}") for status in STATUSES]
    results = [result(one, status) for one, status in zip(ended, STATUSES, strict=True)]
    part_a, part_b = (
        task(f"whole-{expert}", parent="whole", confidence=sure, depth=0)
        for expert, sure in (("security", 81.0), ("development", 64.5))
    )
    whole = task(
        "whole", runner="merge", strategy="vote", type="analysis-worker",
        after=("whole-security", "whole-development"),
        routing={"layer": "keywords", "primary": [], "secondary": []},
    )  # fmt: skip
    rest = [
        task("claimed"),
        task("released"),
        task("half-cancelled"),
        task("after-open", after=("open-scan-worker",)),
        task("after-failed", after=("done-failed",)),
        task("secret", sensitive=True, scope="src", budget=5, deadline=0.5),
        task("done-failed-r1", retry_of="done-failed", continues=True),
        task("rich", priority="critical", repo="x/y", master="own-master", max_attempts=1,
             context={"deep": [1, {"a": None}], "é": 2.5}),
    ]  # fmt: skip
    oldest = {
        "schema": 1,
        "task": "oldest",
        "batch": "tasks",
        "title": "With the first version's keys alone",
        "runner": "echo",
    }
    return {
        **files_of(Batch(batch="tasks", created_at=AT.format(0), created_by=HERE, sealed=False)),
        **files_of(*kinds, *ended, *results, part_a, part_b, whole, result(part_a), result(part_b), *rest),
        layout.task_path("tasks", "oldest", sharded=False): json.dumps(oldest).encode(),
        **files_of(
            Batch(batch="follow-ups", created_at="", created_by="", title="Follow-up tasks", sealed=False)
        ),
        **files_of(task("handed-on", "follow-ups", parent="whole-security", depth=1)),
    }


def _scan() -> Files:
    """The sealed batch `scan`, finished, with its last task and what that wrote."""
    one, two = (
        task(f"scan-{number}", "scan", type="scan-worker", repo=f"repo-{number}") for number in (1, 2)
    )
    last = task("scan.merge", "scan", runner="merge", type="analysis-worker")
    batch = Batch(
        batch="scan", created_at=AT.format(0), created_by=HERE, title="Scan", merge=True, tasks=2,
        options={"sample": True},
    )  # fmt: skip
    output = {"repositories": 2, "failed": 1, "cves_found": 0, "sources": ["scan-1", "scan-2"]}
    return {
        **files_of(batch, one, two, last, result(one), result(two, "failed"), result(last, output=output)),
        layout.summary_path("scan", "summary.json"): b'{"schema": 1, "batch": "scan"}\n',
        layout.summary_path("scan", "summary.md"): b"# scan\n",
        layout.summary_path("scan", "results.sarif"): b'{"version": "2.1.0", "runs": []}\n',
    }


def _wide() -> Files:
    """The sealed batch `wide`, its files spread over folders, one task open."""
    members = [task(f"wide-{number}", "wide") for number in range(3)]
    batch = Batch(batch="wide", created_at=AT.format(0), created_by=THERE, sharded=True, tasks=3)
    ended = [result(one, host=THERE) for one in members[:2]]
    return files_of(batch) | files_of(*members, *ended, sharded=True)


def _gone() -> list[Document]:
    """The batch that was archived."""
    one = task("gone-1", "gone")
    return [Batch(batch="gone", created_at=AT.format(0), created_by=HERE, tasks=1), one, result(one)]


def _stone(commit: str, files: Files) -> Tombstone:
    of_task, of_result = (
        blob_id(content, commit) for path, content in files.items() if path.endswith("gone-1.json")
    )
    return Tombstone(batch="gone", commit=commit, tasks={"gone-1": (of_task, of_result)})


def _unfolded() -> Files:
    """What the one host has published and nobody has folded: a task, and an aggregate on request."""
    join = task("scan-vote-12345678", "merges", runner="merge", strategy="vote", after=("scan-1", "scan-2"))
    output = {"aggregate": {"strategy": "vote", "said": "Do scan-1"}}
    return files_of(
        task("unfolded"), Batch(batch="merges", created_at=AT.format(0), created_by=HERE, sealed=False), join,
        result(join, output=output),
    )  # fmt: skip


def _by_the_other() -> Files:
    one = task("by-the-other")
    return files_of(one, result(one, host=THERE))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
