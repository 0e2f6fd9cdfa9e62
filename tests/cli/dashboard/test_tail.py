"""Following a log: growth, cuts, replacement, and bytes that a terminal would obey."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cortex_git.cli.dashboard.tail import MOST_BYTES, Tail


def test_growth_a_cut_and_another_file(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    tail = Tail(path)
    assert tail.read() == ()
    path.write_bytes(b"one\ntw")
    assert tail.read() == ("one", "tw")
    with path.open("ab") as file:
        file.write(b"o\r\nthree\n")
    assert tail.read() == ("one", "two", "three")
    path.write_bytes(b"new\n")
    assert tail.read() == ("new",)
    other = tmp_path / "other"
    other.write_bytes(b"a longer line than there was\n")
    other.rename(path)
    assert tail.read() == ("a longer line than there was",)
    path.unlink()
    assert tail.read() == ()


def test_only_the_end_of_a_large_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    path.write_bytes(b"".join(b"%07d\n" % number for number in range(100_000)))
    tail = Tail(path)
    lines = tail.read()
    assert lines[-1] == "0099999"
    assert all(len(line) == 7 for line in lines)  # the first is whole too
    with path.open("ab") as file:
        file.write(b"x" * 3 * MOST_BYTES + b"\nend\n")
    assert tail.read()[-1] == "end"
    assert sum(map(len, tail.read())) <= MOST_BYTES


@given(st.lists(st.binary(max_size=30), max_size=20))
def test_in_whatever_pieces_it_comes_the_lines_are_the_same(tmp_path_factory, pieces: list[bytes]) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path_factory.mktemp("log") / "worker.log"
    tail = Tail(path)
    for piece in pieces:
        with path.open("ab") as file:
            file.write(piece)
        lines = tail.read()
    if pieces:
        assert lines == Tail(path).read()
        assert all(line.isprintable() for line in lines)
