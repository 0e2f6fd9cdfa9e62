"""`cost`: of a batch that really ran, of a period, of described work, and the published examples."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from command_line import Command
from gitworld import add_tasks, claim_all, result_for
from modelworld import MessagesServer

from cortex_git.store.coordination import Coordination

Conforms = Callable[[Any, str], None]
REVIEW = {"type": "review-worker", "runner": "claude"}
LARGE = {"provider": "claude", "model": "claude-sonnet-5-5"}
BEGAN = datetime(2026, 11, 29, 10, 0, 0, tzinfo=UTC)
DESCRIBED = ("cost", "--tasks", "10", "--tokens-per-task", "8000", "--price-per-1k", "0.015")
MACHINES = ("--seconds", "15", "--instances", "20", "--instance-hour", "0.50", "--spot-hour", "0.15")


def coordination_of(folder: Path) -> Coordination:
    coordination = Coordination.open(folder)
    coordination.pull()
    return coordination


def publish(coordination: Coordination, results: list[dict[str, Any]], batch: str = "b1") -> None:
    """One published result for each, as its fields say."""
    add_tasks(coordination, len(results), batch, **REVIEW)  # type: ignore[arg-type]
    claims = claim_all(coordination, batch=batch)
    coordination.record(
        [
            (claim, result_for(coordination, claim, **{"type": "review-worker", **fields}), {})
            for claim, fields in zip(claims, results, strict=True)
        ]
    )
    coordination.flush()


def at(seconds: float) -> str:
    return (BEGAN + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def used(end_s: float = 15, duration_s: float = 15, tokens: int = 2000, **output: Any) -> dict[str, Any]:
    kinds = {"input": tokens * 3 // 4, "output": tokens // 4}
    return {
        "completed_at": at(end_s),
        "duration_s": duration_s,
        "tokens_used": tokens,
        "output": {**LARGE, "usage": kinds, **output},
    }


def configured(folder: Path, text: str) -> None:
    with (folder / "coordination" / "config.toml").open("a") as file:
        file.write(f"\n{text}\n")


def test_the_published_example_from_the_command_line(cortex: Command, here: Path, conforms: Conforms) -> None:
    """Without any repository around."""
    found = cortex(*DESCRIBED, *MACHINES, "--hour-value", "60", "--format", "json").json()
    conforms(found, "cost")
    assert found["tokens"]["cost"] == {"usd": 1.2, "exact": "1.200000"}
    machines = found["machines"]
    assert machines["sequential"]["on_demand"] == {"usd": 0.02, "exact": "0.020833"}
    assert machines["parallel"]["on_demand"] == {"usd": 0.04, "exact": "0.041667"}
    assert (machines["sequential"]["seconds"], machines["parallel"]["seconds"]) == (150, 15)
    assert machines["parallel"]["total_on_demand"]["usd"] == 1.24
    assert machines["prices"]["instance_hour_source"] == "given"
    # Ten workers' 15 s, each alone on its machine: idle ones are not in it.
    assert machines["worker_hours_on_demand"]["exact"] == "0.020833"
    assert found["return"]["net"]["usd"] == 2.23
    told = cortex(*DESCRIBED, *MACHINES, "--hour-value", "60").out
    assert "1 x 135.0 s sooner are worth $2.25 and cost $0.02 more: $2.23, 107.0 times" in told
    assert found["warnings"] == []


def test_the_examples(cortex: Command, here: Path, conforms: Conforms) -> None:
    done = cortex("cost", "--examples")
    assert "4 of 6 come out to the cent; 2 contradict themselves" in done.out
    found = cortex("cost", "--examples", "--format", "json").json()
    conforms(found, "cost")
    assert [(one["published_usd"], one["agrees"]) for one in found["examples"]][-2:] == [
        (4.8, False),
        (12.0, False),
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--batch", "b", "--since", "1h"), "exclude each other"),
        (("--batch", "b", "--tasks", "1"), "exclude each other"),
        (("--seconds", "5"), "--seconds describes tasks"),
        (("--tasks", "1"), "tasks alone cost nothing"),
        (("--tasks", "1", "--tokens-per-task", "5"), "tokens without a price"),
        (("--tasks", "1", "--seconds", "nan"), "not a number"),
        (("--tasks", "1", "--seconds", "inf"), "--seconds"),
        (("--since", "yesterday"), "is no moment"),
        (("--since", "3x"), "is no moment"),
        (("--since", ""), "is no moment"),
        (("--since", "2099-01-01"), "has not come yet"),
        (("--batch", "nothing"), "no batch 'nothing'"),
    ],
)
def test_what_cannot_be_meant(
    cortex: Command, coordinated: Path, arguments: tuple[str, ...], told: str
) -> None:
    assert told in cortex("cost", *arguments).error(2)


def test_described_work_by_the_settings(cortex: Command, coordinated: Path) -> None:
    """Kinds of tokens are not known, so the tier's dearest price makes it an upper bound."""
    configured(coordinated, "[infrastructure]\ninstance_hour_usd = 0.5\nworkers_per_instance = 4")
    arguments = ("cost", "--tasks", "10", "--tokens-per-task", "8000", "--tier", "large", "--seconds", "15")
    done = cortex(*arguments, "--instances", "2", "--format", "json")
    found = done.json()
    (row,) = found["models"]
    assert (row["model"], row["tier"], row["upper_bound"]) == ("claude-sonnet-5-5", "large", True)
    assert row["cost"]["usd"] == 0.8
    assert row["price"]["source"] == found["machines"]["prices"]["instance_hour_source"] == "config"
    assert (found["machines"]["parallel"]["workers"], found["machines"]["parallel"]["seconds"]) == (8, 30)
    assert "[infrastructure]: no date says when the price was true" in done.err


def test_a_batch_by_model_and_machine(cortex: Command, coordinated: Path, conforms: Conforms) -> None:
    """Four tasks of 15 s, three at once; one by message batches, one of a model without a price."""
    configured(coordinated, "[infrastructure]\ninstance_hour_usd = 0.5\npriced_on = 2026-01-01")
    coordination = coordination_of(coordinated)
    results = [used(), used(economy=True), used(model="mystery\x1b[31m"), used(end_s=60)]
    publish(coordination, [*results, {"completed_at": "now", "duration_s": 3.0}])
    done = cortex("cost", "--batch", "b1", "--format", "json")
    found = done.json()
    conforms(found, "cost")
    assert found["scope"] == {"kind": "batch", "batch": "b1", "since": None}
    assert found["tasks"] == {"count": 5, "unreadable": 0, "untimed": 1, "source": "measured"}
    priced, mystery = found["models"]
    # 1,500 tokens of input at $2 and 500 of output at $10 a million are $0.008; by batches half of it.
    assert (priced["tasks"], priced["cost"]["exact"]) == (3, "0.020000")
    assert priced["price"]["priced_on"] == "2026-11-24"
    assert (mystery["cost"], mystery["price"], mystery["tokens_total"]) == (None, None, 2000)
    assert (found["tokens"]["total"], found["tokens"]["unpriced"]) == (8000, 2000)
    assert found["tokens"]["cost"]["usd"] == 0.02
    machines = found["machines"]
    assert (machines["hosts"], machines["source"], machines["worker_hours"]) == (1, "measured", 0.0167)
    assert machines["sequential"]["seconds"] == 60
    assert (machines["parallel"]["workers"], machines["parallel"]["seconds"]) == (3, 30)
    assert machines["parallel"]["spot"] is machines["worker_hours_on_demand"] is None
    assert any("2,000 tokens have no price here" in text for text in found["warnings"])
    assert any("[infrastructure]: the price is of 2026-01-01" in text for text in found["warnings"])
    table = cortex("cost", "--batch", "b1")
    assert "2,000 of them without a price and in no sum: $0.02" in table.out
    assert "\x1b" not in table.out + table.err


def test_a_period(cortex: Command, coordinated: Path) -> None:
    coordination = coordination_of(coordinated)
    now = datetime.now(UTC)
    fresh, old = (used() | {"completed_at": (now - timedelta(hours=h)).isoformat()} for h in (1, 30))
    publish(coordination, [fresh, old])
    counts = [
        cortex("cost", *period, "--format", "json").json()["tasks"]["count"]
        for period in ((), ("--since", "2h"), ("--since", "7d"), ("--since", "1m"), ("--since", "all"))
    ]
    assert counts == [1, 1, 2, 0, 2]


def test_amounts_beyond_all_measure(cortex: Command, here: Path, conforms: Conforms) -> None:
    """The most that the options take."""
    tokens = ("--tasks", "1000000000", "--tokens-per-task", "1000000000000", "--price-per-1k", "1000000")
    machines = ("--seconds", "1e7", "--instances", "1000000", "--instance-hour", "1e6", "--hour-value", "1e6")
    arguments = ("cost", *tokens, *machines, "--iterations", "1000000000")
    found = cortex(*arguments, "--format", "json").json()
    conforms(found, "cost")
    assert found["tokens"]["cost"]["exact"] == f"1{'0' * 24}.000000"
    assert cortex(*arguments).code == 0


def test_nothing_yet(cortex: Command, coordinated: Path, conforms: Conforms) -> None:
    found = cortex("cost", "--format", "json").json()
    conforms(found, "cost")
    assert (found["tasks"]["count"], found["models"], found["machines"]) == (0, [], None)
    done = cortex("cost", "--hour-value", "5")
    assert done.code == 0
    assert "Machines: no task here has a time" in done.out


def test_tokens_whose_kind_nobody_says(cortex: Command, coordinated: Path) -> None:
    """A hostile result does no harm: neither the kinds that it claims nor its times are credible."""
    hostile = used(usage={"input": -5, "output": 1})
    hostile |= {"tokens_used": 10**14, "completed_at": "9999-12-31T23:59:59Z", "duration_s": 1e300}
    publish(coordination_of(coordinated), [used(usage="none"), hostile])
    found = cortex("cost", "--batch", "b1", "--format", "json").json()
    (row,) = found["models"]
    assert (row["tokens"]["unknown"], row["upper_bound"]) == (10**12 + 2000, True)
    assert (found["tasks"]["untimed"], found["machines"]["sequential"]["seconds"]) == (1, 15)


def test_a_real_attempt_and_the_ledger(
    cortex: Command, coordinated: Path, monkeypatch: pytest.MonkeyPatch, conforms: Conforms
) -> None:
    """What the provider billed is what the result, the ledger and the cost say."""
    add_tasks(coordination_of(coordinated), 1, **REVIEW)  # type: ignore[arg-type]
    monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key")
    with MessagesServer() as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        assert cortex("spawn-workers", "--count", "1").code == 0
        billed = server.billed
    found = cortex("cost", "--batch", "b1", "--instance-hour", "0.5", "--format", "json").json()
    conforms(found, "cost")
    assert found["tokens"]["total"] == found["ledger"]["total"] == billed
    assert found["tokens"]["cost"] == found["ledger"]["cost"]
    assert found["models"][0]["upper_bound"] is False
    assert found["machines"]["parallel"]["workers"] == 1
    assert "Booked by this host" in cortex("cost", "--batch", "b1").out


def test_without_the_remote(cortex: Command, coordinated: Path, bare: Path) -> None:
    publish(coordination_of(coordinated), [used()])
    os.rename(bare, f"{bare}.away")
    done = cortex("cost", "--batch", "b1")
    assert done.code == 0
    assert "as of the last time it did" in done.err
    assert "$0.01" in done.out


@pytest.mark.parametrize(
    "options",
    [
        ("--examples", "--batch", "b1"), ("--examples", "--tasks", "3"), ("--examples", "--since", "7d"),
        ("--examples", "--tier", "small"), ("--examples", "--instance-hour", "0.5"),
        ("--examples", "--iterations", "2"), ("--tasks", "3", "--iterations", "2"), ("--iterations", "5"),
        ("--tasks", "3", "--tokens-per-task", "9", "--tier", "small", "--price-per-1k", "1"),
        ("--tasks", "3", "--seconds", "9", "--tier", "small"),
        ("--tasks", "3", "--seconds", "9", "--price-per-1k", "1"),
        ("--tasks", "3", "--tokens-per-task", "9", "--price-per-1k", "1", "--instances", "2"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_options_that_would_be_ignored_are_refused(cortex: Command, options: tuple[str, ...]) -> None:
    done = cortex("cost", *options)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
