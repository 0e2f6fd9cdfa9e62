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

from cortex_git.analysis.torture import torturing
from cortex_git.analysis.torture.checking import Findings
from cortex_git.analysis.torture.faults import FAULTS, chosen
from cortex_git.analysis.torture.plan import make_plan
from cortex_git.analysis.torture.torturing import Report, ground, torture
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
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
def test_interrupted_it_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    os.environ["TMPDIR"] = str(tmp_path)
    try:
        asked = ("--clones", "2", "--tasks", "400", "--faults", "disk-full,freeze")
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
    assert cortex(*asked, cwd=tmp_path).stdout.startswith("Lease: ")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_fault_is_a_wrong_use(tmp_path: Path) -> None:
    done = cortex("torture", "--faults", "earthquake", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no fault is called 'earthquake'" in done.stderr


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
    report = report_of(("freeze",), lost=["t0001"], runs=Counter(t0000=2))
    report.histories["t0001"] = ["0.1 h00 claim"]
    assert report.failed
    _show(report)
    told = capsys.readouterr().out
    assert "Seed: 5" in told and "lost: 1" in told
    assert "FAILED t0001: no result: lost\n    0.1 h00 claim\n" in told
    assert "Faults: freeze 0\n" in told, "a fault that never struck must be seen"
    assert told.endswith("Repeat it with: cortex-git torture --seed 5\n")


def test_two_runs_fail_only_where_no_fault_could_explain_them() -> None:
    """One that lets a host be suspected can have a task run again; the others cannot."""
    twice = Counter(t0000=2, t0001=1)
    assert report_of(("lost-ack", "delay"), runs=twice).problems == {"t0000": "run 2 times"}
    assert report_of(("lost-ack", "freeze"), runs=twice).problems == {}


def test_every_fault_is_described_in_the_page() -> None:
    page = (Path(__file__).parents[3] / "docs" / "torture.md").read_text()
    assert {name for name in FAULTS if f"`{name}`" not in page} == set()
