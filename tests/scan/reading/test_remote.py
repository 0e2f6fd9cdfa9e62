"""Fetching over HTTP and the git protocol: only what is needed, with fall-backs, retries and refusals."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from githttp import Server, serve

from cortex_git.scan.reading import Limits, NoCommit, RepositoryUnreadable, open_repository
from cortex_git.scan.reading import remote as remote_module
from cortex_git.scan.records import RepositoryScan
from cortex_git.scan.scanner import scan_repository
from cortex_git.scan.sources import Credentials, Source, parse_source

FILES = {
    "requirements.txt": "-r deep/base.in\n",
    "deep/base.in": "jinja2==2.10 --hash=sha256:0\n",
    "big.bin": bytes(range(256)) * 4000,
    "src/main.py": "print()\n",
}


@pytest.fixture
def server(make_repository, tmp_path, git) -> Iterator[Server]:
    path = make_repository(FILES, "srv/app.git", bare=True)
    git(path, "config", "uploadpack.allowFilter", "true")
    with serve(tmp_path / "srv") as running:
        yield running


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(remote_module, "FIRST_PAUSE_S", 0.01)


def source(server: Server, ref: str | None = None) -> Source:
    return Source("app", f"{server.url}/app.git", ref)


def objects_here(snapshot) -> set[str]:
    out = snapshot.git.text("cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)")
    return {oid for kind, oid in (line.split() for line in out.splitlines()) if kind == "blob"}


def test_only_the_lockfile_blobs_are_fetched(server, git):
    with open_repository(source(server)) as snapshot:
        assert objects_here(snapshot) == set()
        assert dict(snapshot.read(["requirements.txt"])) == {"requirements.txt": b"-r deep/base.in\n"}
        assert objects_here(snapshot) == {snapshot.oid("requirements.txt")}
        assert snapshot.commit == git(server.root / "app.git", "rev-parse", "HEAD")
        assert set(snapshot.entries) == set(FILES)


def test_included_files_are_fetched_in_a_second_round(server, database):
    row = scan_repository(source(server), database=database)
    assert (row.status, row.error) == ("scanned", None)
    assert [finding.lockfile for finding in row.findings] == ["deep/base.in"]


def test_a_server_without_filters_gets_the_plain_fetch(server, database, git):
    git(server.root / "app.git", "config", "uploadpack.allowFilter", "false")
    assert scan_repository(source(server), database=database).findings


def test_a_server_that_refuses_single_objects_is_asked_for_everything(server, database, git):
    server.protocol = False
    row = scan_repository(source(server), database=database)
    assert (row.status, row.error) == ("scanned", None)
    assert row.findings


def test_a_ref_a_tag_and_a_commit_can_be_named(server, database, git, make_repository):
    git(server.root / "app.git", "tag", "-a", "-m", "x", "v1", "main")
    old = git(server.root / "app.git", "rev-parse", "main")
    make_repository({"requirements.txt": "jinja2==3.1.4\n"}, "srv/app.git")
    assert not scan_repository(source(server), database=database).findings
    assert scan_repository(source(server, "v1"), database=database).commit == old
    assert scan_repository(source(server, old), database=database).findings


def test_sha256_over_the_wire(server, tmp_path, git, database):
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "-q", "--object-format=sha256")
    (work / "requirements.txt").write_text("jinja2==2.10 --hash=sha256:0\n")
    git(work, "add", ".")
    git(work, "commit", "-qm", "x")
    git(tmp_path, "clone", "-q", "--bare", "work", "srv/long.git")
    row = scan_repository(Source("long", f"{server.url}/long.git"), database=database)
    assert (row.error, row.status, len(row.findings)) == (None, "scanned", 1)


def test_passing_failures_are_tried_again(server, database):
    server.fail_first = 2
    assert scan_repository(source(server), database=database).status == "scanned"


def test_lasting_failures_end_after_three_tries(server, database):
    server.fail_first = 100
    row = scan_repository(source(server), database=database)
    assert row.status == "failed"
    assert row.error and "503" in row.error and "--askpass" in row.error
    assert len(server.requests) == 3


def test_nobody_listening_is_a_failed_row(database):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    row = scan_repository(Source("x", f"http://127.0.0.1:{port}/x"), database=database)
    assert row.status == "failed" and row.error


def test_a_silent_server_costs_the_time_limit(server, database):
    server.hang = True
    row = scan_repository(source(server), database=database, limits=Limits(time_s=1.0))
    assert (row.status, row.error) == ("failed", "app did not answer within 1 s: try again later")


def test_missing_refs_and_empty_repositories(server, git, tmp_path):
    missing = "no branch or tag is called 'nosuch'"
    with pytest.raises(RepositoryUnreadable, match=missing), open_repository(source(server, "nosuch")):
        pass
    git(tmp_path, "init", "-q", "--bare", "srv/empty.git")
    with pytest.raises(NoCommit), open_repository(Source("empty", f"{server.url}/empty.git")):
        pass


def test_no_redirect_leads_to_a_local_file(server, make_repository, database):
    secret = make_repository({"requirements.txt": "jinja2==2.10 --hash=sha256:0\n"}, "secret")
    server.redirect = f"file://{secret}/.git/info/refs"
    row = scan_repository(source(server), database=database)
    assert row.status == "failed"
    assert not row.findings


@pytest.mark.parametrize("url", ["file://{path}", "ext::sh -c 'touch {path}/canary; exit 1'", "{path}"])
def test_the_transports_that_are_not_allowed_do_not_work_even_if_asked(tmp_path, make_repository, url):
    path = make_repository({"requirements.txt": "x==1\n"})
    given = Source("x", url.format(path=path))
    limits = Limits(time_s=10)
    remote = remote_module.Remote(given, _folder(tmp_path), Credentials(), limits, remote_module.Deadline(10))
    with pytest.raises(RepositoryUnreadable, match="not allowed"):
        remote.fetch_commit()
    assert not (path / "canary").exists()


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    return folder


def test_the_callers_own_allow_list_is_not_taken_over(tmp_path, make_repository, monkeypatch):
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "ext:file")
    path = make_repository({"requirements.txt": "x==1\n"})
    remote = remote_module.Remote(
        Source("x", f"ext::touch {path}/canary"),
        _folder(tmp_path),
        Credentials(),
        Limits(),
        remote_module.Deadline(10),
    )
    with pytest.raises(RepositoryUnreadable):
        remote.fetch_commit()
    assert not (path / "canary").exists()


def test_credentials_come_only_from_the_program_that_was_named(server, database, tmp_path, monkeypatch):
    server.login = "me:secret"
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (home / ".gitconfig").write_text('[credential]\nhelper = "!echo username=me; echo password=secret; :"\n')
    monkeypatch.setenv("HOME", str(home))
    tool = tmp_path / "answer"
    tool.write_text('#!/bin/sh\ncase "$1" in User*) echo me;; *) echo secret;; esac\n')
    tool.chmod(0o755)
    monkeypatch.setenv("GIT_ASKPASS", str(tool))
    monkeypatch.setenv("SSH_ASKPASS", str(tool))
    refused = scan_repository(source(server), database=database)
    assert refused.status == "failed"
    assert refused.error and "secret" not in refused.error
    for credentials in (
        Credentials(askpass=str(tool)),
        Credentials(helper=f"!test $HOME = '{home}' && echo username=me && echo password=secret; :"),
    ):
        row = scan_repository(source(server), database=database, credentials=credentials)
        assert (row.status, row.error) == ("scanned", None)


def test_a_named_helper_reads_the_users_own_files(server, database, tmp_path, monkeypatch):
    server.login = "me:secret"
    home = tmp_path / "home"
    home.mkdir()
    (home / ".git-credentials").write_text(server.url.replace("//", "//me:secret@") + "\n")
    monkeypatch.setenv("HOME", str(home))
    row = scan_repository(source(server), database=database, credentials=Credentials(helper="store"))
    assert (row.status, row.error) == ("scanned", None)


def test_user_info_reaches_no_error(server, database):
    given = Source("app", server.url.replace("//", "//me:secret@") + "/absent.git")
    row = scan_repository(given, database=database)
    assert row.error and "secret" not in row.error and "me@" not in row.error


def test_a_download_is_bounded_on_disk(server, database, make_repository):
    import random

    noise = random.Random(1).randbytes(3_000_000)
    make_repository({"requirements.txt": noise, "poetry.lock": "package = []\n"}, "srv/app.git")
    row = scan_repository(source(server), database=database, limits=Limits(download_bytes=1_000_000))
    assert row.status == "incomplete"
    text = " ".join(gap.reason for gap in row.not_scanned)
    assert "the download passed the limit of 1,000,000 bytes" in text


SCAN_OVER_SSH = """
import json, re, sys
from pathlib import Path
from cortex_git.runners import scan
row = scan.scan_row(json.load(sys.stdin))
# Not ru_maxrss: a process takes that over from the one that started it, here a large pytest.
peak = int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
print(json.dumps([row, peak * 1024]))
"""


@pytest.fixture
def over_ssh(database, tmp_path):
    """Scans in a process whose ssh is a script, which gets the remote command as its last argument."""

    def run(url: str, script: str) -> tuple[RepositoryScan, int]:
        ssh = tmp_path / "ssh"
        ssh.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\nfor last; do :; done\n{script}\n')
        ssh.chmod(0o755)
        given = parse_source(url)
        payload = {"repo": given.repo, "url": given.url, "ref": given.ref, "database": str(database.path)}
        out = subprocess.run(
            [sys.executable, "-c", SCAN_OVER_SSH],
            input=json.dumps(payload),
            env={
                **os.environ,
                "GIT_SSH_COMMAND": str(ssh),
                "GIT_SSH_VARIANT": "ssh",
                "PYTHONPATH": str(Path(__file__).parents[3]),
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        row, peak = json.loads(out.stdout)
        return RepositoryScan.from_json(row), peak

    return run


@pytest.mark.parametrize("form", ["ssh://me@h.example{path}", "me@h.example:{path}@main"])
def test_over_ssh(server, over_ssh, tmp_path, form):
    row, _ = over_ssh(form.format(path=server.root / "app.git"), 'unset GIT_DIR; eval "exec $last"')
    assert (row.status, row.error, len(row.findings)) == ("scanned", None, 1)
    assert row.repo in (f"ssh://h.example{server.root}/app.git", f"h.example:{server.root}/app.git")
    assert "me@h.example" in (tmp_path / "asked").read_text()


def test_a_server_that_writes_messages_without_end(server, over_ssh):
    row, peak = over_ssh(f"me@h.example:{server.root}/app.git", "exec yes spam >&2")
    assert row.status == "failed"
    assert row.error and "messages without end" in row.error
    assert peak < 200_000_000


def test_over_the_git_protocol(server, database):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["git", "daemon", "--listen=127.0.0.1", f"--port={port}", "--export-all"]
    daemon = subprocess.Popen([*command, f"--base-path={server.root}", "--reuseaddr"], start_new_session=True)
    try:
        _wait_for(port)
        row = scan_repository(parse_source(f"git://127.0.0.1:{port}/app.git"), database=database)
    finally:
        daemon.terminate()
        daemon.wait()
    assert (row.status, row.error, len(row.findings)) == ("scanned", None, 1)


def _wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("git daemon did not start")
