"""What asking the advisory database costs in memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cortex_git.scan.advisories.database import AdvisoryDatabase, open_starter


def test_few_queries_serve_any_number_of_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite keeps each query that it prepared, in each of many workers."""
    known = ["lodash", "minimist"]
    alone = {name: open_starter(tmp_path).advised("npm", [name])[name] for name in known}
    assert all(alone.values())
    asked: set[str] = set()
    real = AdvisoryDatabase._rows

    def noted(self: AdvisoryDatabase, query: str, values: Sequence[object]) -> list[Any]:
        asked.add(query)
        return real(self, query, values)

    monkeypatch.setattr(AdvisoryDatabase, "_rows", noted)
    for count in range(1, 100):
        with open_starter(tmp_path) as database:
            found = database.advised("npm", [*known, *[f"none-{count}-{n}" for n in range(count)]])
        assert {name: entries for name, entries in found.items() if entries} == alone
    assert len(asked) == 3
