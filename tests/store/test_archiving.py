"""Archiving: an archived task stays finished for everybody, and its files can be found again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gitworld import add_tasks, assert_sound, claim_all, finish, git, result_for, results_on

from cortex_git.errors import BadInput, NewerSchema
from cortex_git.gitio import Completed, Git
from cortex_git.models import Batch, ClaimRecord, Task
from cortex_git.services.collecting import Wanted, collect
from cortex_git.state import now
from cortex_git.store import index, tombstones
from cortex_git.store.archiving import archive, missing_refs, planned, restore_refs
from cortex_git.store.commits import Draft, singles
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.lineage import lineage_of
from cortex_git.store.outbox import Entry
from cortex_git.store.refs import Outcome
from cortex_git.store.tasks import listed

Hosts = Callable[[int], list[Coordination]]
Clones = Callable[[int], list[Path]]
DAY_S = 24 * 3600.0


def ended(coordination: Coordination, count: int = 3, batch: str = "b1") -> list[Task]:
    """A batch all of whose tasks have results on the branch."""
    tasks = add_tasks(coordination, count, batch)
    finish(coordination, claim_all(coordination, batch=batch))
    coordination.fold()
    return tasks


def files_on(coordination: Coordination) -> list[str]:
    coordination.pull()
    trunk = coordination.repository.refs.trunk()[0]
    return git(coordination.repository.folder, "ls-tree", "-r", "--name-only", trunk).splitlines()


def test_the_files_leave_the_branch_and_a_ref_keeps_them(coordination: Coordination) -> None:
    ended(coordination)
    done = archive(coordination.repository, 0.0).done
    assert [(one.stone.name, len(one.stone.tasks), len(one.files)) for one in done] == [("b1", 3, 7)]
    left = [path for path in files_on(coordination) if "b1" in path]
    assert left == ["coordination/archive/b1.json"]
    refs = coordination.repository.refs
    ref = f"{refs.namespace}/archive/b1"
    commit = refs.read_back([ref])[ref]
    assert len(results_on(coordination.repository.folder, commit)) == 3
    assert coordination.fold() is None
    assert_sound(coordination.repository.folder)


def test_what_ended_a_moment_ago_stays_unless_it_is_named(coordination: Coordination) -> None:
    ended(coordination)
    ended(coordination, batch="b2")
    assert archive(coordination.repository, 30 * DAY_S).done == []
    assert [one.stone.name for one in archive(coordination.repository, 30 * DAY_S, ["b2"]).done] == ["b2"]
    assert "coordination/batches/b1.json" in files_on(coordination)


def test_a_named_batch_goes_whatever_its_hosts_clocks_say(coordination: Coordination) -> None:
    add_tasks(coordination, 2)
    (one, two) = claim_all(coordination)
    stamps = ("2999-01-01T00:00:00Z", "no date")
    coordination.record(
        [
            (claim, result_for(coordination, claim, completed_at=stamp), {})
            for claim, stamp in zip((one, two), stamps, strict=True)
        ]
    )
    coordination.flush()
    assert archive(coordination.repository, 0.0).done == []
    assert [due.stone.name for due in archive(coordination.repository, 0.0, ["b1"]).done] == ["b1"]


class Mover:
    """The move of the branch as somebody else's moves make it go, one outcome a try; then as it is."""

    def __init__(
        self, coordination: Coordination, monkeypatch: pytest.MonkeyPatch, *outcomes: Outcome
    ) -> None:
        self.left = list(outcomes)
        self.real = coordination.repository.refs.move_trunk
        monkeypatch.setattr(coordination.repository.refs, "move_trunk", self)

    def __call__(self, new: str, old: str | None) -> Outcome:
        outcome = self.left.pop(0) if self.left else Outcome.APPLIED
        return self.real(new, old) if outcome is Outcome.APPLIED else outcome


def three_batches(coordination: Coordination, monkeypatch: pytest.MonkeyPatch) -> None:
    """To be archived one by one, with two tries for each."""
    for batch in ("b1", "b2", "b3"):
        ended(coordination, 1, batch)
    monkeypatch.setattr("cortex_git.store.archiving._AT_ONCE", 1)
    monkeypatch.setattr("cortex_git.store.archiving._TRIES", 2)


def test_each_batch_has_all_the_tries(coordination: Coordination, monkeypatch: pytest.MonkeyPatch) -> None:
    three_batches(coordination, monkeypatch)
    lost, won = Outcome.STALE, Outcome.APPLIED
    Mover(coordination, monkeypatch, lost, won, lost, won, lost, won)
    done = archive(coordination.repository, 0.0).done
    assert [due.stone.name for due in done] == ["b1", "b2", "b3"]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [(Outcome.STALE, "moves all the time"), (Outcome.BUSY, "could not move the branch main")],
    ids=["stale", "busy"],
)
def test_what_was_archived_before_an_error_is_told(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch, outcome: Outcome, said: str
) -> None:
    three_batches(coordination, monkeypatch)
    Mover(coordination, monkeypatch, Outcome.APPLIED, outcome, outcome)
    report = collect(coordination, Wanted(dry_run=False, archive_after_s=0.0))
    assert [one.what for number, one in enumerate(report.findings) if number in report.removed] == ["b1"]
    [(kind, error)] = report.problems
    assert (kind, said in str(error)) == ("archive", True)


def test_a_plan_changes_nothing(coordination: Coordination) -> None:
    ended(coordination)
    before = files_on(coordination)
    assert [one.stone.name for one in planned(coordination.repository, 0.0).done] == ["b1"]
    assert files_on(coordination) == before
    assert not tombstones.is_archived(coordination.repository.state, "b1")


def test_archived_tasks_are_finished_in_a_clone_that_never_saw_them(
    hosts: Hosts, clones: Clones, bare: Path
) -> None:
    one, late = hosts(2)
    ended(one)
    archive(one.repository, 0.0)
    late.pull()
    assert late.open_count(Scope()) == 0
    assert late.is_finished("b1-t000")
    assert claim_all(late) == []
    with pytest.raises(BadInput, match="finished already"):
        late.claim_task("b1-t000", "w")
    assert [task.task for task in listed(late.repository, Scope())] == []


def test_an_old_view_s_claim_finds_the_archived_task_finished(hosts: Hosts) -> None:
    """Promise 1: whoever saw the task open and nothing since then must not run it."""
    one, old = hosts(2)
    add_tasks(one, 3)
    view = old.pull()
    finish(one, claim_all(one))
    archive(one.repository, 0.0)
    assert old.open_count(Scope(batch="b1")) == 3
    claims = old.claim(Scope(batch="b1"), 3, lambda _: "w", view=view)
    assert claims == []
    assert old.open_count(Scope(batch="b1")) == 0
    assert one.repository.refs.read_back([one.repository.claim_ref("b1-t000")]) == {}


def test_a_late_result_is_fenced_and_a_late_publisher_s_own_is_recognised(hosts: Hosts) -> None:
    one, slow = hosts(2)
    add_tasks(one, 1)
    (claim,) = claim_all(slow)
    taken = one.claims.cancel([claim.task], one.pull(), "w")  # as a takeover would
    finish(one, taken)
    archive(one.repository, 0.0)
    slow.pull()
    slow.record([(claim, result_for(slow, claim), {})])  # its batch is known no more
    report = slow.flush()
    assert report.fenced == [claim.record.nonce]
    slow.fold()
    assert not any("b1-t" in path for path in files_on(slow))
    assert slow.outbox.count() == 0


def test_folds_never_bring_archived_files_back(hosts: Hosts) -> None:
    one, two = hosts(2)
    add_tasks(one, 4)
    finish(two, claim_all(two, 2))
    finish(one, claim_all(one))
    archive(one.repository, 0.0)
    # Both hosts' refs still hold the files: two goes on publishing on top of its own.
    ended(two, 2, "b2")
    left = [path for path in files_on(two) if "b1" in path]
    assert left == ["coordination/archive/b1.json"]
    assert len([path for path in files_on(two) if "/b2/" in path]) == 4


def test_a_task_s_id_stays_taken_and_the_same_task_is_known(hosts: Hosts) -> None:
    one, late = hosts(2)
    (task,) = ended(one, 1)
    archive(one.repository, 0.0)
    late.pull()
    again = task.model_copy(update={"batch": "other"})
    with pytest.raises(BadInput, match="exists already with another content"):
        late.add_tasks([again])
    assert late.add_tasks([task]) == 0
    more = task.model_copy(update={"task": "b1-new"})
    with pytest.raises(BadInput, match="archived"):
        late.add_tasks([more])
    with pytest.raises(BadInput, match="exists already"):
        add_tasks(late, 1, "b1")


def test_a_document_that_comes_late_does_not_open_an_archived_task_again(hosts: Hosts) -> None:
    """As from the outbox of a host that added the same batch and was offline since."""
    (one,) = hosts(1)
    (task,) = ended(one, 1)
    archive(one.repository, 0.0)
    other = task.model_copy(update={"title": "of another content"})
    entry = Entry(
        "late", "b1", None, "late",
        {
            "coordination/tasks/b1/b1-t000.json": other.to_bytes(),
            "coordination/batches/b1.json": Batch(batch="b1", created_at=now(), created_by="x").to_bytes(),
        },
    )  # fmt: skip
    one.outbox.add([entry])
    one.flush()
    one.fold()
    one.pull()
    assert one.known_count(Scope()) == 0
    assert index.find_batch(one.repository.state, "b1") is None
    assert index.task_of(one.repository, "b1-t000").title == "trial 0"
    assert [path for path in files_on(one) if "b1" in path] == ["coordination/archive/b1.json"]


def test_results_and_tasks_of_an_archived_batch_are_read_on_demand(hosts: Hosts) -> None:
    one, late = hosts(2)
    ended(one, 3)
    archive(one.repository, 0.0)
    late.pull()
    assert [r.task for r in late.results(Scope(batch="b1", glob="*-t00[12]"))] == ["b1-t001", "b1-t002"]
    assert late.results(Scope()) == []
    assert [t.title for t in listed(late.repository, Scope(batch="b1"))] == ["trial 0", "trial 1", "trial 2"]
    assert index.task_of(late.repository, "b1-t001").title == "trial 1"
    assert index.batch_of(late.repository, "b1").tasks == 3
    assert late.result_path(index.task_of(late.repository, "b1-t001")).endswith("results/b1/b1-t001.json")


def shallow_of(bare: Path, host: Coordination) -> Coordination:
    """A clone of the branch's last commit only, when the ref of the host that did the work is gone."""
    git(bare, "update-ref", "-d", host.repository.own_results)
    git(bare.parent, "clone", "-q", "--depth=1", f"file://{bare}", "shallow")
    shallow = Coordination.open(bare.parent / "shallow")
    shallow.pull()
    return shallow


def test_a_shallow_clone_fetches_what_it_is_asked_for(hosts: Hosts, bare: Path) -> None:
    (one,) = hosts(1)
    ended(one)
    archive(one.repository, 0.0)
    shallow = shallow_of(bare, one)
    before = git(shallow.repository.folder, "for-each-ref")
    assert len(shallow.results(Scope(batch="b1"))) == 3
    assert len(list(listed(shallow.repository, Scope(batch="b1")))) == 3
    assert git(shallow.repository.folder, "for-each-ref") == before


def test_a_shallow_clone_fetches_no_more_archives_than_it_needs(hosts: Hosts, bare: Path) -> None:
    (one,) = hosts(1)
    for batch in ("b1", "b2", "b3"):
        ended(one, 2, batch)
        archive(one.repository, 0.0)
    shallow = shallow_of(bare, one)
    state = shallow.repository.state
    documents = {
        name: [oid for (oid,) in state.execute("SELECT oid FROM archived WHERE name = ?", (name,))]
        for name in ("b1", "b2", "b3")
    }
    assert len(tombstones.blobs(shallow.repository, documents["b1"])) == 2
    assert shallow.repository.git.blobs([*documents["b2"], *documents["b3"]]) == {}
    git(bare, "update-ref", "-d", "refs/cortex/archive/b3")
    both = tombstones.blobs(shallow.repository, [*documents["b2"], *documents["b3"]])
    assert sorted(both) == sorted(documents["b2"])  # what was deleted hides no other


def test_the_line_of_retries_goes_through_archived_tasks(hosts: Hosts) -> None:
    one, late = hosts(2)
    add_tasks(one, 1)
    claims = claim_all(one)
    one.record([(c, result_for(one, c, status="failed", error="no"), {}) for c in claims])
    one.flush()
    again = claims[0].task.model_copy(
        update={"task": "b1-t000-r1", "batch": "tasks", "retry_of": "b1-t000", "created_at": now()}
    )
    one.add_tasks([again])
    report = archive(one.repository, 0.0)
    assert [(kept.batch, kept.reason) for kept in report.kept] == [
        ("b1", "b1-t000 is needed by b1-t000-r1, which is open")
    ]
    finish(one, claim_all(one, batch="tasks"))
    assert {due.stone.name for due in archive(one.repository, 0.0).done} == {"b1", "tasks.1"}
    late.pull()
    line = lineage_of(late.repository, "b1-t000-r1")
    assert ([task.task for task in line.tasks], line.next_id) == (["b1-t000", "b1-t000-r1"], "b1-t000-r2")


def test_a_task_may_come_after_an_archived_one(hosts: Hosts) -> None:
    one, late = hosts(2)
    (task,) = ended(one, 1)
    archive(one.repository, 0.0)
    late.pull()
    after = task.model_copy(update={"task": "next", "batch": "tasks", "after": (task.task,)})
    late.add_tasks([after])
    assert [claim.task.task for claim in claim_all(late, batch="tasks")] == ["next"]


@pytest.mark.parametrize("why", ["open", "claimed", "after", "part"])
def test_what_somebody_still_needs_is_kept(coordination: Coordination, why: str) -> None:
    tasks = add_tasks(coordination, 2)
    finish(coordination, claim_all(coordination, 1 if why == "open" else 2))
    if why == "claimed":  # a remote killed in the midst of a publish leaves such a claim
        record = ClaimRecord(task="b1-t000", host="elsewhere", nonce="n" * 32)
        repository = coordination.repository
        draft = Draft("claim", {"claim.json": record.to_bytes()})
        held = singles(repository.git, repository.identity.author, [draft])
        git(coordination.repository.folder, "update-ref", "refs/cortex/claims/b1-t000", held[0])
        if coordination.repository.remote:
            ref = "refs/cortex/claims/b1-t000"
            git(coordination.repository.folder, "push", "-q", "origin", f"{ref}:{ref}")
    if why in ("after", "part"):
        link = {"after": (tasks[0].task,)} if why == "after" else {"parent": tasks[0].task}
        coordination.add_tasks([tasks[0].model_copy(update={"task": "x", "batch": "tasks", **link})])
    report = archive(coordination.repository, 0.0)
    assert report.done == []
    assert [kept.batch for kept in report.kept] == ["b1"]
    with pytest.raises(BadInput, match="cannot be archived"):
        archive(coordination.repository, 0.0, ["b1"])
    with pytest.raises(BadInput, match="nobody has added"):
        archive(coordination.repository, 0.0, ["nothing"])


def test_an_open_batch_is_archived_in_parts(hosts: Hosts) -> None:
    one, late = hosts(2)
    tasks = [Task(task=f"o{n}", batch="tasks", title="t", runner="echo", created_at=now()) for n in range(3)]
    one.add_tasks(tasks)
    finish(one, claim_all(one, 2, "tasks"))
    assert [due.stone.name for due in archive(one.repository, 0.0).done] == ["tasks.1"]
    finish(one, claim_all(one, 1, "tasks"))
    assert [due.stone.name for due in archive(one.repository, 0.0, ["tasks"]).done] == ["tasks.2"]
    assert archive(one.repository, 0.0).done == []
    late.pull()
    assert [path for path in files_on(late) if "tasks" in path] == [
        "coordination/archive/tasks.1.json",
        "coordination/archive/tasks.2.json",
        "coordination/batches/tasks.json",
    ]
    assert late.add_tasks([tasks[0].model_copy(update={"task": "o9"})]) == 1
    assert sorted(t.task for t in listed(late.repository, Scope(batch="tasks"))) == ["o0", "o1", "o2", "o9"]
    assert len(late.results(Scope(batch="tasks"))) == 3


def test_a_person_s_branch_that_left_before_does_not_bring_them_back(tmp_path: Path) -> None:
    """Without a remote: their commit and the archive come together in the next fold."""
    from cortex_git.store.creation import create

    create(tmp_path / "alone", None)
    alone = Coordination.open(tmp_path / "alone")
    ended(alone)
    assert alone.follow() is None
    (tmp_path / "alone" / "notes.txt").write_text("mine\n")
    git(tmp_path / "alone", "add", "notes.txt")
    archive(alone.repository, 0.0)
    identity = ("-c", "user.name=p", "-c", "user.email=p@example.invalid")
    git(tmp_path / "alone", *identity, "commit", "-qm", "Take notes")
    alone.fold()
    assert alone.follow() is None
    listing = git(tmp_path / "alone", "ls-tree", "-r", "--name-only", "HEAD").splitlines()
    assert [path for path in listing if "b1" in path] == ["coordination/archive/b1.json"]
    assert (tmp_path / "alone" / "notes.txt").exists()


def test_without_a_remote_the_checkout_follows(tmp_path: Path) -> None:
    from cortex_git.store.creation import create

    create(tmp_path / "alone", None)
    alone = Coordination.open(tmp_path / "alone")
    ended(alone)
    alone.follow()
    assert (tmp_path / "alone/coordination/results/b1").is_dir()
    archive(alone.repository, 0.0)
    assert alone.follow() is None
    assert not (tmp_path / "alone/coordination/results/b1").exists()
    assert (tmp_path / "alone/coordination/archive/b1.json").is_file()


def test_a_ref_that_was_deleted_is_made_again(hosts: Hosts, bare: Path) -> None:
    (one,) = hosts(1)
    ended(one)
    archive(one.repository, 0.0)
    assert missing_refs(one.repository) == {}
    git(bare, "update-ref", "-d", "refs/cortex/archive/b1")
    missing = missing_refs(one.repository)
    restore_refs(one.repository, missing)
    assert missing_refs(one.repository) == {}
    assert list(missing) == ["refs/cortex/archive/b1"]


def test_however_many_refs_were_deleted_no_call_of_git_grows_with_them(
    hosts: Hosts, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = hosts(1)
    for batch in ("b1", "b2", "b3"):
        ended(one, 1, batch)
    archive(one.repository, 0.0)
    for batch in ("b1", "b2", "b3"):
        git(bare, "update-ref", "-d", f"refs/cortex/archive/{batch}")
    calls: list[tuple[str, ...]] = []
    run = Git.run

    def counted(self: Git, *args: str, **options: Any) -> Completed:
        calls.append(args)
        return run(self, *args, **options)

    monkeypatch.setattr(Git, "run", counted)
    monkeypatch.setattr("cortex_git.store.archiving._AT_ONCE", 2)
    missing = missing_refs(one.repository)
    restore_refs(one.repository, missing)
    asked = [args for args in calls if args[0] == "ls-remote"]
    assert [args[-1] for args in asked] == ["refs/cortex/archive/*"]
    pushed = [sum(":refs/cortex/archive/" in part for part in args) for args in calls if args[0] == "push"]
    assert pushed == [2, 1]
    assert (len(missing), missing_refs(one.repository)) == (3, {})


def test_files_that_an_older_version_folded_again_go_again(hosts: Hosts, bare: Path) -> None:
    (one,) = hosts(1)
    ended(one)
    path = "coordination/results/b1/b1-t000.json"
    one.pull()
    body = git(one.repository.folder, "show", f"{one.repository.refs.trunk()[0]}:{path}") + "\n"
    archive(one.repository, 0.0)
    before = git(bare, "rev-parse", "refs/cortex/archive/b1")
    push_file(one, path, body.encode())
    assert [due.back for due in archive(one.repository, 30 * DAY_S).done] == [True]
    assert [name for name in files_on(one) if "b1" in name] == ["coordination/archive/b1.json"]
    assert git(bare, "rev-parse", "refs/cortex/archive/b1") == before
    assert len(one.results(Scope(batch="b1"))) == 3


@pytest.mark.parametrize("body", [b"{", b'{"schema": 1, "batch": "other", "commit": "x", "tasks": {}}'])
def test_a_tombstone_that_is_none_stops_nobody(hosts: Hosts, body: bytes) -> None:
    (one,) = hosts(1)
    ended(one)
    push_file(one, "coordination/archive/b1.json", body)
    one.pull()
    assert not tombstones.is_archived(one.repository.state, "b1")
    assert len(one.results(Scope(batch="b1"))) == 3
    finish_more(one)


def test_a_newer_tombstone_is_refused(hosts: Hosts) -> None:
    """Without it finished tasks would look open."""
    (one,) = hosts(1)
    push_file(one, "coordination/archive/b1.json", json.dumps({"schema": 99}).encode())
    with pytest.raises(NewerSchema, match=r"archive/b1\.json"):
        one.pull()


def finish_more(coordination: Coordination) -> None:
    ended(coordination, 1, "more")
    assert coordination.is_finished("more-t000")


def push_file(coordination: Coordination, path: str, body: bytes) -> None:
    """As an outsider would, on the branch."""
    coordination.pull()
    folder = coordination.repository.folder
    git(folder, "fetch", "-q", "origin", "main")
    git(folder, "reset", "-q", "--hard", "FETCH_HEAD")
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(body)
    git(folder, "add", "-f", path)
    git(folder, "-c", "user.name=p", "-c", "user.email=p@example.invalid", "commit", "-qm", "by hand")
    git(folder, "push", "-q", "origin", "HEAD:main")
