"""Documents of a newer schema, pushed by a newer host: told, left alone, and never concluded upon."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from gitworld import add_tasks, claim_all, cortex, finish, git, result_for

from cortex_git import models
from cortex_git.errors import BadInput, EnvironmentProblem, ExitCode, NewerSchema
from cortex_git.models import Batch, ClaimRecord, Result, Task, Tombstone
from cortex_git.results.scan_summary import rows_of
from cortex_git.services.merging import plan_merge
from cortex_git.services.upgrading import newer_notes
from cortex_git.state import connect, now
from cortex_git.store import index, newer
from cortex_git.store.archivable import look
from cortex_git.store.commits import Draft, chain, singles
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope
from cortex_git.store.refs import ABSENT, Update
from cortex_git.workers.dependencies import verdict

Clones = Callable[[int], list[Path]]


def of_schema(document: models.Document, schema: int = 2) -> bytes:
    """The document as a newer version writes it, with a key that we have never heard of."""
    value = json.loads(document.to_bytes()) | {"schema": schema, "unheard_of": {"a": 1}}
    return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"


def push(folder: Path, files: dict[str, bytes], host: str = "newer-host") -> None:
    """Publish files on the result ref of a host that runs a newer version."""
    repository = Coordination.open(folder).repository
    ref = repository.results_ref(host)
    old = repository.refs.read_back([ref]).get(ref)
    start = old or next(iter(repository.refs.trunk()), None)
    tip = chain(repository.git, repository.identity.author, start, [Draft("newer", files)], "refs/hold/newer")
    repository.refs.transaction([Update(ref, tip, old or ABSENT)], atomic=True)


def task(name: str, batch: str = "b1", **fields: object) -> Task:
    given = {"task": name, "batch": batch, "title": name, "runner": "echo", "created_at": now()}
    return Task.model_validate(given | fields)


def batch(name: str, **fields: object) -> Batch:
    return Batch.model_validate({"batch": name, "created_at": now(), "created_by": "newer-host"} | fields)


def result(name: str, batch: str = "b1", **fields: object) -> Result:
    given = {
        "task": name,
        "batch": batch,
        "status": "completed",
        "worker": "w",
        "host": "h",
        "nonce": "n" * 8,
    }
    return Result.model_validate(given | fields)


@pytest.fixture
def old(host: Path) -> Coordination:
    """A host of this version, in a repository where a newer one works too."""
    coordination = Coordination.open(host)
    coordination.pull()
    return coordination


def test_a_newer_task_is_told_and_not_run_and_its_id_is_taken(old: Coordination) -> None:
    path = "coordination/tasks/tasks/later.json"
    push(old.repository.folder, {path: of_schema(task("later", "tasks"))})
    old.pull()
    assert claim_all(old, batch="tasks") == []
    assert old.ready_count(Scope()) == 0
    (told,) = newer_notes(old)
    assert told.startswith("1 task needs a newer cortex-git (schema 2, this one reads up to 1)")
    assert path in told
    with pytest.raises(NewerSchema, match=r"later\.json: task has schema 2") as caught:
        index.task_of(old.repository, "later")
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    with pytest.raises(NewerSchema):
        old.add_tasks([task("later", "tasks", title="ours")])
    with pytest.raises(NewerSchema):
        old.claim_task("later", "w")
    assert isinstance(old.cancel(["later"])["later"], NewerSchema)
    old.fold()
    old.pull()
    folded = old.repository.git.run("cat-file", "-p", f"{old.repository.refs.trunk()[0]}:{path}").stdout
    assert b'"schema": 2' in folded


def test_of_two_documents_under_one_id_every_version_goes_by_the_same(old: Coordination) -> None:
    """A newer host goes by the smaller blob id; an older one must come to the same choice."""
    folder, repository = old.repository.folder, old.repository
    for number in range(6):
        ours, theirs = task(f"t-{number}", "tasks"), task(f"t-{number}", "tasks", title="theirs")
        path = f"coordination/tasks/tasks/t-{number}.json"
        push(folder, {path: ours.to_bytes()}, "one")
        if number % 2:
            old.pull()
        push(folder, {path: of_schema(theirs)}, "two")
        old.pull()
        smaller = min(
            repository.git.text("rev-parse", f"refs/cortex-remote/results/{host}:{path}")
            for host in ("one", "two")
        )
        theirs_won = smaller == repository.git.text("rev-parse", f"refs/cortex-remote/results/two:{path}")
        assert (index.find_task(repository.state, f"t-{number}") is None) == theirs_won
        assert index.is_taken(repository.state, f"t-{number}")


@pytest.mark.parametrize("ended", [False, True])
def test_a_newer_task_counts_in_its_sealed_batch(old: Coordination, ended: bool) -> None:
    """The summary would leave it out, and say that all is well without it."""
    members = [task("s-1", "s"), task("s-2", "s")]
    files = {f"coordination/tasks/s/{one.task}.json": one.to_bytes() for one in members}
    files["coordination/tasks/s/s-3.json"] = of_schema(task("s-3", "s"))
    files["coordination/tasks/s/s.merge.json"] = task("s.merge", "s", runner="merge").to_bytes()
    # A newer host added one to a batch that says it has two: enough seem to be there without it.
    files["coordination/batches/s.json"] = batch("s", tasks=2, merge=True).to_bytes()
    if ended:
        files["coordination/results/s/s-3.json"] = result("s-3", "s").to_bytes()
    push(old.repository.folder, files)
    finish(old, claim_all(old, batch="s"))
    assert claim_all(old, batch="s") == []
    assert old.ready_count(Scope(batch="s")) == 0
    with pytest.raises(NewerSchema):
        plan_merge(old, "s", "vote")
    old.fold()
    view = old.pull()
    due, kept = look(old.repository, view, view.trunk[0], 0.0, ["s"])
    assert not due
    assert "newer cortex-git" in kept[0].reason


def test_a_newer_result_ends_its_task_and_nothing_is_built_on_it_here(old: Coordination) -> None:
    add_tasks(old, 2)
    old.add_tasks(
        [task("next", "tasks", after=["b1-t000"]), task("join", "tasks", after=["b1-t000"], runner="merge")]
    )
    push(old.repository.folder, {"coordination/results/b1/b1-t000.json": of_schema(result("b1-t000"))})
    old.pull()
    assert old.is_finished("b1-t000")
    assert [claim.task.task for claim in claim_all(old)] == ["b1-t001"]
    assert claim_all(old, batch="tasks") == []
    assert old.ready_count(Scope(batch="tasks")) == 0
    assert old.results(Scope()) == []
    with pytest.raises(EnvironmentProblem, match="newer cortex-git"):
        old.claim_task("next", "w")
    # Even a claim that came to be otherwise neither fails nor runs: it waits.
    found = verdict(old, index.task_of(old.repository, "next"))
    assert (found.failed, found.waits) == ("", ("b1-t000",))
    (told,) = newer_notes(old)
    assert told.startswith("1 result needs")
    with pytest.raises(NewerSchema, match=r"b1-t000\.json: result has schema 2"):
        plan_merge(old, "b1", "vote", partial=True)


def test_the_summary_waits_where_a_result_is_newer(old: Coordination) -> None:
    files = {f"coordination/tasks/s/{name}.json": task(name, "s").to_bytes() for name in ("s-1", "s-2")}
    files["coordination/tasks/s/s.merge.json"] = task("s.merge", "s", runner="merge").to_bytes()
    files["coordination/batches/s.json"] = batch("s", tasks=2, merge=True).to_bytes()
    files["coordination/results/s/s-1.json"] = of_schema(result("s-1", "s"))
    push(old.repository.folder, files)
    finish(old, claim_all(old, batch="s"))
    assert claim_all(old, batch="s") == []
    assert old.ready_count(Scope(batch="s")) == 0


def test_tasks_of_a_newer_batch_are_left_to_newer_hosts(old: Coordination) -> None:
    files = {"coordination/tasks/n/n-1.json": task("n-1", "n").to_bytes()}
    files["coordination/batches/n.json"] = of_schema(batch("n", sealed=False))
    push(old.repository.folder, files)
    old.pull()
    assert claim_all(old, batch="n") == []
    assert old.ready_count(Scope()) == 0
    with pytest.raises(NewerSchema, match="batch has schema 2"):
        old.add_tasks([task("n-2", "n")])
    with pytest.raises(NewerSchema):
        old.add_batch(batch("n", tasks=1), [task("n-2", "n")])
    with pytest.raises(NewerSchema):
        index.batch_of(old.repository, "n")
    (told,) = newer_notes(old)
    assert told.startswith("1 batch needs")


@pytest.mark.parametrize("state", ["running", "released", "cancelled"])
def test_a_newer_claim_is_never_taken_over_and_can_be_cancelled(old: Coordination, state: str) -> None:
    """Nobody here knows what its lease or its attempts are, or what the state means by then."""
    add_tasks(old, 1)
    repository = old.repository
    record = ClaimRecord(
        task="b1-t000", host="newer-host", nonce="n" * 8, state=state, lease_s=0.001, retry_after_s=0
    )  # type: ignore[arg-type]
    draft = Draft("claim", {"claim.json": of_schema(record)})
    oid = singles(repository.git, repository.identity.author, [draft])[0]
    ref = repository.claim_ref("b1-t000")
    repository.refs.transaction([Update(ref, oid, ABSENT)], atomic=True)
    for _ in range(3):
        assert claim_all(old) == []
    assert repository.refs.read_back([ref]) == {ref: oid}
    (told,) = newer_notes(old, old.pull())
    assert told.startswith("1 claim was made by a newer cortex-git")
    assert isinstance(old.cancel(["b1-t000"])["b1-t000"], Result)
    assert old.is_finished("b1-t000")


def test_a_newer_heartbeat_is_a_sign_of_life(old: Coordination) -> None:
    from cortex_git.store.hosts import hosts

    body = b'{"schema": 2, "host": "newer-host", "workers": {"busy": 3}}'
    repository = old.repository
    oid = singles(repository.git, repository.identity.author, [Draft("beat", {"host.json": body})])[0]
    repository.refs.transaction([Update("refs/cortex/hosts/newer-host", oid, ABSENT)], atomic=True)
    (found,) = [one for one in hosts(repository, old.pull()) if one.host == "newer-host"]
    assert (found.silent, found.workers) == (False, 0)


def test_newer_settings_are_refused_by_their_version_not_by_their_keys(old: Coordination) -> None:
    folder = old.repository.folder
    config = folder / "coordination/config.toml"
    before = config.read_text()
    config.write_text(before.replace("schema = 1", "schema = 2") + '\n[brand_new]\nkey = "x"\n')
    done = cortex("task", "list", cwd=folder)
    assert done.returncode == ExitCode.ENVIRONMENT
    assert "settings file has schema 2" in done.stderr and "install a newer cortex-git" in done.stderr
    assert done.stderr.count("\n") == 1


def test_newer_state_is_refused_and_stays_as_it_is(old: Coordination) -> None:
    path = old.repository.private / "state.db"
    other = connect(path)
    other.execute("PRAGMA user_version = 999")
    other.close()
    done = cortex("task", "list", cwd=old.repository.folder)
    assert done.returncode == ExitCode.ENVIRONMENT
    assert "version 999" in done.stderr


def test_the_budget_keeps_what_a_newer_version_of_the_same_schema_put_there(old: Coordination) -> None:
    from cortex_git.store.budget_ref import FILE, BudgetDocument, BudgetRef

    repository = old.repository
    shared = BudgetRef(repository)
    body = (
        BudgetDocument(limits={"total": 5}).to_bytes().replace(b'"limits"', b'"more": {"a": [1]}, "limits"')
    )
    oid = singles(repository.git, repository.identity.author, [Draft("budget", {FILE: body})])[0]
    repository.refs.transaction([Update(shared.ref, oid, ABSENT)], atomic=True)
    shared.change(lambda document: document.model_copy(update={"limits": {"total": 7}}))
    now_there = json.loads(repository.git.run("cat-file", "-p", f"{shared.read().oid}:{FILE}").stdout)
    assert (now_there["limits"], now_there["more"]) == ({"total": 7}, {"a": [1]})


def test_a_newer_budget_stops_what_costs_and_is_not_replaced(old: Coordination) -> None:
    from cortex_git.store.budget_ref import FILE, BudgetDocument, BudgetRef

    repository = old.repository
    shared = BudgetRef(repository)
    draft = Draft("budget", {FILE: of_schema(BudgetDocument(limits={"total": 5}))})
    oid = singles(repository.git, repository.identity.author, [draft])[0]
    repository.refs.transaction([Update(shared.ref, oid, ABSENT)], atomic=True)
    with pytest.raises(NewerSchema, match="budget has schema 2"):
        shared.change(lambda document: document.model_copy(update={"limits": {"total": 7}}))
    assert repository.refs.read_back([shared.ref]) == {shared.ref: oid}


def test_after_the_upgrade_it_is_all_read(old: Coordination, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"coordination/tasks/n/n-1.json": of_schema(task("n-1", "n"))}
    files["coordination/batches/n.json"] = of_schema(batch("n", sealed=False))
    files["coordination/results/n/n-2.json"] = of_schema(result("n-2", "n"))
    push(old.repository.folder, files)
    old.pull()
    assert len(newer.all_of(old.repository)) == 2
    for module in (models, newer):
        monkeypatch.setattr(module, "SCHEMA", 2)
    old.pull()
    assert newer.all_of(old.repository) == []
    assert [claim.task.task for claim in claim_all(old, batch="n")] == ["n-1"]


def test_without_a_schema_it_is_of_the_first(old: Coordination) -> None:
    body = json.loads(task("plain", "tasks").to_bytes())
    del body["schema"]
    push(old.repository.folder, {"coordination/tasks/tasks/plain.json": json.dumps(body).encode()})
    (claim,) = claim_all(old, batch="tasks")
    finish(old, [claim])
    assert json.loads(result_for(old, claim).to_bytes())["schema"] == 1


@pytest.mark.parametrize("schema", ["2", 2.0, True, None, [2], -1, 0])
def test_a_schema_that_is_no_whole_number_is_no_document(schema: object) -> None:
    with pytest.raises(BadInput, match="not a valid task"):
        Task.parse(json.dumps(json.loads(task("t").to_bytes()) | {"schema": schema}).encode(), "here")


def test_commands_say_what_they_leave_out(old: Coordination) -> None:
    folder = old.repository.folder
    push(folder, {"coordination/tasks/tasks/later.json": of_schema(task("later", "tasks"))})
    for command in (["task", "list"], ["results", "list"], ["task", "graph"], ["status", "--format", "json"]):
        done = cortex(*command, cwd=folder)
        assert done.returncode == 0, done.stderr
        assert "1 task needs a newer cortex-git" in done.stderr, command
    done = cortex("spawn-workers", "--tasks", "later", "--count", "1", cwd=folder)
    assert done.returncode == ExitCode.ENVIRONMENT
    assert "later.json: task has schema 2" in done.stderr
    assert git(folder, "for-each-ref", "refs/cortex-remote/claims") == ""


def test_a_scan_says_what_it_could_not_read(old: Coordination) -> None:
    """Neither a task nor a result of a newer schema, nor a damaged result, may look like nothing found."""
    names = [f"sc-{number}" for number in range(4)]
    files = {f"coordination/tasks/sc/{n}.json": task(n, "sc", repo=f"repo-{n}").to_bytes() for n in names[:3]}
    files["coordination/tasks/sc/sc-3.json"] = of_schema(task("sc-3", "sc"))
    files["coordination/batches/sc.json"] = batch("sc", tasks=4, options={"kind": "scan"}).to_bytes()
    files["coordination/results/sc/sc-0.json"] = of_schema(result("sc-0", "sc"))
    files["coordination/results/sc/sc-1.json"] = b"{"
    push(old.repository.folder, files)
    old.pull()
    rows = {row.repo: row for row in rows_of(old, batch("sc"), old.results(Scope(batch="sc")))}
    assert {name: row.status for name, row in rows.items()} == dict.fromkeys(
        ("repo-sc-0", "repo-sc-1", "coordination/tasks/sc/sc-3.json"), "failed"
    )
    assert "newer cortex-git" in (rows["coordination/tasks/sc/sc-3.json"].error or "")
    assert "cannot be read here" in (rows["repo-sc-0"].error or "")


def test_questions_about_a_newer_result_are_answered(old: Coordination) -> None:
    folder = old.repository.folder
    add_tasks(old, 1)
    push(folder, {"coordination/results/b1/b1-t000.json": of_schema(result("b1-t000", status="failed"))})
    for command in (["results", "show", "b1-t000"], ["task", "retry", "b1-t000"]):
        done = cortex(*command, cwd=folder)
        assert done.returncode == ExitCode.ENVIRONMENT, done.stderr
        assert "b1-t000.json: result has schema 2" in done.stderr
    done = cortex("task", "show", "b1-t000", cwd=folder)
    assert (done.returncode, "1 result needs" in done.stderr) == (0, True), done.stderr


def test_a_newer_archive_ends_every_command(old: Coordination, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the list of what has ended, finished tasks would look open and be run again."""
    add_tasks(old, 1)
    oid = old.repository.git.text("rev-parse", "HEAD")
    stone = Tombstone(batch="gone", commit=oid, tasks={"gone-1": (oid, oid)})
    push(old.repository.folder, {"coordination/archive/gone.json": of_schema(stone)})
    for _ in range(2):
        with pytest.raises(NewerSchema, match=r"gone\.json: archive has schema 2"):
            claim_all(old)
    monkeypatch.setattr(models, "SCHEMA", 2)
    assert len(claim_all(old)) == 1
    assert old.is_finished("gone-1")


def test_what_comes_after_a_failure_waits_for_its_newer_retry(old: Coordination) -> None:
    """An older host that does not see the retry would end it for good: what it comes after has failed."""
    (first,) = add_tasks(old, 1)
    old.add_tasks([task("next", "tasks", after=[first.task])])
    (claim,) = claim_all(old)
    old.record([(claim, result_for(old, claim, status="failed"), {})])
    old.flush()
    assert old.ready_count(Scope(batch="tasks")) == 1
    again = task("b1-t000-r1", "tasks", retry_of=first.task)
    push(old.repository.folder, {"coordination/tasks/tasks/b1-t000-r1.json": of_schema(again)})
    assert claim_all(old, batch="tasks") == []
    assert old.ready_count(Scope(batch="tasks")) == 0
    push(
        old.repository.folder,
        {"coordination/results/tasks/b1-t000-r1.json": result(again.task, "tasks").to_bytes()},
    )
    assert claim_all(old, batch="tasks") == []
    found = verdict(old, index.task_of(old.repository, "next"))
    assert (found.failed, found.waits) == ("", (again.task,))


def test_a_run_does_what_it_can_and_says_what_it_left(old: Coordination) -> None:
    folder = old.repository.folder
    old.add_tasks([task("ours", "tasks")])
    files = {"coordination/tasks/n/n-1.json": task("n-1", "n").to_bytes()}
    files["coordination/batches/n.json"] = of_schema(batch("n", sealed=False))
    push(folder, files)
    done = cortex("spawn-workers", "--count", "1", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "1 batch needs a newer cortex-git" in done.stderr
    old.pull()
    assert old.is_finished("ours")
    assert not old.is_finished("n-1")
