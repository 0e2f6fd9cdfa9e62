"""The checker, fed with remotes that are really broken: it tells each thing that is wrong."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from gitworld import add_tasks, claim_all, finish, git

from cortex_git.analysis.torture.checking import Findings, check
from cortex_git.store.commits import Draft, singles
from cortex_git.store.coordination import Coordination

Hosts = Callable[[int], list[Coordination]]
TASKS = ["b1-t000", "b1-t001", "b1-t002"]
WHO = ("-c", "user.name=hand", "-c", "user.email=hand@example.invalid")


@pytest.fixture
def hosts(clones: Callable[[int], list[Path]]) -> Hosts:
    return lambda count: [Coordination.open(folder) for folder in clones(count)]


@pytest.fixture
def one(hosts: Hosts) -> Coordination:
    """A host that has finished and folded all of `TASKS`."""
    (one,) = hosts(1)
    add_tasks(one, len(TASKS))
    finish(one, claim_all(one))
    one.fold()
    return one


def run(task: str, nonce: str = "n1", epoch: int = 1, attempt: int = 1) -> dict[str, object]:
    return {"task": task, "nonce": nonce, "epoch": epoch, "attempt": attempt}


def commit_on(remote: Path, ref: str, path: str, content: bytes, message: str) -> str:
    """Add a file on top of a ref of a bare repository by hand, as no host of ours would."""

    def by_hand(*arguments: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["git", "-C", str(remote), *WHO, *arguments],
            input=stdin,
            env={**os.environ, "GIT_INDEX_FILE": str(remote / "by-hand")},
            capture_output=True,
            check=True,
        )
        return done.stdout.decode().strip()

    parent = by_hand("rev-parse", ref)
    by_hand("read-tree", parent)
    blob = by_hand("hash-object", "-w", "--stdin", stdin=content)
    by_hand("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
    commit = by_hand("commit-tree", by_hand("write-tree"), "-p", parent, "-m", message)
    by_hand("update-ref", ref, commit)
    return commit


def test_a_sound_remote_has_no_problem(one: Coordination, bare: Path) -> None:
    found = check(bare, TASKS, [run(task) for task in TASKS])
    assert found.problems() == {}
    assert (found.tasks, found.results, found.fenced, found.takeovers) == (3, 3, 0, 0)
    assert found.runs.total() == 3


def test_a_lost_task_is_told(one: Coordination, bare: Path) -> None:
    found = check(bare, [*TASKS, "b1-t999"])
    assert found.lost == ["b1-t999"]
    assert found.problems() == {"b1-t999": "no result: lost"}


def test_a_result_that_is_not_folded_is_told(hosts: Hosts, bare: Path) -> None:
    (one,) = hosts(1)
    add_tasks(one, 1)
    one.fold()
    finish(one, claim_all(one))
    found = check(bare, TASKS[:1])
    assert (found.lost, found.unfolded) == ([], TASKS[:1])


@pytest.mark.parametrize("where", ["result-ref", "branch"])
def test_a_duplicate_made_by_hand_is_told(one: Coordination, bare: Path, where: str) -> None:
    path = f"coordination/results/b1/{TASKS[1]}.json"
    record = json.loads(git(bare, "show", f"main:{path}"))
    twin = json.dumps(record | {"nonce": "f" * 32}).encode()
    ref = "refs/heads/main" if where == "branch" else one.repository.own_results
    commit_on(bare, ref, path, twin, f"feat(m): w completed {TASKS[1]}")
    found = check(bare, TASKS)
    assert list(found.duplicates) == [TASKS[1]]
    assert "2 nonces" in found.duplicates[TASKS[1]]
    assert list(found.unclaimed) == [TASKS[1]]


def test_the_same_result_in_two_commits_is_told(one: Coordination, bare: Path) -> None:
    """As a host would leave it that published again what it had published under an earlier id."""
    path = f"coordination/results/b1/{TASKS[0]}.json"
    body = git(bare, "show", f"main:{path}").encode() + b"\n"
    root = git(bare, "rev-list", "--max-parents=0", "main").splitlines()[-1]
    git(bare, "update-ref", "refs/cortex/results/twin", root)
    commit_on(bare, "refs/cortex/results/twin", path, body, f"feat(m): w completed {TASKS[0]}")
    assert "2 commits" in check(bare, TASKS).duplicates[TASKS[0]]


def test_a_result_in_two_places_is_told(one: Coordination, bare: Path) -> None:
    body = git(bare, "show", f"main:coordination/results/b1/{TASKS[0]}.json").encode() + b"\n"
    commit_on(bare, "refs/heads/main", f"coordination/results/b2/{TASKS[0]}.json", body, "elsewhere")
    assert "2 paths" in check(bare, TASKS).duplicates[TASKS[0]]


def test_a_claim_left_of_a_finished_task_is_told_unless_it_is_the_result_s_own(
    hosts: Hosts, bare: Path
) -> None:
    (one,) = hosts(1)
    add_tasks(one, 2)
    claims = claim_all(one)
    finish(one, claims)
    one.fold()
    record = claims[0].record.model_copy(update={"nonce": "e" * 32})
    draft = Draft("claim", {"claim.json": record.to_bytes()})
    (stranger,) = singles(one.repository.git, one.repository.identity.author, [draft])
    for claim, oid in zip(claims, [stranger, claims[1].oid], strict=True):
        git(one.repository.folder, "push", "-q", "origin", f"{oid}:refs/cortex/claims/{claim.task.task}")
    found = check(bare, [claim.task.task for claim in claims])
    assert found.claims_left == [claims[0].task.task]
    assert list(found.claims_explained) == [claims[1].task.task]


def test_a_published_result_that_is_fenced_too_is_told(hosts: Hosts, bare: Path) -> None:
    (one,) = hosts(1)
    add_tasks(one, 1)
    (claim,) = claim_all(one)
    finish(one, [claim])
    one.fold()
    tip = git(bare, "rev-parse", one.repository.own_results)
    git(bare, "update-ref", f"refs/cortex/fenced/{TASKS[0]}/{claim.record.nonce}", tip)
    found = check(bare, TASKS[:1])
    assert (found.fenced, found.falsely_fenced) == (1, TASKS[:1])


@pytest.mark.parametrize(
    ("second", "what"),
    [
        (run(TASKS[0], "n2"), "run 2 times at epoch 1, attempt 1"),
        (run(TASKS[0], "n1", 2, 2), "run 2 times under one claim, nonce n1"),
    ],
    ids=["two-claims", "one-claim"],
)
def test_a_task_that_two_ran_at_once_is_told(
    one: Coordination, bare: Path, second: dict[str, object], what: str
) -> None:
    assert check(bare, TASKS, [run(TASKS[0]), second]).double_runs == {TASKS[0]: what}
    assert check(bare, TASKS, [run(TASKS[0]), run(TASKS[0], "n2", 2, 2)]).double_runs == {}


def test_a_task_run_more_often_than_its_failures_explain_is_told(one: Coordination, bare: Path) -> None:
    """Unless a lease had passed since the run before it: the machine may be that slow."""
    again = [run(TASKS[0]) | {"t": 1.0}, run(TASKS[0], "n2", 2, 2) | {"t": 4.0}]
    assert set(check(bare, TASKS, again).runs_again) == {TASKS[0]}
    assert check(bare, TASKS, again, fails={TASKS[0]: 1}).runs_again == {}
    assert check(bare, TASKS, again, lease_s=2.0).runs_again == {}


def test_a_result_of_a_run_that_nobody_saw_is_told_and_other_tasks_are_not_counted(
    one: Coordination, bare: Path
) -> None:
    found = check(bare, TASKS, [run(TASKS[0]), run(TASKS[1]), run("tidy")])
    assert found.problems() == {TASKS[2]: "completed, and no run of it was logged"}
    assert found.runs.total() == 2


def test_a_cancelled_task_needs_no_run(hosts: Hosts, bare: Path) -> None:
    (one,) = hosts(1)
    add_tasks(one, 2)
    one.fold()
    one.cancel(TASKS[1:2])
    finish(one, claim_all(one))
    one.fold()
    found = check(bare, TASKS[:2], [run(TASKS[0])])
    assert (found.problems(), found.without_run) == ({}, {TASKS[1]: "cancelled"})


def test_an_acknowledged_commit_that_is_gone_is_told(one: Coordination, bare: Path) -> None:
    tip = git(bare, "rev-parse", one.repository.own_results)
    assert check(bare, TASKS, acknowledged=[tip]).forgotten == []
    gone = git(bare, *WHO, "commit-tree", f"{tip}^{{tree}}", "-p", tip, "-m", "gone")
    found = check(bare, TASKS, acknowledged=[tip, gone])
    assert found.forgotten == [gone]
    assert "acknowledged, and gone" in found.problems()["repository"]


@pytest.mark.parametrize("damage", ["missing", "rubbish"])
def test_an_unsound_object_is_told(one: Coordination, bare: Path, damage: str) -> None:
    """One of a deleted claim, which nothing else reads any more, must not be damaged either."""
    found = Findings()
    blob = git(bare, "rev-parse", "main:.gitignore")
    path = bare / "objects" / blob[:2] / blob[2:]
    if not path.exists():
        git(bare, "unpack-objects", check=False)
    path.chmod(0o644)
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-4])
    found = check(bare, TASKS)
    assert found.unsound
    assert "git fsck" in found.problems()["repository"]
