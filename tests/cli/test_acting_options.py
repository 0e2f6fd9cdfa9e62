"""`multi-repo-scan` with ignore files, VEX, EPSS and KEV: what counts, and the exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from actingworld import IDS, entry, ids, report, scan
from command_line import COMMIT, Command
from gitworld import git

Checkout = Callable[..., Path]


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
        (["-o", "a.json", "-o", "report.xml"], "the ending of report.xml says no form"),
        (["-o", "report.xml", "--format", "github"], "the ending of report.xml says no form"),
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
