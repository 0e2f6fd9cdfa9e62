"""Which repository a command means, and the services that only look or choose."""

from pathlib import Path

import pytest
from gitworld import add_tasks, claim_all, finish, new_coordination

from cortex_git.config import cache_folder, data_folder
from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.locating import located
from cortex_git.scan.others.programs import Chosen
from cortex_git.services import open_coordination, open_or_embedded
from cortex_git.services.batches import worker_name
from cortex_git.services.looking import STATUSES, result_rows, task_detail, task_rows
from cortex_git.services.scan_request import ScanRequest, choose_database, options_for
from cortex_git.services.scans import prepare_batch
from cortex_git.services.spawning import Overrides, check_scope, known_task, sized
from cortex_git.services.unchanged import Since
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope


@pytest.fixture
def host(tmp_path: Path, bare: Path) -> Coordination:
    new_coordination(tmp_path / "host", bare)
    return Coordination.open(tmp_path / "host")


def test_the_folder_given_comes_before_the_variable_and_the_variable_before_where_one_is(
    host: Coordination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = host.repository.folder
    monkeypatch.chdir(folder)
    assert located(None) == folder
    monkeypatch.setenv("CORTEX_REPOSITORY", str(tmp_path / "named"))
    assert located(None) == tmp_path / "named"
    assert located(tmp_path / "given") == tmp_path / "given"


def test_none_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EnvironmentProblem, match="cortex-git init"):
        open_coordination(None)
    embedded = open_or_embedded(None)
    assert embedded.repository.folder == (data_folder() / "embedded").resolve()
    assert open_or_embedded(None).repository.host == embedded.repository.host
    assert list(tmp_path.iterdir()) == []


def test_rows_of_tasks_say_what_became_of_them(host: Coordination) -> None:
    add_tasks(host, 4)
    claims = sorted(claim_all(host, 3), key=lambda claim: claim.task.task)
    finish(host, claims[:1])
    host.claims.release([claims[1]], retry_after_s=60)
    rows = task_rows(host, Scope())
    assert sorted((row["status"], row["attempt"]) for row in rows) == [
        ("completed", 1),
        ("open", 0),
        ("released", 2),
        ("running", 1),
    ]
    assert {row["status"] for row in rows} <= set(STATUSES)
    results = result_rows(host, Scope())
    assert results == [row for row in rows if row["status"] == "completed"]


def test_detail_of_a_task(host: Coordination) -> None:
    add_tasks(host, 2)
    claims = sorted(claim_all(host, 2), key=lambda claim: claim.task.task)
    finish(host, claims[:1])
    done, running = (task_detail(host, claim.task.task) for claim in claims)
    assert (done["claim"], done["result"]["status"]) == (None, "completed")
    assert (running["claim"]["nonce"], running["result"]) == (claims[1].record.nonce, None)
    with pytest.raises(BadInput, match="nope"):
        task_detail(host, "nope")


def test_names_of_workers() -> None:
    assert worker_name("scan-worker")(1) == "worker-scan-001"
    assert worker_name("documentation-worker")(64) == "worker-documentation-064"


def test_overrides_are_for_the_attempt_and_leave_the_task(host: Coordination) -> None:
    task = add_tasks(host, 1)[0]
    changed = Overrides(runner="sleep", budget=0, deadline=0.5).apply(task)
    assert (changed.runner, changed.budget, changed.deadline) == ("sleep", 0, 0.5)
    assert Overrides().apply(task) == task
    assert task.runner == "echo"


def test_how_many_workers() -> None:
    assert sized(100, "activation", None, 20).target == 20
    assert sized(0, "tree", None, 20).target == 5
    assert sized(3, "activation", 64, 20).target == 64
    with pytest.raises(BadInput, match="--count"):
        sized(3, "fixed", None, 20)


def test_scopes(host: Coordination) -> None:
    add_tasks(host, 1)
    for scope in (Scope(), Scope(batch="b1"), Scope(glob="b1-*"), Scope(type="pr-worker")):
        check_scope(host, scope)
    for scope in (Scope(batch="b2"), Scope(glob="x*"), Scope(batch="b1", type="pr-worker"), Scope(type="x")):
        with pytest.raises(BadInput):
            check_scope(host, scope)
    assert known_task(host, "b1-t000")
    assert not known_task(host, "b1-t001")


def test_a_sample_uses_the_starter_set_whatever_was_imported() -> None:
    for sample in (True, False):
        database = choose_database(sample)
        assert (database.option, database.starter) == ("starter", True)
        assert "starter set" in database.line


def test_programs_for_credentials_come_from_the_command_line_or_this_host() -> None:
    database = choose_database(sample=True)
    options = options_for(database, ScanRequest(askpass="given"))
    assert options == options | {
        "database": "starter", "data_dir": str(data_folder()), "cache_dir": str(cache_folder()),
        "askpass": "given", "helper": None, "tokens": [], "per_host": 8,
    }  # fmt: skip


def test_a_scan_batch_has_a_task_for_each_repository_and_one_to_end_it(host: Coordination) -> None:
    from cortex_git.scan.sources import parse_source

    sources = [parse_source(f"https://h.example/{n}") for n in range(12)]
    batch = prepare_batch(host, ScanRequest(sources=sources, batch="weekly"))
    assert (batch.tasks, batch.sealed, batch.merge) == (12, True, True)
    rows = task_rows(host, Scope(batch="weekly"))
    assert {row["task"] for row in rows} == {*(f"weekly-{n:02d}" for n in range(1, 13)), "weekly.merge"}
    assert prepare_batch(host, ScanRequest(resume="weekly")) == batch
    assert prepare_batch(host, ScanRequest(resume="last")).batch == "weekly"
    with pytest.raises(BadInput, match="exists already"):
        prepare_batch(host, ScanRequest(sources=sources, batch="weekly"))


def test_a_batch_that_is_no_scan_is_not_resumed_as_one(host: Coordination) -> None:
    add_tasks(host, 1, "b1")
    for name in ("b1", "last"):
        with pytest.raises(BadInput, match="no scan batch"):
            prepare_batch(host, ScanRequest(resume=name))


def test_rows_are_taken_over_wherever_that_is_allowed() -> None:
    assert ScanRequest().since == ScanRequest(secrets=True, resume="begun-now").since == Since("last")
    for request in (
        ScanRequest(rescan=True),
        ScanRequest(sample=True),
        ScanRequest(scanners=[Chosen("trivy")]),
    ):
        assert request.since is None, request
    assert ScanRequest(sample=True, changed_since=Since("one")).since == Since("one")
