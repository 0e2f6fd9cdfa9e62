"""Another clone on this machine: its dead are known at once, its living are left in peace."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gitworld import add_tasks, assert_sound, claim_all, finish, git, python, result_commits
from test_races import WORKER, published

from cortex_git.store.coordination import Coordination

Hosts = Callable[[int], list[Coordination]]
OWNER = """
    import sys
    from pathlib import Path
    from gitworld import claim_all
    from cortex_git.store.coordination import Coordination
    coordination = Coordination.open(Path(sys.argv[1]))
    claims = claim_all(coordination, 3)
    print(len(claims), flush=True)
    sys.stdin.read()
    """
LEASE_S = 3600
"""Far longer than a test may take: what ends before was not waited for."""


@contextmanager
def owner(folder: Path, *wrapper: str) -> "Iterator[subprocess.Popen[str]]":
    """A process of the clone at `folder` that holds three claims."""
    tests = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": f"{os.environ['PYTHONPATH']}{os.pathsep}{tests}"}
    code = "\n".join(line.strip() for line in OWNER.splitlines())
    with subprocess.Popen(
        [*wrapper, sys.executable, "-c", code, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        try:
            held = process.stdout.readline().strip()
            if wrapper and held != "3":
                pytest.skip("git does not work in a namespace here")
            assert held == "3"
            yield process
        finally:
            process.stdin.close()


def test_a_killed_process_of_another_clone_is_not_waited_for(hosts: Hosts, bare: Path) -> None:
    one, two = hosts(2)
    add_tasks(one, 3)
    with owner(one.repository.folder) as process:
        assert claim_all(two) == [], "its owner lives"
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        taken = claim_all(two)
    # Nothing tells another host whether a worker was on it, so the attempt counts.
    assert [(claim.record.epoch, claim.record.attempt) for claim in taken] == [(2, 2)] * 3
    finish(two, taken)
    assert published(bare) == ["b1-t000", "b1-t001", "b1-t002"]


def test_a_living_process_of_another_clone_is_never_robbed_within_its_lease(hosts: Hosts) -> None:
    one, two, three = hosts(3)
    add_tasks(one, 3)
    with owner(one.repository.folder):
        for _ in range(5):
            assert claim_all(two) == claim_all(three) == []


def test_two_clones_that_take_over_at_once_share_what_they_find(hosts: Hosts) -> None:
    one, two, three = hosts(3)
    add_tasks(one, 3)
    with owner(one.repository.folder) as process:
        assert claim_all(two) == claim_all(three) == []
        process.kill()
        process.wait()
    taken = [*claim_all(two, 2), *claim_all(three), *claim_all(two)]
    assert sorted(claim.task.task for claim in taken) == ["b1-t000", "b1-t001", "b1-t002"]


def test_the_work_of_a_killed_process_is_fenced_when_it_comes_after_all(hosts: Hosts, bare: Path) -> None:
    """Its results were in its clone's outbox, where no other clone can see them."""
    one, two = hosts(2)
    add_tasks(one, 3)
    child = python(
        """
        import os, sys
        from pathlib import Path
        from gitworld import claim_all, result_for
        from cortex_git.store.coordination import Coordination
        coordination = Coordination.open(Path(sys.argv[1]))
        claims = claim_all(coordination, 3)
        coordination.record([(claim, result_for(coordination, claim), {}) for claim in claims])
        os._exit(9)
        """,
        str(one.repository.folder),
    )
    assert child.wait(60) == 9
    finish(two, claim_all(two))
    assert (len(one.flush().fenced), one.outbox.count()) == (3, 0)
    assert len(result_commits(bare)) == 3


def test_a_process_in_another_pid_namespace_is_waited_for(hosts: Hosts) -> None:
    apart = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc")
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespaces here")
    one, two = hosts(2)
    add_tasks(one, 3)
    with owner(one.repository.folder, *apart) as process:
        assert claim_all(two) == []
        process.kill()
        process.wait()
        assert claim_all(two) == []


def test_what_a_dead_owner_holds_of_a_finished_task_is_dropped(hosts: Hosts, bare: Path) -> None:
    """As when the remote was killed between the two halves of a publish, together with who published."""
    one, two = hosts(2)
    add_tasks(one, 3)
    with owner(one.repository.folder) as process:
        kept = git(bare, "for-each-ref", "--format=%(refname) %(objectname)", "refs/cortex/claims")
        process.kill()
        process.wait()
        finish(two, claim_all(two))
    for line in kept.splitlines():
        git(bare, "update-ref", *line.split())
    assert claim_all(two) == []
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""
    assert len(result_commits(bare)) == 3


def test_what_a_living_owner_holds_of_a_finished_task_is_its_own_to_drop(hosts: Hosts, bare: Path) -> None:
    one, two = hosts(2)
    add_tasks(one, 1)
    claims = claim_all(one)
    finish(one, claims)
    git(bare, "update-ref", "refs/cortex/claims/b1-t000", claims[0].oid)
    assert claim_all(two) == []
    assert git(bare, "for-each-ref", "--format=%(objectname)", "refs/cortex/claims") == claims[0].oid


@pytest.mark.race
def test_the_others_end_the_work_of_killed_clones_without_waiting(
    clones: Callable[[int], list[Path]], bare: Path, tmp_path: Path
) -> None:
    folders = clones(5)
    first = Coordination.open(folders[0])
    config = folders[0] / "coordination" / "config.toml"
    config.write_text(f"{config.read_text()}\n[leases]\nlease_s = {LEASE_S}\n")
    for folder in folders[1:]:
        (folder / "coordination" / "config.toml").write_text(config.read_text())
    names = [task.task for task in add_tasks(first, 100)]
    logs = [tmp_path / f"log-{number}" for number in range(5)]
    children = [python(WORKER, str(f), str(log), "5") for f, log in zip(folders, logs, strict=True)]
    for child, log in list(zip(children, logs, strict=True))[:2]:
        while not (log.exists() and log.read_text()) and child.poll() is None:
            time.sleep(0.005)
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
    for child in children[2:]:
        _, errors = child.communicate(timeout=110)
        assert child.returncode == 0, errors
    assert published(bare) == sorted(names)
    assert len(result_commits(bare)) == 100
    assert git(bare, "for-each-ref", "refs/cortex/claims") == ""
    assert_sound(bare)
