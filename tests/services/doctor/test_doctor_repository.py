"""Checks of the repository and of what is on its branch: each fault made with git, seen, explained."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from doctorworld import COMMIT, assert_well, bad, mended, one
from gitworld import add_tasks, claim_all, finish, git

from cortex_git.errors import EnvironmentProblem
from cortex_git.models import Tombstone
from cortex_git.services.doctor.documents import circle_in
from cortex_git.services.doctor.findings import Severity
from cortex_git.store.archiving import archive
from cortex_git.store.coordination import Coordination
from cortex_git.store.refs import RemoteUnreachable

CONFIG = "coordination/config.toml"
CHECKS = (
    "repository", "settings", "committed", "branch", "documents", "clashes", "waits", "batches", "results",
    "archives",
)  # fmt: skip


def commit(folder: Path, files: dict[str, object], *, force: bool = False) -> None:
    """Put files on the branch as a person would, and push."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    git(folder, "add", *(["--force"] if force else []), ".")
    git(folder, *COMMIT, "by hand")
    git(folder, "push", "-q", "origin", "main")


def task(name: str, batch: str = "b", **fields: object) -> dict[str, object]:
    return {"schema": 1, "task": name, "batch": batch, "title": "x", "type": "scan-worker",
            "created_at": "2026-01-01T00:00:00Z", **fields}  # fmt: skip


def batch(name: str = "b", **fields: object) -> dict[str, object]:
    return {"schema": 1, "batch": name, "created_at": "2026-01-01T00:00:00Z", "created_by": "h", **fields}


def in_batch(*tasks: dict[str, object], **fields: object) -> dict[str, object]:
    """The files of a batch."""
    found: dict[str, object] = {"coordination/batches/b.json": batch(sealed=False, **fields)}
    return found | {f"coordination/tasks/{one['batch']}/{one['task']}.json": one for one in tasks}


def test_a_sound_repository(host: Path) -> None:
    coordination = Coordination.open(host)
    add_tasks(coordination, 3)
    finish(coordination, claim_all(coordination, 2))
    coordination.fold()
    for check in CHECKS:
        assert_well(host, check)


def test_a_damaged_head(host: Path) -> None:
    head = host / ".git" / "HEAD"
    head.write_text("garbage\n")
    found = one(host, "repository", Severity.PROBLEM)
    assert found.finding.summary == "HEAD is damaged"
    assert found.finding.advice == f"echo 'ref: refs/heads/main' > {head}"


def test_a_head_that_leads_nowhere(host: Path) -> None:
    git(host, "symbolic-ref", "HEAD", "refs/heads/gone")
    (found,) = bad(host, "repository")
    assert found.severity is Severity.WARNING
    assert "refs/heads/gone" in found.finding.summary


def test_no_git_folder(host: Path) -> None:
    shutil.rmtree(host / ".git" / "objects")
    one(host, "repository", Severity.PROBLEM)


def test_remotes_of_which_none_is_meant(host: Path) -> None:
    git(host, "remote", "rename", "origin", "one")
    git(host, "remote", "add", "two", "/nowhere")
    found = one(host, "repository", Severity.PROBLEM)
    assert "rename the one" in found.finding.advice


def test_broken_settings_are_all_told_with_their_lines(host: Path) -> None:
    path = host / CONFIG
    path.write_text('schema = 1\nbranhc = "main"\n[leases]\nlease_s = -5\n[pool]\nmin = 3\npolcy = "tree"\n')
    found = {entry.finding.where: entry for entry in bad(host, "settings")}
    assert set(found) == {f"{path}:2", f"{path}:4", f"{path}:7"}
    assert found[f"{path}:2"].finding.summary == "branhc: there is no such setting; branch is near"
    assert found[f"{path}:7"].finding.summary == "pool.polcy: there is no such setting; policy is near"
    assert {entry.severity for entry in found.values()} == {Severity.PROBLEM}


@pytest.mark.parametrize("text", ["[pool\n", "a = 1\na = 2\n", "\x00"], ids=["cut off", "twice", "bytes"])
def test_settings_that_are_no_toml(host: Path, text: str) -> None:
    (host / CONFIG).write_text(text)
    found = one(host, "settings", Severity.PROBLEM)
    assert "line 1" in found.finding.summary or "line 2" in found.finding.summary


def test_no_settings(host: Path) -> None:
    (host / CONFIG).unlink()
    assert "no settings" in one(host, "settings", Severity.PROBLEM).finding.summary


def test_what_is_one_clones_own_was_committed(host: Path) -> None:
    commit(host, {"coordination/worker-pool.json": "{}", "coordination/locks/t.lock/pid": "1"}, force=True)
    found = bad(host, "committed")
    assert [entry.finding.where for entry in found] == [
        "coordination/locks/t.lock/pid",
        "coordination/worker-pool.json",
    ]
    assert found[1].finding.advice.startswith("git rm -r --cached coordination/worker-pool.json")


def test_a_branch_that_is_gone(host: Path, bare: Path) -> None:
    git(bare, "update-ref", "-d", "refs/heads/main")
    assert one(host, "branch", Severity.PROBLEM).finding.advice == f"git -C {host} push origin main"


def test_a_branch_with_commits_that_were_not_pushed(host: Path) -> None:
    git(host, *COMMIT, "mine", "--allow-empty")
    assert one(host, "branch", Severity.NOTE).finding.summary.startswith("1 commits of branch main")


def test_a_remote_that_has_the_branch_checked_out(host: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(host), "checked-out")
    git(host, "remote", "set-url", "origin", str(tmp_path / "checked-out"))
    found = [entry for entry in bad(host, "branch") if entry.severity is Severity.PROBLEM]
    assert "has branch main checked out" in found[0].finding.summary


def test_branches_that_have_parted(host: Path) -> None:
    git(host, *COMMIT, "theirs", "--allow-empty")
    git(host, "push", "-q", "origin", "main")
    git(host, "reset", "-q", "--hard", "HEAD~1")
    git(host, *COMMIT, "mine", "--allow-empty")
    found = one(host, "branch", Severity.WARNING)
    assert "1 commits here, 1 there" in found.finding.summary
    git(host, "reset", "-q", "--hard", "HEAD~1")
    assert_well(host, "branch")


def test_documents_that_cannot_be_read(host: Path) -> None:
    broken = "coordination/tasks/b/broken.json"
    moved = "coordination/tasks/b/moved.json"
    commit(host, in_batch(task("fine"), task("broken")) | {broken: "{", moved: task("other")})
    found = {entry.finding.where: entry for entry in bad(host, "documents")}
    assert set(found) == {broken, moved}
    assert {entry.severity for entry in found.values()} == {Severity.WARNING}
    assert "it says that it is other" in found[moved].finding.summary
    assert "never run" in found[broken].finding.why


def test_a_result_that_cannot_be_read(host: Path) -> None:
    commit(host, in_batch(task("t")) | {"coordination/results/b/t.json": "[]"})
    found = one(host, "documents", Severity.WARNING)
    assert "counts as ended" in found.finding.why


def test_documents_of_a_newer_version(host: Path) -> None:
    commit(host, in_batch(task("t", schema=99)))
    found = one(host, "documents", Severity.PROBLEM)
    assert "schema (99)" in found.finding.summary
    assert found.finding.advice == "install a newer cortex-git on this host"


def test_many_broken_documents_are_counted(host: Path) -> None:
    commit(host, {f"coordination/tasks/b/t{n}.json": "{" for n in range(20)})
    found = bad(host, "documents")
    assert len(found) == 6
    assert found[-1].finding.summary == "15 more documents cannot be read"


def test_one_id_in_two_batches(host: Path) -> None:
    commit(host, in_batch(task("t"), task("t", "c")))
    found = one(host, "clashes", Severity.WARNING)
    assert found.finding.where == "coordination/tasks/b/t.json, coordination/tasks/c/t.json"


def test_two_results_of_one_task(host: Path) -> None:
    coordination = Coordination.open(host)
    add_tasks(coordination, 1)
    finish(coordination, claim_all(coordination))
    commit(host, {"coordination/results/b1/b1-t000.json": {"schema": 1}})
    found = one(host, "clashes", Severity.PROBLEM)
    assert "two results" in found.finding.summary


def test_tasks_that_wait_in_a_circle(host: Path) -> None:
    tasks = [task("a", after=["b"]), task("b", after=["c"]), task("c", after=["a"]), task("d", after=["a"])]
    commit(host, in_batch(*tasks))
    found = one(host, "waits", Severity.PROBLEM)
    assert found.finding.summary.endswith("a → b → c → a")
    assert found.finding.advice == "cortex-git task cancel a"


def test_a_task_that_waits_for_what_nobody_added(host: Path) -> None:
    commit(host, in_batch(task("a", after=["ghost"]), task("b")))
    found = one(host, "waits", Severity.WARNING)
    assert "ghost, which nobody has added" in found.finding.summary


def test_circles() -> None:
    assert circle_in({"a": ["b", "c"], "b": ["d"], "c": ["d"]}) == []
    assert circle_in({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c"]
    assert circle_in({"a": ["a"]}) == ["a"]
    long = {str(n): [str(n + 1)] for n in range(5000)}
    assert circle_in(long) == []
    assert len(circle_in(long | {"5000": ["0"]})) == 5001


def test_a_sealed_batch_with_a_task_missing(host: Path) -> None:
    files = in_batch(task("a"), task("b"))
    files["coordination/batches/b.json"] = batch(sealed=True, tasks=3)
    commit(host, files)
    found = one(host, "batches", Severity.WARNING)
    assert "it has 3 tasks, and 2 are there" in found.finding.summary


def test_a_result_without_a_task(host: Path) -> None:
    result = {"schema": 1, "task": "t", "batch": "b", "status": "completed", "worker": "w", "host": "h",
              "nonce": "12345678"}  # fmt: skip
    commit(host, {"coordination/results/b/t.json": result})
    assert one(host, "results", Severity.NOTE).finding.where == "coordination/results/b/t.json"


def archived(host: Path) -> Coordination:
    """A clone one batch of which is archived."""
    coordination = Coordination.open(host)
    add_tasks(coordination, 2)
    finish(coordination, claim_all(coordination))
    coordination.fold()
    archive(coordination.repository, 0.0, ["b1"])
    coordination.pull()
    return coordination


def test_an_archive_whose_ref_is_gone(host: Path, bare: Path) -> None:
    archived(host)
    for check in ("archives", "results", "batches", "documents", "clashes"):
        assert_well(host, check)
    git(bare, "update-ref", "-d", "refs/cortex/archive/b1")
    found = one(host, "archives", Severity.WARNING)
    assert found.finding.where == "coordination/archive/b1.json"
    assert mended(host, "archives") == ["made refs/cortex/archive/b1 again"]
    assert git(bare, "for-each-ref", "refs/cortex/archive") != ""


def test_archived_files_that_came_back(host: Path, bare: Path) -> None:
    archived(host)
    git(host, "pull", "-q", "--ff-only", "origin", "main")
    git(host, "fetch", "-q", "origin", "refs/cortex/archive/b1")
    git(host, "checkout", "-q", "FETCH_HEAD", "--", "coordination/tasks/b1", "coordination/results/b1")
    git(host, *COMMIT, "back")
    git(host, "push", "-q", "origin", "main")
    found = one(host, "archives", Severity.WARNING)
    assert "4 files of archived batches" in found.finding.summary


def test_an_archive_without_a_tombstone(host: Path, bare: Path) -> None:
    git(bare, "update-ref", "refs/cortex/archive/half", "refs/heads/main")
    found = one(host, "archives", Severity.NOTE)
    assert found.finding.where == "refs/cortex/archive/half"


@pytest.mark.parametrize("lie", ["no result", "another batch", "no such task"])
def test_a_tombstone_that_somebody_made_up(host: Path, lie: str) -> None:
    coordination = Coordination.open(host)
    add_tasks(coordination, 1)
    finish(coordination, claim_all(coordination))
    add_tasks(coordination, 1, "b2")
    coordination.fold()
    git(host, "pull", "-q", "origin", "main")
    of_task = git(host, "rev-parse", "HEAD:coordination/tasks/b2/b2-t000.json")
    of_result = git(host, "rev-parse", "HEAD:coordination/results/b1/b1-t000.json")
    named = {"no such task": "b2-t999"}.get(lie, "b2-t000")
    stone = Tombstone(
        batch="b1" if lie == "another batch" else "b2",
        commit=git(host, "rev-parse", "HEAD"),
        tasks={named: (of_task, of_result)},
    )
    path = f"coordination/archive/{stone.name}.json"
    commit(host, {path: json.loads(stone.to_bytes())})
    found = one(host, "archives", Severity.PROBLEM)
    assert found.finding.where == path
    assert named in found.finding.summary
    assert found.finding.mend is None


def test_a_tombstone_that_cannot_be_read(host: Path) -> None:
    commit(host, {"coordination/archive/b.json": "{"})
    found = one(host, "documents", Severity.WARNING)
    assert "passed over" in found.finding.why
    assert "it is never run" not in found.finding.why


def test_a_branch_that_is_rubbish_is_told_as_a_fault_of_this_clone(host: Path) -> None:
    Coordination.open(host).pull()
    before = git(host, "rev-parse", "main")
    (host / ".git" / "refs" / "heads" / "main").write_text("rubbish\n")
    with pytest.raises(RemoteUnreachable, match="its own ref refs/heads/main is damaged") as raised:
        Coordination.open(host).pull()
    assert "cortex-git doctor" in str(raised.value)
    found = one(host, "pulling", Severity.PROBLEM)
    subprocess.run(found.finding.advice, shell=True, check=True)
    assert git(host, "rev-parse", "main") == before
    assert_well(host, "pulling")


def test_a_damaged_head_sends_to_the_doctor_where_results_may_wait(host: Path) -> None:
    Coordination.open(host)
    (host / ".git" / "HEAD").write_text("rubbish\n")
    with pytest.raises(EnvironmentProblem, match="cortex-git doctor"):
        Coordination.open(host)
    shutil.rmtree(host / ".git" / "cortex")
    with pytest.raises(EnvironmentProblem, match="cortex-git init"):
        Coordination.open(host)
