"""`bench latency`: what is counted behind a slow remote, and that both sides are behind it."""

import json
from pathlib import Path

import jsonschema
import pytest

from cortex_git.analysis.bench.latency import bench_latency
from cortex_git.analysis.bench.slow_remote import SlowRemote, waits_of
from cortex_git.analysis.bench.workspace import new_host, new_remote
from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import Git

SCHEMA = Path(__file__).parents[2] / "docs/schemas/bench-latency-1.json"
said: list[str] = []


def test_both_sides_do_their_tasks_behind_the_same_delay() -> None:
    found = bench_latency(2, 20, 12, said.append, 1.0, loops=(1,))
    assert found.ours.tasks == 12
    assert [run.workers for run in found.loops] == [1, 2]
    for run in (found.ours, *found.loops):
        assert set(run.operations) == {"upload-pack", "receive-pack"}
    assert all(run.operations["receive-pack"] >= run.tasks for run in found.loops)
    (single,) = found.singles
    assert set(single.waits) == {3}, "its claim, the look after it, its publish"
    document = {"schema": 1, **found.to_json(), "machine": {}}
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))


def test_each_operation_on_the_remote_is_counted(tmp_path: Path) -> None:
    new_host(tmp_path / "host", new_remote(tmp_path / "remote.git"))
    slow = SlowRemote.make(tmp_path / "slow", 0.0)
    assert slow.operations().total() == 0
    slow.slow_down(tmp_path / "host")
    git = Git(tmp_path / "host")
    git.run("ls-remote", "origin")
    git.run("fetch", "-q", "origin", "main")
    git.run("push", "-q", "origin", "HEAD:refs/x/y")
    assert dict(slow.operations()) == {"upload-pack": 2, "receive-pack": 1}
    slow.forget()
    assert slow.events() == []


def test_what_comes_after_the_publish_keeps_nobody_waiting() -> None:
    events = ["receive-pack", "upload-pack", "receive-pack", "published", "upload-pack", "receive-pack"]
    assert waits_of(events) == 3
    with pytest.raises(EnvironmentProblem, match="no result was on the remote after 1 operations"):
        waits_of(["receive-pack"])
