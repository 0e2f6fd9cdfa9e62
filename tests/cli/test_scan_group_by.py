"""`multi-repo-scan --group-by advisory`, and what each finding says about where it comes from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from command_line import Command

LODASH = " lodash >= 4.17.21 (CVE-2021-23337)"


def test_the_sample_grouped(cortex: Command, here: Path, conforms: Callable[[Any, str], None]) -> None:
    grouped = ("multi-repo-scan", "--sample", "--group-by", "advisory", "--all")
    assert cortex(*grouped, "-o", "a.json", "-o", "a.md").code == 0
    report = json.loads((here / "a.json").read_text())
    conforms(report, "multi-repo-scan")
    needs = {one["need"]: one for one in report["advisories"]}
    (lodash,) = [need for need in needs if LODASH in need]
    assert sum(len(one["repositories"]) for one in report["advisories"]) <= report["cves_found"]
    markdown = (here / "a.md").read_text()
    assert "## What is needed" in markdown and "`lodash >= 4.17.21`" in markdown
    table = cortex(*grouped)
    assert lodash in table.out
    assert all(need in table.out for need in needs)


def test_the_sample_says_where_packages_come_from(cortex: Command, here: Path) -> None:
    report = cortex("multi-repo-scan", "--sample", "--format", "json").json()
    rows = {row["repo"].rpartition("/")[2]: row for row in report["repositories"]}
    found = {
        f"{name} {one['package']}": (one["direct"], one["dev"], one["via"], one["upgrade"])
        for name in ("payments-api", "helpdesk", "edge-proxy", "auth-gateway")
        for one in rows[name]["findings"]
    }
    assert found["payments-api qs"] == (False, False, ["express"], "npm update qs")
    assert found["payments-api lodash"][:3] == (True, False, ["jsonwebtoken"])
    assert found["helpdesk rack"] == (False, None, ["rails"], "bundle update --conservative rack")
    assert found["edge-proxy smallvec"][2:] == (
        ["hyper"],
        "cargo update --package smallvec@0.6.9 --precise 0.6.14",
    )
    assert found["auth-gateway golang.org/x/text"][:2] == (False, None)
    table = cortex("multi-repo-scan", "--sample", "--all").out
    assert "via express" in table and "direct" in table
