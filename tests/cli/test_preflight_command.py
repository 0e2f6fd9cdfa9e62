"""`preflight`, and the look that `spawn-workers` takes before it spends."""

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command
from gitworld import add_tasks, claim_all, git, result_for
from modelworld import MessagesServer

from cortex_git.store.coordination import Coordination

Conforms = Callable[[Any, str], None]
REVIEW = {"type": "review-worker", "runner": "claude"}
USED = {"model": "claude-sonnet-5-5", "usage": {"input": 1500, "output": 500}}


def coordination_of(folder: Path) -> Coordination:
    coordination = Coordination.open(folder)
    coordination.pull()
    return coordination


def finished(coordination: Coordination, tokens: list[int], **fields: object) -> None:
    """Published results of review tasks that used so many tokens."""
    add_tasks(coordination, len(tokens), "past", **(REVIEW | fields))  # type: ignore[arg-type]
    claims = claim_all(coordination, batch="past")
    coordination.record(
        [
            (claim, result_for(coordination, claim, type="review-worker", tokens_used=used, duration_s=30.0,
                               output=USED), {})
            for claim, used in zip(claims, tokens, strict=True)
        ]
    )  # fmt: skip
    coordination.flush()


def configured(text: str) -> None:
    folder = Path(os.environ["CORTEX_CONFIG_HOME"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text)


def test_what_costs_nothing(cortex: Command, coordinated: Path, conforms: Conforms) -> None:
    add_tasks(coordination_of(coordinated), 3)
    assert cortex("preflight").out == "3 open tasks, none of them metered work: nothing to pay\n"
    found = cortex("preflight", "--format", "json").json()
    conforms(found, "preflight")
    assert (found["metered"], found["cost_usd"], found["asks"], found["kinds"]) == (0, 0, False, [])
    configured("confirm_above_usd = 0\n")
    done = cortex("spawn-workers", "--count", "1")
    assert done.code == 0
    assert "metered" not in done.err


def test_before_any_result_it_is_an_upper_bound(
    cortex: Command, coordinated: Path, conforms: Conforms
) -> None:
    coordination = coordination_of(coordinated)
    add_tasks(coordination, 2, budget=7000, **REVIEW)
    add_tasks(coordination, 1, "free")
    found = cortex("preflight", "--count", "2", "--format", "json").json()
    conforms(found, "preflight")
    assert (found["tasks"], found["metered"], found["tokens"], found["tokens_most"]) == (3, 2, 14_000, 14_000)
    assert found["cost_usd"] == 14_000 * 10 / 1e6
    assert found["basis"] == "no past results: upper bound"
    assert (found["time_s"], found["limits"], found["asks"]) == (900.0, [], False)
    out = cortex("preflight").out
    assert "Tasks: 2 metered, 1 that cost nothing" in out
    assert "no past results: upper bound" in out
    assert "Limits: none will be met" in out


def test_from_past_results_and_without_the_remote(cortex: Command, coordinated: Path, bare: Path) -> None:
    coordination = coordination_of(coordinated)
    finished(coordination, [1000, 2000, 3000])
    add_tasks(coordination, 4, "next", **REVIEW)
    shutil.move(bare, f"{bare}.away")
    done = cortex("preflight", "--batch", "next", "--count", "2", "--format", "json")
    assert done.code == 0
    assert "as of the last time it did" in done.err
    found = done.json()
    (kind,) = found["kinds"]
    assert (kind["past"], kind["basis"], kind["model"]) == (3, "from 3 past results", "claude-sonnet-5-5")
    assert (kind["tokens_median"], kind["tokens_p90"], kind["tokens"]) == (2000, 3000, 8000)
    assert found["cost_usd"] == pytest.approx(8000 * (1500 * 2 + 500 * 10) / 2000 / 1e6)
    assert found["time_s"] == 60.0


def test_a_limit_that_will_bind(cortex: Command, coordinated: Path) -> None:
    coordination = coordination_of(coordinated)
    add_tasks(coordination, 4, **REVIEW)
    assert cortex("budget", "set", "--batch", "b1=12000").code == 0
    limits = cortex("preflight", "--format", "json").json()["limits"]
    assert [(one["limit"], one["sure"]) for one in limits] == [("budget", True)]
    assert limits[0]["text"] == (
        "the budget of batch b1 has 12,000 of 12,000 tokens left, 20,000 are expected:"
        " about 2 of 4 tasks can run"
    )
    assert f"Limit: {limits[0]['text']}" in cortex("preflight").out


def test_a_script_must_say_yes(cortex: Command, coordinated: Path, bare: Path) -> None:
    add_tasks(coordination_of(coordinated), 4, **REVIEW)
    configured("confirm_above_usd = 0.15\n")
    before = git(bare, "for-each-ref")
    told = cortex("spawn-workers").error(2)
    assert told.startswith("this may cost $0.2000, more than confirm_above_usd = 0.15")
    assert "--yes" in told
    assert git(bare, "for-each-ref") == before
    agreed = cortex("spawn-workers", "--yes")
    assert agreed.code == 3  # the next thing that is missing is a key
    assert "ANTHROPIC_API_KEY" in agreed.err
    assert "4 metered tasks: 20,000 tokens, $0.2000, about" in agreed.err


def test_a_dry_run_shows_it_and_asks_nothing(cortex: Command, coordinated: Path) -> None:
    add_tasks(coordination_of(coordinated), 4, **REVIEW)
    configured("confirm_above_usd = 0\n")
    done = cortex("spawn-workers", "--dry-run", "--format", "json")
    assert done.code == 0
    assert done.json()["preflight"]["asks"] is True
    assert "4 metered tasks" in done.err


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 130), (b"y\n", 3)])
def test_a_person_is_asked(coordinated: Path, answer: bytes, code: int) -> None:
    """Who says yes gets on to the next thing that is missing, a key; who says no starts nothing."""
    add_tasks(coordination_of(coordinated), 4, **REVIEW)
    configured("confirm_above_usd = 0.15\n")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cortex_git", "spawn-workers"],
        cwd=coordinated, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    try:
        written = b""
        while b"[y/N]" not in written:
            written += os.read(ours, 65536)
        os.write(ours, answer)
        assert process.wait(timeout=60) == code
    finally:
        process.kill()
        process.communicate()
        os.close(ours)
    assert b"this may cost $0.2000" in written


def test_a_program_has_no_price_and_asks_nobody(cortex: Command, coordinated: Path, commands: Any) -> None:
    commands(hello="echo hello")
    with (Path(os.environ["CORTEX_CONFIG_HOME"]) / "config.toml").open("r+") as file:
        rest = file.read()
        file.seek(0)
        file.write("confirm_above_usd = 0\n" + rest)
    add_tasks(
        coordination_of(coordinated), 1, runner="command", type="review-worker", context={"command": "hello"}
    )
    assert "5,000 tokens of models without a price here are not in it" in cortex("preflight").out
    assert cortex("spawn-workers", "--count", "1").code == 0


def test_what_a_real_attempt_used_is_what_the_next_is_judged_by(
    cortex: Command, coordinated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tasks(coordination_of(coordinated), 1, "one", **REVIEW)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key")
    with MessagesServer() as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        assert cortex("spawn-workers", "--count", "1").code == 0
        billed = server.billed
    add_tasks(coordination_of(coordinated), 3, "two", **REVIEW)
    (kind,) = cortex("preflight", "--batch", "two", "--format", "json").json()["kinds"]
    assert (kind["past"], kind["tokens_median"], kind["tokens"]) == (1, billed, 3 * billed)
    assert 0 < kind["cost_usd"] < 3 * billed * 10 / 1e6
