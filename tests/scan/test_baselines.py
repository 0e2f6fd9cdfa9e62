"""Baselines and comparisons: what is new, known, fixed, or not to be told."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cortex_git.errors import BadInput
from cortex_git.scan.baselines import against, read_baseline
from cortex_git.scan.comparing import compare
from cortex_git.scan.records import Finding, NotScanned, RepositoryScan, SecretFound
from cortex_git.scan.reports import RENDERERS
from cortex_git.scan.scan_report import BatchTiming, ScanReport
from cortex_git.scan.secrets_looked import SecretsLooked
from cortex_git.scan.set_aside import Suppressed

OLD = Finding("CVE-1", (), "high", 7.0, "npm", "lodash", "1", "2", "package-lock.json", 3)
NEW = replace(OLD, id="CVE-2")


def row(*findings: Finding, **changes: Any) -> RepositoryScan:
    return replace(RepositoryScan("r", "scanned", packages=1, findings=findings, database="osv 1"), **changes)


def report(*rows: RepositoryScan, **changes: Any) -> ScanReport:
    return replace(ScanReport("b", rows, BatchTiming(1, 0, 0, 1, 1, "parallel"), "osv"), **changes)


def written(tmp_path: Path, value: ScanReport | str | bytes) -> Path:
    file = tmp_path / "before.json"
    if isinstance(value, bytes):
        file.write_bytes(value)
    else:
        file.write_text(value if isinstance(value, str) else RENDERERS["json"](value))
    return file


def test_only_new_findings_count_and_known_ones_are_kept(tmp_path: Path) -> None:
    before = read_baseline(written(tmp_path, report(row(OLD))))
    moved = replace(OLD, line=90, version="1.1")
    found = against(report(row(moved, NEW)), "before.json", before)
    assert (found.repositories[0].findings, found.cves_found) == ((NEW,), 1)
    assert found.baseline is not None
    assert [one.finding for one in found.baseline.known] == [moved]
    assert (found.baseline.fixed, found.baseline.not_compared) == ((), 0)


def test_a_report_made_with_a_baseline_is_a_whole_baseline_itself(tmp_path: Path) -> None:
    first = read_baseline(written(tmp_path, report(row(OLD))))
    second = against(report(row(OLD, NEW)), "first", first)
    third = against(report(row(OLD, NEW)), "second", read_baseline(written(tmp_path, second)))
    assert third.cves_found == 0
    assert third.baseline is not None
    assert len(third.baseline.known) == 2


def test_what_was_suppressed_is_new_when_it_no_longer_is(tmp_path: Path) -> None:
    aside = Suppressed("r", OLD, "accepted", "for now", "i.toml")
    before = read_baseline(written(tmp_path, report(row(), suppressed=(aside,))))
    assert against(report(row(OLD)), "b", before).cves_found == 1


def test_what_is_suppressed_now_is_not_fixed(tmp_path: Path) -> None:
    before = read_baseline(written(tmp_path, report(row(OLD))))
    now = report(row(), suppressed=(Suppressed("r", OLD, "accepted", "for now", "i.toml"),))
    found = against(now, "b", before)
    assert found.baseline is not None
    assert found.baseline.fixed == ()
    assert found.suppressed[0].in_baseline


@pytest.mark.parametrize(
    ("now", "fixed"),
    [
        (row(), True),
        (row(status="failed", error="gone"), False),
        (row(status="incomplete"), False),
        (row(status="incomplete", not_scanned=(NotScanned("package-lock.json", "damaged"),)), False),
        (row(status="incomplete", not_scanned=(NotScanned("the repository", "no lockfile found"),)), False),
        (row(status="incomplete", not_scanned=(NotScanned("3 more lockfiles", "the limit"),)), False),
        (row(status="incomplete", not_scanned=(NotScanned("4 packages of npm", "no advisories"),)), False),
        (row(status="incomplete", not_scanned=(NotScanned("npm lodash 1 (x)", "git ranges"),)), False),
        (row(status="incomplete", not_scanned=(NotScanned("go.mod", "damaged"),)), True),
        (row(database="starter"), False),
        (row(repo="another"), False),
    ],
    ids=[
        "scanned", "failed", "unsaid", "lockfile", "whole", "cap", "ecosystem", "package", "elsewhere",
        "starter", "absent",
    ],
)  # fmt: skip
def test_only_what_was_looked_for_again_is_fixed(now: RepositoryScan, fixed: bool) -> None:
    found = compare([row(OLD)], [now])
    assert (len(found.fixed), len(found.not_compared)) == (fixed, not fixed)
    assert all(one.reason for one in found.not_compared)


def test_an_advisory_that_got_its_cve_later_is_not_new() -> None:
    before = replace(OLD, id="GHSA-1")
    found = compare([row(before)], [row(replace(OLD, aliases=("GHSA-1",)))])
    assert (len(found.still), found.new, found.fixed) == (1, (), ())


def test_a_finding_that_lost_its_first_lockfile_is_not_new() -> None:
    before = replace(OLD, lockfile="a/package-lock.json", other_lockfiles=("b/package-lock.json",))
    found = compare([row(before)], [row(replace(OLD, lockfile="b/package-lock.json"))])
    assert (len(found.still), found.new, found.fixed) == (1, (), ())


def test_a_name_in_two_folders_is_two_repositories(tmp_path: Path) -> None:
    secret = SecretFound("run.sh", 1, "aws access key", 1)
    looked = SecretsLooked(1, 1, (), True)
    then, now = (row(OLD, folder=at, secrets=(secret,), secrets_looked=looked) for at in ("/a", "/b"))
    apart = compare([then], [now])
    assert (len(apart.new), apart.fixed) == (1, ())
    assert apart.not_compared[0].reason == (
        "its repository is not in this scan: its name is another folder's here"
    )
    done = against(report(now), "monday", [then])
    assert (done.cves_found, done.secrets_found) == (1, 1)
    assert done.baseline is not None
    assert (done.baseline.not_compared, done.baseline.secrets_not_compared) == (1, 1)
    assert done.notes == ("r is another folder in the baseline monday: everything in it is new",)
    # Both are in one scan, and each is compared with itself; what a report calls a folder counts for nothing.
    assert len(compare([then, now], [now]).still) == 1
    value = json.loads(RENDERERS["json"](report(then)))
    assert "folder" not in value["repositories"][0] and "folder" not in then.to_json()
    value["repositories"][0]["folder"] = "/c"
    named = against(report(now), "file", read_baseline(written(tmp_path, json.dumps(value))))
    assert (named.cves_found, named.secrets_found, named.notes) == (0, 0, ())


def test_a_baseline_that_has_none_of_the_repositories_says_so(tmp_path: Path) -> None:
    before = read_baseline(written(tmp_path, report(row(OLD, repo="src/shop"), row(repo="src/web"))))
    now = [row(OLD, repo="/home/src/shop", folder="/"), row(repo="/home/src/web", folder="/")]
    done = against(report(*now), "before.json", before)
    told = "the baseline before.json has none of these repositories: everything is new"
    assert done.notes == (f"{told} (it names src/shop, this scan /home/src/shop)",)
    assert json.loads(RENDERERS["json"](done))["notes"] == list(done.notes)
    # One that it has is enough, and one that it could not read is one that it has.
    assert against(report(*now, row(repo="src/web")), "b", before).notes == ()
    assert against(report(row(OLD)), "b", [row(status="failed", error="gone")]).notes == ()
    assert against(report(), "b", before).notes == against(report(*now), "last", ()).notes == ()


def test_a_known_finding_is_new_where_a_further_lockfile_has_it(tmp_path: Path) -> None:
    spread = replace(OLD, other_lockfiles=("services/new/package-lock.json",))
    both = compare([row(OLD)], [row(spread)])
    assert (len(both.new), both.still, both.fixed, both.not_compared) == (1, (), (), ())
    first = against(report(row(spread)), "b", [row(OLD)])
    assert first.cves_found == 1
    assert first.baseline is not None and not first.baseline.known
    assert [one.lockfiles for one in first.baseline.spread] == [spread.other_lockfiles]
    assert first.notes == (f"lodash CVE-1 in r was known, and is new in {spread.other_lockfiles[0]}",)
    again = against(report(row(spread)), "b", read_baseline(written(tmp_path, first)))
    assert again.cves_found == 0
    # Two entries of a baseline may have a lockfile each; and a moved one is another.
    parts = [row(OLD), row(replace(spread, lockfile=spread.other_lockfiles[0], other_lockfiles=()))]
    assert compare(parts, [row(spread)]).new == ()
    assert len(compare([row(OLD)], [row(replace(OLD, lockfile="web/package-lock.json"))]).new) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not valid JSON"),
        ("[]", "no JSON object"),
        ("{}", "no report"),
        ('{"schema": 2, "repositories": []}', "no report"),
        ('{"schema": 1, "repositories": {}}', "no report"),
        ('{"schema": 1, "repositories": [3]}', "repository 0"),
        ('{"schema": 1, "repositories": [{"repo": "r", "status": "fine"}]}', "repository 0: status"),
        ('{"schema": 1, "repositories": [{"repo": "r", "status": "scanned", "findings": [{}]}]}', "findings"),
        (
            '{"schema": 1, "repositories": [{"repo": "r", "status": "scanned", "duration_s": 1e999}]}',
            "not a finite number",
        ),
        ('{"schema": 1, "repositories": [], "baseline": {"known": 3}}', "baseline.known"),
        ('{"schema": 1, "repositories": [], "baseline": {"known": [{}]}}', "cannot be read"),
        ('{"schema":1,"repositories":' + "[" * 100_000, "nested"),
    ],
    ids=[
        "empty",
        "list",
        "other",
        "newer",
        "shape",
        "row",
        "status",
        "finding",
        "figure",
        "known",
        "known-row",
        "deep",
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        read_baseline(written(tmp_path, text))


def test_a_report_of_before_these_keys_is_read(tmp_path: Path) -> None:
    old = json.loads(RENDERERS["json"](report(row(OLD))))
    for key in ("suppressed", "baseline", "notes", "epss_date", "kev_date"):
        del old[key]
    for key in ("fingerprint", "epss", "kev", "other_versions", "via", "direct", "dev", "upgrade"):
        del old["repositories"][0]["findings"][0][key]
    (read,) = read_baseline(written(tmp_path, json.dumps(old)))
    assert read.findings == (OLD,)


_rows = st.lists(
    st.builds(
        row,
        repo=st.sampled_from(["r", "s"]),
        status=st.sampled_from(["scanned", "failed", "incomplete"]),
        database=st.sampled_from(["osv 1", "starter", ""]),
        not_scanned=st.lists(
            st.builds(NotScanned, what=st.sampled_from(["a.lock", "p", "x"]), reason=st.just("r")), max_size=1
        ).map(tuple),
    ).flatmap(
        lambda one: st.lists(
            st.builds(
                replace,
                st.just(OLD),
                id=st.sampled_from(["CVE-1", "CVE-2", "GHSA-1"]),
                aliases=st.sampled_from([(), ("CVE-1",), ("GHSA-1",)]),
                package=st.sampled_from(["p", "q"]),
                lockfile=st.sampled_from(["a.lock", "b.lock"]),
            ),
            max_size=3,
        ).map(lambda findings: replace(one, findings=tuple(findings)))
    ),
    max_size=3,
)


@settings(max_examples=200, deadline=None)
@given(_rows, _rows)
def test_nothing_is_lost_in_a_comparison(earlier: list[RepositoryScan], later: list[RepositoryScan]) -> None:
    found = compare(earlier, later)
    now = sum(len(one.findings) for one in later)
    assert len(found.new) + len(found.still) == now
    before = sum(len(one.findings) for one in earlier)
    assert len(found.fixed) + len(found.not_compared) <= before
    same = compare(later, later)
    assert (same.new, same.fixed, same.not_compared) == ((), (), ())
    assert len(same.still) == now
    base = against(report(*later), "b", earlier).baseline
    assert base is not None
    assert (base.fixed, base.not_compared) == (found.fixed, len(found.not_compared))
    assert base.known == found.still


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["repo", "status", "findings", "not_scanned", "error"]), _json), _json)
def test_any_document_is_read_or_refused(tmp_path: Path, one: dict[str, Any], base: Any) -> None:
    document = {"schema": 1, "repositories": [{"repo": "r", "status": "scanned"} | one], "baseline": base}
    try:
        rows = read_baseline(written(tmp_path, json.dumps(document)))
    except BadInput:
        return
    assert all(isinstance(each, RepositoryScan) for each in rows)
    against(report(row(OLD)), "b", rows)
