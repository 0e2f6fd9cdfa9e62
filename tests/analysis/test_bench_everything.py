"""`bench all`: tables of what was published beside what was measured, and parts that could not be."""

import json
from pathlib import Path

import jsonschema
from gitworld import cortex
from pytest_mock import MockerFixture

from cortex_git.analysis.bench import everything
from cortex_git.analysis.bench.everything import Figure, Part, Sizes, Table, bench_all, markdown
from cortex_git.analysis.bench.workspace import Say
from cortex_git.errors import EnvironmentProblem

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schemas/bench-all-1.json").read_text())


def test_the_command_measures_what_it_is_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "figures of mine"
    asked = ("--quick", "--only", "ten-tasks", "--only", "recycling", "--output", str(folder))
    done = cortex("bench", "all", *asked, "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert json.loads((folder / "all.json").read_text()) == document
    ten, recycling = document["tables"]
    assert (ten["key"], ten["imitated"], recycling["key"]) == ("ten-tasks", True, "recycling")
    figures = {figure["name"]: figure for figure in ten["figures"]}
    assert figures["one worker"]["measured"] >= 10 * 0.2
    assert figures["one worker"]["published"] is None, "other sizes than those that were published"
    assert recycling["document"]["replaced"] > 0
    page = (folder / "all.md").read_text()
    assert "## Ten tasks, one after another and on twenty workers" in page
    assert "imitated: each task sleeps" in page


def test_a_wrong_name_lists_the_tables(tmp_path: Path) -> None:
    done = cortex("bench", "all", "--only", "speed", cwd=tmp_path)
    assert done.returncode == 2
    assert "they are: spawn, queue, overhead, ten-tasks, audit, scan, memory, recycling, peers" in done.stderr


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = cortex("bench", "all", "--output", str(tmp_path / "file"), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "name a folder" in done.stderr


def test_a_part_that_cannot_be_measured_says_why_and_the_others_go_on(mocker: MockerFixture) -> None:
    def fails(_sizes: Sizes, _say: Say) -> everything.Measured:
        raise EnvironmentProblem("there is no xargs", "install findutils")

    def works(_sizes: Sizes, _say: Say) -> everything.Measured:
        return [Figure("a", "s", 12.345, 10.0)], {"seconds": 12.345}

    mocker.patch.object(everything, "PARTS", {"bad": Part("Bad", fails), "good": Part("Good", works)})
    bad, good = bench_all(Sizes.quick(), (), lambda _: None)
    assert (bad.figures, bad.problem) == ((), "there is no xargs: install findutils")
    page = markdown([bad, good], {"cores": 2})
    assert "Not measured: there is no xargs" in page
    assert "| 10.0 | 12.3 | s | 1.23 |" in page


def test_a_ratio_needs_something_published() -> None:
    assert Figure("x", "ms", 3.0).to_json()["ratio"] is None
    assert Figure("x", "ms", 3.0, 0.0).to_json()["ratio"] is None
    assert Table("k", "T", "c", (Figure("x", "ms", 3.0, 2.0),)).to_json()["figures"][0]["ratio"] == 1.5
