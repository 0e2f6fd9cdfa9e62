"""The fingerprint of a finding: the same while it is there, and no other's."""

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.scan.fingerprints import fingerprint, fingerprints
from cortex_git.scan.records import Finding

ONE = Finding(
    "CVE-2021-23337", ("GHSA-35jh-r3h4-6jhm",), "high", 7.2, "npm", "lodash", "4.17.20", "4.17.21",
    "web/package-lock.json", 12, "text", ("b/yarn.lock",),
)  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"line": 900},
        {"line": None},
        {"version": "4.17.19"},
        {"fixed": None},
        {"severity": "low", "score": None},
        {"summary": "another"},
        {"other_lockfiles": ()},
        {"aliases": ()},
        {"direct": True, "dev": True, "via": ("x",), "upgrade": "npm i"},
        {"epss": 0.5, "kev": "2022-01-01"},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_it_stays_whatever_else_moves(changes: dict[str, object]) -> None:
    assert fingerprint("r", replace(ONE, **changes)) == fingerprint("r", ONE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "CVE-2020-1"},
        {"package": "lodash-es"},
        {"ecosystem": "PyPI"},
        {"lockfile": "package-lock.json"},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_another_finding_has_another(changes: dict[str, object]) -> None:
    assert fingerprint("r", replace(ONE, **changes)) != fingerprint("r", ONE)  # type: ignore[arg-type]
    assert fingerprint("s", ONE) != fingerprint("r", ONE)


def test_its_value_is_the_published_one() -> None:
    """Whoever stored one must find it again: a change needs another key."""
    parts = ["r", "CVE-2021-23337", "npm", "lodash", "web/package-lock.json"]
    assert fingerprint("r", ONE) == hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), unique=True, min_size=2, max_size=20))
def test_no_names_run_together(parts: list[tuple[str, str, str]]) -> None:
    found = {fingerprint("r", replace(ONE, id=i, package=p, lockfile=f)) for i, p, f in parts}
    assert len(found) == len(parts)


def test_findings_meet_over_ids_and_lockfiles() -> None:
    before = replace(ONE, id="GHSA-35jh-r3h4-6jhm", aliases=())
    moved = replace(ONE, lockfile="b/yarn.lock", other_lockfiles=())
    elsewhere = replace(ONE, lockfile="c/yarn.lock", other_lockfiles=())
    assert fingerprint("r", ONE) in fingerprints("r", ONE)
    assert fingerprints("r", before) & fingerprints("r", ONE)
    assert fingerprints("r", moved) & fingerprints("r", ONE)
    assert not fingerprints("r", elsewhere) & fingerprints("r", ONE)
    assert not fingerprints("s", ONE) & fingerprints("r", ONE)
