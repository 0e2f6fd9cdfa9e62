"""`torture` itself: a small one with several faults holds, and whatever it started is gone at its end."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from gitworld import cortex, start_cortex

from cortex_git.analysis.torture import directed, torturing
from cortex_git.analysis.torture.checking import Findings
from cortex_git.analysis.torture.directed import RACES, Faced, Race, face, face_all
from cortex_git.analysis.torture.faults import FAULTS, chosen
from cortex_git.analysis.torture.plan import make_plan
from cortex_git.analysis.torture.report import Report
from cortex_git.analysis.torture.torturing import ground, torture
from cortex_git.cli.torture import _show

SEVERAL = "kill-worker,kill-publisher,lost-ack,lost-push,duplicate,delay,refuse,outsider,corrupt-lock,clock"


@pytest.mark.race
@pytest.mark.timeout(300)
def test_nothing_is_lost_nor_done_twice_under_several_faults() -> None:
    plan = make_plan(11, 3, 24, chosen(SEVERAL), lease_s=3.0)
    assert [turn for host in plan.hosts for turn in host.commands if turn[:2] == ("task", "cancel")]
    with ground(None) as folder:
        report = torture(plan, folder, lambda _: None, repeat="", limit_s=200)
    told = report.to_json()
    assert told["problems"] == {}, told
    assert (told["results"], told["lost"], told["duplicates"], told["fsck"]) == (24, 0, 0, "clean")
    assert sum(count > 0 for count in report.faults.values()) > len(report.faults) // 2
    assert not folder.exists()


@pytest.mark.race
@pytest.mark.timeout(300)
def test_where_there_are_no_namespaces_a_limit_of_file_sizes_fills_the_disk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_here(*_arguments: object) -> None:
        raise OSError("no mount namespaces")

    monkeypatch.setattr(torturing, "Box", none_here)
    plan = make_plan(2, 2, 10, ("disk-full", "read-only"), lease_s=2.0)
    early = tuple(replace(happening, at=0.0) for happening in plan.happenings)
    said: list[str] = []
    with ground(None) as folder:
        report = torture(replace(plan, happenings=early), folder, said.append, repeat="", limit_s=200)
    assert report.problems == {}, report.to_json()
    assert report.faults == {"disk-full": 1, "read-only": 0}
    assert any("no file system of its own here (no mount namespaces)" in line for line in said)


@pytest.mark.race
@pytest.mark.timeout(300)
def test_without_faults_each_task_runs_exactly_once(tmp_path: Path) -> None:
    asked = ("--clones", "2", "--tasks", "8", "--faults", "none", "--format", "json", "--keep", "kept")
    done = cortex("torture", *asked, cwd=tmp_path, timeout=280)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["schema"] == 1
    assert told["runs_per_task"] == {"mean": 1.0, "most": 1, "least": 1}
    assert (told["results"], told["fenced"], told["takeovers"], told["faults"]) == (8, 0, 0, {})
    kept = Path(told["folder"])
    assert kept.parent == tmp_path / "kept" and (kept / "remote.git").is_dir()
    assert "8 of 8 tasks finished" in done.stderr or "all tasks finished" in done.stderr
    assert list(started_by(kept)) == []


def started_by(folder: Path) -> Iterator[int]:
    """Processes that a torture in that folder started."""
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder).encode() in (entry / "environ").read_bytes():
                yield int(entry.name)
        except OSError:
            continue


@pytest.mark.race
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["ctrl-c", "terminated", "hung-up"]
)
def test_interrupted_it_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    os.environ["TMPDIR"] = str(tmp_path)
    try:
        asked = ("--clones", "2", "--tasks", "400", "--faults", "disk-full,freeze", "--no-directed")
        process = start_cortex("torture", *asked, cwd=tmp_path)
    finally:
        del os.environ["TMPDIR"]
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("cortex-torture-*/control/*/pids/*")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        (folder,) = tmp_path.glob("cortex-torture-*")
        process.send_signal(number)
        process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert not folder.exists()
    assert list(started_by(folder)) == []


def test_a_dry_run_tells_the_plan_and_starts_nothing(tmp_path: Path) -> None:
    asked = ("torture", "--clones", "3", "--tasks", "9", "--seed", "4", "--dry-run")
    done = cortex(*asked, "--format", "json", cwd=tmp_path)
    assert json.loads(done.stdout)["plan"] == json.loads(
        json.dumps(make_plan(4, 3, 9, chosen("all")).to_json())
    )
    told = cortex(*asked, cwd=tmp_path).stdout
    assert [line.split()[1] for line in told.splitlines() if line.startswith("Race ")] == list(RACES)
    assert "\nLease: " in told
    assert cortex(*asked, "--no-directed", cwd=tmp_path).stdout.startswith("Lease: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("--faults", "earthquake"), "no fault is called 'earthquake'"),
        (("--faults", ""), "--faults names no fault"),
        (("--faults", "all,none"), "--faults takes 'all' alone"),
        (("--minutes", "nan"), "--minutes is nan"),
    ],
    ids=["unknown", "empty", "all-and-none", "not-a-number"],
)
def test_a_wrong_use_is_one_line(tmp_path: Path, asked: tuple[str, ...], told: str) -> None:
    done = cortex("torture", *asked, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert told in done.stderr


def report_of(faults: tuple[str, ...], **found: object) -> Report:
    return Report(
        plan=make_plan(5, 2, 2, faults),
        findings=Findings(tasks=2, results=2, **found),  # type: ignore[arg-type]
        faults=dict.fromkeys(faults, 0),
        wall_s=1.0,
        repeat="cortex-git torture --seed 5",
    )


def test_a_failure_is_told_with_its_seed_its_command_and_its_history(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = report_of(("freeze",), lost=["t0001", "t0000"], runs=Counter(t0000=2))
    report.histories = {"t0001": ["0.1 h00 claim"], "t0000": ["0.2 h01 claim"]}
    assert report.failed
    _show(report)
    told = capsys.readouterr().out
    assert "Seed: 5" in told and "lost: 2" in told
    assert "FAILED t0001: no result: lost\n    0.1 h00 claim\nFAILED t0000: no result: lost\n" in told
    assert "h01 claim" not in told and "--keep" in told, "one history is enough to begin with"
    assert "Faults: freeze 0\n" in told, "a fault that never struck must be seen"
    assert told.endswith("Repeat it with: cortex-git torture --seed 5\n")


def test_two_runs_fail_only_where_no_fault_that_struck_could_explain_them() -> None:
    """One that lets a host be suspected can have a task run again; the others cannot."""
    again = {"t0000": "run 2 times"}
    for faults in (("lost-ack", "delay"), ("lost-ack", "freeze")):
        report = report_of(faults, runs_again=again)
        assert report.problems == again, "asked for is not struck"
        report.faults = dict.fromkeys(faults, 1)
        assert report.problems == ({} if "freeze" in faults else again)


def test_runs_are_counted_over_the_plan_s_tasks_and_one_without_any_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = report_of((), runs=Counter(t0000=3), without_run={"t0001": "cancelled"})
    _show(report)
    told = capsys.readouterr().out
    assert "runs per task: 1.5 on average, 0 to 3; without a run: 1 cancelled\n" in told


def test_the_races_are_told_and_one_that_failed_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is run after it, so the report is that race's own; one that never struck is seen."""
    ran: list[str] = []

    def run(race: Race) -> tuple[Faced, Report]:
        ran.append(race.name)
        lost = ["t0001"] if len(ran) == 2 else []
        report = replace(report_of(("delay",), lost=lost), race=race.name)
        return Faced(race, struck=len(ran) - 1, runs=4 - len(ran), problems=report.problems), report

    done, failed = face_all(RACES.values(), run)
    assert failed is not None and failed.failed
    assert [faced.race.name for faced in done] == ran == list(RACES)[:2]
    _show(failed)
    told = capsys.readouterr().out
    assert f"Races: {ran[0]} 0 (in 3 runs), {ran[1]} FAILED\nThe race {ran[1]} failed" in told


def test_a_race_whose_fault_does_not_strike_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most three times; what it waited for in vain is no strike."""
    reports = [report_of(("delay",)), replace(report_of(("delay",)), faults={"delay": 1}, missed=1)]
    reports.append(replace(report_of(("delay",)), faults={"delay": 1}))
    monkeypatch.setattr(directed, "torture", lambda *_, **__: reports.pop(0))
    faced, _ = face(RACES["claim-of-a-claimed-task"], lambda _: None)
    assert (faced.struck, faced.runs, reports) == (1, 3, [])
    reports.extend(report_of(("delay",)) for _ in range(4))
    said: list[str] = []
    faced, _ = face(RACES["claim-of-a-claimed-task"], said.append)
    assert (faced.struck, faced.runs, len(reports)) == (0, 3, 1)
    assert "did not strike in 3 runs" in said[-1]


def test_every_fault_and_every_race_is_described_in_the_page() -> None:
    page = (Path(__file__).parents[3] / "docs" / "torture.md").read_text()
    assert {name for name in (*FAULTS, *RACES) if f"`{name}`" not in page} == set()
