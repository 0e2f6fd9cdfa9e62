"""Updates over a real HTTP server: conditional, resumed, retried, refused."""

import random
from pathlib import Path

import pytest
from advisory_dumps import Server, dump, etag_of, record

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.scan.advisories import download
from cortex_git.scan.advisories.archive import Limits
from cortex_git.scan.advisories.database import FILE, open_default
from cortex_git.scan.advisories.status import status
from cortex_git.scan.advisories.update import UpdateSummary, update

PYPI, NPM = "/PyPI/all.zip", "/npm/all.zip"


def run(data_dir: Path, source: str, *ecosystems: str) -> UpdateSummary:
    return update(data_dir, source, ecosystems, lambda *_: None)


def noisy_dump() -> bytes:
    """A dump of about 300 kB that hardly compresses."""
    source = random.Random(7)
    summaries = ["".join(chr(source.randrange(33, 0x2000)) for _ in range(1500)) for _ in range(100)]
    return dump(*(record(f"A-{n}", f"p{n}", details=text) for n, text in enumerate(summaries)))


def test_every_ecosystem_there_is_imported_and_the_others_are_named(tmp_path: Path, server: Server) -> None:
    server.files = {PYPI: dump(record("A-1", "p")), NPM: dump(record("A-2", "q", "npm"))}
    summary = run(tmp_path, server.url)
    assert summary.imported == {"npm": 1, "PyPI": 1}
    assert "Maven" in summary.missing and "PyPI" not in summary.missing
    said = {row.ecosystem: row for row in status(tmp_path).ecosystems}
    assert said["PyPI"].source == server.url + PYPI
    assert said["PyPI"].etag == etag_of(server.files[PYPI])
    assert not list((tmp_path / "advisories" / "downloads").iterdir())


def test_an_unchanged_dump_is_not_fetched_again(tmp_path: Path, server: Server) -> None:
    server.files = {PYPI: dump(record("A-1", "p")), NPM: dump(record("A-2", "q", "npm"))}
    run(tmp_path, server.url)
    before = (tmp_path / FILE).stat().st_ino
    again = run(tmp_path, server.url)
    assert (again.imported, set(again.unchanged), again.records) == ({}, {"PyPI", "npm"}, 2)
    assert (tmp_path / FILE).stat().st_ino == before
    server.files[NPM] = dump(record("A-2", "q", "npm"), record("A-3", "r", "npm"))
    third = run(tmp_path, server.url)
    assert (third.imported, third.unchanged, third.records) == ({"npm": 2}, ("PyPI",), 3)


def test_another_source_is_fetched_whatever_its_etag(tmp_path: Path, server: Server) -> None:
    server.files = {PYPI: dump(record("A-1", "p"))}
    server.files["/mirror" + PYPI] = server.files[PYPI]
    run(tmp_path, server.url, "PyPI")
    assert run(tmp_path, server.url + "/mirror/", "PyPI").imported == {"PyPI": 1}


def test_a_dropped_download_goes_on_where_it_stopped(tmp_path: Path, server: Server) -> None:
    server.files = {PYPI: noisy_dump()}
    server.drop_after = [100_000, 50_000]
    seen: list[tuple[int, int | None]] = []
    update(tmp_path, server.url, ["PyPI"], lambda _, done, total: seen.append((done, total)))
    assert server.statuses_of(PYPI) == [200, 206, 206]
    starts = [headers["Range"] for _, status_, headers in server.requests if status_ == 206]
    assert starts == ["bytes=100000-", "bytes=150000-"]
    size = len(server.files[PYPI])
    assert (size, size) in seen, "the progress ends at the whole size"
    assert status(tmp_path).records == 100


def test_a_later_run_goes_on_where_a_failed_one_stopped(tmp_path: Path, server: Server) -> None:
    server.files = {PYPI: noisy_dump()}
    server.drop_after = [100_000, 1, 1, 1]
    with pytest.raises(EnvironmentProblem, match="cannot download"):
        run(tmp_path, server.url, "PyPI")
    assert not (tmp_path / FILE).exists()
    assert run(tmp_path, server.url, "PyPI").records == 100
    assert server.statuses_of(PYPI) == [200, 206, 206, 206, 206]


def test_a_dump_that_changed_meanwhile_is_fetched_from_the_start(tmp_path: Path, server: Server) -> None:
    server.files = {PYPI: noisy_dump()}
    server.drop_after = [100_000, 1, 1, 1]
    with pytest.raises(EnvironmentProblem):
        run(tmp_path, server.url, "PyPI")
    server.files[PYPI] = dump(record("B-1", "p"))
    assert run(tmp_path, server.url, "PyPI").records == 1
    assert server.statuses_of(PYPI)[-1] == 200


def test_a_server_without_etags_starts_over(tmp_path: Path, server: Server) -> None:
    server.files = {PYPI: noisy_dump()}
    server.with_etag = False
    server.drop_after = [100_000]
    assert run(tmp_path, server.url, "PyPI").records == 100
    assert server.statuses_of(PYPI) == [200, 200]


def test_a_busy_server_is_asked_again(tmp_path: Path, server: Server) -> None:
    server.files = {PYPI: dump(record("A-1", "p"))}
    server.statuses = [503, 429, 500]
    assert run(tmp_path, server.url, "PyPI").records == 1


def test_a_server_that_never_answers_well_is_one_line(tmp_path: Path, server: Server) -> None:
    server.files = {PYPI: dump(record("A-1", "p"))}
    server.statuses = [503] * 4
    with pytest.raises(
        EnvironmentProblem, match=r"cannot download http://127.0.0.1:\d+/PyPI/all.zip \(HTTP 503\)"
    ):
        run(tmp_path, server.url, "PyPI")
    server.statuses = [403]
    with pytest.raises(EnvironmentProblem, match=r"\(HTTP 403\): check the address"):
        run(tmp_path, server.url, "PyPI")


def test_an_address_where_nothing_listens_says_so_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "BACKOFF_S", ())
    with pytest.raises(EnvironmentProblem) as caught:
        run(tmp_path, "http://me:secret@127.0.0.1:9", "PyPI")
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)
    assert "http://127.0.0.1:9/PyPI/all.zip" in str(caught.value)


def test_what_was_asked_for_must_be_there(tmp_path: Path, server: Server) -> None:
    server.files = {PYPI: dump(record("A-1", "p"))}
    with pytest.raises(EnvironmentProblem, match=r"there is no .*/npm/all.zip"):
        run(tmp_path, server.url, "npm")
    with pytest.raises(EnvironmentProblem, match="is not an OSV dump"):
        run(tmp_path, server.url + "/elsewhere")


def test_a_damaged_download_is_dropped_and_the_old_database_stays(tmp_path: Path, server: Server) -> None:
    server.files = {PYPI: dump(record("A-1", "p"))}
    run(tmp_path, server.url, "PyPI")
    good = noisy_dump()
    server.files[PYPI] = good[:1000] + b"\0" * 5000 + good[6000:]
    with pytest.raises(BadInput, match=r"damaged|not a readable ZIP"):
        run(tmp_path, server.url, "PyPI")
    with open_default(tmp_path) as database:  # type: ignore[union-attr]
        assert database.content["PyPI"][0] == 1
    server.files[PYPI] = good
    assert run(tmp_path, server.url, "PyPI").records == 100


def test_a_complete_download_is_not_repeated_after_another_one_failed(tmp_path: Path, server: Server) -> None:
    server.files = {PYPI: noisy_dump(), NPM: dump(record("A-2", "q", "npm"))}
    server.drop_after = [10_000_000, 1, 1, 1, 1]
    with pytest.raises(EnvironmentProblem):
        run(tmp_path, server.url, "PyPI", "npm")
    assert run(tmp_path, server.url, "PyPI", "npm").imported == {"PyPI": 100, "npm": 1}
    assert server.statuses_of(PYPI) == [200, 304]


def test_a_whole_dump_behind_one_address(tmp_path: Path, server: Server) -> None:
    server.files = {"/all.zip": dump(record("A-1", "p"), record("A-2", "q", "npm"))}
    assert run(tmp_path, server.url + "/all.zip").imported == {"PyPI": 1, "npm": 1}


def test_a_download_larger_than_the_limit_is_refused(tmp_path: Path, server: Server) -> None:
    server.files = {PYPI: noisy_dump()}
    with pytest.raises(EnvironmentProblem, match="is larger than 10000 bytes"):
        update(tmp_path, server.url, ["PyPI"], lambda *_: None, Limits(archive_bytes=10_000))
