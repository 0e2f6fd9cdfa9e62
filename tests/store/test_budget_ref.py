"""The shared document of the budget: one word that only compare-and-swap changes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from gitworld import git, lose_acknowledgements, python

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.store.budget_ref import BudgetDocument, BudgetRef
from cortex_git.store.creation import create
from cortex_git.store.refs import RemoteUnreachable
from cortex_git.store.repository import open_repository

Clones = Callable[[int], list[Path]]


@pytest.fixture(params=["remote", "local"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, bare: Path) -> Path:
    create(tmp_path / "one", str(bare) if request.param == "remote" else None)
    return tmp_path / "one"


def limits(tokens: int) -> Callable[[BudgetDocument], BudgetDocument]:
    return lambda document: document.model_copy(update={"limits": {"total": tokens}})


def test_nothing_is_there_at_first(folder: Path) -> None:
    shared = BudgetRef(open_repository(folder))
    assert shared.read().oid is None
    assert shared.last_seen() == BudgetDocument()


def test_only_who_saw_the_last_change_may_make_the_next(folder: Path) -> None:
    shared = BudgetRef(open_repository(folder))
    empty = shared.read()
    first = shared.write(empty, limits(5)(empty.document))
    assert first is not None
    assert shared.write(empty, limits(6)(empty.document)) is None
    assert shared.read() == first
    assert shared.last_seen() == first.document
    assert shared.write(first, first.document) is not None, "the same content again is a change of its own"


@pytest.mark.parametrize("tokens", [-1, 10**18])
def test_what_nobody_could_read_again_is_not_written(folder: Path, tokens: int) -> None:
    shared = BudgetRef(open_repository(folder))
    with pytest.raises(BadInput):
        shared.change(limits(tokens))
    assert shared.read().oid is None


def test_others_see_it(clones: Clones) -> None:
    one, two = (BudgetRef(open_repository(folder)) for folder in clones(2))
    for tokens in (1, 2):
        one.change(limits(tokens))
        assert two.read().document.limits == {"total": tokens}
        two.change(lambda document: document.with_host("two", {"total": 7}, {}))
    assert one.read().document.slices == {"two": {"total": 7}}


def test_changes_at_once_are_all_made(clones: Clones) -> None:
    code = """
    import sys; from pathlib import Path
    from cortex_git.store.budget_ref import BudgetRef; from cortex_git.store.repository import open_repository
    shared = BudgetRef(open_repository(Path(sys.argv[1])))
    for n in range(3):
        name = f"{sys.argv[2]}-{n}"
        shared.change(lambda document: document.with_host(name, {"total": 1}, {}))
    """
    folders = clones(4)
    running = [python(code, str(folder), str(number)) for number, folder in enumerate(folders)]
    for process in running:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert len(BudgetRef(open_repository(folders[0])).read().document.slices) == 12


def test_a_lost_acknowledgement_is_recognised(clones: Clones, tmp_path: Path) -> None:
    (folder,) = clones(1)
    lose_acknowledgements(folder, tmp_path)
    shared = BudgetRef(open_repository(folder))
    found = shared.read()
    written = shared.write(found, limits(5)(found.document))
    assert written is not None
    assert shared.read() == written


def test_a_dead_remote_is_said(clones: Clones, bare: Path) -> None:
    (folder,) = clones(1)
    shared = BudgetRef(open_repository(folder))
    shared.change(limits(5))
    shutil.move(bare, f"{bare}.away")
    with pytest.raises(RemoteUnreachable):
        shared.read()
    with pytest.raises(RemoteUnreachable):
        shared.change(limits(6))
    assert shared.last_seen().limits == {"total": 5}


def test_a_remote_that_refuses_is_said(clones: Clones, bare: Path) -> None:
    (folder,) = clones(1)
    hook = bare / "hooks" / "update"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(EnvironmentProblem, match="refuses"):
        BudgetRef(open_repository(folder)).change(limits(5))


def test_an_unpruned_clone_keeps_working_when_the_ref_is_deleted(clones: Clones, bare: Path) -> None:
    (folder,) = clones(1)
    shared = BudgetRef(open_repository(folder))
    shared.change(limits(5))
    git(bare, "update-ref", "-d", "refs/cortex/budget")
    assert shared.read().oid is None
    assert shared.change(limits(6)).limits == {"total": 6}


def test_past_days_are_dropped_and_empty_hosts_left_out() -> None:
    document = BudgetDocument().with_host("a", {"total": 5, "day:2020-01-01": 3}, {"day:2020-01-01": 2})
    document = document.with_host("b", {"day:2020-01-01": 1}, {"total": 0})
    kept = document.without(lambda account: account.startswith("day:"))
    assert (kept.slices, kept.reported) == ({"a": {"total": 5}}, {})
    assert document.assigned("day:2020-01-01") == 4
    assert document.spent("day:2020-01-01") == 2
