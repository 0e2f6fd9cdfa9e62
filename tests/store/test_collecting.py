"""Clearing away: each kind goes when nobody needs it, and stays otherwise."""

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from gitworld import add_tasks, assert_sound, claim_all, finish, git, outputs_of, result_commits

from cortex_git.flocks import file_lock
from cortex_git.state import monotonic
from cortex_git.store import collectable_files as files
from cortex_git.store import collectable_refs as refs
from cortex_git.store import collectable_rows as rows
from cortex_git.store.collecting import DAY_S, Finding, collect_objects, objects, of_objects
from cortex_git.store.commits import Draft, singles
from cortex_git.store.coordination import Coordination
from cortex_git.store.heartbeat import Signs, beat
from cortex_git.store.index import Scope
from cortex_git.store.outbox import Entry, Intent

Hosts = Callable[[int], list[Coordination]]
AS_SOMEBODY = ("-c", "user.name=p", "-c", "user.email=p@example.invalid")


def taken(findings: list[Finding]) -> list[bool | None]:
    """Take them away; for each whether it was, None for one that stays."""
    return [one.remove() if one.remove is not None else None for one in findings]


def aged(folder: Path, days: float = 100) -> None:
    """Make every object of a repository look that old."""
    then = time.time() - days * DAY_S
    for path in (*folder.rglob("objects/??/*"), *folder.rglob("objects/pack/*")):
        os.utime(path, (then, then))


def heartbeat_of(coordination: Coordination, host: str, days: float) -> str:
    """A heartbeat that says it is so many days old, on the shared refs."""
    at = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    body = json.dumps({"schema": 1, "host": host, "at": at}).encode()
    repository = coordination.repository
    oid = singles(repository.git, repository.identity.author, [Draft("beat", {"host.json": body})])[0]
    put(coordination, f"refs/cortex/hosts/{host}", oid)
    return oid


def put(coordination: Coordination, ref: str, oid: str) -> None:
    folder = coordination.repository.folder
    if coordination.repository.remote:
        git(folder, "push", "-q", "origin", f"+{oid}:{ref}")
    else:
        git(folder, "update-ref", ref, oid)


def shared(coordination: Coordination, kind: str) -> list[str]:
    repository = coordination.repository
    if repository.remote is None:
        return sorted(repository.git.refs(f"refs/cortex/{kind}/"))
    lines = git(repository.folder, "ls-remote", "origin", f"refs/cortex/{kind}/*").splitlines()
    return sorted(line.split("\t")[1] for line in lines)


def seen_long_ago(coordination: Coordination) -> None:
    state = coordination.repository.state
    state.execute("UPDATE sightings SET first_seen = ?", (monotonic() - 10_000,))


def test_a_host_silent_for_a_week_loses_its_heartbeat_and_a_living_one_does_not(
    coordination: Coordination,
) -> None:
    heartbeat_of(coordination, "gone-1", 30)
    heartbeat_of(coordination, "young-1", 1)
    beat(coordination.repository, Signs(0))
    first = refs.silent_hosts(coordination, coordination.pull())
    assert [(one.what, one.kept) for one in first] == [("refs/cortex/hosts/gone-1", True)]
    seen_long_ago(coordination)
    found = refs.silent_hosts(coordination, coordination.pull())
    assert [one.what for one in found] == ["refs/cortex/hosts/gone-1"]
    heartbeat_of(coordination, "gone-1", 30)  # it beats again meanwhile, with a wrong clock
    assert taken(found) == [False]
    seen_long_ago(coordination)
    coordination.pull()
    state = coordination.repository.state
    state.execute("UPDATE sightings SET oid = 'x'")
    assert [one.kept for one in refs.silent_hosts(coordination, coordination.pull())] == [True]
    seen_long_ago(coordination)
    assert taken(refs.silent_hosts(coordination, coordination.pull())) == [True]
    assert f"refs/cortex/hosts/{coordination.repository.host}" in shared(coordination, "hosts")
    assert "refs/cortex/hosts/gone-1" not in shared(coordination, "hosts")


def test_a_silent_host_with_a_claim_keeps_its_heartbeat(hosts: Hosts) -> None:
    """Whoever waits for that claim's lease counts from the heartbeat too."""
    one, other = hosts(2)
    add_tasks(one, 1)
    claim_all(one)
    heartbeat_of(one, one.repository.host, 30)
    refs.silent_hosts(other, other.pull())
    seen_long_ago(other)
    assert [found.kept for found in refs.silent_hosts(other, other.pull())] == [True]


def test_a_dead_owner_s_claim_of_a_finished_task_goes_and_a_living_one_s_stays(
    coordination: Coordination,
) -> None:
    tasks = add_tasks(coordination, 3)
    claims = claim_all(coordination)
    dead = claims[0].record.model_copy(update={"pid": 2**22 - 1, "nonce": "f" * 32})
    repository = coordination.repository
    draft = Draft("claim", {"claim.json": dead.to_bytes()})
    oids = singles(repository.git, repository.identity.author, [draft])
    finish(coordination, claims[:2])
    put(coordination, f"refs/cortex/claims/{claims[0].task.task}", oids[0])
    put(coordination, f"refs/cortex/claims/{claims[1].task.task}", claims[1].oid)
    found = refs.orphaned_claims(coordination, coordination.pull())
    assert [one.what for one in found] == [f"refs/cortex/claims/{claims[0].task.task}"]
    assert taken(found) == [True]
    assert len(shared(coordination, "claims")) == len(tasks) - 1


def test_probes_and_fenced_results_go_by_age(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = coordination.repository
    young = singles(repository.git, repository.identity.author, [Draft("probe", {"probe": b""})])[0]
    monkeypatch.setenv("GIT_COMMITTER_DATE", f"@{int(time.time() - 40 * DAY_S)} +0000")
    old = git(repository.folder, *AS_SOMEBODY, "commit-tree", f"{young}^{{tree}}", "-m", "old")
    monkeypatch.delenv("GIT_COMMITTER_DATE")
    for kind in ("probe/x", "fenced/b1-t000/n"):
        put(coordination, f"refs/cortex/{kind}-old", old)
        put(coordination, f"refs/cortex/{kind}-young", young)
    assert [one.what for one in refs.left_probes(coordination)] == ["refs/cortex/probe/x-old"]
    found = refs.old_fenced(coordination, 30 * DAY_S)
    assert [one.what for one in found] == ["refs/cortex/fenced/b1-t000/n-old"]
    assert taken([*found, *refs.left_probes(coordination)]) == [True, True]
    assert shared(coordination, "probe") == ["refs/cortex/probe/x-young"]
    assert shared(coordination, "fenced") == ["refs/cortex/fenced/b1-t000/n-young"]
    assert repository.git.refs("refs/cortex-scratch/") == {}


def test_outbox_refs_that_are_needed_stay(hosts: Hosts) -> None:
    """One that the remote has nothing of is kept; all are while anything waits."""
    (one,) = hosts(1)
    add_tasks(one, 1)
    one.pull()
    folder = one.repository.folder
    published = one.repository.refs.trunk()[0]
    only_here = git(folder, *AS_SOMEBODY, "commit-tree", f"{published}^{{tree}}", "-m", "only here")
    git(folder, "update-ref", "refs/cortex-outbox/a", published)
    git(folder, "update-ref", "refs/cortex-outbox/b", only_here)
    one.outbox.add([Entry("n1", "b1", None, "m", {"coordination/tasks/b1/x.json": b"{}"})])
    assert [found.kept for found in refs.left_local_refs(one)] == [True, True]
    one.outbox.settle(["n1"], "done")
    one.outbox.intend(Intent("0" * 40, one.repository.host, ("n1",)))
    assert [found.kept for found in refs.left_local_refs(one)] == [True, True]
    one.outbox.acknowledge(Intent("0" * 40, one.repository.host, ("n1",)))
    assert {Path(found.what).name: found.kept for found in refs.left_local_refs(one)} == {
        "a": False,
        "b": True,
    }
    taken(refs.left_local_refs(one))
    assert set(one.repository.git.refs("refs/cortex-outbox/")) == {
        "refs/cortex-outbox/b",
        "refs/cortex-outbox/next",
    }


def test_only_acknowledged_entries_leave_the_outbox(coordination: Coordination) -> None:
    outbox = coordination.outbox
    outbox.add([Entry(f"n{n}", "t", None, "m", {"coordination/x": b""}) for n in range(1100)])
    outbox.settle([f"n{n}" for n in range(1095) if n not in (3, 4)], "done")
    outbox.settle(["n4"], "fencing")
    assert taken(rows.published_entries(coordination.repository)) == [True]
    assert outbox.count() == 7
    assert outbox.states(["n0", "n3", "n4", "n200"]) == {"n3": "queued", "n4": "fencing", "n200": "done"}
    assert rows.published_entries(coordination.repository) == []


def test_sightings_of_what_is_gone_go(hosts: Hosts) -> None:
    one, other = hosts(2)
    add_tasks(one, 2)
    claims = claim_all(one)
    other.claims.standings(other.pull())
    finish(one, claims[:1])
    before = rows.sightings(other.repository)
    found = rows.gone_sightings(other, before, other.pull())
    assert [one.count for one in found] == [1]
    assert taken(found) == [True]
    left = rows.sightings(other.repository)
    assert f"host {one.repository.host}" in left  # without a heartbeat, but with a claim
    assert set(left) == set(before) - {f"claim {claims[0].task.task}"}


def test_locks_of_dead_processes_go_but_where_the_claim_stands(coordination: Coordination) -> None:
    """There the lock tells whoever takes the claim over whether a worker had begun."""
    add_tasks(coordination, 2)
    claims = sorted(claim_all(coordination), key=lambda claim: claim.task.task)
    finish(coordination, claims[:1])
    locks = coordination.locks
    view = coordination.pull()
    assert files.stale_locks(coordination, view) == []
    for claim in claims:
        owner = locks.path(claim.task.task) / "owner.json"
        owner.write_text(json.dumps(json.loads(owner.read_text()) | {"pid": 2**22 - 1}))
    found = files.stale_locks(coordination, view)
    assert [(Path(one.what).stem, one.kept) for one in found] == [
        (claims[0].task.task, False),
        (claims[1].task.task, True),
    ]
    assert taken(found) == [True, None]
    assert not locks.path(claims[0].task.task).exists()
    assert locks.path(claims[1].task.task).exists()


def test_half_written_files_and_old_logs_go(coordination: Coordination) -> None:
    private = coordination.repository.private
    old, young = private / "host.json.0123abcd", private / "host.json.4567abcd"
    log, live = private / "logs" / "a.log", private / "logs" / "b.log"
    log.parent.mkdir()
    for path in (old, young, log, live):
        path.write_text("x")
    for path in (old, log):
        os.utime(path, (0, 0))
    assert taken(files.temporary_files(coordination)) == [True]
    assert taken(files.old_logs(coordination)) == [True]
    assert (private / "host.json").exists()
    assert sorted(path.name for path in private.glob("host.json.*")) == ["host.json.4567abcd"]
    assert [path.name for path in log.parent.iterdir()] == ["b.log"]


def test_objects_that_anything_needs_stay(hosts: Hosts, bare: Path, tmp_path: Path) -> None:
    """Everything is old, and packed and pruned: a person's own work, the outbox and the push under way."""
    (one,) = hosts(1)
    folder = one.repository.folder
    needed: dict[str, str] = {}

    def commit(what: str, *, at: Path = folder) -> None:
        (at / f"{what}.txt").write_text(what)
        git(at, "add", f"{what}.txt")
        git(at, *AS_SOMEBODY, "commit", "-qm", what)
        needed[what] = git(at, "rev-parse", "HEAD")

    git(folder, "switch", "-q", "-c", "mine")
    commit("on a branch that is not pushed")
    git(folder, "worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    commit("on a detached HEAD of a work tree", at=tmp_path / "tree")
    commit("only in the reflog")
    git(folder, "reset", "-q", "--hard", "HEAD~1")
    (folder / "staged.txt").write_text("staged")
    git(folder, "add", "staged.txt")
    needed["staged"] = git(folder, "rev-parse", ":staged.txt")
    git(folder, *AS_SOMEBODY, "stash", "push", "-q", "--keep-index")
    needed["stash"] = git(folder, "rev-parse", "refs/stash")
    (folder / "untracked.txt").write_text("untracked")
    add_tasks(one, 2)
    finish(one, claim_all(one, 1))
    needed["the outbox's last push"] = git(folder, "rev-parse", "refs/cortex-outbox/next")
    held = git(folder, *AS_SOMEBODY, "commit-tree", "HEAD^{tree}", "-m", "held by the outbox alone")
    git(folder, "update-ref", "refs/cortex-outbox/n1", held)
    needed["held by the outbox alone"] = held
    forgotten = git(folder, *AS_SOMEBODY, "commit-tree", "HEAD^{tree}", "-m", "nobody needs this")
    aged(folder)
    assert collect_objects(one.repository.git)
    for what, oid in needed.items():
        assert git(folder, "cat-file", "-t", oid, check=False) in ("commit", "blob"), what
    assert git(folder, "cat-file", "-t", forgotten, check=False) == ""
    assert (folder / "untracked.txt").exists()
    assert_sound(folder)
    finish(one, claim_all(one, 1))
    assert len(result_commits(bare)) == 2


def test_young_objects_stay(coordination: Coordination) -> None:
    """A command may have written them a moment ago, for a ref that it has yet to make."""
    folder = coordination.repository.folder
    written = singles(coordination.repository.git, coordination.repository.identity.author, [Draft("m", {})])[
        0
    ]
    assert collect_objects(coordination.repository.git)
    assert git(folder, "cat-file", "-t", written) == "commit"


def test_packing_is_proposed_only_where_it_is_worth_it(coordination: Coordination) -> None:
    git_ = coordination.repository.git
    assert of_objects(git_, "objects") == []
    drafts = [Draft(f"m{n}", {f"f{n}": f"{n}".encode()}) for n in range(200)]
    git(coordination.repository.folder, "config", "fastimport.unpackLimit", "1000")
    singles(git_, coordination.repository.identity.author, drafts)
    [found] = objects(coordination)
    assert found.count >= 600
    with file_lock(coordination.repository.private / "maintenance.lock"):
        assert taken([found]) == [False]
    assert taken([found]) == [True]


WORK = """
    import sys
    from pathlib import Path
    from gitworld import claim_all, finish
    from cortex_git.store.coordination import Coordination
    coordination = Coordination.open(Path(sys.argv[1]))
    while claims := claim_all(coordination, 4):
        finish(coordination, claims)
        for claim in claims:
            coordination.locks.release(claim.task.task)
        coordination.fold()
    """
COLLECT = """
    import os, sys, time
    from pathlib import Path
    from cortex_git.services.collecting import Wanted, collect
    from cortex_git.store.collecting import collect_objects
    from cortex_git.store.coordination import Coordination
    from cortex_git.store.index import Scope
    coordination = Coordination.open(Path(sys.argv[1]))
    until = time.monotonic() + 60
    while time.monotonic() < until:
        report = collect(coordination, Wanted(dry_run=False, archive_after_s=0.0, fenced_after_s=0.0))
        assert not report.problems, report.problems
        collect_objects(coordination.repository.git)
        if coordination.open_count(Scope()) == 0:
            break
    """


@pytest.mark.race
def test_gc_while_others_work_in_the_clone_and_on_the_remote_loses_nothing(hosts: Hosts, bare: Path) -> None:
    one, other = hosts(2)
    names = [task.task for task in add_tasks(one, 40)]
    here, there = str(one.repository.folder), str(other.repository.folder)
    outputs_of([(WORK, [here]), (WORK, [here]), (WORK, [there]), (COLLECT, [here]), (COLLECT, [there])])
    one.pull()
    assert one.open_count(Scope()) == 0
    assert len(result_commits(bare)) == len(names)
    assert sorted(result.task for result in one.results(Scope(batch="b1"))) == names
    for folder in (bare, one.repository.folder, other.repository.folder):
        assert_sound(folder)


def test_two_gcs_take_turns(hosts: Hosts) -> None:
    import threading

    from cortex_git.services.collecting import Wanted, collect

    (one,) = hosts(1)
    done = threading.Event()
    with file_lock(one.repository.private / "gc.lock"):
        thread = threading.Thread(target=lambda: (collect(one, Wanted(dry_run=False)), done.set()))
        thread.start()
        assert not collect(one, Wanted()).problems  # a dry run waits for nobody
        assert not done.wait(0.3)
    thread.join(60)
    assert done.is_set()
