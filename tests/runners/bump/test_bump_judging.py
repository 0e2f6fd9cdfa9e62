"""What is taken for fixed: only what these advisories can tell."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cortex_git.runners.bump.asked import asked_of
from cortex_git.runners.bump.judging import Judge, State
from cortex_git.scan.advisories.database import AdvisoryDatabase, open_starter


@pytest.fixture
def database(tmp_path: Path) -> Iterator[AdvisoryDatabase]:
    with open_starter(tmp_path) as opened:
        yield opened


def state(database: AdvisoryDatabase, text: str | None, **changes: Any) -> State:
    """Of the one package that is asked about."""
    finding = {
        "id": "CVE-2019-10906", "ecosystem": "PyPI", "package": "jinja2", "version": "2.10",
        "lockfile": "requirements.txt", **changes,
    }  # fmt: skip
    judge = Judge(asked_of({"context": {"findings": [finding]}}), database)
    (found,) = judge.states(lambda _: None if text is None else text.encode()).values()
    return found


def test_by_what_these_advisories_say(database: AdvisoryDatabase) -> None:
    assert state(database, "jinja2==2.10\n") == State(("2.10",), {"2.10": "2.10.1"}, direct=True)
    assert state(database, "jinja2==2.10.1\n").is_fixed
    assert state(database, "flask==1.0\n").is_fixed


def test_a_lockfile_that_is_gone_is_not_fixed(database: AdvisoryDatabase) -> None:
    assert "not there any more" in str(state(database, None).problem)


@pytest.mark.parametrize(
    "changes",
    [{"id": "CVE-2999-1"}, {"version": "99.0"}, {"version": ""}],
    ids=["id", "version", "no version"],
)
def test_advisories_that_do_not_know_it_call_nothing_fixed(
    database: AdvisoryDatabase, changes: dict[str, str]
) -> None:
    """The scan may have gone by another host's, or by another scanner."""
    for text in ("jinja2==2.10\n", "jinja2==2.10.1\n"):
        assert "advisories here do not know CVE-" in str(state(database, text, **changes).problem)


def test_only_what_changed_is_read_again(database: AdvisoryDatabase) -> None:
    """A repository may have hundreds of lockfiles, and each upgrade is judged."""
    finding = {
        "id": "CVE-2019-10906", "ecosystem": "PyPI", "package": "jinja2", "version": "2.10",
        "lockfile": "a/requirements.txt", "other_lockfiles": ["b/requirements.txt", "c/requirements.txt"],
    }  # fmt: skip
    judge = Judge(asked_of({"context": {"findings": [finding]}}), database)
    asked: list[str] = []

    def read(path: str) -> bytes:
        asked.append(path)
        return b"jinja2==2.10.1\n"

    found = judge.states(read, {"b/requirements.txt", "package.json"})
    assert (asked, [one.lockfile for one in found]) == (["b/requirements.txt"], ["b/requirements.txt"])
