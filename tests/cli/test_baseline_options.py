"""`multi-repo-scan` against a baseline, and with several outputs."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from actingworld import IDS, entry, ids, report, scan
from command_line import Command

from cortex_git.scan.sources import parse_source
from cortex_git.services import open_or_embedded
from cortex_git.services.scan_request import ScanRequest
from cortex_git.services.scans import prepare_batch

Checkout = Callable[..., Path]


def test_a_baseline_file_lets_only_new_findings_fail(cortex: Command, shop: Path) -> None:
    Path("old.toml").write_text(entry(IDS[1]))
    scan(cortex, "shop", "--ignore-file", "old.toml", "-o", "before.json")
    scan(cortex, "shop", "-o", "all.json")
    done = scan(cortex, "shop", "--baseline", "before.json", "--fail-on", "low")
    assert done.code == 1
    assert "CVEs found: 1" in done.out
    assert "Baseline before.json: 1 known, not counted below; 0 fixed" in done.out
    assert scan(cortex, "shop", "--baseline", "all.json", "--fail-on", "low").code == 0
    value = report(cortex, "shop", "--baseline", "before.json")
    assert (ids(value), [one["id"] for one in value["baseline"]["known"]]) == (IDS[1:], IDS[:1])


def test_a_baseline_that_names_the_repositories_otherwise_is_told(cortex: Command, shop: Path) -> None:
    scan(cortex, "shop", "-o", "before.json")
    absolute = str(Path("shop").absolute())
    done = scan(cortex, absolute, "--baseline", "before.json", "--fail-on", "low")
    told = "the baseline before.json has none of these repositories: everything is new"
    assert (done.code, done.err.count(told)) == (1, 1)
    assert f"(it names shop, this scan {absolute})" in done.err


def test_a_batch_is_a_baseline_too(cortex: Command, shop: Path, checkout: Checkout, here: Path) -> None:
    assert scan(cortex, "shop", "--batch", "monday").code == 0
    checkout("new", here)
    value = report(cortex, "shop", "new", "--baseline", "monday")
    assert [(row["repo"], len(row["findings"])) for row in value["repositories"]] == [("shop", 0), ("new", 2)]
    assert scan(cortex, "shop", "--baseline", "monday", "--fail-on", "low").code == 0
    told = scan(cortex, "--resume", "monday", "--baseline", "monday").error(2)
    assert "its own baseline" in told


def test_the_last_batch_of_the_repositories_is_a_baseline(
    cortex: Command, shop: Path, checkout: Checkout, here: Path
) -> None:
    first = scan(cortex, "shop", "--baseline", "last", "--fail-on", "low", "--batch", "one")
    assert first.code == 1
    assert "no scan batch of these repositories is finished yet: everything is new" in first.err
    cortex("multi-repo-scan", checkout("other", here), "--batch", "of-another")
    second = scan(cortex, "shop", "--baseline", "last", "--fail-on", "low", "--batch", "two")
    assert second.code == 0
    assert "Baseline one: 2 known" in second.out


def test_the_last_batch_is_no_sample_and_not_newer(cortex: Command, shop: Path) -> None:
    scan(cortex, "shop", "--batch", "one")
    cortex("multi-repo-scan", "--sample", "--batch", "shown")
    assert "Baseline one: 2 known" in scan(cortex, "shop", "--baseline", "last", "--batch", "two").out
    again = scan(cortex, "--resume", "one", "--baseline", "last", "--fail-on", "low")
    assert again.code == 1
    assert "everything is new" in again.err
    prepare_batch(open_or_embedded(None), ScanRequest([parse_source("shop")], batch="open", rescan=True))
    assert "Baseline two: 2 known" in scan(cortex, "--resume", "last", "--baseline", "last").out
    assert "Baseline shown: 79 known" in cortex("multi-repo-scan", "--sample", "--baseline", "last").out


def test_a_relative_name_is_another_repository_in_another_folder(
    cortex: Command, shop: Path, checkout: Checkout, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = checkout("other", here)
    monkeypatch.chdir(shop)
    scan(cortex, ".", "--batch", "of-shop", "-o", "../shop.json")
    monkeypatch.chdir(other)
    first = scan(cortex, ".", "--batch", "of-other", "--baseline", "last", "--fail-on", "low")
    assert first.code == 1
    assert "no scan batch of these repositories is finished yet" in first.err
    named = scan(cortex, ".", "--baseline", "of-shop", "--fail-on", "low")
    assert named.code == 1
    assert ". is another folder in the baseline of-shop: everything in it is new" in named.err
    # Whoever names a report means its names: a checkout need not be where it was then.
    assert scan(cortex, ".", "--baseline", "../shop.json", "--fail-on", "low").code == 0
    counts = cortex("scans", "diff", "of-shop", "of-other", "--format", "json").json()["counts"]
    assert counts == {"new": 2, "fixed": 0, "still": 0, "not_compared": 2}
    rows = cortex("scans", "trend", "--format", "json").json()["batches"]
    assert [row["new"]["high"] for row in rows][:2] == [2, 2]
    assert [row["repositories_first_scanned"] for row in rows][:2] == [1, 1]


def test_each_repository_is_compared_with_its_own_last_scan(
    cortex: Command, shop: Path, checkout: Checkout, here: Path
) -> None:
    other = checkout("other", here)
    scan(cortex, "shop", "other", "--batch", "night")
    scan(cortex, "shop", "--batch", "by-hand")
    value = report(cortex, "shop", "other", "--baseline", "last", "--batch", "again")
    assert (value["cves_found"], value["baseline"]["source"]) == (0, "by-hand, night")
    assert (value["baseline"]["batches"], len(value["baseline"]["known"])) == (["by-hand", "night"], 4)
    # A scan that failed knows nothing: the one before it is the last.
    other.rename(here / "away")
    scan(cortex, "other", "--batch", "failed")
    (here / "away").rename(other)
    new = checkout("new", here)
    done = scan(cortex, "other", new, "--baseline", "last", "--fail-on", "low")
    assert "Baseline again: 2 known" in done.out
    assert f"no scan batch of {new} is finished yet: everything there is new" in done.err
    assert done.code == 1


def test_sarif_says_what_is_new(cortex: Command, shop: Path) -> None:
    scan(cortex, "shop", "--batch", "monday")
    (run,) = scan(cortex, "shop", "--baseline", "monday", "--format", "sarif").json()["runs"]
    assert [one["baselineState"] for one in run["results"]] == ["unchanged", "unchanged"]


def test_several_outputs_get_the_forms_of_their_endings(cortex: Command, shop: Path) -> None:
    names = ["r.json", "r.sarif", "r.md", "r.html", "r.csv", "r.cdx.json", "r.txt", "r"]
    done = scan(cortex, "shop", *(part for name in names for part in ("-o", name)))
    assert done.code == 0
    assert len(done.out.splitlines()) == 7
    text = {name: Path(name).read_text() for name in names}
    assert json.loads(text["r.json"])["cves_found"] == 2
    assert json.loads(text["r.sarif"])["version"] == "2.1.0"
    assert json.loads(text["r.cdx.json"])["bomFormat"] == "CycloneDX"
    assert text["r.md"].startswith("# Vulnerability scan")
    assert text["r.html"].startswith("<!doctype html>")
    assert [row["kind"] for row in csv.DictReader(io.StringIO(text["r.csv"]))][:2] == ["finding", "finding"]
    assert text["r.txt"].startswith("Severity") and text["r"].startswith("Severity")


def test_one_file_that_can_no_longer_be_written_costs_no_other(cortex: Command, shop: Path) -> None:
    done = scan(cortex, "shop", "--batch", "full", "-o", "/dev/full", "-o", "r.json", "-o", "-")
    assert done.code == 3
    assert "/dev/full cannot be written: No space left on device" in done.err
    assert "the results are kept: --resume full --output FILE" in done.err
    assert json.loads(Path("r.json").read_text())["cves_found"] == 2
    assert done.out.startswith("Severity")
    assert "CVEs found: 2" in done.err
    assert not Path("-").exists()
    again = scan(cortex, "--resume", "full", "-o", "-", "--format", "json")
    assert (again.code, again.json()["cves_found"]) == (0, 2)


def test_one_output_has_the_form_that_is_asked_for(cortex: Command, shop: Path) -> None:
    scan(cortex, "shop", "-o", "r.json", "--format", "sarif")
    assert "runs" in json.loads(Path("r.json").read_text())
    scan(cortex, "shop", "-o", "r.sarif")
    assert "runs" in json.loads(Path("r.sarif").read_text())


def test_annotations_go_to_the_log_and_files_keep_their_form(cortex: Command, shop: Path) -> None:
    done = scan(cortex, "shop", "--format", "github", "-o", "r.sarif")
    assert done.out.startswith("::error file=shop/package-lock.json,")
    assert "CVEs found: 2" in done.out
    assert "runs" in json.loads(Path("r.sarif").read_text())
