"""`bench all`: tables of what was published beside what was measured, and parts that could not be."""

import json
import re
import subprocess
from pathlib import Path

import jsonschema
from defusedxml.ElementTree import fromstring
from gitworld import cortex
from pytest_mock import MockerFixture

from cortex_git.analysis.bench import everything, measuring
from cortex_git.analysis.bench.everything import Part, bench_all
from cortex_git.analysis.bench.machine import describe
from cortex_git.analysis.bench.measuring import Measured, Sizes
from cortex_git.analysis.bench.plots import pictures
from cortex_git.analysis.bench.tables import Figure, Table, markdown
from cortex_git.analysis.bench.traces import Arrival, Trace
from cortex_git.analysis.bench.workspace import Say
from cortex_git.errors import EnvironmentProblem

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schemas/bench-all-1.json").read_text())


def document_of(*tables: Table) -> dict[str, object]:
    return {"quick": False, "machine": describe(), "tables": [table.to_json() for table in tables]}


def test_the_command_measures_what_it_is_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "figures of mine"
    asked = (
        "--quick",
        "--only",
        "ten-tasks",
        "--only",
        "recycling",
        "--only",
        "limits",
        "--output",
        str(folder),
    )
    done = cortex("bench", "all", *asked, "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert json.loads((folder / "all.json").read_text()) == document
    ten, limits, recycling = document["tables"]
    assert (ten["key"], ten["imitated"], recycling["key"]) == ("ten-tasks", True, "recycling")
    figures = {figure["name"]: figure for figure in ten["figures"]}
    assert figures["one worker"]["measured"] >= 10 * 0.2
    assert figures["one worker"]["published"] is None, "other sizes than those that were published"
    assert limits["document"]["throughput"] > 0
    assert limits["document"]["within"] is True
    assert recycling["document"]["replaced"] > 0
    page = (folder / "all.md").read_text()
    assert "## Ten tasks, one after another and on twenty workers" in page
    assert "In small sizes (`--quick`): figures not to be published." in page
    assert "imitated: tasks only pass the time" in page


def test_a_wrong_name_lists_the_tables(tmp_path: Path) -> None:
    done = cortex("bench", "all", "--only", "speed", cwd=tmp_path)
    assert done.returncode == 2
    assert (
        "they are: spawn, queue, overhead, ten-tasks, audit, scan, limits, memory, recycling, peers,"
        in done.stderr
    )


def test_what_is_printed_is_the_page_line_by_line(tmp_path: Path) -> None:
    done = cortex("bench", "all", "--quick", "--only", "route", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "# Every published figure, measured\n\nMeasured by `cortex-git bench all` on 2"
    )
    assert "\n## The router, without asking a model\n" in done.stdout
    assert "\n| one expert, hard | – | " in done.stdout


def test_each_policy_on_each_trace_is_a_figure(mocker: MockerFixture) -> None:
    trace = Trace("bursts", tuple(Arrival(60.0 * number, 10.0) for number in range(3)))
    made = mocker.patch.object(measuring, "traces_of", return_value=[trace])
    figures, document = measuring.policies(Sizes.quick(), lambda _: None)
    assert made.call_args.args[1] == Sizes.quick().traces
    assert [figure.name for figure in figures][:3] == ["bursts, activation", "bursts, tree", "bursts, fixed"]
    assert len(document["rows"]) == len(figures)  # type: ignore[arg-type]
    assert "95 of 100 tasks waited at most 0.02 s" in figures[2].note, "a worker is there after 20 ms"


def test_headline_tables_are_drawn_for_both_grounds_and_load_nothing() -> None:
    rows = [
        {"workers": at, "ours_tasks_per_min": 5000.0 + at, "loop_tasks_per_min": 600.0 / at}
        for at in (1, 5, 20)
    ]
    queue = Table("queue", "Tasks", "c", (), {"rows": rows})
    unmeasured = Table("overhead", "Overhead", "c", (), {}, problem="no disk")
    scan = Table("scan", "A scan", "c", (Figure("one by one", "s", 2.5), Figure("speed-up", "times", 2.0)))
    spawn = Table("spawn", "Spawn", "c", (), {"cold_ms_p50": 1.0})
    drawn = pictures([queue, unmeasured, spawn, scan])
    assert list(drawn) == ["queue-light.svg", "queue-dark.svg", "scan-light.svg", "scan-dark.svg"]
    assert "<title>A scan: one by one 2.5 s</title>" in drawn["scan-dark.svg"]
    for text in (drawn["queue-light.svg"], drawn["queue-dark.svg"]):
        root = fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root[0].text == (
            "No-op tasks a minute by workers. cortex-git: 5,001 with 1, 5,005 with 5, 5,020 with 20."
            " The shell loop: 600 with 1, 120 with 5, 30 with 20."
        )
        assert not re.search(r"var\(|href|script|url\((?!#)", text)
    assert drawn["queue-light.svg"] != drawn["queue-dark.svg"]
    page = markdown(document_of(queue, unmeasured), drawn)
    assert 'srcset="queue-dark.svg"' in page
    assert "overhead-light.svg" not in page


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = cortex("bench", "all", "--output", str(tmp_path / "file"), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "name a folder" in done.stderr


def test_a_part_that_cannot_be_measured_says_why_and_the_others_go_on(mocker: MockerFixture) -> None:
    def fails(_sizes: Sizes, _say: Say) -> Measured:
        raise EnvironmentProblem("there is no xargs", "install findutils")

    def works(_sizes: Sizes, _say: Say) -> Measured:
        return [Figure("a", "s", 12.346, 10.0)], {"seconds": 12.345}

    def hangs(_sizes: Sizes, _say: Say) -> Measured:
        raise subprocess.TimeoutExpired("celery", 60)

    parts = {"bad": Part("Bad", fails), "slow": Part("Slow", hangs), "good": Part("Good", works)}
    mocker.patch.object(everything, "PARTS", parts)
    bad, slow, good = bench_all(Sizes.quick(), (), lambda _: None)
    assert slow.problem == "internal error: TimeoutExpired: Command 'celery' timed out after 60 seconds"
    assert (bad.figures, bad.problem) == ((), "there is no xargs: install findutils")
    page = markdown(document_of(bad, good))
    assert "Not measured: there is no xargs" in page
    assert "| 10.0 | 12.3 | s | 1.235 |" in page


def test_a_ratio_needs_something_published() -> None:
    assert Figure("x", "ms", 3.0).to_json()["ratio"] is None
    assert Figure("x", "ms", 3.0, 0.0).to_json()["ratio"] is None
    assert Table("k", "T", "c", (Figure("x", "ms", 3.0, 2.0),)).to_json()["figures"][0]["ratio"] == 1.5
