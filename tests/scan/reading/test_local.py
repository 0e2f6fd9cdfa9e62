"""Reading repositories in place, in all the shapes git gives them."""

import os

import pytest

from cortex_git.scan.reading import NoCommit, RepositoryUnreadable, open_repository
from cortex_git.scan.sources import Source


def files(path, ref=None) -> set[str]:
    with open_repository(Source("r", str(path), ref)) as snapshot:
        return set(snapshot.entries)


def test_the_git_directory_itself_and_a_bare_repository(make_repository):
    assert files(make_repository({"a": "x"}) / ".git") == {"a"}
    assert files(make_repository({"b": "x"}, "bare.git", bare=True)) == {"b"}


@pytest.mark.parametrize("name", ['with "quotes" and \\', "new\nline", " spaces ", "ümläut", "-dash"])
def test_unusual_folder_names(make_repository, name):
    assert files(make_repository({"a": "x"}, f"top/{name}")) == {"a"}


def test_a_head_that_is_a_symbolic_link(make_repository):
    repo = make_repository({"a": "x"})
    (repo / ".git" / "HEAD").unlink()
    (repo / ".git" / "HEAD").symlink_to("refs/heads/main")
    assert files(repo) == {"a"}


def test_a_detached_head_and_a_branch_with_slashes(make_repository, git):
    repo = make_repository({"a": "x"}, checkout=True)
    git(repo, "branch", "feature/x")
    git(repo, "checkout", "-q", "--detach")
    make_repository({"b": "x"})
    assert files(repo) == {"a"}
    assert files(repo, "feature/x") == {"a"}
    assert files(repo, "main") == {"b"}


def test_a_submodule_checkout_is_a_repository_of_its_own(make_repository, git, tmp_path):
    make_repository({"inner": "x"}, "inner")
    outer = make_repository({"outer": "x"}, "outer", checkout=True)
    git(outer, "submodule", "--quiet", "add", str(tmp_path / "inner"), "sub")
    git(outer, "commit", "-qm", "x")
    assert (outer / "sub" / ".git").is_file()
    assert files(outer / "sub") == {"inner"}
    assert files(outer) == {"outer", ".gitmodules"}


def test_a_shallow_clone(make_repository, git, tmp_path):
    repo = make_repository({"a": "x"})
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")
    assert files(tmp_path / "shallow") == {"a"}


def test_an_unborn_branch_beside_others(make_repository, git):
    repo = make_repository({"a": "x"})
    git(repo, "symbolic-ref", "HEAD", "refs/heads/unborn")
    with pytest.raises(NoCommit):
        files(repo)
    assert files(repo, "main") == {"a"}


@pytest.mark.parametrize(
    ("extension", "message"),
    [
        ("objectFormat = md5", "format or ref storage is unknown"),
        ("refStorage = other", "ref storage is unknown"),
    ],
)
def test_formats_of_the_future_are_said(make_repository, extension, message):
    repo = make_repository({"a": "x"})
    with (repo / ".git" / "config").open("a") as config:
        config.write(f"[EXTENSIONS]\n\t{extension}\n")
    with pytest.raises(RepositoryUnreadable, match=message):
        files(repo)


def test_a_subfolder_of_a_checkout_is_not_taken_for_it(make_repository):
    repo = make_repository({"sub/a": "x", "b": "x"}, checkout=True)
    with open_repository(Source("r", str(repo / "sub"))) as folder:
        assert (folder.commit, set(folder.entries)) == ("", {"a"})
    with pytest.raises(RepositoryUnreadable, match="is not a git repository"):
        files(repo / "sub", "main")


def test_no_temporary_folder_stays_behind(make_repository, tmp_path, monkeypatch):
    repo = make_repository({"a": "x"})
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with open_repository(Source("r", str(repo))):
        assert os.listdir(tmp_path / "temporary")
    with pytest.raises(RepositoryUnreadable):
        files(repo, "nosuch")
    assert os.listdir(tmp_path / "temporary") == []
    assert files(repo) == {"a"}
