"""`bench growth` measures on repositories that are what the product itself would have made."""

import json
import subprocess
from pathlib import Path

import pytest
from gitworld import CHECKOUT, assert_sound, cortex, git, result_commits, results_on
from jsonschema import Draft202012Validator

from cortex_git.analysis.bench.growth import BOUNDED, bench_growth
from cortex_git.analysis.bench.growth_history import HOSTS, Past, make_past, sizes_of
from cortex_git.errors import BadInput
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.index import Scope

SCHEMA = json.loads((CHECKOUT / "docs/schemas/bench-growth-1.json").read_text())
said: list[str] = []


@pytest.mark.parametrize("results", [1, 999, 10_000, 12_345, 100_000])
def test_batches_have_all_the_tasks(results: int) -> None:
    sizes = sizes_of(results)
    assert sum(sizes) == results
    assert max(sizes) <= 10_000 and min(sizes) >= 1


def test_a_past_is_what_hosts_would_have_left(tmp_path: Path) -> None:
    remote = make_past(tmp_path, Past(results=1_300, claims=7, open=40))
    assert len(result_commits(remote)) == 1_300
    assert len(set(results_on(remote, "main"))) == 1_300
    assert len(git(remote, "for-each-ref", "refs/cortex/claims").splitlines()) == 7
    create(tmp_path / "host", str(remote))
    one = Coordination.open(tmp_path / "host")
    view = one.pull()
    assert (len(view.claims), len(view.results)) == (7, len(HOSTS))
    assert (one.known_count(Scope()), one.open_count(Scope())) == (1_347, 47)
    assert one.fold() is None  # all of it is on the branch
    assert len(one.claim(Scope(), 100, lambda _: "w")) == 40  # the living claims are somebody's
    assert len(one.results(Scope(batch="past-0000"))) == 1_000
    assert one.fold() is None
    assert_sound(remote)


def test_costs_of_two_sizes() -> None:
    pasts = [Past(results, claims=5, open=200) for results in (20, 200)]
    rows = bench_growth(pasts, 1, said.append)
    assert [row.past for row in rows] == pasts
    shown = [row.to_json(rows[0]) for row in rows]
    document = {"schema": 1, "rounds": 1, "bound": 3.0, "rows": shown, "machine": {}}
    Draft202012Validator(SCHEMA).validate(document)
    assert set(BOUNDED) <= set(shown[0]["cost_ms"])
    assert set(shown[0]["ratio"].values()) == {1.0} and shown[0]["worst_ratio"] == 1.0
    assert shown[1]["worst_ratio"] == max(shown[1]["ratio"][name] for name in BOUNDED)
    for row in shown:
        assert all(cost > 0 for cost in row["cost_ms"].values())
    assert shown[1]["remote_mib"] > shown[0]["remote_mib"]


@pytest.mark.parametrize("sizes", ["", "0", "ten", "5,,6"])
def test_sizes_that_are_none(tmp_path: Path, sizes: str) -> None:
    done: subprocess.CompletedProcess[str] = cortex("bench", "growth", "--sizes", sizes, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--sizes" in done.stderr


def test_a_plot_that_cannot_be_drawn_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    from cortex_git.analysis.bench.growth_plot import check_plot

    with pytest.raises(BadInput, match="cannot be drawn to"):
        check_plot(tmp_path / "no such folder" / "growth.svg")
    with pytest.raises(BadInput, match="cannot be drawn to"):
        check_plot(tmp_path / "growth.txt")
