"""Documents that hosts share, as the bytes that anybody who can push may have written."""

import json
import sqlite3
from functools import cache

from cortex_git import derived, state
from cortex_git.config import HostSettings, load_settings
from cortex_git.config.reading import validated
from cortex_git.errors import BadInput
from cortex_git.models import Batch, ClaimRecord, Document, Result, Task
from cortex_git.routing.experts import experts_of
from cortex_git.store import hosts, index, indexing, layout
from cortex_git.store.budget_ref import BudgetDocument
from fuzz.targets import Target, assert_one_line

TASK = Task(
    task="t-1", batch="b", title="Look at Zoë's list", context={"a": [1, 2.5, None]}, after=("t-0",),
    budget=5, routing={"layer": "keywords"},
).to_bytes()  # fmt: skip
BATCH = Batch(batch="b", created_at="2026-01-01T00:00:00Z", created_by="h", tasks=1, merge=True).to_bytes()
RESULT = Result(
    task="t-1", batch="b", status="failed", worker="w", host="h", nonce="n" * 8, error="no", output={"a": "b"}
).to_bytes()  # fmt: skip
CLAIM = ClaimRecord(task="t-1", host="h", nonce="n" * 8, state="released", retry_after_s=1.5).to_bytes()
BUDGET = BudgetDocument(
    limits={"total": 1000, "daily": None}, slices={"h": {"total": 5}}, reported={"h": {"total": 2}}
).to_bytes()
HEARTBEAT = b'{"schema": 1, "host": "h", "boot_id": "b", "pid": 1, "workers": 3, "monotonic": 1.5}'
SETTINGS = b"""schema = 1
branch = "main"
[pool]
min = 1
max = 4
[pool.schedule.night]
from = 22:00:00
to = 06:00:00
max = 2
[limits.scan-worker]
tokens = 10
minutes = 1.5
[experts.legal]
keywords = { licence = 3.0, "open source" = 1 }
labels = ["legal"]
[rates.claude]
requests_per_minute = 5
"""
HOST_SETTINGS = b"""askpass = "/bin/ask"
[commands.lint]
argv = ["ruff", "check"]
environment = { A = "b" }
[claude]
key_file = "key"
[runners]
"priority:low" = "openai"
"""


def _document(model: type[Document], *seeds: bytes) -> Target:
    def check(data: bytes) -> None:
        try:
            found = model.parse(data, "here")
        except BadInput as error:
            assert_one_line(error)
            return
        written = found.to_bytes()
        again = model.parse(written, "here")
        assert again.to_bytes() == written, "read and written again it is another"

    return Target(check, seeds)


def _settings(data: bytes) -> None:
    try:
        settings = load_settings(data, "here")
        experts_of(settings)
    except BadInput as error:
        assert_one_line(error)


def _host_settings(data: bytes) -> None:
    try:
        validated(HostSettings, data, "here")
    except BadInput as error:
        assert_one_line(error)


def _heartbeat(data: bytes) -> None:
    assert 0 <= hosts._workers(data) < 10_000


@cache
def _index() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(state._TABLES + derived.TABLES)
    return connection


def _indexed(data: bytes) -> None:
    """A line with the path, then the document: what is entered can be read again, and is where it says."""
    head, _, body = data.partition(b"\n")
    path, connection = head.decode("utf-8", "replace"), _index()
    connection.execute("BEGIN")
    try:
        indexing.add_document(connection, path, body, "0" * 40)
        for name, where in connection.execute("SELECT task, path FROM tasks").fetchall():
            found = index.find_task(connection, name)
            assert found is not None and found.task == name and where == path
        for name, where in connection.execute("SELECT batch, path FROM batches").fetchall():
            found_batch = index.find_batch(connection, name)
            assert found_batch is not None and found_batch.batch == name and where == path
    finally:
        connection.execute("ROLLBACK")


def _path(data: bytes) -> None:
    """A path out of a tree means something only where it is one that we could have written."""
    path = data.decode("utf-8", "replace")
    parts = path.split("/")
    place = layout.place_of(path)
    if place is not None:
        assert path.isascii() and path.isprintable() and not {"", ".", ".."} & set(parts), path
        assert parts[:2] == [layout.ROOT, place.kind] and place.batch in (parts[2], parts[2][: -len(".json")])
        assert layout.is_plain(path), path
    if layout.is_plain(path):
        assert path.isascii() and path.isprintable() and not {"", ".", "..", ".git"} & set(parts), path


TARGETS = {
    "task": _document(Task, TASK),
    "batch": _document(Batch, BATCH),
    "result": _document(Result, RESULT),
    "claim": _document(ClaimRecord, CLAIM),
    "budget": _document(BudgetDocument, BUDGET),
    "heartbeat": Target(_heartbeat, (HEARTBEAT,)),
    "settings": Target(_settings, (SETTINGS,)),
    "host-settings": Target(_host_settings, (HOST_SETTINGS,)),
    "index": Target(
        _indexed,
        (
            b"coordination/tasks/b/t-1.json\n" + TASK,
            b"coordination/batches/b.json\n" + BATCH,
            b"coordination/tasks/b/a0/t-1.json\n" + json.dumps(json.loads(TASK)).encode(),
        ),
    ),
    "path": Target(
        _path,
        (
            b"coordination/tasks/b/t-1.json",
            b"coordination/results/b/a0/t-1.json",
            b"coordination/batches/b.json",
            b"coordination/results/b/b.merge.json",
        ),
    ),
}
