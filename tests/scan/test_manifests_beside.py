"""Manifests are read together with their lockfiles, from real git, and never make a scan worse."""

import json

import pytest
from githttp import serve

from cortex_git.scan.cache import ScanCache
from cortex_git.scan.lockfiles.beside import MAX_BELOW, Manifests
from cortex_git.scan.reading import Limits
from cortex_git.scan.scanner import scan_repository
from cortex_git.scan.sources import Source

YARN = '# yarn lockfile v1\n\n\nminimist@^1.2.0:\n  version "1.2.0"\n\nmocha@9:\n  version "9.0.0"\n'
ROOT = json.dumps({"workspaces": ["packages/*"], "devDependencies": {"mocha": "9"}})
MEMBER = json.dumps({"dependencies": {"minimist": "^1.2.0"}})
DEV_MEMBER = json.dumps({"devDependencies": {"minimist": "^1.2.0"}})


def scan(repo, database, **more):
    return scan_repository(Source("r", str(repo)), database=database, **more)


def origin(row):
    (finding,) = row.findings
    return (finding.direct, finding.dev, finding.via)


def test_workspaces_are_found_and_remembered_by_their_content(make_repository, database, tmp_path):
    cache = ScanCache(tmp_path / "cache")
    files = {"yarn.lock": YARN, "package.json": ROOT, "packages/web/package.json": DEV_MEMBER}
    repo = make_repository(files)
    assert origin(scan(repo, database, cache=cache)) == (True, True, ())
    assert origin(scan(repo, database, cache=ScanCache(tmp_path / "cache"))) == (True, True, ())
    make_repository(files | {"packages/api/package.json": MEMBER})
    assert origin(scan(repo, database, cache=cache)) == (True, False, ()), "a manifest more"
    make_repository(files | {"packages/web/package.json": "{}"})
    assert origin(scan(repo, database, cache=cache)) == (False, None, ()), "another manifest"
    make_repository(files)
    assert origin(scan(repo, database, cache=cache)) == (True, True, ())


def test_what_was_remembered_is_read_without_its_manifests(make_repository, database, tmp_path, monkeypatch):
    files = {"yarn.lock": YARN, "package.json": ROOT, "packages/web/package.json": MEMBER}
    repo = make_repository(files)
    first = scan(repo, database, cache=ScanCache(tmp_path / "cache"))
    read = []
    monkeypatch.setattr("cortex_git.scan.packages.read_lockfile", lambda path, *_: read.append(path))
    again = scan(repo, database, cache=ScanCache(tmp_path / "cache"))
    assert read == []
    assert again.findings == first.findings


@pytest.mark.parametrize("content", ["{", "[]", "\x00", "", '{"workspaces": 3}'], ids=range(5))
def test_a_manifest_that_cannot_be_read_is_no_gap(make_repository, database, content):
    repo = make_repository({"yarn.lock": YARN, "package.json": content})
    row = scan(repo, database)
    assert (row.status, len(row.findings), row.not_scanned) == ("scanned", 1, ())


def test_a_manifest_that_is_too_large_or_a_link_is_no_gap(make_repository, database, git):
    repo = make_repository({"yarn.lock": YARN, "package.json": " " * 200_000 + ROOT})
    row = scan(repo, database, limits=Limits(lockfile_bytes=100_000))
    assert (row.status, len(row.findings), row.not_scanned) == ("scanned", 1, ())
    link = b"commit refs/heads/main\ncommitter t <t@example.invalid> 1700000001 +0000\ndata 1\nx\n"
    link += b"from refs/heads/main^0\nM 120000 inline package.json\ndata 11\n/etc/passwd\n"
    git(repo, "fast-import", "--quiet", "--force", stdin=link)
    row = scan(repo, database)
    assert (row.status, len(row.findings), row.not_scanned) == ("scanned", 1, ())


def test_manifests_of_a_remote_repository_come_in_the_same_requests(make_repository, database, git, tmp_path):
    files = {"yarn.lock": YARN, "README": "x"}
    manifests = {"package.json": ROOT, "packages/web/package.json": DEV_MEMBER}
    for name, content in (("bare", files), ("full", files | manifests)):
        path = make_repository(content, f"srv/{name}.git", bare=True)
        git(path, "config", "uploadpack.allowFilter", "true")
    with serve(tmp_path / "srv") as server:
        asked = {}
        for name, expected in (("bare", (None, None, ())), ("full", (True, True, ()))):
            before = len(server.requests)
            row = scan_repository(Source(name, f"{server.url}/{name}.git"), database=database)
            assert (row.status, row.error) == ("scanned", None)
            assert origin(row) == expected
            asked[name] = len(server.requests) - before
        assert asked["bare"] == asked["full"]


def test_a_hostile_number_of_manifests_is_cut(make_repository, database):
    files = {f"packages/{n:04}/package.json": MEMBER for n in range(1_200)}
    row = scan(make_repository(files | {"yarn.lock": YARN, "package.json": ROOT}), database)
    assert (row.status, origin(row)) == ("scanned", (True, False, ()))


def test_only_the_manifests_below_a_lockfile_are_its_own():
    paths = {
        *(
            "yarn.lock",
            "package.json",
            "a/package.json",
            "a/b/package.json",
            "a/yarn.lock",
            "ab/package.json",
        ),
        *("node_modules/x/package.json", "vendor/package.json", "a/Cargo.toml", "z/packages.json"),
    }
    manifests = Manifests(paths)
    assert manifests.of("yarn", "yarn.lock") == (
        *("package.json", "a/b/package.json", "a/package.json"),
        "ab/package.json",
    )
    assert manifests.of("yarn", "a/yarn.lock") == ("a/package.json", "a/b/package.json")
    assert manifests.of("cargo", "Cargo.lock") == ("Cargo.toml", "a/Cargo.toml")
    assert manifests.of("npm", "q/package-lock.json") == ("q/package.json",)
    assert manifests.of("go", "go.mod") == manifests.of("", "x") == ()
    assert manifests.listing("yarn", "yarn.lock") != Manifests(paths - {"ab/package.json"}).listing(
        "yarn", "yarn.lock"
    )
    many = Manifests([f"{n:05}/package.json" for n in range(2 * MAX_BELOW)])
    assert len(many.below("yarn", "yarn.lock")) == MAX_BELOW
