"""A coordination repository with a long past, as many hosts would have made it, in seconds.

Owns how that past is laid out: real documents, one commit a result on the hosts' own refs, a fold after
each batch, then open tasks and living claims. Written by `git fast-import` straight into the remote.
"""

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from cortex_git.analysis.bench.workspace import new_remote
from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import Git, blob_id
from cortex_git.models import Batch, ClaimRecord, Result, Task
from cortex_git.state import now
from cortex_git.store import layout
from cortex_git.store.creation import create

HOSTS = tuple(f"past-{number}" for number in range(8))
_GONE = frozenset(HOSTS[6:])
"""They worked in the first half only, and their refs stay where they were."""
_SMALL, _LARGE = 1_000, 10_000
_LEASE_S = 7 * 24 * 3600.0
"""The claims are to live as long as the measurement, whose hosts send no heartbeat."""
_MOST_S = 3600.0
_BRANCH = "refs/heads/main"


@dataclass(frozen=True, slots=True)
class Past:
    """What to make: finished tasks, tasks that somebody has now, tasks that nobody has yet."""

    results: int
    claims: int
    open: int


def make_past(folder: Path, past: Past) -> Path:
    """A bare remote in `folder` that looks as if all that had happened there."""
    remote = new_remote(folder / "remote.git")
    create(folder / "first", str(remote))
    git = Git(remote)
    writer = _Writer(git.text("rev-parse", _BRANCH))
    with git.streaming("fast-import", "--quiet", "--force", "--done", timeout=_MOST_S) as process:
        stream = cast("BinaryIO", process.stdin)
        for part in _stream(writer, past):
            stream.write(part)
        stream.write(b"done\n")
        stream.close()
        if process.wait(timeout=_MOST_S):
            raise EnvironmentProblem("git fast-import refused the history", "is the disk full?")
    return remote


def sizes_of(results: int) -> list[int]:
    """Batches that have so many tasks together: ten of 1,000, one of 10,000, and so on."""
    sizes: list[int] = []
    while left := results - sum(sizes):
        sizes.append(min(left, _LARGE if len(sizes) % 11 == 10 else _SMALL))
    return sizes


def _stream(writer: "_Writer", past: Past) -> Iterator[bytes]:
    sizes = sizes_of(past.results)
    for number, size in enumerate(sizes):
        half = 2 * sum(sizes[:number]) >= past.results
        working = [host for host in HOSTS if not (half and host in _GONE)]
        yield from _finished_batch(writer, f"past-{number:04d}", size, working)
    waiting = past.claims + past.open
    if waiting:
        tasks, files = _batch("now", waiting, HOSTS[0])
        yield writer.commit(HOSTS[0], "chore(cortex): add batch now", files)
        yield writer.fold()
        for number, task in enumerate(tasks[: past.claims]):
            host = HOSTS[number % 6]
            record = ClaimRecord(
                task=task.task, worker="worker-past", host=host, nonce=uuid.uuid4().hex, lease_s=_LEASE_S,
                claimed_at=now(), boot_id="of another machine",
            )  # fmt: skip
            yield writer.single(f"refs/cortex/claims/{task.task}", layout.CLAIM_FILE, record.to_bytes())
    for host in HOSTS:
        yield writer.single(f"refs/cortex/hosts/{host}", layout.HOST_FILE, b'{"schema": 1, "workers": 4}\n')


def _batch(name: str, size: int, host: str) -> tuple[list[Task], dict[str, bytes]]:
    sharded = size > layout.SHARD_ABOVE
    batch = Batch(batch=name, created_at=now(), created_by=host, sharded=sharded, tasks=size)
    tasks = [
        Task(
            task=f"{name}-{number:06d}", batch=name, title=f"Look at part {number} of {name}", runner="echo",
            created_at=batch.created_at, repo=f"https://git.example.invalid/{name}/part-{number}",
            context={"part": number},
        )
        for number in range(size)
    ]  # fmt: skip
    files = {layout.batch_path(name): batch.to_bytes()}
    files |= {layout.task_path(name, task.task, sharded=sharded): task.to_bytes() for task in tasks}
    return tasks, files


def _finished_batch(writer: "_Writer", name: str, size: int, hosts: Sequence[str]) -> Iterator[bytes]:
    tasks, files = _batch(name, size, hosts[0])
    yield writer.commit(hosts[0], f"chore(cortex): add batch {name}", files)
    yield writer.fold()
    share = -(-size // len(hosts))
    paths = {path.rpartition("/")[2]: path for path in files}
    for number, task in enumerate(tasks):
        host = hosts[number // share]
        result = Result(
            task=task.task, batch=name, status="failed" if number % 50 == 7 else "completed", type=task.type,
            master=task.responsible, worker=f"worker-scan-{number % 20:03d}", host=host,
            nonce=uuid.uuid4().hex, started_at=now(), completed_at=now(), duration_s=1.5,
            tokens_used=900 + number % 300, output={"summary": f"part {number} of {name} is fine"},
        )  # fmt: skip
        message = f"feat({result.master}): {result.worker} {result.status} {task.task}"
        path = layout.result_beside(paths[f"{task.task}.json"])
        yield writer.commit(host, message, {path: result.to_bytes()})
    yield writer.fold()


class _Writer:
    """Words of `git fast-import`. A host's first commit after a fold builds on it, as publishing does."""

    def __init__(self, trunk: str) -> None:
        self._trunk = trunk
        self._marks = 0
        self._behind = dict.fromkeys(HOSTS, True)
        """Whether the host's ref is yet to be put onto the branch."""
        self._pending: dict[str, str] = {}
        self._tips: dict[str, str] = {}
        self._at = int(time.time())

    def commit(self, host: str, message: str, files: dict[str, bytes]) -> bytes:
        """One commit on the host's own result ref."""
        base = self._trunk if self._behind[host] else self._tips[host]
        self._behind[host] = False
        self._pending |= {path: blob_id(content, "0" * 40) for path, content in files.items()}
        text = self._commit(f"refs/cortex/results/{host}", message, f"from {base}\n", host)
        self._tips[host] = f":{self._marks}"
        return text + b"".join(_inline(path, content) for path, content in files.items()) + b"\n"

    def fold(self) -> bytes:
        """Everything since the last fold, in one commit with all the hosts' tips as parents."""
        working = [tip for host, tip in self._tips.items() if not self._behind[host]]
        parents = f"from {self._trunk}\n" + "".join(f"merge {tip}\n" for tip in working)
        text = self._commit(_BRANCH, f"chore(cortex): fold {len(self._pending)} documents", parents, "fold")
        text += "".join(f"M 100644 {oid} {path}\n" for path, oid in self._pending.items()).encode() + b"\n"
        self._trunk = f":{self._marks}"
        self._pending = {}
        self._behind = dict.fromkeys(HOSTS, True)
        return text

    def single(self, ref: str, path: str, content: bytes) -> bytes:
        """A root commit with one file, as claims and heartbeats are."""
        return (
            f"reset {ref}\n".encode() + self._commit(ref, path, "", "past") + _inline(path, content) + b"\n"
        )

    def _commit(self, ref: str, message: str, parents: str, who: str) -> bytes:
        self._marks += 1
        body = message.encode()
        committer = f"{who} <{who}@cortex-git.invalid> {self._at} +0000"
        head = f"commit {ref}\nmark :{self._marks}\ncommitter {committer}\ndata {len(body)}\n"
        return head.encode() + body + b"\n" + parents.encode()


def _inline(path: str, content: bytes) -> bytes:
    return f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n"
