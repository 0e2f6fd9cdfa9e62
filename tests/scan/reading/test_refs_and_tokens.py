"""Branches and tags of local and remote repositories, and who may answer for passwords, over HTTP."""

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from githttp import Answer, Server, serve

from cortex_git.scan.reading import HostGate, Limits, RepositoryUnreadable, refs
from cortex_git.scan.reading import remote as remote_module
from cortex_git.scan.reading.heads import heads_of
from cortex_git.scan.reading.refs import Refs, refs_of
from cortex_git.scan.scanner import scan_repository
from cortex_git.scan.sources import Credentials, HostToken, Source
from cortex_git.scan.sources.filters import matching

TOKEN = "tok-3n'$(x)"


@pytest.fixture
def server(make_repository, tmp_path: Path, git) -> Iterator[Server]:
    path = make_repository({"requirements.txt": "jinja2==2.10 --hash=sha256:0\n"}, "srv/app.git", bare=True)
    for name in ("release/1", "release/2", "dev"):
        git(path, "branch", name, "main")
    git(path, "tag", "-a", "-m", "x", "v1", "main")
    git(path, "tag", "v2", "main")
    with serve(tmp_path / "srv") as running:
        yield running


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_module, "FIRST_PAUSE_S", 0.01)


def asked(source: Source, *, branches: str = "", tags: str = "", gate: HostGate | None = None) -> Refs:
    wanted = [matching([glob] if glob else [], "--x") for glob in (branches, tags)]
    return refs_of(source, *wanted, Credentials(), Limits(), gate or HostGate())


def app(server: Server, *, local: bool) -> Source:
    return Source("app", str(server.root / "app.git") if local else f"{server.url}/app.git")


@pytest.mark.parametrize("local", [True, False], ids=["local", "remote"])
def test_refs_that_fit(server: Server, local: bool) -> None:
    source = app(server, local=local)
    assert asked(source, branches="release/*").names == ["refs/heads/release/1", "refs/heads/release/2"]
    assert asked(source, tags="v*").names == ["refs/tags/v1", "refs/tags/v2"]
    assert asked(source, branches="dev", tags="v2").names == ["refs/heads/dev", "refs/tags/v2"]
    assert asked(source, branches="x*") == Refs([], 0)


@pytest.mark.parametrize("local", [True, False], ids=["local", "remote"])
def test_a_ref_by_its_full_name_is_scanned(server: Server, database, local: bool) -> None:
    source = app(server, local=local)
    for ref in asked(source, branches="dev", tags="v*").names:
        row = scan_repository(Source("x", source.url, ref), database=database)
        assert (row.status, len(row.findings), row.error) == ("scanned", 1, None)


def test_refs_beyond_the_limit_are_counted(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refs, "MOST_REFS", 2)
    assert asked(app(server, local=False), branches="*", tags="*").left == 4


@pytest.mark.parametrize("name", ["refs/heads/a..b", "refs/heads/a b", "refs/heads/a\x1b", "refs/heads/+x:y"])
def test_names_that_git_must_not_get_are_counted_and_not_taken(name: str) -> None:
    found = refs._chosen(iter([name, "refs/heads/good"]), refs._Wanted(re.compile(".*", re.DOTALL), None))
    assert found == Refs(["refs/heads/good"], 1)


def test_passing_failures_are_tried_again_and_lasting_ones_said(server: Server, tmp_path: Path) -> None:
    gate = HostGate(tmp_path / "gate", 2)
    server.fail_first = 2
    assert asked(app(server, local=False), tags="v*", gate=gate).names
    server.fail_first = 100
    with pytest.raises(RepositoryUnreadable, match="503"):
        asked(app(server, local=False), tags="v*", gate=gate)
    server.fail_first = 0
    with pytest.raises(RepositoryUnreadable, match="not a git repository"):
        asked(Source("x", str(tmp_path)), tags="v*")


def test_a_host_that_is_too_busy_rests_for_every_worker(server: Server, database, tmp_path: Path) -> None:
    server.fail_first = 1
    row = scan_repository(app(server, local=False), database=database, gate=HostGate(tmp_path / "gate", 1))
    assert row.status == "scanned"
    assert len(list((tmp_path / "gate").rglob("rests"))) == 1


@pytest.mark.parametrize("per_host", [1, 2])
def test_heads_and_fetches_hold_the_places_of_their_host(
    server: Server, database, tmp_path: Path, per_host: int
) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def answer(_method: str, _path: str) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1

    server.answer = answer
    gate, source = HostGate(tmp_path / "gate", per_host), app(server, local=False)
    assert heads_of([source] * 6, gate=gate).count(None) == 0
    with ThreadPoolExecutor(6) as pool:
        rows = list(pool.map(lambda _: scan_repository(source, database=database, gate=gate), range(6)))
    assert {row.status for row in rows} == {"scanned"}
    assert most <= per_host


@pytest.fixture
def private(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    server.login = f"x-access-token:{TOKEN}"
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    return server


def row_with(server: Server, database, *tokens: HostToken):
    return scan_repository(
        app(server, local=False), database=database, credentials=Credentials(tokens=tokens)
    )


def test_a_token_answers_for_its_own_host(private: Server, database) -> None:
    own = HostToken(private.url, "GITHUB_TOKEN", "x-access-token")
    row = row_with(private, database, own)
    assert (row.status, row.error, len(row.findings)) == ("scanned", None, 1)
    wanted = matching(["v*"], "--tags")
    found = refs_of(app(private, local=False), None, wanted, Credentials(tokens=(own,)), Limits(), HostGate())
    assert found.names


@pytest.mark.parametrize(
    "tokens",
    [
        [],
        [("https://127.0.0.1", "GITHUB_TOKEN", "x-access-token")],
        [("http://localhost:{port}", "GITHUB_TOKEN", "x-access-token")],
        [("http://127.0.0.1:1", "GITHUB_TOKEN", "x-access-token")],
        [("http://127.0.0.1:{port}", "GITLAB_TOKEN", "x-access-token")],
        [("http://127.0.0.1:{port}", "HOME", "x-access-token")],
        [("http://127.0.0.1:{port}", "GITHUB_TOKEN", "x;id")],
        [("http://127.0.0.1:{port}.helper=!id #", "GITHUB_TOKEN", "x-access-token")],
    ],
    ids=["none", "scheme", "name", "port", "variable", "no-token", "user", "origin"],
)
def test_nobody_else_gets_an_answer(private: Server, database, tokens: list[tuple[str, str, str]]) -> None:
    given = [HostToken(origin.format(port=private.port), *rest) for origin, *rest in tokens]
    row = row_with(private, database, *given)
    assert row.status == "failed"
    assert row.error and "--use-token" in row.error
    assert TOKEN not in str(row)


def test_a_redirect_does_not_take_the_token_along(private: Server, database, tmp_path: Path) -> None:
    with serve(tmp_path / "srv") as other:
        other.login = private.login
        private.answer = lambda _method, path: Answer(302, headers={"Location": other.url + path})
        private.login = ""
        row = row_with(private, database, HostToken(private.url, "GITHUB_TOKEN", "x-access-token"))
        assert row.status == "failed"
        assert other.requests


def test_the_token_is_in_no_command_line(private: Server, database, monkeypatch: pytest.MonkeyPatch) -> None:
    import git as gitpython

    seen: list[str] = []
    real = gitpython.Git.execute

    def execute(self, command, **more):
        seen.append(str(command))
        return real(self, command, **more)

    monkeypatch.setattr(gitpython.Git, "execute", execute)
    assert row_with(private, database, HostToken(private.url, "GITHUB_TOKEN", "x-access-token")).findings
    assert any("GITHUB_TOKEN" in command for command in seen)
    assert not any("tok-3n" in command for command in seen)
