"""A database that changed on the disk is not taken for one with fewer advisories."""

from collections.abc import Callable
from pathlib import Path

import pytest
from advisory_dumps import dump, record

from cortex_git.errors import EnvironmentProblem
from cortex_git.scan.advisories.database import FILE, open_default
from cortex_git.scan.advisories.status import status
from cortex_git.scan.advisories.update import UpdateSummary, update
from cortex_git.services.doctor.environment import advisories

MakeDump = Callable[..., Path]


def run(data_dir: Path, source: Path, *ecosystems: str) -> UpdateSummary:
    return update(data_dir, source, ecosystems, lambda *_: None)


@pytest.fixture
def source(tmp_path: Path, make_dump: MakeDump) -> Path:
    """Two ecosystems, imported."""
    archives = {"PyPI": dump(record("A-1", "verywell")), "npm": dump(record("B-1", "q", "npm"))}
    run(tmp_path, folder := make_dump(archives))
    return folder


def flip_a_bit(file: Path) -> None:
    """In the name of a package, wherever it stands: SQLite sees nothing wrong with that."""
    data = file.read_bytes()
    assert b"verywell" in data
    file.write_bytes(data.replace(b"verywell", b"verxwell"))


def test_a_flipped_bit_is_found_and_the_next_update_imports_all_anew(tmp_path: Path, source: Path) -> None:
    assert status(tmp_path, check=True).checked == "sound"
    flip_a_bit(tmp_path / FILE)
    assert status(tmp_path).checked is None
    with pytest.raises(EnvironmentProblem, match="is not as it was imported"):
        status(tmp_path, check=True)
    with pytest.raises(EnvironmentProblem, match="its advisories for npm cannot be kept"):
        run(tmp_path, source, "PyPI")
    assert run(tmp_path, source).was_damaged
    assert status(tmp_path, check=True).checked == "sound"
    with open_default(tmp_path) as database:  # type: ignore[union-attr]
        assert database.advised("PyPI", ["verywell"])["verywell"]
    assert not run(tmp_path, source, "PyPI").was_damaged


def test_an_import_from_before_there_were_digests_is_looked_at_in_form(tmp_path: Path, source: Path) -> None:
    """As is one whose digest was written, and which was not put in place any more."""
    kept = (tmp_path / FILE).with_name(f"{FILE.name}.sha256")
    before = (tmp_path / FILE).read_bytes()
    run(tmp_path, source)
    (tmp_path / FILE).write_bytes(before)
    assert status(tmp_path, check=True).checked == "sound"
    kept.unlink()
    assert status(tmp_path, check=True).checked == "no digest"
    data = bytearray(before)
    data[4096 * 3 : 4096 * 3 + 200] = b"\xff" * 200
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(EnvironmentProblem, match="damaged"):
        status(tmp_path, check=True)


def test_doctor_says_so(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex_git.services.doctor.environment.data_folder", lambda: tmp_path)
    (said,) = advisories(None)  # type: ignore[arg-type]
    assert said.summary == "2 advisories, imported today"
    flip_a_bit(tmp_path / FILE)
    (said,) = advisories(None)  # type: ignore[arg-type]
    assert "is damaged: it is not as it was imported" in said.summary
