"""One table of names: what a scan reads, what git finds by it, and what an expression finds."""

import re
import subprocess
from pathlib import Path

import pytest
from gitworld import git
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.scan import lockfiles
from cortex_git.scan.lockfiles import kind_of, likely_pathspecs, path_expression, pathspecs

NAMES = (
    *lockfiles._KIND_OF_NAME,
    *(pattern.replace("*", "x") for pattern in lockfiles._KIND_OF_PATTERN),
    *(pattern.replace("*", "") for pattern in lockfiles._KIND_OF_PATTERN),
    "README.md", "package.json", "x.lock", "x.txt", "packages.json", "packagesXconfig",
    "pac\u212aages.config",
)  # fmt: skip
FOLDERS = (
    "", "a/", "a b/c/", "requirements/", "x/Requirements/", "gradle/dependency-locks/", "node_modules/",
    "a/node_modules/b/", "a/Node_Modules/", "xnode_modules/", ".github/",
)  # fmt: skip


def variants() -> list[str]:
    names = {
        form
        for name in NAMES
        for form in (name, name.upper(), name.title(), f"{name}x", f"x{name}", f"x/{name}")
    }
    return sorted({folder + name for folder in FOLDERS for name in names})


def test_git_finds_exactly_what_a_scan_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And all of it, with little else, by the short table."""
    paths = variants()
    git(tmp_path, "init", "-q")
    empty = git(tmp_path, "hash-object", "-w", "--stdin")
    listed = "".join(f"100644 {empty}\t{path}\0" for path in paths)
    index = ["git", "-C", str(tmp_path), "update-index", "-z", "--index-info"]
    subprocess.run(index, input=listed.encode(), check=True, timeout=60)
    found = git(tmp_path, "ls-files", "-z", "--", *pathspecs()).split("\0")
    read = [path for path in paths if kind_of(path)]
    assert sorted(filter(None, found)) == read
    assert len(paths) > 2 * len(read) > 400
    monkeypatch.setenv("GIT_ICASE_PATHSPECS", "1")
    likely = set(git(tmp_path, "ls-files", "-z", "--", *likely_pathspecs()).split("\0"))
    assert set(read) <= likely
    assert not likely & {"README.md", "package.json", "x.txt", "packages.json", "a/packagesXconfig"}
    assert len(likely_pathspecs()) < 0.75 * len(pathspecs())


@given(st.tuples(st.sampled_from(FOLDERS), st.sampled_from(NAMES), st.sampled_from(("", ".x", "\n", "é"))))
def test_the_expression_finds_exactly_what_a_scan_reads(parts: tuple[str, str, str]) -> None:
    path = "".join(parts).rstrip("\n")
    assert (re.search(path_expression(), path) is not None) == (kind_of(path) is not None)


def test_every_variant_agrees_with_the_expression() -> None:
    expression = re.compile(path_expression())
    assert [path for path in variants() if bool(expression.search(path)) != bool(kind_of(path))] == []


def test_every_kind_that_is_read_has_a_name() -> None:
    """What a scan knows by anything but the table, git would not find."""
    named = {*lockfiles._KIND_OF_NAME.values(), *lockfiles._KIND_OF_PATTERN.values()}
    assert named == set(lockfiles.FORMATS)
