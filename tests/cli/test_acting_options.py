"""`multi-repo-scan` with ignore files, VEX, baselines, EPSS and KEV: what counts, and the exit code."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMIT, Command, Done
from gitworld import git

Checkout = Callable[..., Path]
ALLOW = "--allow-incomplete"
"""The starter set alone makes a scan incomplete."""
IDS = ["CVE-2020-8203", "CVE-2021-23337"]
"""Both are high."""


def scan(cortex: Command, *arguments: str | Path) -> Done:
    return cortex("multi-repo-scan", ALLOW, *arguments)


def report(cortex: Command, *arguments: str | Path) -> Any:
    return scan(cortex, "--format", "json", *arguments).json()


def ids(value: Any) -> list[str]:
    return sorted(one["id"] for row in value["repositories"] for one in row["findings"])


def entry(name: str, *more: str) -> str:
    return "\n".join(["[[ignore]]", f'id = "{name}"', 'reason = "not reached"', *more, ""])


@pytest.fixture
def shop(here: Path, checkout: Checkout) -> Path:
    """A repository `shop` with both findings."""
    return checkout("shop", here)


def test_the_findings_are_these(cortex: Command, shop: Path, conforms: Callable[[Any, str], None]) -> None:
    value = report(cortex, "shop")
    conforms(value, "multi-repo-scan")
    assert ids(value) == IDS
    assert (value["suppressed"], value["baseline"], value["notes"]) == ([], None, [])


def test_ignored_findings_are_listed_and_do_not_fail(
    cortex: Command, shop: Path, conforms: Callable[[Any, str], None]
) -> None:
    Path("i.toml").write_text(entry(IDS[0]) + entry("CVE-1", "expires = 2020-01-01") + entry("CVE-\u202e2"))
    value = report(cortex, "shop", "--ignore-file", "i.toml")
    conforms(value, "multi-repo-scan")
    assert ids(value) == IDS[1:]
    assert [(one["repo"], one["id"]) for one in value["suppressed"]] == [("shop", IDS[0])]
    Path("both.toml").write_text(entry(IDS[0]) + entry(IDS[1]))
    done = scan(cortex, "shop", "--ignore-file", "both.toml", "--fail-on", "low")
    assert done.code == 0
    assert (
        "No known vulnerabilities in the part that was scanned: 1 package of 1 repository, beside 2"
        in done.out
    )
    assert "Suppressed (2):\n  - shop: lodash 4.17.15: CVE-" in done.out
    assert scan(cortex, "shop", "--ignore-file", "i.toml", "--fail-on", "low").code == 1


def test_expired_and_unused_entries_are_said(cortex: Command, shop: Path) -> None:
    Path("i.toml").write_text(entry(IDS[0], "expires = 2020-01-01") + entry("CVE-\u202e2"))
    done = scan(cortex, "shop", "--ignore-file", "i.toml", "--fail-on", "low")
    assert done.code == 1
    assert f"i.toml: ignore 1 ({IDS[0]}) expired on 2020-01-01 and does not apply" in done.err
    assert "i.toml: ignore 2 (CVE-\\u202e2) applied to nothing" in done.err


def test_files_of_a_scanned_repository_suppress_nothing_unless_they_are_named(
    cortex: Command, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vex = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "statements": [
            {"vulnerability": name, "products": ["pkg:npm/lodash"], "status": "fixed"} for name in IDS
        ],
    }
    for name in (".cortex-git-ignore.toml", "osv-scanner.toml", ".trivyignore", "cortex-git.toml"):
        (shop / name).write_text("".join(entry(one) for one in IDS))
    for name in (".openvex.json", "openvex.json", "vex.json", ".vex/vex.json"):
        (shop / name).parent.mkdir(exist_ok=True)
        (shop / name).write_text(json.dumps(vex))
    git(shop, "add", ".")
    git(shop, *COMMIT, "nothing to see here")
    monkeypatch.chdir(shop)
    done = scan(cortex, ".", "--fail-on", "low")
    assert done.code == 1
    assert "CVEs found: 2" in done.out
    assert ".cortex-git-ignore.toml in this folder is not used" in done.err
    assert scan(cortex, ".", "--ignore-file", ".cortex-git-ignore.toml", "--fail-on", "low").code == 0
    assert scan(cortex, ".", "--vex", "vex.json", "--fail-on", "low").code == 0


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


def test_a_batch_is_a_baseline_too(cortex: Command, shop: Path, checkout: Checkout, here: Path) -> None:
    assert scan(cortex, "shop", "--batch", "monday").code == 0
    checkout("new", here)
    value = report(cortex, "shop", "new", "--baseline", "monday")
    assert [(row["repo"], len(row["findings"])) for row in value["repositories"]] == [("shop", 0), ("new", 2)]
    assert scan(cortex, "shop", "--baseline", "monday", "--fail-on", "low").code == 0
    told = scan(cortex, "--resume", "monday", "--baseline", "monday").error(2)
    assert "its own baseline" in told


def test_the_last_batch_is_a_baseline(cortex: Command, shop: Path) -> None:
    first = scan(cortex, "shop", "--baseline", "last", "--fail-on", "low", "--batch", "one")
    assert first.code == 1
    assert "there is no finished scan batch yet: everything is new" in first.err
    second = scan(cortex, "shop", "--baseline", "last", "--fail-on", "low", "--batch", "two")
    assert second.code == 0
    assert "Baseline one: 2 known" in second.out


def test_sarif_says_what_is_new(cortex: Command, shop: Path) -> None:
    scan(cortex, "shop", "--batch", "monday")
    (run,) = scan(cortex, "shop", "--baseline", "monday", "--format", "sarif").json()["runs"]
    assert [one["baselineState"] for one in run["results"]] == ["unchanged", "unchanged"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--ignore-file", "gone"], "there is no ignore file gone"),
        (["--ignore-file", "no-reason.toml"], "has no reason"),
        (["--vex", "gone"], "there is no VEX document gone"),
        (["--vex", "list.json"], "no JSON object"),
        (["--baseline", "gone.json"], "there is no baseline gone.json"),
        (["--baseline", "list.json"], "no JSON object"),
        (["--baseline", "shop"], "is no file"),
        (["--baseline", "nope"], "there is no batch 'nope'"),
        (["-o", "a.json", "-o", "gone/b.json"], "gone"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_used_costs_no_scan(
    cortex: Command, shop: Path, arguments: list[str], told: str
) -> None:
    Path("no-reason.toml").write_text('[[ignore]]\nid = "CVE-1"\n')
    Path("list.json").write_text("[]")
    assert told in scan(cortex, "shop", *arguments).error(2)
    assert not Path("a.json").exists()
    assert cortex("scans", "list", "--format", "json").json()["batches"] == []


def imported(cortex: Command, exploited: str) -> None:
    text = f"#model_version:v1,score_date:2026-11-28T00:00:00Z\ncve,epss,percentile\n{IDS[1]},0.5,0.9\n"
    Path("epss.csv").write_text(text)
    kev = {
        "dateReleased": "2026-11-27T00:00:00Z",
        "vulnerabilities": [{"cveID": exploited, "dateAdded": "2022-01-01"}],
    }
    Path("kev.json").write_text(json.dumps(kev))
    assert cortex("advisories", "import-epss", "epss.csv").code == 0
    assert cortex("advisories", "import-kev", "kev.json").code == 0


def test_findings_show_epss_and_kev_and_are_ordered_by_them(cortex: Command, shop: Path) -> None:
    imported(cortex, IDS[0])
    value = report(cortex, "shop")
    found = [(one["id"], one["epss"], one["kev"]) for one in value["repositories"][0]["findings"]]
    assert found == [(IDS[0], None, "2022-01-01"), (IDS[1], 0.5, None)]
    assert (value["epss_date"], value["kev_date"]) == ("2026-11-28", "2026-11-27")
    out = scan(cortex, "shop").out
    assert "KEV 2022-01-01" in out and "EPSS 50.0 %" in out
    assert (
        "Exploitation: EPSS scores of 2026-11-28, CISA's known exploited vulnerabilities of 2026-11-27" in out
    )


def test_fail_on_kev(cortex: Command, shop: Path) -> None:
    done = cortex("multi-repo-scan", "shop", "--fail-on-kev", "--format", "json")
    assert done.code == 3
    assert "import-kev" in json.dumps(done.json()["coverage"])
    imported(cortex, "CVE-1999-0001")
    assert scan(cortex, "shop", "--fail-on-kev").code == 0
    imported(cortex, IDS[0])
    assert scan(cortex, "shop", "--fail-on-kev").code == 1
    assert cortex("multi-repo-scan", "shop", "--fail-on-kev").code == 3  # the starter set is not all
    Path("i.toml").write_text(entry(IDS[0]))
    assert scan(cortex, "shop", "--fail-on-kev", "--ignore-file", "i.toml").code == 0


def test_a_damaged_list_costs_no_report(cortex: Command, shop: Path) -> None:
    imported(cortex, IDS[0])
    path = Path(cortex("advisories", "import-kev", "kev.json", "--format", "json").json()["path"])
    path.write_bytes(b"damaged" * 100)
    value = report(cortex, "shop", "--fail-on-kev")
    assert ids(value) == IDS
    told = json.dumps(value["coverage"])
    assert "kev.sqlite is damaged" in told and "known exploited vulnerabilities" in told


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
