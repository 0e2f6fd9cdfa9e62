"""`advisories update` and `advisories status` through the command line."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command

RECORD = {
    "id": "TEST-1",
    "modified": "2024-01-02T00:00:00Z",
    "summary": "made up",
    "affected": [
        {
            "package": {"ecosystem": "npm", "name": "lodash"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "5.0.0"}]}],
        }
    ],
    "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
}


@pytest.fixture
def dump(here: Path) -> Path:
    """A folder in the layout of the OSV dumps."""
    folder = here / "dump/npm"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.writestr("TEST-1.json", json.dumps(RECORD))
        archive.writestr("broken.json", "{")
    return folder.parent


def test_update_and_status(cortex: Command, dump: Path) -> None:
    done = cortex("advisories", "update", "--from", dump, "--format", "json")
    assert done.code == 0
    found = done.json()
    assert (found["records"], found["imported"], found["unreadable"]) == (1, {"npm": 1}, 1)
    status = cortex("advisories", "status", "--format", "json").json()
    assert (status["database"], status["records"]) == ("osv", 1)
    assert [row["ecosystem"] for row in status["ecosystems"]] == ["npm"]
    table = cortex("advisories", "status").out.splitlines()
    assert table[0].split() == ["Ecosystem", "Records", "Newest", "Imported", "From"]
    assert table[1].split()[:3] == ["npm", "1", "2024-01-02T00:00:00Z"]


def test_update_as_text(cortex: Command, dump: Path) -> None:
    done = cortex("advisories", "update", "--from", dump)
    assert done.out.startswith("npm: 1 record imported\n1 record in ")
    assert "1 file was no OSV record and is not covered" in done.err


def test_a_scan_uses_what_was_imported(cortex: Command, dump: Path, checkout: Callable[..., Path]) -> None:
    cortex("advisories", "update", "--from", dump)
    done = cortex("multi-repo-scan", checkout("r1"), "--format", "json", "--fail-on", "critical")
    assert done.code == 1, done
    assert [one["id"] for one in done.json()["repositories"][0]["findings"]] == ["TEST-1"]


def test_before_any_import(cortex: Command, here: Path) -> None:
    done = cortex("advisories", "status")
    assert (done.code, done.out) == (0, "")
    assert "starter set" in done.err
    assert cortex("advisories", "status", "--format", "json").json()["database"] == "starter"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--from", "gone"], 2),
        (["--from", "dump", "--ecosystem", "nope"], 2),
        (["--bogus"], 2),
    ],
)
def test_what_is_refused(cortex: Command, dump: Path, arguments: list[str], code: int) -> None:
    assert cortex("advisories", "update", *arguments).error(code)
    assert cortex("advisories", "status", "--format", "json").json()["database"] == "starter"


def test_a_zip_that_is_none(cortex: Command, here: Path) -> None:
    (here / "x.zip").write_bytes(b"PK no")
    assert "x.zip" in cortex("advisories", "update", "--from", "x.zip", "--ecosystem", "npm").error(2)


def test_dry_run(cortex: Command, dump: Path) -> None:
    done = cortex("advisories", "update", "--from", dump, "--dry-run", "--format", "json")
    assert done.json()["would"].startswith("import everything from ")
    assert cortex("advisories", "status", "--format", "json").json()["database"] == "starter"


def test_lists_of_exploitation_are_imported_and_shown(
    cortex: Command, here: Path, conforms: Callable[[Any, str], None]
) -> None:
    scores = here / "epss.csv"
    scores.write_text(
        "#model_version:v1,score_date:2026-11-28T00:00:00Z\ncve,epss,percentile\nCVE-2021-44228,0.9,1\nx\n"
    )
    would = cortex(
        "advisories", "import-epss", "https://me:hunter2@h.example/e.gz", "--dry-run", "--format", "json"
    )
    assert would.json()["would"] == "import epss from https://h.example/e.gz"
    assert cortex("advisories", "status", "--format", "json").json()["epss"] is None
    done = cortex("advisories", "import-epss", scores, "--format", "json")
    conforms(done.json(), "advisories-import")
    assert (done.json()["entries"], done.json()["date"], done.json()["unreadable"]) == (1, "2026-11-28", 1)
    kev = here / "kev.csv"
    kev.write_text("cveID,dateAdded\nCVE-2021-44228,2021-12-10\n")
    done = cortex("advisories", "import-kev", kev)
    assert done.out.startswith("kev: 1 CVEs of 2021-12-10 in ")
    status = cortex("advisories", "status", "--format", "json").json()
    assert (status["epss"]["entries"], status["kev"]["date"]) == (1, "2021-12-10")
    assert "no KEV list" in cortex("advisories", "import-kev", scores).error(2)
