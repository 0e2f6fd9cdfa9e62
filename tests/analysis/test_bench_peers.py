"""`bench peers`: real queues and pools do all of the same work, and one that is missing is said."""

import json
import tempfile
from pathlib import Path

import jsonschema
import pytest
from pytest_mock import MockerFixture

from cortex_git.analysis.bench import peers
from cortex_git.analysis.bench.peers import OURS, PEERS, bench_peers

SCHEMA = Path(__file__).parents[2] / "docs/schemas/bench-peers-1.json"
said: list[str] = []


def only(mocker: MockerFixture, program: str) -> None:
    mocker.patch.object(peers, "PEERS", [peer for peer in PEERS if peer.program == program][:1])


@pytest.mark.parametrize("program", sorted({peer.program for peer in PEERS}))
def test_a_peer_does_all_of_the_work_and_leaves_nothing(
    program: str, mocker: MockerFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(mocker, program)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    rows = {row.name: row for row in bench_peers(2, [(0.01, 12)], 1, said.append)}
    (peer,) = (row for name, row in rows.items() if name not in (OURS, "GNU parallel"))
    assert peer.note is None
    assert peer.per_s is not None and rows[OURS].per_s is not None
    assert rows[OURS].per_s <= 2 / 0.01
    document = {
        "schema": 1, "workers": 2, "runs": 1, "machine": {},
        "rows": [row.to_json(rows[OURS].per_s) for row in rows.values()],
    }  # fmt: skip
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert not list(tmp_path.iterdir())


def test_a_peer_that_is_missing_or_fails_is_a_row_that_says_so(mocker: MockerFixture) -> None:
    missing = peers.Peer("missing", "loky_pool", "no_such_package", "nothing")
    failing = peers.Peer("failing", "no_such_program", "json", "nothing")
    mocker.patch.object(peers, "PEERS", [missing, failing])
    rows = {row.name: row for row in bench_peers(1, [(0.0, 3)], 1, said.append)}
    assert (
        rows["missing"].note == ("no_such_package is not installed: pip install 'cortex-git[peers]'")
        and rows["missing"].per_s is None
    )
    assert "No module named" in (rows["failing"].note or "")
    assert rows["failing"].to_json(10.0)["ratio"] is None
    assert rows[OURS].tasks == 3
