"""`multi-repo-scan --secrets`: found by kind and place, in every form, and never shown."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMIT, Command
from gitworld import git

from cortex_git.scan.advisories.database import open_starter
from cortex_git.scan.scanner import scan_repository
from cortex_git.scan.sources import Source

TOKEN = "ghp_" + "0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R"
URL = "https://user:Zx9-kLm3Pq7wRt@db.example.invalid/x"
FILES = {
    "requirements.txt": b"jinja2==3.1.6 --hash=sha256:" + b"3a" * 32 + b"\n",
    "deploy/run.sh": f"#!/bin/sh\n# deploys\nTOKEN={TOKEN}\n".encode(),
    "config.ini": f"url = {URL}\n".encode(),
    "image.bin": b"\0" + TOKEN.encode(),
    "README.md": b"nothing here\n",
    "package-lock.json": b'{"lockfileVersion": 3, "packages": {}}',
}


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    folder = tmp_path / "leaky"
    for path, data in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    (folder / "link.sh").symlink_to("deploy/run.sh")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, *COMMIT, "x")
    return folder


def scan(cortex: Command, *arguments: str | Path) -> Any:
    return cortex("multi-repo-scan", "--secrets", "--allow-incomplete", *arguments)


def test_what_looks_like_a_secret_is_named_by_place(
    cortex: Command, here: Path, leaky: Path, conforms: Callable[[Any, str], None]
) -> None:
    done = scan(cortex, leaky, "--format", "json")
    report = done.json()
    conforms(report, "multi-repo-scan")
    (row,) = report["repositories"]
    places = {(one["path"], one["line"]) for one in row["secrets"]}
    assert places == {("config.ini", 1), ("deploy/run.sh", 3)}
    assert report["secrets_found"] == len(row["secrets"])
    assert (done.code, row["status"]) == (0, "scanned")


@pytest.mark.parametrize(
    "form", ["table", "json", "sarif", "markdown", "html", "github", "csv", "cyclonedx-vex"]
)
def test_no_form_shows_a_secret(cortex: Command, here: Path, leaky: Path, form: str) -> None:
    done = scan(cortex, leaky, "--format", form)
    assert done.code == 0, done.err
    assert TOKEN not in done.out + done.err
    assert "Zx9-kLm3Pq7wRt" not in done.out + done.err
    if form not in ("csv", "cyclonedx-vex"):
        assert "deploy/run.sh" in done.out


def test_nothing_that_is_kept_holds_a_secret(
    cortex: Command, coordinated: Path, leaky: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CORTEX_CACHE_HOME", str(tmp_path / "cache"))
    assert scan(cortex, leaky).code == 0
    rows = (
        sqlite3.connect(tmp_path / "cache" / "scan.sqlite")
        .execute("SELECT key, value FROM secrets")
        .fetchall()
    )
    assert rows
    kept = str(rows) + git(coordinated, "log", "--all", "-p")
    assert "deploy/run.sh" in kept
    assert TOKEN not in kept
    assert "Zx9-kLm3Pq7wRt" not in kept


def test_a_secret_counts_as_critical(cortex: Command, here: Path, leaky: Path) -> None:
    assert scan(cortex, leaky, "--fail-on", "critical").code == 1
    assert cortex("multi-repo-scan", "--allow-incomplete", leaky, "--fail-on", "critical").code == 0


def test_without_being_asked_for_nothing_is_looked_through(cortex: Command, here: Path, leaky: Path) -> None:
    report = cortex("multi-repo-scan", "--allow-incomplete", leaky, "--format", "json").json()
    assert report["secrets_found"] == 0
    scan(cortex, leaky, "--batch", "with")
    # A row with secrets is no row for a scan without, nor the other way round.
    again = cortex(
        "multi-repo-scan", "--allow-incomplete", leaky, "--changed-since", "with", "--format", "json"
    )
    assert [row["unchanged_since"] for row in again.json()["repositories"]] == [None]
    unchanged = scan(cortex, leaky, "--changed-since", "with", "--format", "json").json()
    assert [row["unchanged_since"] for row in unchanged["repositories"]] == ["with"]
    assert unchanged["secrets_found"] == 2


def test_a_file_that_is_too_large_is_a_gap(cortex: Command, here: Path, leaky: Path) -> None:
    (leaky / "big.log").write_text("line\n" * 300_000)
    git(leaky, "add", ".")
    git(leaky, *COMMIT, "big")
    (row,) = scan(cortex, leaky, "--format", "json").json()["repositories"]
    (gap,) = row["not_scanned"]
    assert (gap["what"], gap["reason"]) == ("secrets in 1 file", "they are larger than 1 MiB")
    assert (gap["kind"], gap["path"]) == ("secrets", None)
    assert len(row["secrets"]) == 2


def test_a_file_full_of_secrets_is_named_so_often_and_looked_through_once(
    cortex: Command, here: Path, leaky: Path
) -> None:
    """One blob, under as many names as anybody likes."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    keys = [f"AKIA{digits[n // 32 % 32] * 8}{digits[n % 32] * 8}\n" for n in range(300)]
    (leaky / "keys.txt").write_text("".join(keys))
    oid = git(leaky, "hash-object", "-w", "keys.txt")
    (leaky / "keys.txt").unlink()
    for number in range(12):
        git(leaky, "update-index", "--add", "--cacheinfo", f"100644,{oid},k{number:02d}.txt")
    git(leaky, *COMMIT, "keys")
    for _ in range(2):  # looked through, and remembered
        (row,) = scan(cortex, leaky, "--format", "json").json()["repositories"]
        assert len(row["secrets"]) == 1000
        assert [(gap["what"], gap["reason"]) for gap in row["not_scanned"]] == [
            ("secrets in 12 files", "the first 100 of each are named"),
            ("202 more secrets", "the first 1,000 are named"),
        ]


def test_manifests_lockfiles_and_wide_text_are_looked_through_and_checksums_are_no_secrets(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    pinned = f"six==1.17.0 --hash=sha256:{'3a' * 32}\n"
    module = {"version": "1.0.0", "integrity": f"sha512-{'Ab3+' * 21}Ag==", "resolved": URL}
    files = {
        "pom.xml": f"<project>\n<url>{URL}</url></project>".encode(),
        "requirements.txt": f"{pinned}--index-url {URL}\n".encode(),
        "go.mod": b"module example.com/m\n",
        "bom.json": b'{"bomFormat": "CycloneDX", "components": []}',
        "package-lock.json": json.dumps({"packages": {"node_modules/a": module}}).encode().ljust(2 << 20),
        "little.ps1": f"\n$token = '{TOKEN}'".encode("utf-16"),
        "big.ps1": b"\xfe\xff" + f"\n$token = '{TOKEN}'".encode("utf-16-be"),
        "picture": b"\xff\xfe" + b"\0\0" * 100 + TOKEN.encode(),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with open_starter(tmp_path / "starter") as database:
        row = scan_repository(Source(str(folder), str(folder)), database=database, secrets=True)
    assert {(one.path, one.line) for one in row.secrets} == {
        ("pom.xml", 2), ("requirements.txt", 2), ("package-lock.json", 1), ("little.ps1", 2), ("big.ps1", 2),
    }  # fmt: skip
    assert row.secrets_looked is not None
    assert (row.secrets_looked.files, row.secrets_looked.whole) == (len(files) - 1, True)
    assert [(one.reason, one.files) for one in row.secrets_looked.passed_over] == [("no text", 1)]


def test_a_file_that_the_detector_cannot_look_through_is_a_gap(
    leaky: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def scan(self, text: bytes, timeout: float) -> list[Any]:
            if TOKEN.encode() in text:
                raise TimeoutError(TOKEN)
            return []

    monkeypatch.setattr("cortex_git.scan.secret_detector.detector", Failing)
    with open_starter(tmp_path / "starter") as database:
        row = scan_repository(Source(str(leaky), str(leaky)), database=database, secrets=True)
    assert row.error is None
    assert [one.path for one in row.secrets] == ["config.ini"]
    (gap,) = row.not_scanned
    assert (gap.what, TOKEN in gap.reason) == ("secrets in 1 file", False)
    assert "the detector of secrets failed" in gap.reason


def test_only_new_secrets_count_and_fingerprints_stay_when_lines_move(
    cortex: Command, here: Path, leaky: Path
) -> None:
    assert "Secrets: looked for in 5 files" in scan(cortex, leaky, "-o", "before.json").err
    (before,) = json.loads(Path("before.json").read_text())["repositories"]
    marks = {one["path"]: one["fingerprint"] for one in before["secrets"]}
    assert before["secrets_looked"]["passed_over"] == [
        {"reason": "symbolic links", "files": 1},
        {"reason": "no text", "files": 1},
    ]
    script = leaky / "deploy" / "run.sh"
    script.write_text("\n\n\n" + script.read_text())
    (leaky / "new.sh").write_text(f"TOKEN={TOKEN}\n")
    git(leaky, "add", ".")
    git(leaky, *COMMIT, "lines")
    Path("ignore.toml").write_text(
        f'[[secret]]\nfingerprint = "{marks["config.ini"]}"\nreason = "revoked"\nexpires = 2999-01-01\n'
    )
    said = ("--ignore-file", "ignore.toml", "--baseline", "before.json", "--fail-on", "critical")
    done = scan(cortex, leaky, *said, "--format", "json")
    value = done.json()
    assert done.code == 1
    assert [one["path"] for one in value["repositories"][0]["secrets"]] == ["new.sh"]
    (known,) = value["baseline"]["known_secrets"]
    assert (known["line"], known["fingerprint"]) == (6, marks["deploy/run.sh"])
    (aside,) = value["suppressed_secrets"]
    assert (aside["path"], aside["suppression"]["in_baseline"]) == ("config.ini", True)
    kept = Path("ignore.toml").read_text() + Path("before.json").read_text()
    assert TOKEN not in kept + done.out + done.err


def test_sarif_with_secrets_is_sarif(cortex: Command, here: Path, leaky: Path) -> None:
    document = json.loads(scan(cortex, leaky, "--format", "sarif").out)
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    results = [one for one in run["results"] if one["ruleId"].startswith("secret/")]
    assert len(results) == 2
    assert all(rules[one["ruleIndex"]] == one["ruleId"] for one in results)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--by-vote"], "--by-vote without another scanner"),
        (["--group-by", "advisory", "--format", "csv"], "--group-by has no effect on csv"),
        (
            ["--group-by", "advisory", "-o", "x.sarif", "-o", "y.csv"],
            "--group-by has no effect on csv, sarif",
        ),
    ],
    ids=["vote", "form", "endings"],
)
def test_options_without_an_effect_are_refused(
    cortex: Command, here: Path, leaky: Path, arguments: list[str], said: str
) -> None:
    assert said in cortex("multi-repo-scan", leaky, *arguments).error(2)
