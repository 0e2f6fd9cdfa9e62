"""A clock that is off: no entry lasts by it, and whoever reads the report is told."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from cortex_git.cli.scan_run import since_of
from cortex_git.models import Batch
from cortex_git.scan.records import Finding, RepositoryScan
from cortex_git.scan.scan_report import BatchTiming, ScanReport
from cortex_git.scan.set_aside import Baseline
from cortex_git.scan.suppressing.statements import Globs, Statement
from cortex_git.services import clocks
from cortex_git.services.acting import Said, act

TODAY = datetime.now(UTC).date()
LODASH = Finding("CVE-1", (), "high", 7.2, "npm", "lodash", "4.17.20", "4.17.21", "yarn.lock", 12)


def report(**changes: Any) -> ScanReport:
    row = RepositoryScan("r", "scanned", findings=(LODASH,), unchanged_since="first")
    return ScanReport("b", (row,), BatchTiming(1, 0, 0, 1, 1, "parallel"), "osv", **changes)


def test_an_entry_that_expired_by_the_import_does_not_apply_whatever_the_clock_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = Statement(
        frozenset({"cve-1"}), "accepted", "r", "i", (Globs(),), expires=TODAY + timedelta(days=1)
    )
    said = Said(ignored=(entry,))
    monkeypatch.setattr(clocks, "_imported", lambda: TODAY)
    assert len(act(report(), said).suppressed) == 1
    monkeypatch.setattr(clocks, "_imported", lambda: TODAY + timedelta(days=2))
    done = act(report(), said)
    assert (len(done.suppressed), done.cves_found) == (0, 1)
    assert any("expired on" in note for note in done.notes)
    assert any(f"this host's clock says {TODAY}, and the advisories were imported" in n for n in done.notes)


@pytest.mark.parametrize("day", ["unknown", "", None, "9999-99-99", "2020-01-01", "-1"])
def test_no_date_of_a_list_is_an_error(monkeypatch: pytest.MonkeyPatch, day: str | None) -> None:
    monkeypatch.setattr(clocks, "_imported", lambda: None)
    assert clocks.today(report(epss_date=day, kev_date=day)) == (TODAY, ())
    assert clocks.today(report(kev_date="9999-12-31"))[0] == date.max


@pytest.mark.parametrize(
    ("created", "told"),
    [("2019-01-01T00:00:00Z", False), ("2999-01-01T00:00:00.000Z", True), ("soon", False)],
    ids=["past", "future", "no-moment"],
)
def test_a_batch_from_the_future_is_named(monkeypatch: pytest.MonkeyPatch, created: str, told: bool) -> None:
    def batch(_coordination: object, name: str) -> Batch:
        return Batch.model_construct(batch=name, created_at=created)

    monkeypatch.setattr(clocks, "_batch", batch)
    done = clocks.noted(report(baseline=Baseline("before", batches=("before",))), None)  # type: ignore[arg-type]
    assert bool(done.notes) is told
    if told:
        assert done.notes[0].endswith("first (2999-01-01 00:00 UTC), before (2999-01-01 00:00 UTC)")


def test_a_moment_that_has_not_come_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    assert since_of("2999-01-01") is not None
    assert "has not come yet by this host's clock" in capsys.readouterr().err
    assert since_of("24h") is not None and since_of("last") is not None
    assert capsys.readouterr().err == ""
