"""The documents that hosts share: batches, tasks, claims and results, as strict, frozen models.

Owns their schema version and the rules for names. Must never read or write anything itself.
"""

import hashlib
import json
import re
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from cortex_git.errors import BadInput, NewerSchema

SCHEMA = 1
"""Version of every stored document; an older one is read, a newer one is refused."""

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,99}$"
TASK_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,99}(\.merge)?$"
MERGE_SUFFIX = ".merge"
NAME_LENGTH = 100
"""Characters of the longest name."""
MERGE_RUNNER = "merge"
"""The runner of tasks that are carried out by whoever runs a batch: they put results together."""
MOST_AFTER = 1000
"""Tasks that one may come after."""
MOST_DEPTH = 200
"""Levels of lists and objects in a document: what is deeper can be read, and not be written again."""
MOST_COUNT = 10**15
"""More is no count of tokens or attempts, and would not add up in SQLite."""

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
TaskId = Annotated[str, StringConstraints(pattern=TASK_PATTERN)]
ObjectId = Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")]


class Expert(StrEnum):
    """Who a task is for; the router picks one."""

    SECURITY = "security"
    DEVELOPMENT = "development"
    INVENTORY = "inventory"
    DOCUMENTATION = "documentation"

    @property
    def master(self) -> str:
        return f"{self.value}-master"


WORKER_TYPES: dict[str, Expert] = {
    "scan-worker": Expert.SECURITY,
    "fix-worker": Expert.SECURITY,
    "analysis-worker": Expert.INVENTORY,
    "implementation-worker": Expert.DEVELOPMENT,
    "test-worker": Expert.DEVELOPMENT,
    "review-worker": Expert.DEVELOPMENT,
    "pr-worker": Expert.DEVELOPMENT,
    "documentation-worker": Expert.DOCUMENTATION,
}
"""Each worker type with the expert whose work it does."""

PRIORITIES: dict[str, int] = {"critical": 0, "high": 1, "medium": 2, "low": 3}
"""Lower runs first."""

Priority = Literal["critical", "high", "medium", "low"]
ResultStatus = Literal["completed", "failed", "cancelled", "timed_out", "budget_exhausted"]
MergeStrategy = Literal["vote", "weighted", "resolve"]
ClaimState = Literal["running", "released", "cancelled"]


class Document(BaseModel):
    """A stored document. Unknown keys are kept out, so an older reader survives a newer writer's extras."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
    kind: ClassVar[str] = "document"

    schema_version: int = Field(SCHEMA, alias="schema", ge=1, strict=True)

    @classmethod
    def parse(cls, data: bytes, where: str) -> Self:
        """The document in `data`; `where` names the file or ref in the error."""
        try:
            value = _loaded(data)
            found = value.get("schema") if isinstance(value, dict) else None
            if isinstance(found, int) and found > SCHEMA:
                raise NewerSchema(where, cls.kind, found, SCHEMA)
            if _deeper_than(MOST_DEPTH, value):
                raise ValueError(f"nested deeper than {MOST_DEPTH} levels")
            return cls.model_validate(value)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{where}: not a valid {cls.kind}", _first_reason(error)) from error

    def to_bytes(self) -> bytes:
        """The document as people and git like it: sorted keys, two spaces, a last newline.

        Numbers that JSON does not have (NaN, infinities) become null. Raises ValueError or RecursionError for
        what `parse` would refuse because of its depth.
        """
        value = self.model_dump(mode="json", by_alias=True)
        if _deeper_than(MOST_DEPTH, value):
            raise ValueError(f"nested deeper than {MOST_DEPTH} levels")
        return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode(
            "utf-8", "replace"
        )


_HALVES = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]|\0")
"""What only JSON with half surrogates in it can contain, and some other: escaped, as bytes, or in UTF-16."""


def _loaded(data: bytes) -> Any:
    """What the JSON says. Half surrogates, which SQLite cannot hold, become `?` as in `to_bytes`."""
    value = json.loads(data, parse_constant=_no_number)
    if _HALVES.search(data):
        value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    return value


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


_CONTAINERS = (dict, list)
"""Not `dict | list`, which is made anew wherever it stands: every value of every document is looked at."""


def _deeper_than(levels: int, value: Any) -> bool:
    """Whether lists and objects in `value` lie more than so many within each other."""
    inner = [value]
    for _ in range(levels + 1):
        inner = [
            one
            for outer in inner
            for one in (
                outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ()
            )
            if isinstance(one, _CONTAINERS)
        ]
        if not inner:
            return False
    return True


def _first_reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'document'}: {first['msg']}"
    return str(error) or type(error).__name__


class Batch(Document):
    """Tasks submitted together, with the layout their files use."""

    kind = "batch"

    batch: Name
    created_at: str
    created_by: str
    title: str = ""
    sharded: bool = False
    """Task and result files lie in folders named by two hex digits of the id's hash."""
    sealed: bool = True
    """No task is added any more, so the batch's last task may be claimed."""
    merge: bool = False
    """The batch ends with a task `<batch>.merge` that writes its summary."""
    tasks: int = 0
    """How many tasks a sealed batch has, its merge task not counted."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What the batch command needs to report on it again, such as the scan's database."""


class Task(Document):
    """An immutable description of work."""

    kind = "task"

    task: TaskId
    batch: Name
    title: str = Field(min_length=1, max_length=500)
    type: str = "scan-worker"
    master: str = ""
    runner: str = ""
    """Empty: the worker type's own runner."""
    priority: Priority = "medium"
    repo: str | None = None
    budget: int | None = Field(None, ge=0, le=MOST_COUNT)
    """Tokens; None: the worker type's default."""
    deadline: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Minutes an attempt may take; None: the worker type's default."""
    scope: str | None = None
    context: dict[str, Any] = Field(default_factory=dict)
    max_attempts: int = Field(3, ge=1, le=100)
    created_at: str = ""
    retry_of: TaskId | None = None
    """The task, ended without success, whose work this one does again."""
    continues: bool = False
    """Whether it begins with what that task's last attempt had done."""
    after: tuple[TaskId, ...] = Field((), max_length=MOST_AFTER)
    """Tasks that must have ended before this one is claimed."""
    parent: TaskId | None = None
    """The task of which this is a part, or whose result asked for it."""
    depth: int = Field(0, ge=0, le=100)
    """Hand-offs between the task that a person added and this one."""
    confidence: float | None = Field(None, ge=0, le=100)
    """How sure the router is that this part's expert is needed; the weight of its result."""
    sensitive: bool = False
    """Its text must not be sent to a provider of models."""
    strategy: MergeStrategy | None = None
    """How a merge task makes one result of those it comes after."""
    routing: dict[str, Any] | None = None
    """The router's decision, where it chose the worker type."""

    @property
    def is_aggregate(self) -> bool:
        """Whether it makes one result of those it comes after, instead of working itself."""
        return self.runner == MERGE_RUNNER and not self.is_merge

    @property
    def responsible(self) -> str:
        """The task's own master, else the one whose work its worker type does."""
        return self.master or WORKER_TYPES.get(self.type, Expert.DEVELOPMENT).master

    def for_runner(self) -> dict[str, Any]:
        """The document as runners get it, its master named."""
        return self.model_dump(mode="json", by_alias=True) | {"master": self.responsible}

    @property
    def is_merge(self) -> bool:
        return self.task.endswith(MERGE_SUFFIX)


class ClaimRecord(Document):
    """The content of a claim ref: who runs the task now, and the fencing data."""

    kind = "claim"

    task: TaskId
    state: ClaimState = "running"
    worker: str = ""
    host: str
    nonce: str = Field(min_length=8, max_length=64)
    epoch: int = Field(1, ge=1, le=MOST_COUNT)
    attempt: int = Field(1, ge=1, le=MOST_COUNT)
    retry_after_s: float = Field(0.0, ge=0.0)
    lease_s: float = Field(60.0, gt=0.0)
    claimed_at: str = ""
    pid: int = 0
    """Process that holds it; means something on its own host only, with the two below."""
    pid_started: float = 0.0
    boot_id: str = ""


class Result(Document):
    """The immutable record of a task's outcome."""

    kind = "result"

    task: TaskId
    batch: Name
    status: ResultStatus
    type: str = "scan-worker"
    master: str = ""
    worker: str
    host: str
    nonce: str
    """Equals the nonce of the claim it was published under."""
    epoch: int = 1
    attempt: int = 1
    started_at: str = ""
    completed_at: str = ""
    duration_s: float = Field(0.0, ge=0.0)
    spawn_s: float = Field(0.0, ge=0.0)
    """Seconds from dispatch to the first instruction of the runner."""
    tokens_used: int = Field(0, ge=0)
    error: str | None = None
    output: dict[str, Any] = Field(default_factory=dict)


class Tombstone(Document):
    """What stands on the branch for tasks whose files were archived: that they ended, and where those are."""

    kind = "archive"

    batch: Name
    part: int = Field(0, ge=0)
    """0: the whole batch. An open batch is archived in parts, each with the tasks that had ended."""
    commit: ObjectId
    """A commit whose tree holds the files; a ref of the archive's name keeps it."""
    sharded: bool = False
    tasks: dict[TaskId, tuple[ObjectId, ObjectId]]
    """By task the object ids of its document and of its result."""

    @property
    def name(self) -> str:
        """What the archive is called: the batch, or `<batch>.<part>`."""
        return f"{self.batch}.{self.part}" if self.part else self.batch


def valid_name(text: str, what: str) -> str:
    """`text` if it may name a batch or a task (`[a-z0-9][a-z0-9_-]{0,99}`), else BadInput."""
    if not re.fullmatch(NAME_PATTERN, text):
        raise BadInput(
            f"{what} {text!r} is not a usable name",
            "use 1 to 100 of a-z, 0-9, - and _, starting with a letter or digit",
        )
    return text


def derived_name(base: str, ending: str) -> str:
    """`<base>-<ending>`, the same from everybody; of a base too long, its beginning and a hash of it all."""
    ending = f"-{ending}"
    if len(base) + len(ending) > NAME_LENGTH:
        digest = hashlib.sha256(base.encode()).hexdigest()[:8]
        ending = f"-{digest}{ending}"
        base = base[: NAME_LENGTH - len(ending)]
    return base + ending
