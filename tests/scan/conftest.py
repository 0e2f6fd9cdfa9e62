"""Real repositories and a small real advisory database for the tests of reading and scanning."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cortex_git.scan.advisories.build import DatabaseBuilder, Tally
from cortex_git.scan.advisories.database import AdvisoryDatabase
from cortex_git.scan.advisories.osv import from_record

Files = Mapping[str, str | bytes]
MakeRepository = Callable[..., Path]
RunGit = Callable[..., str]
MakeDatabase = Callable[..., AdvisoryDatabase]


@pytest.fixture(scope="session")
def git(tmp_path_factory: pytest.TempPathFactory) -> RunGit:
    """git as a person would run it, with an identity and no configuration of this machine."""
    home = tmp_path_factory.mktemp("home")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@example.invalid",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@example.invalid",
    }

    def run(folder: Path, *args: str, stdin: bytes | None = None) -> str:
        done = subprocess.run(
            ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *args],
            cwd=folder,
            env=environment,
            input=stdin,
            capture_output=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().rstrip("\n")

    return run


@pytest.fixture
def make_repository(tmp_path: Path, git: RunGit) -> MakeRepository:
    """Makes a repository with one commit per call: a bare one, or a checkout with its files written."""

    def make(files: Files, name: str = "repo", *, bare: bool = False, checkout: bool = False) -> Path:
        folder = tmp_path / name
        if not folder.exists():
            folder.mkdir(parents=True)
            git(folder, "init", "-q", *(["--bare"] if bare else []))
        stream = b"commit refs/heads/main\ncommitter t <t@example.invalid> 1700000000 +0000\ndata 1\nx\n"
        for path, data in files.items():
            raw = data.encode() if isinstance(data, str) else data
            stream += b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(raw), raw)
        git(folder, "fast-import", "--quiet", "--force", stdin=stream)
        if checkout:
            git(folder, "reset", "-q", "--hard")
        return folder

    return make


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdvisoryDatabase]:
    """A database with one PyPI and one npm advisory."""
    path = tmp_path_factory.mktemp("database") / "osv.sqlite"
    tally = Tally()
    with DatabaseBuilder(path, "osv") as builder:
        for ecosystem, package, fixed in (("PyPI", "jinja2", "2.11.3"), ("npm", "minimist", "1.2.6")):
            record = {
                "id": f"GHSA-{package}",
                "modified": "2024-01-01T00:00:00Z",
                "aliases": [f"CVE-2021-{len(package):04}"],
                "summary": f"{package} is vulnerable",
                "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
                "affected": [
                    {
                        "package": {"ecosystem": ecosystem, "name": package},
                        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
                    }
                ],
            }
            builder.add(from_record(record), None, tally)
        builder.finish()
    with AdvisoryDatabase.open(path) as opened:
        yield opened


@pytest.fixture
def make_database(tmp_path: Path) -> Iterator[MakeDatabase]:
    """Make databases of OSV records; they are closed at the end of the test."""
    opened: list[AdvisoryDatabase] = []

    def make(*records: dict[str, Any]) -> AdvisoryDatabase:
        path = tmp_path / f"{len(opened)}.sqlite"
        with DatabaseBuilder(path, "osv") as builder:
            for record in records:
                builder.add(from_record(record), None, Tally())
            builder.finish()
        opened.append(AdvisoryDatabase.open(path))
        return opened[-1]

    yield make
    for database in opened:
        database.close()
