"""`bench forecast`, and what it says without the library that fits."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command

CHECKOUT = Path(__file__).parents[2]
Conforms = Callable[[Any, str], None]


def test_one_trace(cortex: Command, conforms: Conforms) -> None:
    pytest.importorskip("statsmodels")
    done = cortex("bench", "forecast", "--trace", "steady", "--seed", "7", "--format", "json")
    found = done.json()
    conforms(found, "bench-forecast")
    assert {row["trace"] for row in found["rows"]} == {"steady"}
    assert len(found["rows"]) == 9
    assert "steady:" in done.err


def test_what_is_published_has_that_form(conforms: Conforms) -> None:
    conforms(json.loads((CHECKOUT / "docs" / "benchmarks" / "forecast.json").read_text()), "bench-forecast")


def test_no_such_trace(cortex: Command) -> None:
    told = cortex("bench", "forecast", "--trace", "storm").error(2)
    assert told == "no trace 'storm': use one of steady, wave, bursts, trend"


def test_without_statsmodels(cortex: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert "pip install 'cortex-git[predict]'" in cortex("bench", "forecast").error(3)
