"""A sentence becomes several experts' work at the same time, and one result of it all."""

import json
import subprocess
from pathlib import Path

from gitworld import assert_sound, cortex, git, result_commits, start_cortex

TITLE = "Fix CVE and document the patch"


def answer(done: "subprocess.CompletedProcess[str]") -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def result(folder: Path, task: str) -> dict[str, object]:
    found = answer(cortex("results", "show", task, "--format", "json", cwd=folder))["result"]
    assert isinstance(found, dict)
    return found


def test_three_experts_work_at_once_and_one_aggregate_comes_of_it(bare: Path, tmp_path: Path) -> None:
    hosts = [tmp_path / "one", tmp_path / "two"]
    assert cortex("init", str(hosts[0]), "--remote", str(bare), cwd=tmp_path).returncode == 0
    git(tmp_path, "clone", "-q", str(bare), str(hosts[1]))
    added = answer(
        cortex(
            "task", "add", "--title", TITLE, "--id", "t", "--runner", "sleep", "--context", "seconds=2",
            "--format", "json", cwd=hosts[0],
        )
    )  # fmt: skip
    parts = ["t-security", "t-development", "t-documentation"]
    assert added["tasks"] == [*parts, "t"]
    running = [start_cortex("spawn-workers", "--count", "3", cwd=host) for host in hosts]
    assert [process.wait(timeout=100) for process in running] == [0, 0]

    whole = result(hosts[1], "t")
    assert whole["status"] == "completed"
    output = whole["output"]
    assert isinstance(output, dict)
    assert sorted(source["task"] for source in output["sources"]) == sorted(parts)
    assert output["sources"][0]["expert"] in ("security", "development", "documentation")
    times = [result(hosts[1], part) for part in parts]
    assert max(str(one["started_at"]) for one in times) < min(str(one["completed_at"]) for one in times)
    commits = result_commits(bare)
    assert len(commits) == len({line.rpartition(" ")[2] for line in commits}) == 4
    assert_sound(bare)
    shown = answer(cortex("task", "graph", "t", "--format", "json", cwd=hosts[1]))
    nodes = shown["nodes"]
    assert isinstance(nodes, list)
    assert {node["status"] for node in nodes} == {"completed"}
