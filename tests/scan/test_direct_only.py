"""Gaps for lists that do not have what their packages bring in, and what covers them."""

import json
from dataclasses import replace

import pytest

from cortex_git.scan.comparing import compare
from cortex_git.scan.direct_only import MAX_NAMED, open_list_gaps
from cortex_git.scan.gap_kinds import DIRECT_ONLY, MAYBE_DIRECT_ONLY
from cortex_git.scan.records import Finding, NotScanned, Package, RepositoryScan
from cortex_git.scan.scanner import scan_repository
from cortex_git.scan.sources import Source

OPEN = {"app/requirements.txt": MAYBE_DIRECT_ONLY}
ASKED = (Package("PyPI", "Jinja2", "2.10", "app/requirements.txt"),)
POM = "<project><dependencies><dependency><groupId>g</groupId><artifactId>a</artifactId><version>1</version></dependency></dependencies></project>"  # noqa: E501


@pytest.mark.parametrize(
    ("lockfile", "packages", "covered"),
    [
        ("poetry.lock", [("jinja2", "2.10"), ("markupsafe", "2")], True),
        ("app/poetry.lock", [("jinja2", "2.10")], True),
        ("poetry.lock", [("jinja2", "2.11"), ("markupsafe", "2")], False),
        ("web/poetry.lock", [("jinja2", "2.10"), ("markupsafe", "2")], False),
        ("app2/poetry.lock", [("jinja2", "2.10"), ("markupsafe", "2")], False),
        ("bom.json", [("jinja2", "2.10"), ("markupsafe", "2")], True),
        ("bom.json", [("jinja2", "2.10")], False),
        ("app/requirements-dev.txt", [("jinja2", "2.10"), ("markupsafe", "2")], False),
    ],
    ids=["above", "beside", "version", "elsewhere", "similar", "bill", "bill-of-the-same", "open-itself"],
)
def test_a_whole_list_of_the_same_packages_covers_an_open_one(
    lockfile: str, packages: list[tuple[str, str]], covered: bool
) -> None:
    others = [Package("PyPI", name, version, lockfile) for name, version in packages]
    lists = OPEN | ({lockfile: MAYBE_DIRECT_ONLY} if "requirements" in lockfile else {})
    told = [gap.path for gap in open_list_gaps(lists, [*ASKED, *others])]
    assert ("app/requirements.txt" not in told) is covered


def test_of_many_there_is_one_gap_without_a_path() -> None:
    few = {f"{number}/pom.xml": DIRECT_ONLY for number in range(MAX_NAMED)}
    assert [gap.path for gap in open_list_gaps(few, [])] == sorted(few)
    (gap,) = open_list_gaps(few | {"x/pom.xml": DIRECT_ONLY}, [])
    assert (gap.what, gap.kind, gap.path) == ("11 files such as 0/pom.xml", DIRECT_ONLY, None)


def test_a_repository_with_only_a_pom_is_not_wholly_scanned(make_repository, database, tmp_path) -> None:
    repo = make_repository({"pom.xml": POM, "legacy/requirements.txt": "jinja2==3.1.4\n"}, checkout=True)
    folder = tmp_path / "plain"
    (folder / "legacy").mkdir(parents=True)
    (folder / "pom.xml").write_text(POM)
    (folder / "legacy" / "requirements.txt").write_text("jinja2==3.1.4\n")
    for place in (repo, folder):
        row = scan_repository(Source("r", str(place)), database=database)
        assert row.status == "incomplete"
        assert {(gap.kind, gap.path) for gap in row.not_scanned} >= {
            (DIRECT_ONLY, "pom.xml"),
            (MAYBE_DIRECT_ONLY, "legacy/requirements.txt"),
        }
        assert RepositoryScan.from_json(json.loads(json.dumps(row.to_json()))).not_scanned == row.not_scanned


def test_an_open_list_hides_only_what_a_whole_one_had() -> None:
    finding = Finding("CVE-1", (), "high", 7.0, "PyPI", "jinja2", "1", "2", "requirements.txt", 3)
    gap = NotScanned("requirements.txt", "r", MAYBE_DIRECT_ONLY, "requirements.txt")
    whole = RepositoryScan("r", "scanned", findings=(finding,), database="osv 1")
    now = RepositoryScan("r", "incomplete", not_scanned=(gap,), database="osv 1")
    assert len(compare([whole], [now]).not_compared) == 1
    was_open = replace(whole, status="incomplete", not_scanned=(gap,))
    assert len(compare([was_open], [now]).fixed) == 1
    pom = replace(finding, ecosystem="Maven", lockfile="pom.xml")
    later = replace(now, not_scanned=(NotScanned("pom.xml", "r", DIRECT_ONLY, "pom.xml"),))
    assert len(compare([replace(whole, findings=(pom,))], [later]).fixed) == 1
