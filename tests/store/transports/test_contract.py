"""The contract of a ref store, of claims, of publishing and of folding, over real servers."""

import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from gitworld import add_tasks, assert_sound, claim_all, finish, git, result_commits, results_on
from refcontract import (  # noqa: F401
    commits,
    test_a_wrong_expectation_changes_nothing,
    test_all_or_nothing_applies_nothing,
    test_any_replaces_whatever_is_there,
    test_create_replace_delete,
    test_one_by_one_applies_what_it_can,
    test_the_trunk_moves_only_from_what_it_was,
    test_what_was_fetched_is_seen_and_what_is_gone_is_not,
)
from transportworld import Way

from cortex_git.gitio import Git
from cortex_git.store.budget_ref import BudgetRef
from cortex_git.store.commits import Draft, singles
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.greeting import greet
from cortex_git.store.refs import ABSENT, Outcome, RefStore, RemoteRefs, Update

Hosts = Callable[[int], list[Coordination]]


@pytest.mark.parametrize(
    "way", ["path", "file", "http", "ssh", "http-proxy", "ssh-proxy"], indirect=True, ids=lambda kind: kind
)
def test_the_whole_life_of_a_task(hosts: Hosts, way: Way) -> None:
    """Two hosts: tasks, claims, results, a cancel, the shared budget, the fold."""
    if way.proxy:
        way.proxy.delay_s = (0.05, 0.15)
    one, two = hosts(2)
    add_tasks(one, 4)
    mine = claim_all(one, 2)
    theirs = claim_all(two, 1)
    assert len({claim.task.task for claim in [*mine, *theirs]}) == 3
    finish(one, mine)
    finish(two, theirs)
    (left,) = {f"b1-t{n:03d}" for n in range(4)} - {claim.task.task for claim in [*mine, *theirs]}
    assert {task: getattr(end, "status", end) for task, end in two.cancel([left]).items()} == {
        left: "cancelled"
    }
    budget = BudgetRef(two.repository)
    budget.change(lambda document: document.with_host("two", {"": 5}, {}))
    assert BudgetRef(one.repository).read().document.slice_of("two") == {"": 5}
    assert one.fold() is not None
    assert len(results_on(way.bare, "main")) == len(result_commits(way.bare)) == 4
    assert git(way.bare, "for-each-ref", "refs/cortex/claims") == ""
    assert_sound(way.bare)


def test_protocol_2_is_spoken_and_told(way: Way, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "asking")
    found = greet(Git(tmp_path / "asking"), way.url)
    assert (found.protocol, found.object_format, found.filters) == (2, "sha1", False)
    git(way.bare, "config", "uploadpack.allowFilter", "true")
    assert greet(Git(tmp_path / "asking"), way.url).filters
    if way.ssh:
        assert set(way.ssh.protocols) == {"version=2"}


@pytest.mark.parametrize("way", ["http"], indirect=True)
def test_an_old_server_will_do(way: Way, tmp_path: Path) -> None:
    assert way.http is not None
    way.http.protocol = False
    created = create(tmp_path / "a", way.url)
    assert created.capabilities is not None and created.capabilities.protocol == 0
    one = Coordination.open(tmp_path / "a")
    add_tasks(one, 2)
    finish(one, claim_all(one))
    assert len(result_commits(way.bare)) == 2


@pytest.mark.parametrize("way", ["http"], indirect=True)
def test_large_and_compressed_requests_arrive(refs: RefStore, way: Way, tmp_path: Path) -> None:
    """Above `http.postBuffer` git sends its request in chunks, and long lists of refs compressed."""
    assert way.http is not None
    refs.git.run("config", "http.postBuffer", "70000")
    large = Draft("large", {"claim.json": secrets.token_bytes(200_000)})
    many = [*commits(refs, 40), *singles(refs.git, "t <t@example.invalid>", [large])]
    updates = [Update(f"refs/cortex/claims/t{n}", oid, ABSENT) for n, oid in enumerate(many)]
    assert set(refs.transaction(updates, atomic=False)) == {Outcome.APPLIED}
    subprocess.run(["git", "init", "-q", str(tmp_path / "other")], check=True)
    other = RemoteRefs(Git(tmp_path / "other"), way.url, "refs/cortex", "main")
    other.fetch()
    assert len(other.seen()) == 41
    assert "chunked" in {how for how, _ in way.http.bodies}
    assert "gzip" in {encoding for _, encoding in way.http.bodies}


@pytest.mark.parametrize("way", ["http"], indirect=True)
def test_how_many_requests_each_operation_takes(refs: RefStore, way: Way, tmp_path: Path) -> None:
    """As docs/remotes.md has it: a look 2, a fetch of something new 3, a push 2."""
    assert way.http is not None
    other = RemoteRefs(refs.git, "origin", "refs/cortex", "main")
    subprocess.run(["git", "init", "-q", str(tmp_path / "new")], check=True)
    fresh = RemoteRefs(Git(tmp_path / "new"), way.url, "refs/cortex", "main")
    counts = []
    for operation in (
        lambda: other.read_back(["refs/heads/main"]),
        fresh.fetch,
        lambda: other.transaction([Update("refs/cortex/claims/a", commits(refs, 1)[0], ABSENT)], atomic=True),
    ):
        before = len(way.http.requests)
        operation()
        counts.append(len(way.http.requests) - before)
    assert counts == [2, 3, 2]
