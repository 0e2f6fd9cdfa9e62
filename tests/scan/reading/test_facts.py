"""Objects from one git process: what it costs, and what a damaged one leaves readable."""

import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_git.gitio import Git
from cortex_git.scan.reading import facts
from cortex_git.scan.scanner import scan_repository
from cortex_git.scan.sources import Source

MakeRepository = Callable[..., Path]
RunGit = Callable[..., str]

NPM = '{"lockfileVersion": 3, "packages": {"": {}, "node_modules/minimist": {"version": "1.2.0"}}}'
POETRY = 'package = []\n\n[metadata]\nlock-version = "2.0"\n'
FILES = {"package-lock.json": NPM, "poetry.lock": POETRY, "requirements.txt": "-r base/pins.in\n"}
INCLUDED = {"base/pins.in": "jinja2==2.10 --hash=sha256:0\n"}


@pytest.fixture(params=[True, False], ids=["git 2.36 and newer", "older git"])
def takes_commands(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(facts, "takes_commands", lambda: request.param)
    return bool(request.param)


def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The git commands that are started from now on."""
    commands: list[str] = []
    real = Git.start

    def start(self: Git, *args: str, **options: object) -> object:
        commands.append(" ".join(args[:2]))
        return real(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Git, "start", start)
    return commands


def test_a_local_repository_costs_two_processes_one_more_with_an_old_git(
    make_repository: MakeRepository, database: object, takes_commands: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = make_repository({**FILES, **INCLUDED})
    commands = started(monkeypatch)
    row = scan_repository(Source("repo", str(repo)), database=database)  # type: ignore[arg-type]
    assert {finding.package for finding in row.findings} == {"minimist", "jinja2"}
    expected = ["cat-file --batch-command", "ls-tree -r"]
    if not takes_commands:
        # One for what the lockfiles hold, one for what they include.
        expected = ["cat-file --batch-check", "ls-tree -r", "cat-file --batch", "cat-file --batch"]
    assert commands == expected


@pytest.mark.parametrize("how", ["cut off", "not zlib", "another blob"])
def test_a_damaged_lockfile_costs_neither_the_others_nor_what_they_include(
    make_repository: MakeRepository, git: RunGit, database: object, takes_commands: bool, how: str
) -> None:
    repo = make_repository({**FILES, **INCLUDED}, bare=True)
    for pack in list((repo / "objects/pack").glob("*.pack")):
        data = pack.read_bytes()
        for file in (repo / "objects/pack").iterdir():
            file.unlink()
        git(repo, "unpack-objects", "-q", stdin=data)
    oid = git(repo, "rev-parse", "HEAD:package-lock.json")
    loose = repo / "objects" / oid[:2] / oid[2:]
    whole = loose.read_bytes()
    loose.chmod(0o600)
    text = NPM.replace("1.2.0", "9.9.9").encode()
    loose.write_bytes(
        {
            "cut off": whole[:-20],
            "not zlib": b"x" * 100,
            "another blob": zlib.compress(b"blob %d\0" % len(text) + text),
        }[how]
    )
    row = scan_repository(Source("repo", str(repo)), database=database)  # type: ignore[arg-type]
    assert row.status == "incomplete"
    assert {gap.what for gap in row.not_scanned} == {"package-lock.json"}
    assert [finding.package for finding in row.findings] == ["jinja2"]
