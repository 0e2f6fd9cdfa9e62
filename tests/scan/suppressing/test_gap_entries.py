"""`[[not_scanned]]` entries: what they may say, what is refused, and what they take out of the count."""

from datetime import date
from pathlib import Path

import pytest

from cortex_git.errors import BadInput
from cortex_git.scan.gap_kinds import ACCEPTABLE, NEED_A_PLACE, NOT_ACCEPTABLE
from cortex_git.scan.records import NotScanned, RepositoryScan
from cortex_git.scan.scan_report import BatchTiming, ScanReport
from cortex_git.scan.suppressing.applying_gaps import accept_gaps
from cortex_git.scan.suppressing.ignore_file import read_ignore_file, read_whole

TODAY = date(2026, 11, 29)
POM = NotScanned("a/pom.xml", "lists only what is asked for", "direct-only", "a/pom.xml")
MANY = NotScanned("12 files such as a/pom.xml", "lists only what is asked for", "direct-only")
MODULE = NotScanned("lib/x", "is a submodule", "submodule", "lib/x")
PODS = NotScanned("3 packages of CocoaPods", "the database has no advisories for it", "no-advisories")
DAMAGED = NotScanned("old/yarn.lock", "ends too soon", "unreadable", "old/yarn.lock")
OLD = NotScanned("b/pom.xml", "recorded without a kind")
FOLDER = NotScanned("/srv/lost+found", "the folder cannot be read", "folder", "/srv/lost+found")


def report(*gaps: NotScanned, coverage: tuple[NotScanned, ...] = ()) -> ScanReport:
    rows = (
        RepositoryScan("https://h.test/t/shop.git", "incomplete" if gaps else "scanned", not_scanned=gaps),
        RepositoryScan("gone", "failed", error="it is gone"),
    )
    return ScanReport("b", rows, BatchTiming(1, 0, 0, 1, 1, "parallel"), "osv", coverage)


def accepted(tmp_path: Path, text: str, before: ScanReport) -> ScanReport:
    file = tmp_path / "ignore.toml"
    file.write_text(text)
    assert read_ignore_file(file) == ()
    return accept_gaps(before, read_whole(file).gaps, TODAY)


def entry(kind: str, more: str = "") -> str:
    return f'[[not_scanned]]\nkind = "{kind}"\nreason = "we look at it by hand"\n{more}\n'


def test_an_accepted_gap_is_kept_with_its_reason_and_no_longer_counts(tmp_path: Path) -> None:
    before = report(POM, MODULE)
    found = accepted(tmp_path, entry("direct-only", "expires = 2026-11-29"), before)
    assert (before.not_scanned, found.not_scanned) == (3, 2)
    assert found.repositories[0].not_scanned == (MODULE,)
    assert found.repositories[0].status == "incomplete"
    (one,) = found.accepted
    assert (one.repo, one.gap, one.reason, one.expires) == (
        "https://h.test/t/shop.git", POM, "we look at it by hand", "2026-11-29",
    )  # fmt: skip
    assert (one.source, found.notes) == (f"{tmp_path}/ignore.toml: not_scanned 1", ())


def test_a_row_of_which_all_is_accepted_is_scanned_and_a_failed_one_stays(tmp_path: Path) -> None:
    found = accepted(tmp_path, entry("direct-only") + entry("submodule"), report(POM, MODULE))
    assert [row.status for row in found.repositories] == ["scanned", "failed"]
    assert (found.not_scanned, len(found.accepted)) == (1, 2)


@pytest.mark.parametrize(
    ("text", "gap", "is_accepted"),
    [
        (entry("direct-only", 'path = "a/*"'), POM, True),
        (entry("direct-only", 'path = "b/*"'), POM, False),
        (entry("direct-only", 'path = "*"'), MANY, False),
        (entry("direct-only"), MANY, True),
        (entry("direct-only", 'repository = "*/shop.git"'), POM, True),
        (entry("direct-only", 'repository = "*/cart.git"'), POM, False),
        (entry("submodule"), POM, False),
        (entry("no-advisories", 'ecosystem = "cocoapods"'), PODS, True),
        (entry("no-advisories", 'ecosystem = "Pods"'), PODS, False),
        (entry("direct-only"), OLD, False),
        (entry("unreadable", 'path = "old/*"'), DAMAGED, True),
        (entry("unreadable", 'repository = "*/shop.git"'), DAMAGED, True),
    ],
)
def test_an_entry_is_about_its_kind_within_its_limits(
    tmp_path: Path, text: str, gap: NotScanned, is_accepted: bool
) -> None:
    found = accepted(tmp_path, text, report(gap))
    assert bool(found.accepted) is is_accepted
    assert any("applied to nothing" in note for note in found.notes) is not is_accepted


def test_a_gap_of_the_whole_batch_is_no_repositorys(tmp_path: Path) -> None:
    before = report(coverage=(FOLDER,))
    found = accepted(tmp_path, entry("folder", 'path = "*/lost+found"'), before)
    assert (found.coverage, [one.repo for one in found.accepted]) == ((), [""])
    assert accepted(tmp_path, entry("folder", 'repository = "*shop*"'), before).coverage == (FOLDER,)


def test_one_that_expired_counts_again_and_is_told(tmp_path: Path) -> None:
    before = report(POM)
    found = accepted(tmp_path, entry("direct-only", "expires = 2026-11-28"), before)
    assert (found.repositories, found.accepted) == (before.repositories, ())
    (note,) = found.notes
    assert note == (
        f"{tmp_path}/ignore.toml: not_scanned 1 (direct-only) expired on 2026-11-28 and does not apply"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[not_scanned]]\nreason = "x"\n', "has no kind"),
        ('[[not_scanned]]\nkind = "direct-only"\n', "has no reason"),
        (entry("*"), "unknown kind"),
        (entry("direct-onyl"), "unknown kind"),
        (entry("direct-only", 'expirse = "2027-01-01"'), "unknown key"),
        (entry("direct-only", 'expires = "soon"'), "is no day"),
        (entry("direct-only", 'ecosystem = "npm"'), "is for the kind no-advisories"),
        ('not_scanned = "direct-only"\n', "is no list of tables"),
        *((entry(kind), "limit it by path or repository") for kind in sorted(NEED_A_PLACE)),
        (entry("unreadable", 'path = "*"'), "the next ones too"),
        *((entry(kind), "cannot be accepted") for kind in sorted(NOT_ACCEPTABLE)),
    ],
)
def test_what_is_not_understood_or_hides_too_much_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "ignore.toml"
    file.write_text(text)
    with pytest.raises(BadInput, match=told):
        read_whole(file)


def test_every_kind_is_told_in_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "scanning.md").read_text()
    told = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `") and "-" in line]
    assert {kind for kind in (*ACCEPTABLE, *NOT_ACCEPTABLE) if f"| `{kind}` |" not in page} == set(), told
