"""Documents that anybody who can push may have written."""

import pytest

from cortex_git.config import load_settings
from cortex_git.errors import BadInput
from cortex_git.models import Task
from cortex_git.store import layout


def nested(levels: int) -> bytes:
    inner = '{"a":' * levels + "1" + "}" * levels
    return ('{"schema": 1, "task": "t", "batch": "b", "title": "x", "context": ' + inner + "}").encode()


@pytest.mark.parametrize(
    ("levels", "readable"), [(150, True), (200, True), (201, False), (900, False), (50_000, False)]
)
def test_what_can_be_read_can_be_written(levels: int, readable: bool) -> None:
    """A task nested too deeply once was read, and then ended whoever wanted to hand it to a worker."""
    if not readable:
        with pytest.raises(BadInput, match="not a valid task"):
            Task.parse(nested(levels), "here")
        return
    task = Task.parse(nested(levels), "here")
    assert Task.parse(task.to_bytes(), "here") == task
    assert task.for_runner()["context"] == task.context


@pytest.mark.parametrize(
    "number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"1" + b"0" * 5000, b"1" + b"0" * 400]
)
@pytest.mark.parametrize("key", ["deadline", "budget", "confidence"])
def test_numbers_without_end(key: str, number: bytes) -> None:
    body = nested(1).replace(b'"context"', b'"' + key.encode() + b'": ' + number + b', "context"')
    with pytest.raises(BadInput):
        Task.parse(body, "here")


@pytest.mark.parametrize(
    "path",
    [
        "coordination/results/b/t.json\n", "coordination/results/../t.json",
        "coordination/results/b/../t.json",
        "coordination/results/B/t.json", "coordination/results/b/\u0442.json", "coordination/results/b/.json",
        "coordination/tasks/b/t.json/", "x/coordination/tasks/b/t.json", "coordination//tasks/b/t.json",
    ],
)  # fmt: skip
def test_paths_that_look_like_ours(path: str) -> None:
    """A result at the first of these once ended task `t`."""
    assert layout.place_of(path) is None


@pytest.mark.parametrize(
    "path",
    ["coordination/config.toml\n", "coordination/../x", "coordination/a//b", "coordination/.GIT/config"],
)
def test_paths_that_no_fold_takes(path: str) -> None:
    """A tree made by hand can have such paths; the first changed the settings when it was folded."""
    assert not layout.is_plain(path)


def test_settings_nested_too_deeply() -> None:
    with pytest.raises(BadInput, match="not valid TOML"):
        load_settings(b"a = " + b"[" * 50_000, "here")
