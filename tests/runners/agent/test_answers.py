"""What agents hand in, and the schema that tells them how."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cortex_git.models import WORKER_TYPES
from cortex_git.runners.agent.answers import (
    FORMS,
    MOST_ITEMS,
    MOST_TEXT,
    Analysis,
    Change,
    Review,
    Triage,
    Unusable,
    definition,
    form_of,
    parsed,
)

REMARK = {"path": "a.py", "severity": "high", "problem": "it divides by zero"}
GOOD: dict[str, dict[str, Any]] = {
    "Change": {"summary": "s", "remaining": ["docs"], "subject": "Add it"},
    "Review": {"summary": "s", "verdict": "approve", "findings": [REMARK, REMARK | {"line": 3}]},
    "Analysis": {"summary": "s", "findings": [{"title": "t", "detail": "d"}]},
    "Triage": {
        "summary": "s",
        "findings": [
            {"id": "CVE-1", "reachable": "no", "evidence": "e", "fix": "f", "priority": "low", "package": "p"}
        ],
    },
    "PullRequest": {"summary": "s", "title": "t", "body": "b"},
}


def test_every_worker_type_has_a_form_and_a_strange_one_too() -> None:
    assert set(FORMS) == set(WORKER_TYPES)
    assert form_of("their-worker") is Analysis


@pytest.mark.parametrize("form", dict.fromkeys(FORMS.values()), ids=lambda form: form.__name__)
def test_the_schema_takes_what_the_form_takes(form: Any) -> None:
    """A model that follows the schema is understood, and the schema refuses what lacks a needed key."""
    schema = definition(form)["input_schema"]
    Draft202012Validator.check_schema(schema)
    valid = Draft202012Validator(schema).is_valid
    good = GOOD[form.__name__]
    assert valid(good)
    answer = parsed(form, good).model_dump()
    assert all(answer[key] == value for key, value in good.items() if key != "findings")
    for key in schema["required"]:
        lacking = {name: value for name, value in good.items() if name != key}
        assert not valid(lacking)
        with pytest.raises(Unusable, match=key):
            parsed(form, lacking)


@pytest.mark.parametrize("form", dict.fromkeys(FORMS.values()), ids=lambda form: form.__name__)
def test_the_schema_is_small_because_each_turn_sends_it(form: Any) -> None:
    text = json.dumps(definition(form), separators=(",", ":"))
    assert len(text) < 1000
    assert not [word for word in ("$ref", "$defs", '"title":"', '"default"', '"anyOf"') if word in text]


def test_what_models_get_nearly_right_is_taken() -> None:
    assert parsed(Change, {"summary": "s", "remaining": "the docs"}).remaining == ["the docs"]
    assert parsed(Change, {"summary": "s", "remaining": " ", "thoughts": "!"}).remaining == []
    answer = parsed(
        Review, {"summary": "s", "verdict": "Approve ", "findings": [REMARK | {"severity": "HIGH"}]}
    )
    assert answer.model_dump()["findings"][0]["severity"] == "high"


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        (["fix-worker: x", " ", 5, {"title": "x"}], ["fix-worker: x"]),
        ("fix-worker: x", ["fix-worker: x"]),
        (None, []),
        ({"title": "x"}, []),
    ],
)
def test_follow_ups_that_cannot_be_read_are_no_reason_to_ask_again(asked: Any, read: list[str]) -> None:
    assert parsed(Change, {"summary": "s", "follow_ups": asked}).follow_ups == read


def test_what_is_too_long_is_cut() -> None:
    answer = parsed(Change, {"summary": "s" * (MOST_TEXT + 1), "remaining": ["r"] * (MOST_ITEMS + 1)})
    assert len(answer.summary) == MOST_TEXT
    assert answer.summary.endswith("…")
    assert len(answer.remaining) == MOST_ITEMS


@pytest.mark.parametrize(
    ("form", "value", "says"),
    [
        (Change, None, "answer"),
        (Change, "done", "answer"),
        (Change, {"summary": ""}, "summary"),
        (Change, {"summary": 3}, "summary"),
        (Review, {"summary": "s", "verdict": "maybe"}, "verdict"),
        (
            Review,
            {"summary": "s", "verdict": "approve", "findings": [{"path": "a"}]},
            r"findings\.0\.severity",
        ),
        (Triage, {"summary": "s", "findings": [{"id": "x"}]}, r"findings\.0\.reachable"),
    ],
)
def test_what_is_of_another_kind_is_refused_with_a_reason(form: Any, value: Any, says: str) -> None:
    with pytest.raises(Unusable, match=says):
        parsed(form, value)
