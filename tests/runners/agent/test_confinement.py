"""No path leads out of a confined folder, nor to git's own files."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.runners.agent.confinement import MOST_READ, MOST_WRITTEN, Confined, Refused, is_gits

SECRET = b"not for a model"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "outside.txt").write_bytes(SECRET)
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (inside / ".git").mkdir()
    (inside / ".git" / "config").write_bytes(SECRET)
    (inside / "a.txt").write_text("one\n")
    (inside / "sub" / "b.txt").write_text("two\n")
    (inside / "out").symlink_to(tmp_path / "outside.txt")
    (inside / "up").symlink_to(tmp_path)
    (inside / "chain").symlink_to("out")
    (inside / "gitdir").symlink_to(".git")
    return inside


@pytest.fixture
def confined(folder: Path) -> Iterator[Confined]:
    yield Confined(folder)


OUT = [
    "../outside.txt",
    "sub/../../outside.txt",
    "sub/../a.txt",
    "..\\outside.txt",
    "/etc/passwd",
    "//etc/passwd",
    "C:/windows/win.ini",
    "~/.ssh/id_rsa",
    "~root/x",
    "a.txt\0.png",
    "out",
    "chain",
    "up/outside.txt",
    "up/inside/a.txt",
    "gitdir/config",
    ".git",
    ".git/config",
    ".GIT/config",
    "sub/.Git/x",
    ".git./config",
    ".git /config",
    ".gi\u200ct/config",
    "\uff0egit/config",
    "git~1/config",
    ".git::$INDEX_ALLOCATION/config",
    "sub\\.git\\config",
    "x" * 2000,
    "\ud800",
    "a\nb",
]


@pytest.mark.parametrize("path", OUT)
def test_no_way_out_is_taken(confined: Confined, path: str) -> None:
    with pytest.raises(Refused):
        confined.read(path)
    with pytest.raises(Refused):
        confined.names(path)
    with pytest.raises(Refused):
        confined.write(path, b"changed")


def test_nothing_was_written_by_trying(confined: Confined, folder: Path) -> None:
    before = sorted(str(p) for p in folder.parent.rglob("*"))
    for path in OUT:
        with pytest.raises(Refused):
            confined.write(path, b"changed")
    assert sorted(str(p) for p in folder.parent.rglob("*")) == before
    assert (folder.parent / "outside.txt").read_bytes() == SECRET


def test_what_is_inside_is_read_written_and_listed(confined: Confined, folder: Path) -> None:
    assert confined.read("./sub//b.txt") == b"two\n"
    confined.write("new/deep/c.txt", b"three")
    assert (folder / "new/deep/c.txt").read_bytes() == b"three"
    assert confined.names("") == ["a.txt", "chain@", "gitdir@", "new/", "out@", "sub/", "up@"]
    assert list(confined.files()) == ["a.txt", "new/deep/c.txt", "sub/b.txt"]


def test_a_hard_link_to_the_outside_keeps_its_content(confined: Confined, folder: Path) -> None:
    os.link(folder.parent / "outside.txt", folder / "linked")
    confined.write("linked", b"changed")
    assert (folder / "linked").read_bytes() == b"changed"
    assert (folder.parent / "outside.txt").read_bytes() == SECRET


def test_a_programs_mode_stays_but_no_more_than_that(confined: Confined, folder: Path) -> None:
    (folder / "a.txt").chmod(0o4750)
    confined.write("a.txt", b"changed")
    assert (folder / "a.txt").stat().st_mode & 0o7777 == 0o750


def test_pipes_folders_and_large_files_are_no_files_to_read(confined: Confined, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with (folder / "large").open("wb") as file:
        file.truncate(MOST_READ + 1)
    for path, reason in (
        ("pipe", "not a file"),
        ("sub", "not a file"),
        ("large", "larger"),
        ("none", "no none"),
    ):
        with pytest.raises(Refused, match=reason):
            confined.read(path)
    for path in ("pipe", "sub"):
        with pytest.raises(Refused, match="replaced"):
            confined.write(path, b"")
    with pytest.raises(Refused, match="at most"):
        confined.write("much", bytes(MOST_WRITTEN + 1))
    assert "pipe" not in list(confined.files())


def test_the_folder_stays_the_same_one_although_its_name_moves(confined: Confined, folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.symlink_to("/etc")
    assert confined.read("a.txt") == b"one\n"
    with pytest.raises(Refused):
        confined.read("passwd")


def test_a_link_swapped_in_meanwhile_leads_nowhere(confined: Confined, folder: Path) -> None:
    """One thread swaps a folder for a link to the outside and back, as fast as it can; reads race it."""
    (folder / "sub" / "outside.txt").write_bytes(b"inside")
    end = threading.Event()

    def swap() -> None:
        while not end.is_set():
            (folder / "sub").rename(folder / "aside")
            (folder / "sub").symlink_to(folder.parent)
            (folder / "sub").unlink()
            (folder / "aside").rename(folder / "sub")

    swapper = threading.Thread(target=swap)
    swapper.start()
    outcomes = set()
    reads = 0
    try:
        # On a busy machine thousands in a row may meet the link: then it takes more to meet the folder too.
        while reads < 3000 or (b"inside" not in outcomes and reads < 300_000):
            reads += 1
            try:
                outcomes.add(confined.read("sub/outside.txt"))
            except Refused:
                outcomes.add(None)
    finally:
        end.set()
        swapper.join()
    assert b"inside" in outcomes
    assert SECRET not in outcomes


@given(st.text(alphabet="./~\\gGiItT \u200d:1abc\0\n", max_size=12))
def test_whatever_the_words_only_the_inside_is_seen(
    tmp_path_factory: pytest.TempPathFactory, path: str
) -> None:
    base = tmp_path_factory.mktemp("any")
    (base / "in" / ".git").mkdir(parents=True)
    (base / "a").write_bytes(SECRET)
    (base / "in" / ".git" / "a").write_bytes(SECRET)
    (base / "in" / "a").write_bytes(b"fine")
    try:
        content = Confined(base / "in").read(path)
    except Refused:
        return
    assert content == b"fine"


@pytest.mark.parametrize("name", [".github", ".gitignore", "git", "a.git", ".gitattributes", "digit~1x"])
def test_names_like_gits_are_anybodys(name: str) -> None:
    assert not is_gits(name)
