"""`report`: a real batch in every format, figures that agree with other commands, hostile results."""

import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMIT, Command
from gitworld import add_tasks, claim_all, finish, git, result_for
from modelworld import MessagesServer

from cortex_git.gitio import Git
from cortex_git.services.reporting import Period, report
from cortex_git.store import ended, heartbeat
from cortex_git.store.coordination import Coordination
from cortex_git.store.index import Scope

Conforms = Callable[[Any, str], None]
HOSTILE = "<b>|`x`</b>\n# y \x1b[31m::error::z\u202e"
USED = {"provider": "claude", "model": "claude-sonnet-5-5", "usage": {"input": 1000, "output": 100}}


def coordination_of(folder: Path) -> Coordination:
    coordination = Coordination.open(folder)
    coordination.pull()
    return coordination


def ago(seconds: float) -> str:
    at = datetime.now(UTC) - timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def publish(coordination: Coordination, batch: str, rows: list[dict[str, Any]], **task: object) -> None:
    """A batch with one result for each row."""
    add_tasks(coordination, len(rows), batch, **task)  # type: ignore[arg-type]
    claims = claim_all(coordination, len(rows), batch=batch)
    coordination.record(
        [(claim, result_for(coordination, claim, **row), {}) for claim, row in zip(claims, rows, strict=True)]
    )
    coordination.flush()


def plain(text: str) -> str:
    """A box as one line, however it was folded."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", text).split())


def totals_of(cortex: Command, *arguments: str) -> Any:
    return cortex("report", "--format", "json", *arguments).json()["totals"]


@pytest.fixture
def worked(cortex: Command, coordinated: Path, commands: Callable[..., None]) -> Path:
    """Twelve tasks that real workers ran: eight slept, one of three programs failed, one was cancelled."""
    commands(good="echo fine", bad="echo no such thing >&2; exit 3")
    coordination = coordination_of(coordinated)
    add_tasks(coordination, 8, "slept", runner="sleep", repo="alpha", context={"seconds": 0.2})
    for name, kind in (("good", "review-worker"), ("bad", "fix-worker")):
        add_tasks(
            coordination, 2 if name == "good" else 1, name, runner="command", type=kind, repo="beta",
            max_attempts=1, context={"command": name},
        )  # fmt: skip
    add_tasks(coordination, 1, "off", repo="beta")
    assert cortex("task", "cancel", "off-t000").code == 0
    assert cortex("spawn-workers", "--count", "2").code == 1
    return coordinated


def check_one_batch(cortex: Command, conforms: Conforms) -> None:
    found = cortex("report", "--batch", "slept", "--format", "json").json()
    conforms(found, "report")
    assert found["period"]["batch"] == "slept"
    assert found["totals"]["by_status"] == {"completed": 8}
    assert found["totals"]["tally"]["wait_s_median"] > 0
    rows = found["gantt"]["rows"]
    assert (len(rows), len({row["worker"] for row in rows}), found["gantt"]["left_out"]) == (8, 2, 0)
    for worker in {row["worker"] for row in rows}:
        own = [row for row in rows if row["worker"] == worker]
        assert all(a["end_s"] <= b["start_s"] + 0.01 for a, b in pairwise(own))
    (point,) = found["scaling"]
    assert (point["workers"], point["tasks"]) == (2, 8)
    wall_s = found["period"]["wall_s"]
    assert point["overhead"] == pytest.approx(1 - found["totals"]["tally"]["run_s"] / (2 * wall_s), abs=1e-3)
    charts = cortex("report", "--batch", "slept", "--charts").out
    assert "Batch slept" in charts
    assert "2, on a task in" in charts


def check_files(cortex: Command, tmp_path: Path) -> None:
    for name in ("table", "json", "markdown", "html"):
        file = tmp_path / f"report.{name}"
        done = cortex("report", "--format", name, "--output", file)
        assert (done.code, done.out) == (0, "")
        text = file.read_text()
        assert "\x1b" not in text
        assert "12" in text
    assert json.loads((tmp_path / "report.json").read_text())["schema"] == 1


def test_a_real_batch_in_every_format(
    cortex: Command, worked: Path, conforms: Conforms, tmp_path: Path
) -> None:
    check_one_batch(cortex, conforms)
    check_files(cortex, tmp_path)
    found = cortex("report", "--format", "json").json()
    conforms(found, "report")
    totals, tally = found["totals"], found["totals"]["tally"]
    assert totals["by_status"] == {"completed": 10, "failed": 1, "cancelled": 1}
    assert (tally["success_rate"], totals["open"], tally["tokens"]) == (
        pytest.approx(10 / 11, abs=1e-4),
        0,
        0,
    )
    assert tally["run_s"] >= 8 * 0.2
    assert [(one["name"], one["tasks"]) for one in found["by_repository"]] == [("alpha", 8), ("beta", 4)]
    assert sum(step["completed"] + step["failed"] for step in found["throughput"]) == 11
    (attention,) = found["attention"]
    assert (attention["level"], attention["where"]) == ("warning", "bad-t000")
    assert "no such thing" in attention["what"] or "status 3" in attention["what"]

    status = cortex("status", "--format", "json").json()
    assert status["results"]["by_status"] == totals["by_status"]
    assert status["budget"]["used"] == tally["tokens"]
    assert status["queue"]["open"] == totals["open"]
    listed = cortex("results", "list", "--format", "json").json()["results"]
    assert len(listed) == tally["tasks"]
    for name in ("average_active", "peak_active", "efficiency", "covered_s"):
        assert found["utilization"][name] == pytest.approx(status["utilization"][name], abs=1e-3)

    shown = plain(cortex("report").out)
    assert "12 ended: 10 completed, 1 cancelled, 1 failed" in shown
    assert re.search("Light [0-9.]+s 100% █{20}", shown)
    assert "Needs attention (1): warning bad-t000: " in shown
    assert "`cortex-git task retry bad-t000`" in shown
    text = cortex("report", "--format", "markdown").out
    assert "| Tasks | 12 ended: 10 completed, 1 cancelled, 1 failed |" in text
    assert "| `alpha` | 8 | 100% | 0 |" in text


def test_no_results(cortex: Command, coordinated: Path, conforms: Conforms) -> None:
    for arguments in ([], ["--since", "all"]):
        found = cortex("report", "--format", "json", *arguments).json()
        conforms(found, "report")
        assert (found["totals"]["tally"]["tasks"], found["utilization"], found["gantt"]) == (0, None, None)
    shown = cortex("report", "--charts")
    assert "none ended" in shown.out
    assert "none of this clone's ran" in shown.out
    assert "Nothing needs attention." in cortex("report", "--format", "markdown").out


def test_only_what_ended_in_the_period(cortex: Command, coordinated: Path) -> None:
    stamps = [ago(90), ago(3 * 3600), ago(50 * 3600), "", "not a time", ago(-300 * 86400), ago(-600)]
    publish(coordination_of(coordinated), "b1", [{"completed_at": stamp} for stamp in stamps])
    counts = {
        arguments: totals_of(cortex, *arguments)["tally"]["tasks"]
        for arguments in (
            ("--since", "1h"), ("--since", "24h"), ("--since", "7d"), ("--since", "7d", "--until", "24h"),
            ("--since", ago(60), "--until", ago(0)), ("--since", "all"), ("--batch", "b1"),
            ("--batch", "b1", "--since", "24h"), ("--since", "all", "--until", "1h"),
        )
    }  # fmt: skip
    # The clock of the one from ten minutes ahead is only a little wrong; the other's is no clock.
    assert list(counts.values()) == [2, 3, 4, 1, 0, 7, 7, 3, 2]
    assert totals_of(cortex)["tally"]["tasks"] == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--since", "yesterday"], "--since 'yesterday' is no moment"),
        (["--until", "2026-13-01"], "--until '2026-13-01' is no moment"),
        (["--since", "1h", "--until", "2h"], "is not before --until"),
        (["--since", "2999-01-01"], "has not come yet"),
        (["--batch", "nope"], "no batch 'nope'"),
        (["--output", "/nowhere/report.md", "--format", "markdown"], "there is no folder"),
    ],
    ids=["since", "until", "order", "future", "batch", "folder"],
)
def test_what_cannot_be_reported(cortex: Command, coordinated: Path, arguments: list[str], says: str) -> None:
    assert says in cortex("report", *arguments).error(2)


def test_money_by_the_prices_of_the_settings(cortex: Command, coordinated: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"output": USED, "tokens_used": 1100},
        {"output": USED | {"economy": True}, "tokens_used": 1100},
        {"output": {"model": "claude-sonnet-5-5"}, "tokens_used": 100},
        {"output": {"model": "nobody-s"}, "tokens_used": 50},
        {"output": {"model": ["x"], "usage": {"input": -1}}, "tokens_used": 7},
    ]
    publish(coordination_of(coordinated), "b1", rows)
    one = (1000 * 2 + 100 * 10) / 1e6
    found = cortex("report", "--format", "json").json()
    tally = found["totals"]["tally"]
    assert tally["cost_usd"] == pytest.approx(one + one / 2 + 100 * 10 / 1e6)
    assert (tally["tokens"], tally["unpriced_tokens"]) == (2357, 57)
    assert [(model["name"], model["tokens"]) for model in found["by_model"]] == [
        ("claude-sonnet-5-5", 2300), ("", 7), ("nobody-s", 50),
    ]  # fmt: skip
    assert found["notes"] == [
        "57 tokens have no price here, and are not in the cost: of the models unknown, nobody-s"
    ]
    assert "$0.0055, without 57 tokens that have no price" in cortex("report").out


def test_hostile_results_in_every_format(cortex: Command, coordinated: Path, conforms: Conforms) -> None:
    row = {
        "worker": HOSTILE, "master": HOSTILE, "type": HOSTILE, "host": HOSTILE, "error": HOSTILE,
        "status": "failed", "started_at": ago(5), "duration_s": 1e300, "spawn_s": 1e300,
        "tokens_used": 10**14, "attempt": 10**15,
        "output": {"model": HOSTILE, "findings": [1], "packages": 1},
    }  # fmt: skip
    publish(coordination_of(coordinated), "b1", [row] * 4, repo=HOSTILE)
    found = cortex("report", "--format", "json")
    conforms(found.json(), "report")
    assert "Infinity" not in found.out
    assert found.json()["by_repository"][0]["name"] == HOSTILE
    for arguments in (["--charts"], ["--format", "markdown"]):
        done = cortex("report", *arguments)
        assert done.code == 0, arguments
        assert "\x1b[31m" not in done.out + done.err
        assert "\u202e" not in done.out + done.err
        assert "::error" not in done.err
    assert "::error" not in cortex("report").out
    text = cortex("report", "--format", "markdown").out
    page = cortex("report", "--format", "html").out
    assert page.startswith("<!doctype html>")
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert "<b>" in text
    assert "<b>" not in re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", text)


def test_a_result_that_cannot_be_read(cortex: Command, coordinated: Path, bare: Path, tmp_path: Path) -> None:
    coordination = coordination_of(coordinated)
    add_tasks(coordination, 2)
    (claim,) = claim_all(coordination, 1)
    finish(coordination, [claim])
    left = {"b1-t000": "b1-t001", "b1-t001": "b1-t000"}[claim.task.task]
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(bare), str(other))
    path = other / "coordination" / "results" / "b1" / f"{left}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{")
    git(other, "add", ".")
    git(other, *COMMIT, "damage")
    git(other, "push", "-q", "origin", "HEAD:main")
    fresh = tmp_path / "fresh"
    git(tmp_path, "clone", "-q", str(bare), str(fresh))
    found = cortex("report", "--batch", "b1", "--format", "json", "--repository", fresh).json()
    assert found["totals"]["by_status"] == {"completed": 1, "unreadable": 1}
    assert found["attention"][0]["what_to_do"].startswith("run `cortex-git doctor`")
    shown = cortex("status", "--format", "json", "--repository", fresh).json()
    assert shown["results"]["by_status"] == found["totals"]["by_status"]


def test_done_again_archived_and_without_the_remote(cortex: Command, worked: Path, bare: Path) -> None:
    assert cortex("task", "retry", "bad-t000").code == 0
    found = cortex("report", "--format", "json").json()
    assert (found["attention"], found["totals"]["open"]) == ([], 1)
    assert "Nothing needs attention." in cortex("report").out

    before, of_batch = found["totals"], totals_of(cortex, "--batch", "slept")
    assert cortex("gc", "--archive", "slept", "--yes").code == 0
    assert "slept-t000" not in cortex("results", "list").out
    after = totals_of(cortex, "--batch", "slept")
    assert after == of_batch
    assert totals_of(cortex)["by_status"] == before["by_status"]

    shutil.move(bare, f"{bare}.away")
    done = cortex("report", "--format", "json")
    assert done.code == 0
    assert done.err.count("the remote does not answer; what follows is as of the last time it did") == 1
    assert "as of the last time:" not in done.err, "said once"
    assert done.json()["totals"]["by_status"] == before["by_status"]
    assert done.json()["notes"][0].startswith("The remote does not answer")
    for command in (("report",), ("cost", "--since", "all")):
        done = cortex(*command)
        assert (done.code, "the remote does not answer" in done.err) == (0, True)
    assert cortex("status").code == 3


def test_charts_are_refused_where_none_are_drawn(cortex: Command, coordinated: Path) -> None:
    for name in ("json", "html", "markdown"):
        done = cortex("report", "--charts", "--format", name)
        assert (done.code, done.out) == (2, "")
        assert (
            done.err == f"error: --charts are drawn below a table, not in {name}: leave out one of the two\n"
        )
    assert cortex("report", "--no-charts", "--format", "json").code == 0
    assert cortex("report", "--charts").code == 0


@pytest.mark.parametrize(
    "bogus",
    [
        {"started_at": "2004-12-01T00:00:00Z", "duration_s": 1.0},
        {"started_at": "2004-12-01T00:00:00Z", "duration_s": 6.9e8},
        {"started_at": "2004-12-01T00:00:00Z", "completed_at": "2004-12-01T00:00:09Z", "duration_s": 9.0},
        {"started_at": "2003-12-01T00:00:00Z", "duration_s": 1.0},
        {"started_at": "2103-12-01T00:00:00Z", "duration_s": 1.0},
        {"duration_s": 6.9e8},
    ],
    ids=["start", "start and run time", "start and end", "before git", "in the future", "run time"],
)
def test_times_that_cannot_be_distort_nothing(
    cortex: Command, coordinated: Path, bogus: dict[str, Any]
) -> None:
    usual = {"started_at": ago(9), "completed_at": ago(3), "duration_s": 6.0}
    publish(coordination_of(coordinated), "b1", [usual] * 4 + [usual | bogus])
    found = cortex("report", "--batch", "b1", "--format", "json")
    document = found.json()
    assert document["totals"]["by_status"] == {"completed": 5}
    assert document["period"]["wall_s"] == pytest.approx(6.0, abs=0.5)
    assert document["totals"]["throughput_per_hour"] == pytest.approx(5 * 3600 / 6.0, rel=0.1)
    assert document["totals"]["tally"]["run_s"] == pytest.approx(24.0)
    assert len(document["gantt"]["rows"]) == 4
    assert sum(step["completed"] for step in document["throughput"]) >= 4
    assert len(document["throughput"]) == 1
    assert "1 task with times that cannot be" in found.err
    assert "1 task with times that cannot be" in " ".join(cortex("report", "--batch", "b1").out.split())


def test_results_are_read_many_at_a_time(coordinated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coordination = coordination_of(coordinated)
    publish(coordination, "b1", [{"started_at": ago(9), "duration_s": 1.0}] * 25)
    report(coordination, Period(batch="b1"))
    calls: list[str] = []
    original = Git.run

    def run(self: Git, *arguments: str, **options: Any) -> Any:
        calls.append(arguments[0])
        return original(self, *arguments, **options)

    monkeypatch.setattr(Git, "run", run)
    counts = []
    for at_once in (1000, 10, 5):
        monkeypatch.setattr(ended, "AT_ONCE", at_once)
        calls.clear()
        data, _ = report(coordination, Period(batch="b1"))
        assert data.gantt is not None
        assert (data.totals.tally.tasks, len(data.gantt.rows)) == (25, 25)
        counts.append(calls.count("cat-file"))
    assert [count - counts[0] for count in counts] == [0, 2, 4]
    assert len(calls) < 30


def test_what_a_real_model_attempt_cost_and_the_budget_it_nearly_spent(
    cortex: Command, coordinated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(coordination_of(coordinated), 1, type="review-worker", runner="claude")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key")
    with MessagesServer() as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        assert cortex("spawn-workers", "--count", "1").code == 0
        billed = server.billed
    assert cortex("budget", "set", "--total", str(billed + billed // 30)).code == 0
    found = cortex("report", "--format", "json").json()
    (result,) = cortex("results", "list", "--format", "json").json()["results"]
    output = cortex("results", "show", result["task"], "--format", "json").json()["result"]["output"]
    tally = found["totals"]["tally"]
    assert (tally["tokens"], tally["unpriced_tokens"]) == (billed, 0)
    assert tally["cost_usd"] == pytest.approx(output["cost_usd"])
    assert found["totals"]["usage"]["output"] == output["usage"]["output"]
    assert [(one["account"], one["used"], one["level"]) for one in found["budgets"]] == [
        ("total", billed, "critical")
    ]
    (attention,) = found["attention"]
    assert (attention["level"], attention["where"]) == ("critical", "total")
    costed = cortex("cost", "--since", "24h", "--format", "json")
    assert costed.code == 0


def test_late_results_and_a_host_that_went_silent(
    cortex: Command, clones: Callable[[int], list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = (coordination_of(folder) for folder in clones(2))
    add_tasks(here, 3)
    there.pull()
    late, lost = there.claim(Scope(batch="b1"), 2, lambda _: "worker-a")
    there.claims.started(late)
    assert heartbeat.beat(there.repository, heartbeat.Signs(1))
    taken = there.claims.take_over(late)
    assert taken is not None
    there.record([(late, result_for(there, late), {})])
    there.flush()
    finish(there, [taken])

    def attention() -> dict[str, str]:
        arguments = ("report", "--since", "1h", "--format", "json", "--repository", here.repository.folder)
        return {one["where"]: one["what"] for one in cortex(*arguments).json()["attention"]}

    assert list(attention()) == ["fenced results"]
    real = heartbeat.monotonic
    monkeypatch.setattr(heartbeat, "monotonic", lambda: real() + 1000)
    found = attention()
    assert set(found) == {"fenced results", there.repository.host}
    assert found["fenced results"].startswith("1 result came too late")
    assert found[there.repository.host].endswith("and holds 1 task")
    assert lost.task.task != late.task.task
    others = ("report", "--batch", "b1", "--format", "json", "--repository", here.repository.folder)
    notes = cortex(*others).json()["notes"]
    assert any(note.startswith("1 other host took part") for note in notes)


def test_findings_agree_with_the_scan_s_own_summary(cortex: Command, here: Path) -> None:
    scanned = cortex("multi-repo-scan", "--sample", "--parallel", "--workers", "2", "--format", "json")
    summary = scanned.json()
    found = cortex(
        "report", "--batch", summary["batch"], "--format", "json",
        "--repository", Path(os.environ["CORTEX_DATA_HOME"]) / "embedded",
    ).json()  # fmt: skip
    counts = {name: found["findings"][name] for name in summary["severity"]}
    assert counts == summary["severity"]
    assert found["scanned"] == summary["repositories_scanned"]
    assert sum(counts.values()) == summary["cves_found"]
    (point,) = found["scaling"]
    assert point["workers"] == summary["workers"]
