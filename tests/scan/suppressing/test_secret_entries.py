"""Secrets that do not count: by an ignore file's `[[secret]]` entries, and by a baseline."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from cortex_git.errors import BadInput
from cortex_git.scan.baselines import against, read_baseline
from cortex_git.scan.fingerprints import secret_fingerprint
from cortex_git.scan.records import RepositoryScan, SecretFound
from cortex_git.scan.reports import RENDERERS
from cortex_git.scan.scan_report import BatchTiming, ScanReport
from cortex_git.scan.secrets_looked import PassedOver, SecretsLooked
from cortex_git.scan.stored_rows import BadRow, stored_row
from cortex_git.scan.suppressing.applying_secrets import suppress_secrets
from cortex_git.scan.suppressing.ignore_file import read_ignore_file, read_whole
from cortex_git.scan.suppressing.secret_entries import SecretEntry

REPO = "https://h.test/web.git"
TODAY = date(2026, 11, 29)
LOOKED = SecretsLooked(12, 3_400_000, (PassedOver("lockfiles", 2),))
TESTS = SecretFound("tests/key.pem", 1, "private key", 1)
FIRST = SecretFound("app/run.sh", 3, "aws access key", 1)
SECOND = SecretFound("app/run.sh", 9, "aws access key", 2)
HOST = SecretFound("tests/host.txt", 1, "key of this host", 1)
SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schemas/multi-repo-scan-1.json").read_text())


def report(*secrets: SecretFound, looked: SecretsLooked | None = LOOKED, repo: str = REPO) -> ScanReport:
    row = RepositoryScan(repo, "scanned", packages=3, secrets=secrets, secrets_looked=looked)
    return ScanReport("b", (row,), BatchTiming(1, 0, 0, 1, 1, "parallel"), "osv")


def entries(tmp_path: Path, text: str) -> tuple[SecretEntry, ...]:
    (tmp_path / "ignore.toml").write_text(text)
    assert read_ignore_file(tmp_path / "ignore.toml") == ()
    return read_whole(tmp_path / "ignore.toml").secrets


def left(done: ScanReport) -> list[SecretFound]:
    return [one for row in done.repositories for one in row.secrets]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ('path = "tests/*"', [TESTS]),
        ('kind = "aws*"', [FIRST, SECOND]),
        ('repository = "https://h.test/*"', [TESTS, FIRST, SECOND]),
        ('repository = "other"', []),
        (f'fingerprint = "{secret_fingerprint(REPO, SECOND)}"', [SECOND]),
        ('path = "tests/*"\nkind = "aws*"', []),
        ('kind = "secret/key of this host"', [HOST]),
        (f'fingerprint = "{secret_fingerprint(REPO, HOST)}"', [HOST]),
    ],
    ids=["path", "kind", "repository", "other", "fingerprint", "both", "host-kind", "host-fingerprint"],
)
def test_an_entry_is_about_all_that_its_limits_cover(
    tmp_path: Path, limits: str, expected: list[SecretFound]
) -> None:
    said = entries(tmp_path, f'[[secret]]\nreason = "made up"\n{limits}\n')
    every = [TESTS, FIRST, SECOND, HOST]
    done = suppress_secrets(report(*every), said, TODAY)
    assert [one.secret for one in done.suppressed_secrets] == expected
    assert left(done) == [one for one in every if one not in expected]
    assert done.secrets_found == 4 - len(expected)
    assert bool(done.notes) is not bool(expected)


def test_an_entry_applies_through_its_last_day_and_says_so_when_it_expired(tmp_path: Path) -> None:
    said = entries(tmp_path, '[[secret]]\nreason = "r"\npath = "*"\nexpires = 2026-11-29\n')
    assert left(suppress_secrets(report(FIRST), said, TODAY)) == []
    late = suppress_secrets(report(FIRST), said, date(2026, 11, 30))
    assert left(late) == [FIRST]
    assert "expired on 2026-11-29 and does not apply" in late.notes[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('path = "x"', "has no reason"),
        ('reason = "r"', "is about every secret"),
        ('reason = "r"\nvalue = "hunter2!"', "has a key that is not known"),
        ('reason = "r"\nfingerprint = "hunter2!"', "is not 64 hexadecimal digits"),
        ('reason = "r"\npath = "x"\nstatus = "hunter2!"', "unknown status"),
        ('reason = "r"\npath = ""', "empty or no text"),
    ],
    ids=["reason", "limits", "key", "fingerprint", "status", "empty"],
)
def test_an_entry_that_says_too_little_or_too_much_is_refused_and_not_repeated(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(BadInput, match=said) as problem:
        entries(tmp_path, f"[[secret]]\n{text}\n")
    assert "secret 1" in str(problem.value)
    assert "hunter2!" not in str(problem.value)


def test_a_baseline_leaves_what_is_new_and_the_next_one_knows_both(tmp_path: Path) -> None:
    """The second key of a file keeps its fingerprint while the first is suppressed or gone."""
    path = tmp_path / "before.json"
    path.write_text(RENDERERS["json"](report(TESTS, FIRST)))
    now = against(report(TESTS, FIRST, SECOND), "before.json", read_baseline(path))
    assert left(now) == [SECOND]
    assert now.baseline is not None
    assert [one.secret for one in now.baseline.known_secrets] == [TESTS, FIRST]
    path.write_text(RENDERERS["json"](now))
    Draft202012Validator(SCHEMA).validate(json.loads(path.read_text()))
    moved = replace(SECOND, line=40)
    nothing_new = against(report(FIRST, moved), "before.json", read_baseline(path))
    assert left(nothing_new) == []
    assert nothing_new.baseline is not None
    assert [one.secret for one in nothing_new.baseline.gone_secrets] == [TESTS]


def test_what_a_baseline_had_suppressed_is_new_when_its_entry_ends(tmp_path: Path) -> None:
    said = entries(tmp_path, '[[secret]]\nreason = "r"\npath = "app/*"\n')
    path = tmp_path / "before.json"
    path.write_text(RENDERERS["json"](suppress_secrets(report(TESTS, FIRST, SECOND), said, TODAY)))
    now = against(report(TESTS, FIRST, SECOND), "before.json", read_baseline(path))
    assert left(now) == [FIRST, SECOND]


@pytest.mark.parametrize(
    "now",
    [
        report(looked=None),
        report(looked=replace(LOOKED, whole=False)),
        report(repo="other"),
    ],
    ids=["not-looked", "not-whole", "not-scanned"],
)
def test_a_secret_that_was_not_looked_for_again_is_not_gone(now: ScanReport) -> None:
    done = against(now, "before", report(TESTS).repositories)
    assert done.baseline is not None
    assert (done.baseline.gone_secrets, done.baseline.secrets_not_compared) == ((), 1)


def test_a_baseline_that_never_looked_is_said_to_be_one() -> None:
    done = against(report(FIRST), "before", report(looked=None).repositories)
    assert left(done) == [FIRST]
    assert done.notes == ("secrets were not looked for in the baseline before: all are new",)


@pytest.mark.parametrize("form", ["json", "sarif", "markdown", "html", "github"])
def test_every_form_counts_and_lists_what_is_set_aside(tmp_path: Path, form: str) -> None:
    said = entries(tmp_path, '[[secret]]\nreason = "only in tests"\npath = "tests/*"\nexpires = 2027-01-31\n')
    done = suppress_secrets(report(TESTS, FIRST, SECOND), said, TODAY)
    done = against(done, "before", report(TESTS, FIRST).repositories)
    text = RENDERERS[form](done)
    assert "only in tests" in text
    if form == "json":
        value = json.loads(text)
        Draft202012Validator(SCHEMA).validate(value)
        assert value["secrets_found"] == 1
        assert value["suppressed_secrets"][0]["suppression"]["in_baseline"] is True
    elif form == "sarif":
        (run,) = json.loads(text)["runs"]
        states = [(one["baselineState"], len(one["suppressions"])) for one in run["results"]]
        assert states == [("new", 0), ("unchanged", 0), ("unchanged", 1)]
    else:
        assert "beside 1 suppressed and 1 known from the baseline" in text
        assert "accepted until 2027-01-31" in text


@pytest.mark.parametrize("form", ["json", "sarif", "markdown", "html", "github"])
def test_a_clean_run_says_in_how_much_it_looked(form: str) -> None:
    text = RENDERERS[form](report())
    unasked = RENDERERS[form](report(looked=None))
    if form == "json":
        passed = [{"reason": "lockfiles", "files": 2}]
        extent = {"files": 12, "size": 3_400_000, "passed_over": passed, "whole": True}
        assert json.loads(text)["secrets_looked"] == extent
        assert json.loads(unasked)["secrets_looked"] is None
    else:
        assert "looked for in 12 files (3.4 MB) of 1 repository; passed over: lockfiles (2)" in text
        assert "looked for in" not in unasked
    if form not in ("json", "sarif"):
        assert "No secrets in 12 files." in text


@pytest.mark.parametrize(
    "looked",
    [
        {"files": -1, "size": 0},
        {"files": 1, "size": 1 << 60},
        {"files": 1, "size": 1, "passed_over": [{"reason": "x", "files": 1}] * 21},
        {"files": "many", "size": 1},
    ],
    ids=["negative", "huge", "reasons", "text"],
)
def test_a_result_cannot_say_anything_it_likes_of_how_much_was_looked(looked: dict[str, object]) -> None:
    with pytest.raises(BadRow):
        stored_row({"repo": "r", "status": "scanned", "secrets_looked": looked})
    fine = stored_row({"repo": "r", "status": "scanned", "secrets_looked": {"files": 1, "size": 2}})
    assert fine.secrets_looked == SecretsLooked(1, 2)
