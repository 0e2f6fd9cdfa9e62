"""The contract of a ref store, the same for a remote and for the repository itself."""

import subprocess
from pathlib import Path

import pytest
from refcontract import (  # noqa: F401
    A,
    commits,
    test_a_wrong_expectation_changes_nothing,
    test_all_or_nothing_applies_nothing,
    test_any_replaces_whatever_is_there,
    test_create_replace_delete,
    test_no_updates_is_no_call,
    test_one_by_one_applies_what_it_can,
    test_the_trunk_moves_only_from_what_it_was,
    test_what_was_fetched_is_seen_and_what_is_gone_is_not,
)

from cortex_git.gitio import Git, parse_push
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
