"""A scan with advisories that were imported long ago says so."""

import json
import sqlite3
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command_line import Command

from cortex_git.config import data_folder

RECORD = {
    "id": "GHSA-0000-0000-0001",
    "modified": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"ecosystem": "npm", "name": "lodash"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "4.17.21"}]}],
        }
    ],
}


@pytest.mark.parametrize(("days", "told"), [(0, False), (7, False), (8, True), (400, True)])
def test_an_old_import_is_noted(cortex: Command, shop: Path, tmp_path: Path, days: int, told: bool) -> None:
    source = tmp_path / "osv/npm/all.zip"
    source.parent.mkdir(parents=True)
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("one.json", json.dumps(RECORD))
    assert cortex("advisories", "update", "--from", source.parent.parent).code == 0
    built = datetime.now(UTC) - timedelta(days=days, minutes=1)
    with sqlite3.connect(data_folder() / "advisories/osv.sqlite") as database:
        database.execute("UPDATE meta SET value = ? WHERE key = 'built_at'", (built.isoformat(),))
    done = cortex("multi-repo-scan", "shop", "--format", "json")
    note = f"the advisories were imported {days} days ago: newer ones are not known"
    assert done.code == 0
    assert (note in done.err, any(note in text for text in done.json()["notes"])) == (told, told)
