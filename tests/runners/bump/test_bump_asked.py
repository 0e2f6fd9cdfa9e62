"""What a task's findings may ask for: anyone who can push may have written them."""

from typing import Any

import pytest

from cortex_git.errors import BadInput
from cortex_git.runners.bump.asked import asked_of
from cortex_git.runners.bump.change_request import Upgrade, body, subject
from cortex_git.runners.bump.pins import repinned
from cortex_git.runners.bump.tools import tool_for


def finding(**changes: Any) -> dict[str, Any]:
    plain = {
        "id": "CVE-1",
        "aliases": ["GHSA-1"],
        "ecosystem": "npm",
        "package": "lodash",
        "version": "4.17.15",
        "fixed": "4.17.19",
        "lockfile": "package-lock.json",
    }
    return {**plain, **changes}


def asked(*findings: Any) -> Any:
    return asked_of({"context": {"findings": list(findings)}})


def test_the_highest_fix_of_a_package_is_what_is_wanted() -> None:
    found = asked(
        finding(),
        finding(id="CVE-2", fixed="4.17.21"),
        finding(lockfile="web/package-lock.json", other_lockfiles=["old/package-lock.json"]),
    )
    assert [(one.lockfile, one.target, one.advisories) for one in found.wanted] == [
        ("old/package-lock.json", "4.17.19", ("CVE-1",)),
        ("package-lock.json", "4.17.21", ("CVE-1", "CVE-2")),
        ("web/package-lock.json", "4.17.19", ("CVE-1",)),
    ]
    assert found.ids == {"CVE-1", "CVE-2", "GHSA-1"}


def test_one_advisory_without_a_fix_leaves_nothing_to_upgrade_to() -> None:
    (wanted,) = asked(finding(), finding(id="CVE-2", fixed=None)).wanted
    assert wanted.target is None


@pytest.mark.parametrize(
    "findings",
    [
        [],
        None,
        ["lodash"],
        [finding(package="--registry=http://evil.example")],
        [finding(package="lodash; id")],
        [finding(package="")],
        [finding(version="1.0 --force")],
        [finding(version="--x")],
        [finding(lockfile=7)],
        [finding(ecosystem=None)],
        [finding()] * 201,
    ],
    ids=str,
)
def test_findings_that_cannot_be_true_are_refused(findings: Any) -> None:
    with pytest.raises(BadInput):
        asked_of({"context": {"findings": findings}})


@pytest.mark.parametrize("fixed", ["--force", "1.0; id", "$(id)", 7, ["1.0"]])
def test_a_fix_that_is_no_version_never_becomes_a_word_of_a_command(fixed: Any) -> None:
    (wanted,) = asked(finding(fixed=fixed)).wanted
    assert wanted.target is None


@pytest.mark.parametrize(
    ("lockfile", "program"),
    [
        ("package-lock.json", "npm"),
        ("a/pnpm-lock.yaml", "pnpm"),
        ("yarn.lock", "yarn"),
        ("Cargo.lock", "cargo"),
        ("go.mod", "go"),
        ("uv.lock", "uv"),
        ("poetry.lock", "poetry"),
        ("pdm.lock", "pdm"),
        ("Pipfile.lock", "pipenv"),
        ("Gemfile.lock", "bundle"),
        ("composer.lock", "composer"),
    ],
)
@pytest.mark.parametrize("direct", [True, False], ids=["direct", "transitive"])
def test_every_tool_is_told_the_package(lockfile: str, program: str, direct: bool) -> None:
    (wanted,) = asked(finding(lockfile=lockfile)).wanted
    tool = tool_for(lockfile)
    assert tool is not None
    commands = tool.commands(wanted, "4.17.21", direct)
    assert {words[0] for words in commands} == {program}
    assert any("lodash" in word for words in commands for word in words)


def test_there_is_no_tool_for_what_only_people_edit() -> None:
    assert tool_for("pom.xml") is None
    assert tool_for("README.md") is None


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("jinja2==2.10\n", "jinja2==2.11.3\n"),
        ("flask==1.0\nJinja2 == 2.10  # why\n", "flask==1.0\nJinja2 == 2.11.3  # why\n"),
        ("jinja2[x]==2.10 ; python_version > '3'", "jinja2[x]==2.11.3 ; python_version > '3'"),
        ("jinja2===2.10\r\nx==1\r\n", "jinja2===2.11.3\r\nx==1\r\n"),
    ],
    ids=["plain", "comment", "extra and marker", "line ends"],
)
def test_a_pin_is_changed_and_nothing_else(text: str, changed: str) -> None:
    assert repinned(text, "JINJA2", ("2.10",), "2.11.3") == (changed, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("jinja2>=2.10\n", "not pinned"),
        ("jinja2==2.9\n", "not pinned"),
        ("jinja2-fork==2.10\n", "not pinned"),
        ("# jinja2==2.10\n", "not pinned"),
        ("jinja2==2.10 \\\n    --hash=sha256:00\n", "hashes"),
        ("jinja2==2.10 --hash=sha256:00\n", "hashes"),
    ],
    ids=["range", "another version", "another package", "comment", "hash below", "hash beside"],
)
def test_a_pin_that_is_none_stays(text: str, reason: str) -> None:
    changed, problem = repinned(text, "jinja2", ("2.10",), "2.11.3")
    assert changed == text
    assert problem is not None
    assert reason in problem


def test_a_change_request_shows_names_as_code() -> None:
    nasty = Upgrade("a|b.lock", "npm", "@x/`y`\x1b", ("1",), ("2",), ("CVE-1",))
    text = body([nasty], [], [])
    assert "\x1b" not in text
    assert "a\\|b.lock" in text
    assert "\x1b" not in subject([nasty])
    assert len(subject([Upgrade("l", "npm", "n" * 200, ("1",), ("2",), ("CVE-1",))])) <= 100
