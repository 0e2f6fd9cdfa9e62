"""A worker whose pool dies: what it had finished is saved, what may be tried again is left to a claim."""

import os
import time
from pathlib import Path

import pytest
from gitworld import add_tasks, claim_all, new_coordination, result_commits
from poolworld import untold
from test_batch import Seen, alive

from cortex_git.store.coordination import Coordination
from cortex_git.workers.attempts import Attempts
from cortex_git.workers.messages import receive, send
from cortex_git.workers.spawning import ColdSpawner, Spawner, WarmSpawner


def finish_and_leave(host: Coordination, spawner: Spawner, context: dict[str, object]) -> int:
    """Be a pool that dies between hearing of a result and recording it; the worker's process id."""
    add_tasks(host, 1, runner="command" if context else "echo", context=context)
    (claim,) = claim_all(host)
    attempts = Attempts(host, Seen(), lambda: None, options=lambda _task: {}, allowances=untold(host))
    spawned = spawner.spawn()
    assert receive(spawned.connection)[0] == "ready"
    send(spawned.connection, "run", attempts.assignments.make(claim, "worker-scan-001", 0.0))
    assert receive(spawned.connection)[0] == "done"
    spawned.connection.close()
    return spawned.pid


@pytest.mark.parametrize("kind", [WarmSpawner, ColdSpawner])
def test_a_result_that_its_pool_did_not_record_is_saved_by_the_worker(
    tmp_path: Path, bare: Path, kind: type[WarmSpawner] | type[ColdSpawner]
) -> None:
    new_coordination(tmp_path / "host", bare)
    host = Coordination.open(tmp_path / "host")
    spawner = kind(["echo"])
    pid = finish_and_leave(host, spawner, {})
    deadline = time.monotonic() + 20
    while host.outbox.count() == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(host.flush().done) == 1
    assert not alive(pid)
    spawner.close()
    assert len(result_commits(bare)) == 1


def test_a_failed_attempt_that_its_pool_did_not_record_is_left_to_be_tried_again(
    tmp_path: Path, bare: Path
) -> None:
    config = Path(os.environ["CORTEX_CONFIG_HOME"])
    config.mkdir(parents=True)
    (config / "config.toml").write_text('[commands.bad]\nargv = ["sh", "-c", "exit 4"]\n')
    new_coordination(tmp_path / "host", bare)
    host = Coordination.open(tmp_path / "host")
    spawner = ColdSpawner(["command"])
    pid = finish_and_leave(host, spawner, {"command": "bad"})
    assert not alive(pid)
    spawner.close()
    assert host.outbox.count() == 0
    assert len(host.pull().claims) == 1
