"""What an attempt brings is withheld when it looks like it holds a secret, and made small when it is not."""

import json
import math
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.runners import RunContext, RunOutcome
from cortex_git.runners.guarding import FOLDER, MOST_ERROR, MOST_OUTPUT, guarded, shortened

TOKEN = "gh" + "p_" + "0Aa1Bb2Cc3Dd4Ee5Ff6Gg7Hh8Ii9Jj0Kk1Ll"
PLAIN = "the-key-of-this-host"


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return RunContext("worker-1", 1, 60.0, 100, nonce="n-1", folder=str(tmp_path))


def kept(context: RunContext) -> list[Path]:
    return sorted((Path(context.folder) / ".git" / "cortex" / FOLDER).glob("*"))


HOLDING: list[tuple[dict[str, Any], str | None]] = [
    ({"text": f"here: {TOKEN}"}, None),
    ({"a": {"b": ["x", {"c": TOKEN}]}}, None),
    ({TOKEN: 1}, None),
    ({"a": {TOKEN: {"b": 1}}}, None),
    ({}, f"could not use {TOKEN}"),
    ({"list": [TOKEN[:0], "x", f"\n\n{TOKEN}\n"]}, None),
    ({"a": "x" * 1_000_000 + f" {TOKEN} " + "x" * 1_000_000}, None),
    ({"parts": list(PLAIN)}, None),
    ({"a": PLAIN[:9], "b": PLAIN}, None),
]


@pytest.mark.parametrize(("output", "error"), HOLDING)
def test_what_holds_a_secret_is_withheld_and_kept_for_the_person(
    context: RunContext, monkeypatch: pytest.MonkeyPatch, output: dict[str, Any], error: str | None
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", PLAIN)
    outcome = guarded(RunOutcome("completed", output, error, True, 7), context, task="t-1")
    assert (outcome.status, outcome.output, outcome.retry, outcome.tokens_used) == ("failed", {}, False, 7)
    said = str(outcome.error)
    assert "withheld" in said
    assert TOKEN not in said
    assert PLAIN not in said
    (path,) = kept(context)
    assert path.name == "t-1-n-1.json"
    assert path.name in said
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    record = json.loads(path.read_text())
    assert (record["output"], record["error"]) == (output, error)


def test_kinds_and_fields_are_named_but_no_strange_names(context: RunContext) -> None:
    output = {"report": {"text": TOKEN, f"x-{'9' * 20}": TOKEN}}
    said = str(guarded(RunOutcome("completed", output), context, task="t").error)
    assert "github pat in output.report.text" in said
    assert "output.report.…" in said
    assert "999" not in said


@pytest.mark.parametrize("status", ["failed", "timed_out", "budget_exhausted"])
def test_an_end_that_was_none_stays_what_it_was(context: RunContext, status: Any) -> None:
    assert guarded(RunOutcome(status, {"x": TOKEN}), context, task="t").status == status


def test_what_is_sound_goes_through_as_it_is(context: RunContext) -> None:
    outcome = RunOutcome("completed", {"a": [1, 2.5, None, True, {"b": "ü"}]}, None, False, 3)
    assert guarded(outcome, context, task="t") == outcome
    assert kept(context) == []


def test_without_a_clone_nothing_is_kept_and_nothing_goes_out() -> None:
    outcome = guarded(RunOutcome("completed", {"x": TOKEN}), RunContext("w", 1, 1.0, 1), task="t")
    assert outcome.output == {}
    assert "not kept" in str(outcome.error)


def test_a_tasks_name_leads_nowhere(context: RunContext) -> None:
    guarded(RunOutcome("completed", {"x": TOKEN}), context, task="../../x")
    assert [path.name for path in kept(context)] == [".._.._x-n-1.json"]


def test_a_detector_that_fails_lets_nothing_through(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cortex_git.scan import secret_detector as secrets

    class Broken:
        def scan(self, data: bytes, timeout: float) -> list[object]:
            raise RuntimeError(TOKEN)

    monkeypatch.setattr(secrets, "detector", Broken)
    outcome = guarded(RunOutcome("completed", {"x": "a_word_of_some_length"}), context, task="t")
    assert outcome.output == {}
    assert "cannot be checked" in str(outcome.error)
    assert TOKEN not in str(outcome.error)


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"end": 1}
    for _ in range(levels):
        value = {"in": value}
    return value


class Odd:
    def __repr__(self) -> str:
        return "an odd thing"


LARGE: dict[str, dict[str, Any]] = {
    "one long text": {"text": "x" * 1_000_000, "status": "kept"},
    "many texts": {"texts": ["y" * 5000] * 500, "status": "kept"},
    "many keys": {"map": {f"k{n}": n for n in range(100_000)}, "status": "kept"},
    "wide and deep": {"a": [[["z" * 10] * 50] * 50] * 50, "status": "kept"},
    "non-ASCII": {"text": "ü" * 200_000, "status": "kept"},
    "too deep": {"deep": nested(900), "status": "kept"},
    "no JSON": {"odd": Odd(), "nan": math.nan, "set": {1}, "half": "\ud800", "status": "kept"},
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_output_is_shortened_in_place(context: RunContext, name: str) -> None:
    outcome = guarded(RunOutcome("completed", LARGE[name]), context, task="t")
    assert outcome.status == "completed", outcome.error
    text = json.dumps(outcome.output, allow_nan=False)
    assert len(text.encode()) <= MOST_OUTPUT
    assert outcome.output["status"] == "kept"
    assert list(outcome.output) == list(LARGE[name])
    assert outcome.output != LARGE[name]


def test_a_long_error_is_cut(context: RunContext) -> None:
    outcome = guarded(RunOutcome("failed", {}, "e " * 100_000), context, task="t")
    assert len(str(outcome.error)) < MOST_ERROR + 100


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@given(output=st.dictionaries(st.text(max_size=5), _JSON, max_size=5))
def test_whatever_it_is_it_can_be_written_and_read(output: dict[str, Any]) -> None:
    small = shortened(output)
    assert json.loads(json.dumps(small, allow_nan=False).encode()) == small
