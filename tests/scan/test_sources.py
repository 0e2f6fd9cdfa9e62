"""How repositories are written down, and what is refused before git sees it."""

import io
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from cortex_git.errors import BadInput
from cortex_git.scan.sources import (
    Source,
    checked_source,
    checkouts,
    find_checkouts,
    parse_source,
    read_repos_file,
    without_duplicates,
)


@pytest.mark.parametrize(
    ("text", "repo", "url", "ref"),
    [
        ("https://h.example/a/b.git", "https://h.example/a/b.git", "https://h.example/a/b.git", None),
        ("https://h.example/a/b@v1.2", "https://h.example/a/b", "https://h.example/a/b", "v1.2"),
        ("https://h.example/a/b@feature/x", "https://h.example/a/b", "https://h.example/a/b", "feature/x"),
        ("https://token@h.example/a", "https://h.example/a", "https://h.example/a", None),
        (
            "HTTPS://h.example:8443/@scope/b",
            "https://h.example:8443/@scope/b",
            "https://h.example:8443/@scope/b",
            None,
        ),
        ("ssh://git@h.example:22/a@main", "ssh://h.example:22/a", "ssh://git@h.example:22/a", "main"),
        ("git@h.example:a/b.git", "h.example:a/b.git", "git@h.example:a/b.git", None),
        ("git@h.example:a/b.git@main", "h.example:a/b.git", "git@h.example:a/b.git", "main"),
        ("h.example:a", "h.example:a", "h.example:a", None),
        ("git://h.example/a", "git://h.example/a", "git://h.example/a", None),
        ("file:///srv/a%20b.git@dev", "file:///srv/a b.git", "/srv/a b.git", "dev"),
        ("file://localhost/srv/a", "file:///srv/a", "/srv/a", None),
        ("/srv/a@dev", "/srv/a", "/srv/a", "dev"),
        ("/srv/@scope/a", "/srv/@scope/a", "/srv/@scope/a", None),
        ("../x", "../x", "/base/x", None),
        ("a/./b/../c", "a/./b/../c", "/base/here/a/c", None),
        ("~/x", "~/x", "/home/me/x", None),
    ],
)
def test_ways_to_write_a_repository(monkeypatch, text, repo, url, ref):
    monkeypatch.setenv("HOME", "/home/me")
    assert parse_source(text, Path("/base/here")) == Source(repo, url, ref)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "empty"),
        ("ext::sh -c id", "helper program"),
        ("fd::7", "helper program"),
        ("--upload-pack=touch x", "option"),
        ("ssh://-oProxyCommand=id/x", "names no repository"),
        ("-oProxyCommand=id:x", "option"),
        ("git@-oProxyCommand=id:x", "option"),
        ("ssh://-l@h.example/x", "account name"),
        ("https://h.example/a\nb", "control characters"),
        ("/tmp/\x1b[31mx", "control characters"),
        ("ftp://h.example/a", "ftp:// is not a way"),
        ("https://h.example", "names no repository"),
        ("https:///a", "names no repository"),
        ("file://h.example/a", "not on this machine"),
        ("https://me:secret@h.example/a", "password"),
        ("ssh://me:secret@h.example/a", "password"),
        ("https://h.example/a@--upload-pack", "not a branch"),
        ("https://h.example/a@x..y", "not a branch"),
        ("https://h.example/a@+main:refs/x", "not a branch"),
        ("~nosuchuserhere/x", "unknown user"),
        ("x" * 5000, "5,000 characters"),
        ("https://h.example/a.git?private_token=secret", "query or fragment"),
        ("https://h.example?private_token=secret", "query or fragment"),
        ("https://h.example/a@main?private_token=secret", "query or fragment"),
        ("ssh://git@h.example/a#access_token=secret", "query or fragment"),
        ("file:///srv/a?x=secret", "query or fragment"),
        ("git@h.example:a?private_token=secret", "query or fragment"),
        ("h.example/a.git?private_token=secret", "query or fragment"),
        ("https://me:secret@h.example/a\nb", "control characters"),
        ("-https://me:secret@h.example/?x=secret", "option"),
    ],
)
def test_what_git_must_not_get_is_refused(text, what):
    with pytest.raises(BadInput) as caught:
        parse_source(text, Path("/base"))
    assert what in caught.value.message
    assert caught.value.hint
    assert "secret" not in str(caught.value)


def test_an_at_sign_in_an_existing_path_is_no_ref(tmp_path):
    (tmp_path / "c#?d=1").mkdir()
    assert parse_source("c#?d=1", tmp_path).local  # a folder may be called anything
    (tmp_path / "a@b").mkdir()
    assert parse_source("a@b", tmp_path) == Source("a@b", str(tmp_path / "a@b"))
    assert parse_source("a@b@main", tmp_path) == Source("a@b", str(tmp_path / "a@b"), "main")
    (tmp_path / "h:x").mkdir()
    assert parse_source("h:x", tmp_path).local


@pytest.mark.parametrize(
    "url", ["ext::id", "-x", "relative/path", "https://me@h.example/a", "https://h.example/a@v1", "file:///a"]
)
def test_a_stored_address_is_checked_again(url):
    with pytest.raises(BadInput):
        checked_source("shown", url, None)
    with pytest.raises(BadInput):
        checked_source("shown", "/srv/a", "--output=x")


def test_a_stored_address_that_was_parsed_is_taken():
    for text in ("git@h.example:a@main", "ssh://git@h.example/a", "/srv/a", "https://h.example/a"):
        source = parse_source(text, Path("/"))
        assert checked_source(source.repo, source.url, source.ref) == source


def test_repositories_file(tmp_path, monkeypatch):
    content = "\ufeff# ours\n\nhttps://h.example/a  # first\n  sub/b@dev\nhttps://h.example/a\nhttps://h.example/a@v1\n"
    (tmp_path / "repos.txt").write_text(content)
    expected = [
        Source("https://h.example/a", "https://h.example/a"),
        Source("sub/b", str(tmp_path / "sub/b"), "dev"),
        Source("https://h.example/a", "https://h.example/a", "v1"),
    ]
    assert read_repos_file(str(tmp_path / "repos.txt")) == expected
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content.encode())))
    assert read_repos_file("-") == expected


def test_errors_of_a_repositories_file_name_the_line(tmp_path):
    file = tmp_path / "repos.txt"
    file.write_text("a\n\next::x\n")
    with pytest.raises(BadInput, match=r"repos\.txt:3: .*helper program"):
        read_repos_file(str(file))
    file.write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(BadInput, match="not UTF-8"):
        read_repos_file(str(file))
    with pytest.raises(BadInput, match="No such file"):
        read_repos_file(str(tmp_path / "absent"))


def test_duplicates_keep_the_first_place():
    a, b = Source("a", "/a"), Source("b", "/b")
    assert without_duplicates([a, b, Source("./a", "/a"), Source("a", "/a", "v1")]) == [
        a,
        b,
        Source("a", "/a", "v1"),
    ]


def test_checkouts_below_a_folder(make_repository, git, monkeypatch, tmp_path):
    make_repository({"x": "x"}, "top/one", checkout=True)
    make_repository({"x": "x"}, "top/one/inner")
    make_repository({"x": "x"}, "top/group/two.git", bare=True)
    git(tmp_path / "top/one", "worktree", "add", "-q", str(tmp_path / "top/tree"))
    (tmp_path / "top/plain/deeper").mkdir(parents=True)
    (tmp_path / "top/link").symlink_to(tmp_path / "top/group")
    (tmp_path / "top/loop").symlink_to(tmp_path / "top")
    (tmp_path / "away").mkdir()
    (tmp_path / "top/away").symlink_to(tmp_path / "away")
    (tmp_path / "top/one/node_modules/x/.git").mkdir(parents=True)
    found = find_checkouts(tmp_path / "top")
    names = [os.path.relpath(source.url, tmp_path / "top") for source in found.sources]
    assert names == ["group/two.git", "one", "tree"]
    assert found.not_scanned == []
    assert (found.inside, found.more_inside) == ([str(tmp_path / "top/one/inner")], False)
    assert found.links == [str(tmp_path / "top/away")]  # the others lead to what is found anyway
    monkeypatch.setattr(checkouts, "MOST_INSIDE", 0)
    assert find_checkouts(tmp_path / "top").more_inside
    assert [source.url for source in find_checkouts(tmp_path / "top/one").sources] == [
        str(tmp_path / "top/one")
    ]


def test_an_unreadable_folder_is_not_passed_over_in_silence(monkeypatch, tmp_path):
    (tmp_path / "locked").mkdir()
    real = os.scandir

    def scandir(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = find_checkouts(tmp_path)
    assert [(gap.what, gap.reason) for gap in found.not_scanned] == [
        (str(tmp_path / "locked"), "the folder cannot be read (Permission denied)")
    ]


def test_a_path_that_is_no_text_costs_only_itself(tmp_path):
    try:
        (tmp_path / "caf\udce9/.git").mkdir(parents=True)
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    (tmp_path / "fine/.git").mkdir(parents=True)
    found = find_checkouts(tmp_path)
    assert [source.url for source in found.sources] == [str(tmp_path / "fine")]
    assert [(gap.what, gap.reason) for gap in found.not_scanned] == [
        (f"{tmp_path}/caf\\xe9", "its path is not valid UTF-8; rename the folder")
    ]


def test_a_root_that_is_no_folder(tmp_path):
    with pytest.raises(BadInput, match="is not a folder"):
        find_checkouts(tmp_path / "absent")
