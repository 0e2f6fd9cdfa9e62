"""`multi-repo-scan --sbom`: a bill of materials that is no part of a repository."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command, Done

VULNERABLE = "pkg:npm/lodash@4.17.20"


def bill(*purls: str) -> str:
    components = [{"type": "library", "name": "x", "purl": purl} for purl in purls]
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", "components": components})


def scan(cortex: Command, *arguments: str | Path) -> Done:
    return cortex("multi-repo-scan", "--allow-incomplete", "--format", "json", *arguments)


def test_files_are_scanned_beside_repositories(
    cortex: Command, here: Path, checkout: Callable[..., Path], conforms: Callable[[Any, str], None]
) -> None:
    checkout("r1", here)
    (here / "app.cdx.json").write_text(bill(VULNERABLE, "pkg:npm/lodash@4.17.21"))
    text = f"SPDXVersion: SPDX-2.3\nPackageName: x\nExternalRef: PACKAGE-MANAGER purl {VULNERABLE}\n"
    (here / "b@1.spdx").write_text(text)
    report = scan(cortex, "r1", "--sbom", "app.cdx.json", "--sbom", "b@1.spdx").json()
    conforms(report, "multi-repo-scan")
    rows = {row["repo"]: row for row in report["repositories"]}
    assert list(rows) == ["r1", "app.cdx.json", "b@1.spdx"]
    for name in ("app.cdx.json", "b@1.spdx"):
        [finding] = rows[name]["findings"]
        assert (rows[name]["status"], rows[name]["commit"]) == ("scanned", None)
        assert (finding["package"], finding["version"], finding["lockfile"]) == ("lodash", "4.17.20", name)


def test_filters_and_refs_are_not_for_files(cortex: Command, here: Path) -> None:
    (here / "bom.json").write_text(bill(VULNERABLE))
    report = scan(cortex, "--sbom", "bom.json", "--exclude", "*", "--ref", "v1").json()
    assert [row["status"] for row in report["repositories"]] == ["scanned"]


def test_a_link_on_the_command_line_is_followed(cortex: Command, here: Path, tmp_path: Path) -> None:
    (tmp_path / "real.cdx.json").write_text(bill(VULNERABLE))
    (here / "app.cdx.json").symlink_to(tmp_path / "real.cdx.json")
    report = scan(cortex, "--sbom", "app.cdx.json").json()
    assert [(row["repo"], len(row["findings"])) for row in report["repositories"]] == [("app.cdx.json", 1)]


def test_a_damaged_file_is_not_scanned(cortex: Command, here: Path) -> None:
    (here / "bom.json").write_text(bill(VULNERABLE)[:-3])
    report = scan(cortex, "--sbom", "bom.json").json()
    [row] = report["repositories"]
    assert (row["status"], row["findings"]) == ("incomplete", [])
    assert row["not_scanned"] == [
        {
            "what": "bom.json",
            "reason": "is not valid JSON (line 1)",
            "kind": "unreadable",
            "path": "bom.json",
        }
    ]
    assert cortex("multi-repo-scan", "--sbom", "bom.json").code == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing.cdx.json", "there is no file nothing.cdx.json"),
        (".", "there is no file ."),
        ("list.json", "list.json does not say by its name what it is"),
        ("package-lock.json", "package-lock.json does not say by its name what it is"),
    ],
)
def test_what_is_no_bill_is_refused(cortex: Command, here: Path, name: str, message: str) -> None:
    for there in ("list.json", "package-lock.json"):
        (here / there).write_text("{}")
    done = scan(cortex, "--sbom", name)
    assert done.code == 2
    assert message in done.err


def test_a_sample_goes_with_no_file(cortex: Command, here: Path) -> None:
    (here / "bom.json").write_text(bill())
    assert scan(cortex, "--sample", "--sbom", "bom.json").code == 2
