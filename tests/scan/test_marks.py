"""Marks of code: the same wherever it is installed, another for anything that a row rests on."""

import ast
import os
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from cortex_git.scan import cache, marks
from cortex_git.scan.reading import Limits

MARKS = "from cortex_git.scan import cache, marks; print(marks.row_mark('db'), cache.code_mark())"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package installed elsewhere, every file with a new time."""
    package = Path(marks.__file__).parents[1]
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package, tmp_path / "cortex_git", ignore=ignored, copy_function=shutil.copyfile)
    return tmp_path


def marks_of(copy: Path) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", MARKS]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_same_code_has_the_same_marks_wherever_and_whenever_it_was_installed(copy: Path) -> None:
    before = marks_of(copy)
    for file in copy.rglob("*.py"):
        os.utime(file, (1, 1))
    assert marks_of(copy) == before


@pytest.mark.parametrize(
    ("file", "changes_row", "changes_cache"),
    [
        ("scan/lockfiles/npm.py", True, True),
        ("scan/matching.py", True, True),
        ("scan/reading/snapshot.py", True, False),
        ("scan/scanner.py", True, False),
        ("scan/reports/html.py", False, False),
        ("cli/scan.py", False, False),
    ],
)
def test_a_changed_file_changes_the_marks_that_rest_on_it(
    copy: Path, file: str, changes_row: bool, changes_cache: bool
) -> None:
    row, kept = marks_of(copy)
    with (copy / "cortex_git" / file).open("a") as changed:
        changed.write("# another version\n")
    after = marks_of(copy)
    assert [after[0] != row, after[1] != kept] == [changes_row, changes_cache]


def test_no_package_that_reads_for_us_is_forgotten() -> None:
    owners = packages_distributions()
    imported: set[str] = set()
    for file in marks.row_files():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names.append(node.module or "")
            imported.update(owner for name in names for owner in owners.get(name.partition(".")[0], ()))
    not_reading = {"cortex-git", "httpx", "kingfisher-secret-scanner", "pydantic"}
    """Those of the three that are not ours: fetches advisories, has a mark of its own, checks stored rows."""
    assert imported - not_reading == set(marks.READERS)
    assert imported > not_reading


def test_another_version_of_such_a_package_changes_both_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    before = marks.row_mark("db"), cache.code_mark.__wrapped__()
    monkeypatch.setattr(marks, "others", lambda: ("tomli 0",))
    after = marks.row_mark("db"), cache.code_mark.__wrapped__()
    assert [one != other for one, other in zip(before, after, strict=True)] == [True, True]


def test_a_row_rests_on_the_database_and_the_limits_too() -> None:
    plain = marks.row_mark("one")
    assert plain == marks.row_mark("one", Limits())
    assert len({plain, marks.row_mark("two"), marks.row_mark("one", Limits(lockfiles=3))}) == 3


def test_a_match_is_not_known_by_another_code(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache.match_key("db", ())
    monkeypatch.setattr(cache, "code_mark", lambda: "another")
    assert cache.match_key("db", ()) != before
