"""Which commit a repository is at: as a scan itself would say, or nothing, whatever its refs look like."""

import os
import shutil
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from githttp import serve

from cortex_git.gitio import Git
from cortex_git.scan.reading import heads, open_repository
from cortex_git.scan.reading.heads import heads_of, plain_head
from cortex_git.scan.sources import Source

MakeRepository = Callable[..., Path]
RunGit = Callable[..., str]


def source(path: Path, ref: str | None = None) -> Source:
    return Source(str(path), str(path), ref)


def scanned(path: Path, ref: str | None = None) -> str:
    """The commit that a scan reads."""
    with open_repository(source(path, ref)) as snapshot:
        return snapshot.commit


@pytest.fixture
def repository(make_repository: MakeRepository, git: RunGit) -> Path:
    """Two commits on `main`, a branch, tags of both kinds, and one name that is a tag and a branch."""
    path = make_repository({"a.txt": "1"}, checkout=True)
    git(path, "branch", "team/old")
    git(path, "branch", "both")
    make_repository({"a.txt": "2"}, checkout=True)
    git(path, "tag", "light")
    git(path, "tag", "both")
    git(path, "tag", "-a", "-m", "x", "heavy")
    return path


REFS = [None, "HEAD", "main", "team/old", "refs/heads/main", "heads/main", "light", "both"]


@pytest.mark.parametrize("ref", REFS, ids=str)
@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
def test_plain_refs_are_read_as_git_reads_them(
    repository: Path, git: RunGit, ref: str | None, packed: bool
) -> None:
    if packed:
        git(repository, "pack-refs", "--all")
    assert plain_head(source(repository, ref)) == scanned(repository, ref)


def test_no_process_is_started_for_plain_refs(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object, **__: object) -> None:
        raise AssertionError("git was started")

    monkeypatch.setattr(Git, "start", start)
    assert heads_of([source(repository), source(repository, "team/old")]).count(None) == 0


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
def test_an_annotated_tag_is_never_taken_for_another_commit(
    repository: Path, git: RunGit, packed: bool
) -> None:
    if packed:
        git(repository, "pack-refs", "--all")
    assert plain_head(source(repository, "heavy")) in (
        scanned(repository, "heavy"),
        git(repository, "rev-parse", "heavy"),
    )


def test_a_loose_ref_counts_before_the_packed_one(
    repository: Path, make_repository: MakeRepository, git: RunGit
) -> None:
    git(repository, "pack-refs", "--all")
    before = plain_head(source(repository))
    make_repository({"a.txt": "3"}, checkout=True)
    assert plain_head(source(repository)) == scanned(repository) != before


def test_a_detached_head(repository: Path, git: RunGit) -> None:
    git(repository, "checkout", "-q", "team/old")
    git(repository, "checkout", "-q", "--detach")
    assert plain_head(source(repository)) == scanned(repository) == git(repository, "rev-parse", "team/old")


def test_a_linked_worktree_has_a_head_of_its_own(repository: Path, git: RunGit, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", str(tmp_path / "linked"), "team/old")
    assert (
        plain_head(source(tmp_path / "linked"))
        == scanned(tmp_path / "linked")
        != plain_head(source(repository))
    )


def test_a_bare_and_a_shallow_clone(repository: Path, git: RunGit, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repository), "bare.git")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "shallow")
    expected = [scanned(repository)] * 2
    assert [plain_head(source(tmp_path / name)) for name in ("bare.git", "shallow")] == expected


def test_a_dirty_work_tree_and_index_change_nothing(repository: Path, git: RunGit) -> None:
    before = plain_head(source(repository))
    (repository / "a.txt").write_text("changed")
    git(repository, "add", ".")
    assert plain_head(source(repository)) == before == scanned(repository)


def test_a_commit_id_is_asked_of_git(repository: Path, git: RunGit) -> None:
    commit = git(repository, "rev-parse", "team/old")
    assert plain_head(source(repository, commit)) is None
    assert heads_of([source(repository, commit), source(repository, "1" * 40)]) == [commit, None]


def test_a_symbolic_link_for_a_ref_is_asked_of_git(repository: Path) -> None:
    ref = repository / ".git/refs/heads/linked"
    ref.symlink_to("refs/heads/main")
    assert plain_head(source(repository, "linked")) is None
    assert heads_of([source(repository, "linked")]) == [scanned(repository, "linked")]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"ref: refs/../../../secret\n", b"ref: ../HEAD\n", b"ref: refs/heads/a..b\n", b"ref: HEAD\n",
        b"ref: refs/heads/absent\n", b"ref: refs/worktree/x\n", b"1234\n", b"g" * 40, b"0" * 41,
        b"a" * 40 + b"\n" + b"b" * 40 + b"\n", b"ref: refs/heads/.lock/x\n", b"ref: refs/heads/x\0y\n",
    ],
    ids=lambda content: content[:24].decode("utf-8", "replace").strip() or "empty",
)  # fmt: skip
def test_a_hostile_head_names_nothing(repository: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_text("c" * 40)
    (repository / ".git/HEAD").write_bytes(content)
    assert heads_of([source(repository)]) == [None]


def test_refs_that_name_each_other_end(repository: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (repository / f".git/refs/heads/{name}").write_text(f"ref: refs/heads/{other}\n")
    assert heads_of([source(repository, "a")]) == [None]


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(repository: Path) -> None:
    (repository / ".git/HEAD").unlink()
    os.mkfifo(repository / ".git/HEAD")
    assert heads_of([source(repository)]) == [None]


def test_packed_refs_beyond_the_limit_are_left_to_git(
    repository: Path, git: RunGit, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(repository, "pack-refs", "--all")
    monkeypatch.setattr(heads, "_MAX_PACKED", 100)
    assert plain_head(source(repository)) is None
    assert heads_of([source(repository)]) == [scanned(repository)]


def test_what_is_no_repository_costs_only_its_own_answer(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    places = [tmp_path / "absent", tmp_path / "empty", repository]
    assert heads_of([source(place) for place in places]) == [None, None, scanned(repository)]


def test_a_repository_replaced_at_the_same_path_has_another_head(
    repository: Path, make_repository: MakeRepository
) -> None:
    before = plain_head(source(repository))
    shutil.rmtree(repository)
    make_repository({"b.txt": "other"}, checkout=True)
    assert plain_head(source(repository)) not in (None, before)


class _Endless(BaseHTTPRequestHandler):
    """A server whose list of refs has no end."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
        self.end_headers()
        line = b"003f" + b"a" * 40 + b" refs/heads/" + b"x" * 6 + b"\n"
        try:
            self.wfile.write(b"001e# service=git-upload-pack\n0000")
            for _ in range(20_000_000):
                self.wfile.write(line)
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        return


def test_a_remote_is_asked_and_one_that_lies_or_is_away_names_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heads, "ANSWER_S", 3.0)
    server = HTTPServer(("127.0.0.1", 0), _Endless)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/x.git"
        away = "http://127.0.0.1:9/x.git"
        assert heads_of([Source(address, address), Source(away, away)]) == [None, None]
    finally:
        server.shutdown()
        server.server_close()


def test_refs_of_one_remote_are_asked_for_together(
    repository: Path, git: RunGit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "REFS_AT_ONCE", 2)
    bare = tmp_path / "served/app.git"
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(bare))
    refs = git(bare, "for-each-ref", "--format=%(refname)").split()
    asked: list[str] = []

    def heard(_method: str, path: str) -> None:
        asked.append(path)

    with serve(tmp_path / "served") as server:
        address, server.answer = f"{server.url}/app.git", heard
        named = [Source(address, address, ref) for ref in (*refs, "refs/heads/gone", None)]
        expected = [git(bare, "rev-parse", f"{ref}^{{commit}}") for ref in (*refs, "HEAD")]
        assert heads_of(named) == [*expected[:-1], None, expected[-1]]
        assert sum("info/refs" in path for path in asked) == -(-(len(refs) + 1) // 2) + 1


@pytest.mark.parametrize(
    "ref", [None, "main", "team/old", "light", "heavy", "both", "refs/heads/main"], ids=str
)
def test_a_remote_says_the_commit_that_a_scan_of_it_reads(
    repository: Path, git: RunGit, tmp_path: Path, ref: str | None
) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repository), "served/app.git")
    with serve(tmp_path / "served") as server:
        address = f"{server.url}/app.git"
        remote = Source(address, address, ref)
        with open_repository(remote) as snapshot:
            assert heads_of([remote]) == [snapshot.commit]


def test_a_host_that_lets_us_wait_is_asked_no_more_after_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def hang(source: Source, refs: list[str | None], *_: object) -> list[str | None]:
        asked.append(source.url)
        if "slow" not in source.url:
            return ["1" * 40]
        time.sleep(0.02)
        return [None] * len(refs)

    monkeypatch.setattr(heads, "_asked", hang)
    monkeypatch.setattr(heads, "ANSWER_S", 0.02)
    monkeypatch.setattr(heads, "MOST_AT_ONCE", 1)
    urls = [*(f"https://slow.test/{n}" for n in range(9)), "https://other.test/a"]
    found = heads_of([Source(url, url) for url in urls])
    assert asked == [*urls[:3], urls[-1]]
    assert found == [None] * 9 + ["1" * 40]


def test_whoever_was_not_asked_in_time_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "MOST_S", 0.0)
    monkeypatch.setattr(heads, "_asked", lambda *_: pytest.fail("asked"))
    assert heads_of([Source(url, url) for url in ("https://a.test/1", "https://b.test/1")]) == [None, None]
