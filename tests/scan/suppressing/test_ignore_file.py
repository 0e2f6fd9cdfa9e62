"""The ignore file: what it may say, what is refused, and what it takes out of the count."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from cortex_git.errors import BadInput
from cortex_git.scan.records import Finding
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.suppressing.applying import suppress
from cortex_git.scan.suppressing.ignore_file import read_ignore_file

TODAY = date(2026, 11, 29)
Lodash = Callable[..., Finding]
ReportOf = Callable[..., ScanReport]


def applied(tmp_path: Path, text: str, report: ScanReport, today: date = TODAY) -> ScanReport:
    file = tmp_path / "ignore.toml"
    file.write_text(text)
    return suppress(report, read_ignore_file(file), (), today)


def test_an_entry_moves_its_finding_and_keeps_it(tmp_path: Path, lodash: Lodash, report_of: ReportOf) -> None:
    other = lodash(id="CVE-2000-1", aliases=())
    text = '[[ignore]]\nid = "cve-2021-23337"\nreason = "only in the build"\nexpires = 2026-11-29\n'
    found = applied(tmp_path, text, report_of(lodash(), other))
    assert found.repositories[0].findings == (other,)
    (one,) = found.suppressed
    assert (one.finding, one.status, one.reason, one.expires) == (
        lodash(), "accepted", "only in the build", "2026-11-29",
    )  # fmt: skip
    assert one.source == f"{tmp_path}/ignore.toml: ignore 1"
    assert (found.cves_found, found.notes) == (1, ())


@pytest.mark.parametrize(
    ("limit", "suppressed"),
    [
        ('package = "lod*"', True),
        ('package = "left-pad"', False),
        ('repository = "https://github.com/acme/*"', True),
        ('repository = "acme"', False),
        ('path = "web/*"', True),
        ('path = "api/*"', False),
        ('ecosystem = "NPM"', True),
        ('ecosystem = "PyPI"', False),
        ('package = "lodash"\npath = "api/*"', False),
    ],
)
def test_limits(tmp_path: Path, lodash: Lodash, report_of: ReportOf, limit: str, suppressed: bool) -> None:
    text = f'[[ignore]]\nid = "GHSA-35jh-r3h4-6jhm"\nreason = "r"\n{limit}\n'
    found = applied(tmp_path, text, report_of(lodash()))
    assert len(found.suppressed) == suppressed
    assert len(found.notes) == (not suppressed)


def test_a_path_must_cover_every_lockfile(tmp_path: Path, lodash: Lodash, report_of: ReportOf) -> None:
    text = '[[ignore]]\nid = "CVE-2021-23337"\nreason = "r"\npath = "web/*"\n'
    found = applied(tmp_path, text, report_of(lodash(other_lockfiles=("api/yarn.lock",))))
    assert found.suppressed == ()


def test_a_package_is_compared_as_its_ecosystem_does(
    tmp_path: Path, lodash: Lodash, report_of: ReportOf
) -> None:
    finding = lodash(ecosystem="PyPI", package="Ruamel_YAML")
    text = '[[ignore]]\nid = "CVE-2021-23337"\nreason = "r"\npackage = "ruamel-yaml"\n'
    assert applied(tmp_path, text, report_of(finding)).suppressed != ()


def test_expired_and_unused_entries_are_said_and_do_nothing(
    tmp_path: Path, lodash: Lodash, report_of: ReportOf
) -> None:
    text = (
        '[[ignore]]\nid = "CVE-2021-23337"\nreason = "r"\nexpires = 2026-11-28\n'
        '[[ignore]]\nid = "CVE-1999-1"\nreason = "r"\n'
    )
    found = applied(tmp_path, text, report_of(lodash()))
    assert (found.cves_found, found.suppressed) == (1, ())
    assert [note.partition("toml: ")[2] for note in found.notes] == [
        "ignore 1 (CVE-2021-23337) expired on 2026-11-28 and does not apply",
        "ignore 2 (CVE-1999-1) applied to nothing",
    ]


def test_notes_are_bounded(tmp_path: Path, lodash: Lodash, report_of: ReportOf) -> None:
    text = "".join(f'[[ignore]]\nid = "CVE-1999-{number}"\nreason = "r"\n' for number in range(500))
    notes = applied(tmp_path, text, report_of(lodash())).notes
    assert len(notes) == 21
    assert notes[-1] == "480 more entries applied to nothing"


def test_the_file_of_osv_scanner_is_read(tmp_path: Path, lodash: Lodash, report_of: ReportOf) -> None:
    text = '[[IgnoredVulns]]\nid = "GHSA-35jh-r3h4-6jhm"\nignoreUntil = 2027-01-01T00:00:00Z\nreason = "r"\n'
    (one,) = applied(tmp_path, text, report_of(lodash())).suppressed
    assert one.expires == "2027-01-01"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[ignore]]\nid = "x"\n', "no reason"),
        ('[[ignore]]\nid = "x"\nreason = "  "\n', "reason is empty"),
        ('[[ignore]]\nreason = "r"\n', "no id"),
        ('[[ignore]]\nid = 7\nreason = "r"\n', "id is empty or no text"),
        ('[[ignore]]\nid = "x"\nreason = "r"\nexpire = 2026-01-01\n', "'expire'"),
        ('[[ignore]]\nid = "x"\nreason = "r"\nexpires = "soon"\n', "'soon' is no day"),
        ('[[ignore]]\nid = "x"\nreason = "r"\nexpires = 3\n', "'3' is no day"),
        ('[[ignore]]\nid = "x"\nreason = "r"\nstatus = "affected"\n', "status"),
        ('[[ignored]]\nid = "x"\n', "'ignored'"),
        ("ignore = 3\n", "no list of tables"),
        ("ignore = [1]\n", "no list of tables"),
        ("[[ignore]\n", "not valid TOML"),
        ("a = " + "[" * 100_000, "TOML"),
        ('[[ignore]]\nid = "x"\nreason = "' + "r" * 2000 + '"\n', "1,000 characters"),
        ("\udcff", "TOML"),
    ],
    ids=[
        "no-reason", "blank-reason", "no-id", "id-number", "misspelt", "day-word", "day-number", "status",
        "table", "number", "list", "syntax", "deep", "long", "bytes",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "ignore.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInput, match=told.replace("(", "\\(")):
        read_ignore_file(file)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no ignore file"):
        read_ignore_file(tmp_path / "gone")
    with pytest.raises(BadInput, match="is no file"):
        read_ignore_file(tmp_path)
    big = tmp_path / "big"
    with big.open("wb") as stream:
        stream.truncate((4 << 20) + 1)
    with pytest.raises(BadInput, match="larger than"):
        read_ignore_file(big)
