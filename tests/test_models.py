"""Shared documents: what is read, what is refused, and that writing and reading are inverse."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.errors import BadInput
from cortex_git.models import WORKER_TYPES, Batch, ClaimRecord, Result, Task, valid_name

TASK: dict[str, Any] = {"schema": 1, "task": "t", "batch": "b", "title": "x"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def parsed(**changes: Any) -> Task:
    return Task.parse(json.dumps(TASK | changes).encode(), "here")


@given(st.dictionaries(st.text(), JSON, max_size=4), st.text(min_size=1, max_size=500))
def test_written_and_read_again(context: dict[str, Any], title: str) -> None:
    task = Task(task="t", batch="b", title=title, context=context)
    data = task.to_bytes()
    assert Task.parse(data, "here") == task
    assert data == Task.parse(data, "here").to_bytes()


def test_bytes_are_what_git_and_people_like() -> None:
    data = parsed(title="Zoë").to_bytes()
    assert data.endswith(b"}\n")
    assert "Zoë".encode() in data
    keys = list(json.loads(data))
    assert keys == sorted(keys)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_have_are_never_stored(number: float) -> None:
    result = Result(
        task="t", batch="b", status="completed", worker="w", host="h", nonce="n" * 8,
        output={"a": [number, {"b": number}], "c": 1.5},
    )  # fmt: skip
    stored = json.loads(result.to_bytes(), parse_constant=lambda name: pytest.fail(name))
    assert stored["output"] == {"a": [None, {"b": None}], "c": 1.5}
    with pytest.raises(ValueError, match="deadline"):
        Task(task="t", batch="b", title="x", deadline=number)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"task": "T"}, "task"),
        ({"task": "a" * 101}, "task"),
        ({"task": "../x"}, "task"),
        ({"task": "a\n"}, "task"),
        ({"task": "a.merge.merge"}, "task"),
        ({"batch": ""}, "batch"),
        ({"title": ""}, "title"),
        ({"title": None}, "title"),
        ({"budget": -1}, "budget"),
        ({"deadline": 0}, "deadline"),
        ({"max_attempts": 101}, "max_attempts"),
        ({"priority": "urgent"}, "priority"),
        ({"context": []}, "context"),
        ({"schema": 0}, "schema"),
    ],
)
def test_a_field_at_fault_is_named(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput) as caught:
        parsed(**changes)
    assert caught.value.message == "here: not a valid task"
    assert told in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'"x"'])
def test_no_document(data: bytes) -> None:
    with pytest.raises(BadInput, match="here: not a valid task"):
        Task.parse(data, "here")


def test_a_newer_schema_is_refused_and_newer_keys_are_passed_over() -> None:
    with pytest.raises(BadInput, match="schema 2"):
        parsed(schema=2)
    assert parsed(more=1) == parsed()


def test_documents_never_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parsed().title = "y"  # type: ignore[misc]


@pytest.mark.parametrize(("kind", "expert"), WORKER_TYPES.items())
def test_a_worker_type_names_the_master(kind: str, expert: Any) -> None:
    assert parsed(type=kind).responsible == f"{expert.value}-master"
    assert parsed(type=kind, master="own").responsible == "own"


def test_the_last_task_of_a_batch() -> None:
    assert parsed(task="b.merge").is_merge
    assert not parsed(task="merge").is_merge


@pytest.mark.parametrize("name", ["a", "0", "a-b_c", "a" * 100])
def test_usable_names(name: str) -> None:
    assert valid_name(name, "batch") == name


@pytest.mark.parametrize("name", ["", "-a", "_a", "A", "a b", "a.b", "a/b", "a\n", "ä", "a" * 101])
def test_unusable_names(name: str) -> None:
    with pytest.raises(BadInput, match="batch"):
        valid_name(name, "batch")


def test_other_documents_are_named_in_errors() -> None:
    for model, kind in ((Batch, "batch"), (ClaimRecord, "claim"), (Result, "result")):
        with pytest.raises(BadInput, match=f"not a valid {kind}"):
            model.parse(b"{}", "here")


@pytest.mark.parametrize(
    "half", [b'"\\ud800x"', b'"\\uDBffx"', b'"\xed\xa0\x80x"'], ids=["escaped", "capitals", "bytes"]
)
def test_half_surrogates_do_not_get_in(half: bytes) -> None:
    """Else SQLite raised for one such result, and no host's `status`, `report` or batch ran any more."""
    fields = b'"schema":1,"task":"t1","batch":"b1","status":"completed","worker":"w","host":"h","nonce":"n"'
    result = Result.parse(b'{%s,"type":%s,"output":{%s:[%s]}}' % (fields, half, half, half), "x")
    assert result.type == "?x"
    assert result.output == {"?x": ["?x"]}


def test_whole_characters_beside_half_ones_stay() -> None:
    fields = '"schema":1,"task":"t1","batch":"b1","status":"completed","worker":"w","host":"h","nonce":"n"'
    text = f'{{{fields},"type":"\\ud83d\\ude00é","error":"\\ud83d"}}'
    for data in (text.encode(), text.encode("utf-16")):
        result = Result.parse(data, "x")
        assert (result.type, result.error) == ("\U0001f600é", "?")
