"""The command line as a person meets it: arguments in; exit status, stdout and stderr out."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMIT, Command, Done
from gitworld import git, new_coordination

from cortex_git.cli.main import main

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


@pytest.fixture
def cortex(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The whole command line, exit code included, in this process: ten times as fast as in one of its own."""

    def run(*arguments: str | Path, stdin: str = "") -> Done:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["cortex-git", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8"))
        before = sys.stdout, sys.stderr
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            sys.stdout, sys.stderr = before
        return Done(code, *capfd.readouterr())

    return run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def coordinated(here: Path, bare: Path) -> Path:
    """The folder one is in: a fresh coordination repository with a remote."""
    return new_coordination(here, bare)


@pytest.fixture
def conforms() -> Callable[[Any, str], None]:
    """That a document is as its published schema says, with no key that the schema does not name."""
    import jsonschema

    def check(document: Any, name: str) -> None:
        schema = json.loads((SCHEMAS / f"{name}-1.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(document, schema, jsonschema.Draft202012Validator)
        assert set(document) <= set(schema["properties"])

    return check


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Make a git repository with one lockfile that pins a package with two well-known advisories."""

    def make(name: str, folder: Path = tmp_path) -> Path:
        made = folder / name
        made.mkdir(parents=True)
        git(made, "init", "-q", "-b", "main")
        lock = {
            "name": "x",
            "lockfileVersion": 3,
            "packages": {"": {}, "node_modules/lodash": {"version": "4.17.15"}},
        }
        (made / "package-lock.json").write_text(json.dumps(lock))
        git(made, "add", ".")
        git(made, *COMMIT, "lock")
        return made

    yield make


@pytest.fixture
def shop(here: Path, checkout: Callable[..., Path]) -> Path:
    """A repository `shop` with both findings."""
    return checkout("shop", here)
