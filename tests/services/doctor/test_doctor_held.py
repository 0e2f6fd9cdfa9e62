"""A push that was cut off, and then the outbox lost: what git still holds of it is published, once."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from doctorworld import assert_well, mended, one
from gitworld import (
    add_tasks,
    assert_sound,
    claim_all,
    finish,
    git,
    python,
    result_commits,
    results_on,
)

from cortex_git.services.doctor.examining import Request, treat
from cortex_git.services.doctor.findings import Severity
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope

_KILLED = """
    import os, signal, sys
    from pathlib import Path
    from gitworld import add_tasks, claim_all, finish, result_for
    from cortex_git.models import Task
    from cortex_git.state import now
    from cortex_git.store.coordination import Coordination
    from cortex_git.store.refs import RemoteRefs

    coordination = Coordination.open(Path(sys.argv[1]))
    when = sys.argv[2]
    claims = claim_all(coordination)
    first, rest = claims[:2], claims[2:]
    if "used" in sys.argv:
        finish(coordination, first)
    else:
        rest = claims
    push = RemoteRefs.transaction

    def killed(refs, updates, *, atomic):
        if any(update.ref == coordination.repository.own_results for update in updates):
            if when == "after":
                push(refs, updates, atomic=atomic)
            os.kill(os.getpid(), signal.SIGKILL)
        return push(refs, updates, atomic=atomic)

    RemoteRefs.transaction = killed
    coordination.record([
        (claim, result_for(coordination, claim, output={"n": n}), {}) for n, claim in enumerate(rest)
    ])
    if "adding" in sys.argv:
        coordination.add_tasks([Task(task="late", batch="tasks", title="late", created_at=now())])
    coordination.flush()
"""
TASKS = 6


def _removed(path: Path) -> None:
    for part in path.parent.glob("state.db*"):
        part.unlink()


def _emptied(path: Path) -> None:
    _removed(path)
    path.touch()


def _zeros(path: Path) -> None:
    _removed(path)
    path.write_bytes(bytes(64 * 1024))


def _noise(path: Path) -> None:
    _removed(path)
    path.write_bytes(os.urandom(64 * 1024))


def _entries(path: Path) -> None:
    """Every page that says anything of an entry, in the file and in the log beside it."""
    for part in path.parent.glob("state.db*"):
        data = bytearray(part.read_bytes())
        for start in range(0, len(data), 4096):
            if b"worker-test-001" in data[start : start + 4096]:
                data[start : start + 4096] = b"\xee" * len(data[start : start + 4096])
        part.write_bytes(data)


LOSSES: dict[str, Callable[[Path], None]] = {
    "removed": _removed,
    "emptied": _emptied,
    "zeros": _zeros,
    "noise": _noise,
    "entries": _entries,
}


def _kill(host: Path, when: str, *more: str) -> None:
    add_tasks(Coordination.open(host), TASKS)
    process = python(_KILLED, str(host), when, *more)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, errors


def _fix(host: Path) -> list[str]:
    """What `doctor --fix` does, in this process: nothing that is not well may stand."""
    found = treat(Request(host))
    bad = [entry for entry in found.entries if entry.severity in (Severity.PROBLEM, Severity.WARNING)]
    assert [entry.finding for entry in bad if not entry.fixed] == []
    assert found.failures == []
    return found.deeds


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_result_is_published_once(host: Path, bare: Path, loss: str, when: str) -> None:
    _kill(host, when)
    LOSSES[loss](host / ".git" / "cortex" / "state.db")
    _fix(host)
    assert len(result_commits(bare)) == TASKS
    assert git(bare, "for-each-ref", "refs/cortex/fenced", "refs/cortex/claims") == ""
    assert Coordination.open(host).outbox.count() == 0
    assert "kept-" not in git(host, "for-each-ref", "refs/cortex-outbox")
    assert_well(host, "held")
    assert_sound(bare)


def test_a_clone_that_had_published_before(host: Path, bare: Path) -> None:
    """Its own tip is forgotten too: it goes on under a new id, and repeats nothing of the old one."""
    _kill(host, "before", "used")
    _removed(host / ".git" / "cortex" / "state.db")
    found = one(host, "held", Severity.PROBLEM)
    assert found.finding.summary == "4 results that waited to be published are held by git alone"
    (deed,) = mended(host, "held")
    assert deed == "entered 4 documents that git held into the outbox again, and published them"
    assert len(result_commits(bare)) == TASKS
    assert git(bare, "for-each-ref", "refs/cortex/fenced", "refs/cortex/claims") == ""


def test_added_tasks_too(host: Path) -> None:
    _kill(host, "before", "adding")
    _removed(host / ".git" / "cortex" / "state.db")
    one(host, "held", Severity.PROBLEM)
    _fix(host)
    coordination = Coordination.open(host)
    coordination.pull()
    assert coordination.open_count(Scope(batch="tasks")) == 1
    assert coordination.open_count(Scope(batch="b1")) == 0


def test_a_result_whose_task_somebody_else_ended_is_fenced(host: Path, bare: Path, tmp_path: Path) -> None:
    _kill(host, "before")
    _removed(host / ".git" / "cortex" / "state.db")
    git(tmp_path, "clone", "-q", str(bare), "other")
    other = Coordination.open(tmp_path / "other")
    finish(other, claim_all(other, 1))  # takes over a claim of the killed process
    (deed,) = mended(host, "held")
    assert deed.endswith("and published them, 1 of them superseded")
    assert len(result_commits(bare)) == TASKS
    refs = git(bare, "for-each-ref", "--format=%(refname)", "refs/cortex/results").splitlines()
    assert set(results_on(bare, *refs)) == {f"b1-t{n:03d}" for n in range(TASKS)}
    assert len(git(bare, "for-each-ref", "refs/cortex/fenced").splitlines()) == 1


def test_with_the_remote_away_they_are_kept_until_it_is_back(host: Path, bare: Path) -> None:
    _kill(host, "before")
    _removed(host / ".git" / "cortex" / "state.db")
    moved = bare.rename(bare.with_name("away"))
    found = one(host, "held", Severity.PROBLEM)
    assert found.finding.mend is not None
    assert "keeps 6 documents in git" in found.finding.mend.run()
    assert one(host, "held", Severity.PROBLEM).finding.mend is None
    git(host, "update-ref", "-d", "refs/cortex-outbox/next")  # the next push would have moved it
    moved.rename(bare)
    mended(host, "held")
    assert len(result_commits(bare)) == TASKS


def test_what_waits_in_the_outbox_is_not_told_twice(host: Path) -> None:
    _kill(host, "before")
    assert_well(host, "held")
    deeds = _fix(host)
    assert "published 6 documents" in deeds
    assert "the push of 6 documents did not arrive: 6 published since" in deeds


def test_a_push_that_had_arrived(host: Path) -> None:
    _kill(host, "after")
    assert mended(host, "pushes") == ["the push of 6 documents had arrived"]


def test_a_push_whose_documents_are_gone_is_told(host: Path) -> None:
    _kill(host, "before")
    git(host, "update-ref", "-d", "refs/cortex-outbox/next")
    Coordination.open(host).repository.durable_state.execute("DELETE FROM outbox")
    (deed,) = mended(host, "pushes")
    assert deed.startswith("the push of 6 documents did not arrive: 6 not in the outbox any more")
