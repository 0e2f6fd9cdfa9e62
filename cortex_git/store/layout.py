"""Where each document lies in the coordination repository, and what a path means.

Owns the paths; nothing else builds or takes one apart.
"""

import hashlib
import re
from typing import NamedTuple

from cortex_git.models import MERGE_SUFFIX

ROOT = "coordination"
CONFIG = f"{ROOT}/config.toml"
CLAIM_FILE = "claim.json"
HOST_FILE = "host.json"
SHARD_ABOVE = 1000
"""A batch with more tasks than this spreads its files over 256 folders."""

_DOCUMENT = re.compile(
    rf"^{ROOT}/(?:(?P<single>batches|archive)/(?P<name>[a-z0-9][a-z0-9._-]*)\.json"
    r"|(?P<kind>tasks|results)/(?P<batch>[a-z0-9][a-z0-9_-]*)/(?:[0-9a-f]{2}/)?(?P<task>[a-z0-9][a-z0-9._-]*)\.json)"
)
_SUMMARY = "summary"
_BELONGS = re.compile(
    rf"^{ROOT}/(?:batches/(?P<name>[a-z0-9][a-z0-9._-]*)\.json"
    r"|results/(?P<about>[^/]+)/(?:summary\.json|summary\.md|results\.sarif)"
    r"|(?:tasks|results)/(?P<batch>[^/]+)/(?:[0-9a-f]{2}/)?(?P<task>[^/]+)\.(?:json|md))$"
)
_PLAIN = re.compile(rf"{ROOT}/[A-Za-z0-9._/-]+")
_ODD = frozenset({"", ".", "..", ".git"})
"""Parts of paths that git refuses; a tree made by hand may have them."""


class Place(NamedTuple):
    """What a path holds: `kind` is batches, tasks, results or archive.

    `task` is empty for a batch and an archive. `batch` of an archive is its name, which is `<batch>.<part>`
    where only a part was archived.
    """

    kind: str
    batch: str
    task: str


def batch_path(batch: str) -> str:
    return f"{ROOT}/batches/{batch}.json"


def archive_path(name: str) -> str:
    return f"{ROOT}/archive/{name}.json"


def task_path(batch: str, task: str, *, sharded: bool) -> str:
    return _path("tasks", batch, task, sharded)


def result_beside(path: str) -> str:
    """The result's path for the task at `path`."""
    return path.replace(f"{ROOT}/tasks/", f"{ROOT}/results/", 1)


def text_beside(path: str) -> str:
    """Where a result's text for people lies, beside the result at `path`."""
    return path.removesuffix(".json") + ".md"


def summary_path(batch: str, name: str) -> str:
    """Where a batch's aggregate lies: `summary.json`, `summary.md` or `results.sarif`."""
    return f"{ROOT}/results/{batch}/{name}"


def _path(kind: str, batch: str, task: str, sharded: bool) -> str:
    shard = ""
    if sharded and not task.endswith(MERGE_SUFFIX):
        shard = hashlib.sha256(task.encode()).hexdigest()[:2] + "/"
    return f"{ROOT}/{kind}/{batch}/{shard}{task}.json"


def owner_of(path: str) -> tuple[str, str] | None:
    """The batch and the task whose file this is, a result's text too; None for a path of neither.

    The task is empty for what is the whole batch's: its document, its summary.
    """
    match = _BELONGS.match(path)
    if match is None:
        return None
    return match["name"] or match["about"] or match["batch"], match["task"] or ""


def place_of(path: str) -> Place | None:
    """What the document at `path` is, or None if it is none of ours."""
    match = _DOCUMENT.fullmatch(path)
    if match is None:
        return None
    if match["single"]:
        return Place(match["single"], match["name"], "")
    if match["task"] == _SUMMARY and match["kind"] == "results":
        return None
    return Place(match["kind"], match["batch"], match["task"])


def is_plain(path: str) -> bool:
    """Whether a path is one that this project could have written; others are never folded."""
    return _PLAIN.fullmatch(path) is not None and not _ODD & set(path.lower().split("/"))
