"""A fix campaign's results as rows, one a repository.

Owns what is believed of them: whoever can push can write a result, and a bad one must cost no other row.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cortex_git.models import Result, Task

FixStatus = Literal["fixed", "partly", "clean", "tests_failed", "unfixed", "failed", "pushed", "open"]
"""`clean`: nothing was left. `pushed`: an agent's branch, which nothing has judged. `open`: not done yet."""
STATUSES: tuple[FixStatus, ...] = get_args(FixStatus)
ENOUGH: frozenset[FixStatus] = frozenset({"fixed", "clean", "pushed"})
"""Rows that leave nothing to do but to look at a branch."""


class _Upgrade(BaseModel):
    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    lockfile: str
    package: str
    before: list[str] = Field(default_factory=list, alias="from")
    after: list[str] = Field(default_factory=list, alias="to")
    advisories: list[str] = Field(default_factory=list)
    reason: str = ""


class _Request(BaseModel):
    title: str = ""
    body: str = ""


class _Output(BaseModel):
    model_config = ConfigDict(extra="ignore")

    status: Literal["fixed", "partly", "clean", "tests_failed", "unfixed"] | None = None
    upgrades: list[_Upgrade] = Field(default_factory=list)
    left: list[_Upgrade] = Field(default_factory=list)
    branch: str | None = None
    commit: str | None = None
    change_request: _Request = _Request()
    summary: str = ""


@dataclass(frozen=True, slots=True)
class FixRow:
    """One repository of a campaign."""

    repo: str
    task: str
    status: FixStatus
    upgrades: tuple[dict[str, Any], ...] = ()
    """Each `lockfile`, `package`, `from`, `to`, `advisories`."""
    left: tuple[dict[str, Any], ...] = ()
    """The same with a `reason`: what is vulnerable still."""
    branch: str | None = None
    commit: str | None = None
    title: str = ""
    body: str = ""
    """Of a change request, in Markdown."""
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def fix_rows(tasks: Sequence[Task], results: Sequence[Result]) -> list[FixRow]:
    """One row for each task, in the tasks' order; one without a result is `open`."""
    by_task = {result.task: result for result in results}
    return [_row(task, by_task.get(task.task)) for task in tasks]


def _row(task: Task, result: Result | None) -> FixRow:
    repo = task.repo or task.title
    if result is None:
        return FixRow(repo, task.task, "open")
    try:
        output = _Output.model_validate(result.output)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return FixRow(repo, task.task, "failed", error=f"its result cannot be read: {where}: {first['msg']}")
    return FixRow(
        repo,
        task.task,
        _status(output, result),
        tuple(one.model_dump(by_alias=True, exclude={"reason"}) for one in output.upgrades),
        tuple(one.model_dump(by_alias=True) for one in output.left),
        output.branch,
        output.commit,
        output.change_request.title or (task.title if output.branch else ""),
        output.change_request.body or output.summary,
        result.error,
    )


def _status(output: _Output, result: Result) -> FixStatus:
    if output.status is not None:
        good = result.status == "completed"
        return output.status if good == (output.status in ("fixed", "partly", "clean")) else "failed"
    return "pushed" if result.status == "completed" and output.branch else "failed"
