"""A repository that schema 1 wrote, kept as a bundle: every later version reads it all, and works on in it.

`scripts/make_schema_fixture.py` made it, once. Where this fails, the documents of people's repositories can
no longer be read: mend the reader, not the fixture.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from gitworld import CHECKOUT, assert_sound, cortex, git

from cortex_git.models import WORKER_TYPES, Result
from cortex_git.services.graph import task_graph
from cortex_git.services.looking import result_rows, task_detail, task_rows
from cortex_git.services.merging import plan_merge
from cortex_git.services.overview import overview
from cortex_git.services.upgrading import newer_notes
from cortex_git.store.budget_ref import BudgetRef
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope, find_task

BUNDLE = CHECKOUT / "tests/fixtures/schema-1.bundle"
HOSTS = {"alder-aaaa1111", "birch-bbbb2222"}
TASKS = {
    **{f"open-{kind}": "open" for kind in WORKER_TYPES},
    "done-completed": "completed", "done-failed": "failed", "done-cancelled": "cancelled",
    "done-timed-out": "timed_out", "done-budget-exhausted": "budget_exhausted",
    "whole-security": "completed", "whole-development": "completed", "whole": "open", "handed-on": "open",
    "claimed": "running", "released": "released", "half-cancelled": "cancelled", "after-open": "waiting",
    "secret": "open", "done-failed-r1": "open", "rich": "open", "oldest": "open",
    "scan-1": "completed", "scan-2": "failed", "scan.merge": "completed", "scan-vote-12345678": "completed",
    "wide-0": "completed", "wide-1": "completed", "wide-2": "open",
    "unfolded": "open", "by-the-other": "completed",
}  # fmt: skip
"""Every task but `after-failed`: whether it waits for the retry of what failed is no matter of its form."""


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """The remote that the bundle was."""
    folder = tmp_path / "remote.git"
    subprocess.run(["git", "clone", "-q", "--mirror", str(BUNDLE), str(folder)], check=True)
    return folder


@pytest.fixture
def found(remote: Path, tmp_path: Path) -> Coordination:
    """Today's version in a fresh clone of it."""
    folder = tmp_path / "host"
    subprocess.run(["git", "clone", "-q", str(remote), str(folder)], check=True)
    return Coordination.open(folder)


def printed(*command: str, cwd: Path) -> Mapping[str, Any]:
    done = cortex(*command, "--format", "json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    document: Mapping[str, Any] = json.loads(done.stdout)
    return document


def test_everything_is_read(found: Coordination) -> None:
    rows = {row["task"]: row["status"] for row in task_rows(found, Scope()) if row["task"] != "after-failed"}
    assert rows == TASKS
    assert newer_notes(found, found.view()) == []
    ended = [row for row in result_rows(found, Scope()) if row["batch"] != "gone"]
    assert Counter(row["status"] for row in ended) == Counter(
        status
        for status in TASKS.values()
        if status in ("completed", "failed", "timed_out", "budget_exhausted")
    ) + Counter({"cancelled": 1})
    assert {row["host"] for row in ended} == HOSTS
    assert {row["tokens_used"] for row in ended} == {7}


def test_documents_hold_what_was_written(found: Coordination) -> None:
    found.pull()
    rich = find_task(found.repository.state, "rich")
    assert rich is not None
    assert (rich.priority, rich.repo, rich.responsible, rich.max_attempts) == (
        "critical",
        "x/y",
        "own-master",
        1,
    )
    assert rich.context == {"deep": [1, {"a": None}], "é": 2.5}
    secret = task_detail(found, "secret")["task"]
    assert (secret["sensitive"], secret["budget"], secret["deadline"], secret["scope"]) == (
        True,
        5,
        0.5,
        "src",
    )
    again = task_detail(found, "done-failed-r1")["task"]
    assert (again["retry_of"], again["continues"]) == ("done-failed", True)
    part = task_detail(found, "whole-security")
    assert (part["task"]["parent"], part["task"]["confidence"]) == ("whole", 81.0)
    assert part["result"]["output"] == {"said": "Do whole-security"}
    released = task_detail(found, "released")["claim"]
    assert (released["state"], released["attempt"], released["host"]) == ("released", 2, "birch-bbbb2222")
    assert task_detail(found, "scan-vote-12345678")["result"]["output"]["aggregate"]["strategy"] == "vote"


def test_what_is_archived_is_still_known(found: Coordination) -> None:
    found.pull()
    assert found.is_finished("gone-1")
    assert [result.task for result in found.results(Scope(batch="gone"))] == ["gone-1"]


def test_the_graph_hangs_together(found: Coordination) -> None:
    graph = task_graph(found)
    edges = {(edge.start, edge.end) for edge in graph.edges}
    assert {("open-scan-worker", "after-open"), ("done-failed", "done-failed-r1")} <= edges
    assert any({"whole", "whole-security"} == set(edge) for edge in edges)
    assert set(TASKS) <= set(graph.nodes)
    assert not graph.circles


def test_the_budget_is_read(found: Coordination) -> None:
    document = BudgetRef(found.repository).read().document
    assert document.limits == {"total": 50_000, "batch:scan": None}
    assert document.slices == {"alder-aaaa1111": {"total": 2000}, "birch-bbbb2222": {"total": 1000}}
    assert document.spent("total") == 700
    view = overview(found)
    assert {host.host for host in view.hosts} == HOSTS
    assert (
        view.outcomes.by_status.total() == sum(row["batch"] != "" for row in result_rows(found, Scope())) + 1
    )


def test_its_results_can_be_merged(found: Coordination) -> None:
    assert len(plan_merge(found, "scan", "vote").aggregate.voices) == 1


@pytest.mark.timeout(300)  # a dozen processes, on a machine that may be busy
def test_the_command_line_reads_it_and_works_on_in_it(found: Coordination, remote: Path) -> None:
    folder = found.repository.folder
    before = git(remote, "rev-parse", "main")
    assert printed("budget", "show", cwd=folder)["schema"] == 1
    assert printed("status", cwd=folder)["results"]["by_status"]["timed_out"] == 1
    done = cortex("spawn-workers", "--count", "4", cwd=folder, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = {row["task"]: row for row in printed("task", "list", cwd=folder)["tasks"]}
    for name, status in TASKS.items():
        ended = status not in ("open", "waiting", "running", "released")
        assert rows[name]["status"] == (status if ended else "completed"), rows[name]
    assert rows["after-failed"]["status"] == "completed", "it waits for the retry, which went well"
    assert rows["released"]["attempt"] == 2
    assert rows["claimed"]["attempt"] == 2
    done = cortex("task", "retry", "done-timed-out", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert git(remote, "merge-base", before, "main") == before
    wide = git(remote, "ls-tree", "-r", "--name-only", "main", "coordination/results/wide").splitlines()
    assert len(wide) == 3 and all(path.count("/") == 4 for path in wide)
    assert_sound(remote)


def test_the_script_writes_what_can_be_read(tmp_path: Path) -> None:
    """Today's documents, in the same repository: what will be the next fixture."""
    script = CHECKOUT / "scripts/make_schema_fixture.py"
    file = tmp_path / "today.bundle"
    subprocess.run([sys.executable, str(script), str(file)], check=True)
    folder = tmp_path / "today"
    subprocess.run(["git", "clone", "-q", str(file), str(folder)], check=True)
    body = git(folder, "show", "HEAD:coordination/results/tasks/done-failed.json").encode()
    assert Result.parse(body, "here").status == "failed"
