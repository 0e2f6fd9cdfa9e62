"""The contract of a ref store, the same for a remote and for the repository itself."""

import subprocess
from pathlib import Path

import pytest

from cortex_git.gitio import Git, parse_push
from cortex_git.store.commits import Draft, singles
from cortex_git.store.local_refs import LocalRefs
from cortex_git.store.refs import (
    ABSENT,
    ANY,
    Outcome,
    RefStore,
    RemoteRefs,
    RemoteUnreachable,
    Update,
)

A, B = "refs/cortex/claims/a", "refs/cortex/claims/b"


@pytest.fixture(params=["remote", "local", "remote-sha256"])
def refs(request: pytest.FixtureRequest, tmp_path: Path) -> RefStore:
    kind, _, hash_name = request.param.partition("-")
    options = [f"--object-format={hash_name or 'sha1'}", "-q", "-b", "main"]
    subprocess.run(["git", "init", *options, str(tmp_path / "clone")], check=True)
    git = Git(tmp_path / "clone")
    if kind == "local":
        return LocalRefs(git, "main")
    subprocess.run(["git", "init", "--bare", *options, str(tmp_path / "r.git")], check=True)
    git.run("remote", "add", "origin", str(tmp_path / "r.git"))
    store = RemoteRefs(git, "origin", "refs/cortex", "main")
    first = commits(store, 9)[8]
    assert store.move_trunk(first, None) is Outcome.APPLIED
    return store


def commits(refs: RefStore, count: int) -> list[str]:
    drafts = [Draft(f"trial {n}", {"claim.json": f"{n}\n".encode()}) for n in range(count)]
    return singles(refs.git, "t <t@example.invalid>", drafts)


def test_create_replace_delete(refs: RefStore) -> None:
    one, two = commits(refs, 2)
    assert refs.transaction([Update(A, one, ABSENT)], atomic=True) == [Outcome.APPLIED]
    assert refs.read_back([A]) == {A: one}
    assert refs.transaction([Update(A, two, one)], atomic=True) == [Outcome.APPLIED]
    assert refs.transaction([Update(A, None, two)], atomic=True) == [Outcome.APPLIED]
    assert refs.read_back([A]) == {}


@pytest.mark.parametrize("atomic", [True, False])
def test_a_wrong_expectation_changes_nothing(refs: RefStore, atomic: bool) -> None:
    one, two, three = commits(refs, 3)
    refs.transaction([Update(A, one, ABSENT)], atomic=True)
    for expected in (ABSENT, two):
        assert refs.transaction([Update(A, three, expected)], atomic=atomic) == [Outcome.STALE]
    assert refs.transaction([Update(A, None, two)], atomic=atomic) == [Outcome.STALE]
    assert refs.transaction([Update(B, None, two)], atomic=atomic) == [Outcome.STALE]
    assert refs.read_back([A, B]) == {A: one}


def test_one_by_one_applies_what_it_can(refs: RefStore) -> None:
    one, two, three = commits(refs, 3)
    refs.transaction([Update(A, one, ABSENT)], atomic=True)
    outcomes = refs.transaction([Update(A, two, ABSENT), Update(B, three, ABSENT)], atomic=False)
    assert outcomes == [Outcome.STALE, Outcome.APPLIED]
    assert refs.read_back([A, B]) == {A: one, B: three}


def test_all_or_nothing_applies_nothing(refs: RefStore) -> None:
    one, two, three = commits(refs, 3)
    refs.transaction([Update(A, one, ABSENT)], atomic=True)
    outcomes = refs.transaction([Update(A, two, ABSENT), Update(B, three, ABSENT)], atomic=True)
    assert outcomes == [Outcome.STALE, Outcome.BYSTANDER]
    assert refs.read_back([A, B]) == {A: one}


def test_any_replaces_whatever_is_there(refs: RefStore) -> None:
    one, two = commits(refs, 2)
    assert refs.transaction([Update(A, one, ANY)], atomic=True) == [Outcome.APPLIED]
    assert refs.transaction([Update(A, two, ANY)], atomic=True) == [Outcome.APPLIED]
    assert refs.read_back([A]) == {A: two}


def test_what_was_fetched_is_seen_and_what_is_gone_is_not(refs: RefStore) -> None:
    one, two = commits(refs, 2)
    refs.transaction([Update(A, one, ABSENT), Update(B, two, ABSENT)], atomic=True)
    refs.fetch()
    assert refs.seen() == {A: one, B: two}
    refs.transaction([Update(A, None, one)], atomic=True)
    refs.fetch()
    assert refs.seen() == {B: two}


def test_the_trunk_moves_only_from_what_it_was(refs: RefStore) -> None:
    refs.fetch()
    old = next(iter(refs.trunk()), None)
    one, two = commits(refs, 2)
    assert refs.move_trunk(one, old) is Outcome.APPLIED
    assert refs.move_trunk(two, old) is Outcome.STALE
    refs.fetch()
    assert refs.trunk()[0] == one


def test_no_updates_is_no_call(refs: RefStore) -> None:
    assert refs.transaction([], atomic=True) == []


def test_pushing_the_same_object_proves_nothing(tmp_path: Path, bare: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "c")], check=True)
    refs = RemoteRefs(Git(tmp_path / "c"), str(bare), "refs/cortex", "main")
    one = commits(refs, 1)[0]
    assert refs.transaction([Update(A, one, ABSENT)], atomic=False) == [Outcome.APPLIED]
    assert refs.transaction([Update(A, one, ANY)], atomic=False) == [Outcome.UNCHANGED]


def test_a_dead_remote_leaves_the_outcome_unknown(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "c")], check=True)
    refs = RemoteRefs(Git(tmp_path / "c"), str(tmp_path / "gone.git"), "refs/cortex", "main")
    one = commits(refs, 1)[0]
    assert refs.transaction([Update(A, one, ABSENT)], atomic=True) == [Outcome.UNKNOWN]
    for call in (refs.fetch, lambda: refs.read_back([A])):
        with pytest.raises(RemoteUnreachable, match="gone"):
            call()


def test_a_hook_that_refuses_is_told_apart_from_a_lost_race(tmp_path: Path, bare: Path) -> None:
    hook = bare / "hooks" / "update"
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    hook.chmod(0o755)
    subprocess.run(["git", "init", "-q", str(tmp_path / "c")], check=True)
    refs = RemoteRefs(Git(tmp_path / "c"), str(bare), "refs/cortex", "main")
    one = commits(refs, 1)[0]
    assert refs.transaction([Update(A, one, ABSENT)], atomic=False) == [Outcome.REFUSED]
    assert "hook declined" in refs.refusal


def test_fetching_leaves_the_person_s_own_tracking_refs_alone(tmp_path: Path, bare: Path) -> None:
    from gitworld import git

    subprocess.run(["git", "init", "-q", str(tmp_path / "c")], check=True)
    git(tmp_path / "c", "remote", "add", "origin", str(bare))
    refs = RemoteRefs(Git(tmp_path / "c"), "origin", "refs/cortex", "main")
    refs.move_trunk(commits(refs, 1)[0], None)
    git(tmp_path / "c", "update-ref", "-d", "refs/remotes/origin/main")
    refs.fetch()
    assert refs.trunk() != []
    assert git(tmp_path / "c", "for-each-ref", "refs/remotes") == ""


def test_porcelain_lines() -> None:
    lines = parse_push(
        "To /r.git\n*\tabc:refs/x\t[new reference]\n-\t:refs/y\t[deleted]\n"
        "!\tabc:refs/z\t[rejected] (stale info)\n!\tabc:refs/w\t[rejected] (atomic push failed)\nDone\n"
    )
    assert [(line.flag, line.ref) for line in lines] == [
        ("*", "refs/x"),
        ("-", "refs/y"),
        ("!", "refs/z"),
        ("!", "refs/w"),
    ]
    assert [line.stale for line in lines] == [False, False, True, False]
    assert lines[3].bystander
