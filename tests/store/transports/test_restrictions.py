"""Servers that restrict what may be pushed: another namespace, a clear refusal at `init`, or one later."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gitworld import add_tasks, claim_all, cortex, finish, git, hook, result_commits, result_for, results_on
from transportworld import Way, way_to

from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import Git
from cortex_git.store import claims as claims_module
from cortex_git.store import heartbeat
from cortex_git.store.budget_ref import BudgetRef
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.probing import report

Hosts = Callable[[int], list[Coordination]]

BRANCHES_ONLY = (
    'case "$1" in refs/heads/*|refs/tags/*) exit 0;; esac\necho branches and tags only >&2\nexit 1'
)


@pytest.fixture
def way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    with way_to("path", tmp_path, monkeypatch) as found:
        yield found


def no_custom_refs_by_update(bare: Path) -> None:
    hook(bare, "update", BRANCHES_ONLY)


def no_custom_refs_by_pre_receive(bare: Path) -> None:
    case = 'case "$ref" in refs/heads/*|refs/tags/*) ;; *) echo no: $ref; exit 1;; esac'
    body = f"while read -r old new ref; do\n{case}\ndone"
    hook(bare, "pre-receive", body)


def no_custom_refs_by_hiding(bare: Path) -> None:
    git(bare, "config", "receive.hideRefs", "refs/cortex")


def no_custom_refs_at_all(bare: Path) -> None:
    git(bare, "config", "transfer.hideRefs", "refs/cortex")


@pytest.mark.parametrize(
    "restrict",
    [
        no_custom_refs_by_update,
        no_custom_refs_by_pre_receive,
        no_custom_refs_by_hiding,
        no_custom_refs_at_all,
    ],
)
def test_without_custom_refs_branches_are_used(
    way: Way, tmp_path: Path, restrict: Callable[[Path], None]
) -> None:
    restrict(way.bare)
    git(way.bare, "config", "receive.denyNonFastForwards", "true")
    created = create(tmp_path / "a", way.url)
    can = created.capabilities
    assert can is not None and (can.namespace, can.usable) == ("refs/heads/cortex", True)
    assert "create refs" in can.custom_refused
    assert any("because under refs/cortex" in line for line in can.lines())
    assert git(way.bare, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_branches_that_only_move_forward_will_do(
    way: Way, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claims, take-overs, releases, heartbeats and the budget: each is a child of what it replaces."""
    no_custom_refs_by_update(way.bare)
    git(way.bare, "config", "receive.denyNonFastForwards", "true")
    one, two = hosts(2)
    add_tasks(one, 3)
    claims = claim_all(one, 2)
    again = one.claims.take_over(claims[0])
    assert again is not None
    assert git(one.repository.folder, "rev-parse", f"{again.oid}^") == claims[0].oid
    one.claims.release([claims[1]], retry_after_s=0.0)
    assert {claim.record.attempt for claim in claim_all(two, 2)} == {1, 2}
    for host in (one, two):
        monkeypatch.setattr(heartbeat, "monotonic", lambda: claims_module.monotonic() + 1000)
        assert heartbeat.beat(host.repository, heartbeat.Signs(1))
        monkeypatch.setattr(heartbeat, "monotonic", lambda: claims_module.monotonic() + 2000)
        assert heartbeat.beat(host.repository, heartbeat.Signs(2))
        BudgetRef(host.repository).change(
            lambda document, name=host.repository.host: document.with_host(name, {"": 5}, {})
        )
    finish(one, [again])
    assert one.fold() is not None
    assert results_on(way.bare, "main") == [again.task.task]
    chain = git(way.bare, "log", "--format=%s", f"refs/heads/cortex/hosts/{one.repository.host}")
    assert len(chain.splitlines()) == 2


def no_deletes(bare: Path) -> None:
    git(bare, "config", "receive.denyDeletes", "true")


def no_replacing(bare: Path) -> None:
    hook(bare, "update", 'zero=$(printf %040d 0)\n[ "$2" = "$zero" ] || [ "$3" = "$zero" ] || exit 1')


def no_atomic(bare: Path) -> None:
    git(bare, "config", "receive.advertiseAtomic", "false")


def nothing_shown(bare: Path) -> None:
    git(bare, "config", "--add", "uploadpack.hideRefs", "refs/heads/cortex")


def nothing_at_all(bare: Path) -> None:
    hook(bare, "pre-receive", "echo read-only mirror; exit 1")


@pytest.mark.parametrize(
    ("restrict", "name", "reason"),
    [
        (no_deletes, "delete", "deletion prohibited"),
        (no_replacing, "replace", "hook declined"),
        (no_atomic, "atomic", "does not support --atomic push"),
        (nothing_shown, "show", "hides"),
        (nothing_at_all, "create", "read-only mirror"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_missing_is_said_at_init_with_why_and_what_to_do(
    way: Way, tmp_path: Path, restrict: Callable[[Path], None], name: str, reason: str
) -> None:
    if restrict is not nothing_at_all:
        no_custom_refs_by_hiding(way.bare)
    restrict(way.bare)
    done = cortex("init", "a", "--remote", way.url, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    git(tmp_path, "init", "-q", "asking")
    found = report(Git(tmp_path / "asking"), way.url, "main")
    assert found.namespace == ("refs/cortex" if restrict is nothing_at_all else "refs/heads/cortex")
    (missing,) = [one for one in found.missing if one.name == name]
    assert reason in missing.reason
    assert missing.what in done.stderr and reason in done.stderr and "docs/remotes.md" in done.stderr
    assert not (tmp_path / "a" / "coordination").exists()


def test_a_server_that_is_not_atomic_though_it_says_so_is_found_out(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git itself keeps its word: here the flag is lost on the way to it."""
    real = Git.run

    def without(self: Git, *arguments: str, **options: object) -> object:
        return real(self, *(word for word in arguments if word != "--atomic"), **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Git, "run", without)
    git(tmp_path, "init", "-q", "asking")
    found = report(Git(tmp_path / "asking"), way.url, "main")
    assert [one.name for one in found.missing] == ["atomic"]
    assert "one without the other" in found.missing[0].reason


LATER = {
    "no custom refs": (no_custom_refs_by_update, "branches and tags only"),
    "no deletes": (lambda bare: hook(bare, "update", f'[ "$3" != {"0" * 40} ]'), "hook declined"),
    "not atomic": (no_atomic, "--atomic"),
    "over quota": (lambda bare: hook(bare, "pre-receive", "echo over quota; exit 1"), "over quota"),
}


@pytest.mark.parametrize("kind", list(LATER))
def test_restrictions_that_come_later_are_said_and_lose_nothing(
    way: Way, hosts: Hosts, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cortex_git.store.publishing.time.sleep", lambda _: None)
    restrict, words = LATER[kind]
    (one,) = hosts(1)
    add_tasks(one, 2)
    (claim,) = claim_all(one, 1)
    one.record([(claim, result_for(one, claim), {})])
    restrict(way.bare)
    with pytest.raises(EnvironmentProblem, match=words):
        one.flush()
    assert one.outbox.count() == 1
    if kind in ("no custom refs", "over quota"):
        with pytest.raises(EnvironmentProblem, match=words):
            claim_all(one, 1)
    for name in ("update", "pre-receive"):
        (way.bare / "hooks" / name).unlink(missing_ok=True)
    git(way.bare, "config", "receive.advertiseAtomic", "true")
    one.flush()
    finish(one, claim_all(one, 1))
    assert len(result_commits(way.bare)) == 2


def test_one_ref_that_is_refused_keeps_nobody_from_the_others(way: Way, hosts: Hosts) -> None:
    (one,) = hosts(1)
    add_tasks(one, 3)
    hook(way.bare, "update", 'case "$1" in */claims/b1-t001) echo reserved; exit 1;; esac')
    assert {claim.task.task for claim in claim_all(one)} == {"b1-t000", "b1-t002"}
    with pytest.raises(EnvironmentProblem, match=r"b1-t001.*reserved"):
        claim_all(one)


def test_a_protected_branch_leaves_results_readable(way: Way, hosts: Hosts) -> None:
    one, two = hosts(2)
    add_tasks(one, 1)
    hook(way.bare, "update", '[ "$1" != refs/heads/main ] || { echo protected branch; exit 1; }')
    finish(one, claim_all(one))
    done = cortex("sync", cwd=one.repository.folder)
    assert "protected branch" in done.stdout + done.stderr and "docs/remotes.md" in done.stdout + done.stderr
    two.pull()
    assert two.is_finished("b1-t000")


def test_a_folder_with_the_branch_checked_out_is_refused_with_the_way_out(tmp_path: Path) -> None:
    identity = ("-c", "user.name=p", "-c", "user.email=p@example.invalid")
    git(tmp_path, "init", "-q", "-b", "main", "work")
    git(tmp_path / "work", *identity, "commit", "-q", "--allow-empty", "-m", "one")
    for url in ("work", f"file://{tmp_path / 'work'}"):
        done = cortex("init", "a", "--remote", url, cwd=tmp_path)
        assert done.returncode == 3 and "bare" in done.stderr, done.stderr
    git(tmp_path / "work", "config", "receive.denyCurrentBranch", "updateInstead")
    assert cortex("init", "a", "--remote", "work", cwd=tmp_path).returncode == 0


def test_a_remote_of_the_other_hash_works_for_a_new_folder_and_is_said_for_an_old_one(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "--object-format=sha256", "-b", "main", "long.git")
    create(tmp_path / "a", str(tmp_path / "long.git"))
    one = Coordination.open(tmp_path / "a")
    add_tasks(one, 2)
    finish(one, claim_all(one))
    assert one.fold() is not None
    git(tmp_path, "init", "-q", "old")
    done = cortex("init", "old", "--remote", "long.git", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert "hash" in done.stderr
