"""What an agent is given beside its task: a scanner's findings, a branch's diff, an earlier attempt's work.

Owns how that is found and shortened. Everything it returns is data, to be marked as such.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cortex_git.config import cache_folder, data_folder
from cortex_git.errors import CortexError
from cortex_git.gitio import Git, GitFailed
from cortex_git.runners import RunContext
from cortex_git.runners.agent.prompts import CONTINUED, cut, earlier_work
from cortex_git.runners.agent.record import Record

if TYPE_CHECKING:
    from cortex_git.runners.agent.checkout import Checkout

Material = tuple[str, str]
"""What it is, and its text."""

MOST_FINDINGS = 40
"""Findings that one triage is given, the worst ones."""
MOST_DIFF = 5000
"""Bytes of a diff."""
_KEYS = ("id", "severity", "ecosystem", "package", "version", "fixed", "lockfile", "line")
_ORDER = {name: rank for rank, name in enumerate(("critical", "high", "medium", "low", "unknown"))}


NO_REPOSITORY = "There is no repository with this task: answer from what stands here"


def continued(earlier: Mapping[str, Any]) -> list[Material]:
    """What the attempt that this one continues had done."""
    text = earlier_work(earlier)
    return [(CONTINUED, text)] if text else []


def triage(task: Mapping[str, Any], context: RunContext, record: Record) -> Material:
    """The findings to triage. They are part of the attempt's output, too, so that another can go on."""
    findings = sorted(findings_of(task, context), key=lambda one: _ORDER.get(str(one.get("severity")), 9))
    record.so_far["findings"] = [dict(one) for one in findings]
    lines = [
        json.dumps({key: one[key] for key in _KEYS if one.get(key) not in (None, "", [])}, ensure_ascii=False)
        for one in findings[:MOST_FINDINGS]
    ]
    left_out = f", the worst {MOST_FINDINGS}" if len(findings) > MOST_FINDINGS else ""
    return f"The scanner's {len(findings)} findings{left_out}", "\n".join(lines)


def findings_of(task: Mapping[str, Any], context: RunContext) -> Sequence[Mapping[str, Any]]:
    """The scanner's findings: those of the task, of the attempt this one continues, or of a scan made now."""
    given = (task.get("context") or {}).get("findings", context.earlier.get("findings"))
    if isinstance(given, list):
        return [one for one in given if isinstance(one, Mapping)]
    from cortex_git.runners.scan import STARTER, scan_row
    from cortex_git.scan.advisories.database import open_default

    asked = task.get("context") or {}
    database = open_default(data_folder())
    if database is not None:
        database.close()
    own = {
        "database": STARTER if database is None else "",
        "data_dir": str(data_folder()),
        "cache_dir": str(cache_folder()),
    }
    about = {"repo": task.get("repo"), "url": asked.get("url") or task.get("repo"), "ref": asked.get("ref")}
    row = scan_row({**own, **context.options, **about})
    if row["status"] == "failed":
        raise CortexError(f"{row['repo']} could not be scanned: {row['error']}", "see the task's repository")
    return [one for one in row["findings"] if isinstance(one, Mapping)]


def diff_of(checkout: "Checkout") -> list[Material]:
    """The commits and the diff of the branch that is checked out, against where it left its base."""
    git = Git(checkout.folder)
    base = checkout.base
    plain = ("--no-ext-diff", "--no-textconv", "--no-color")
    try:
        start = git.text("merge-base", base or "origin/HEAD", "HEAD")
        log = git.text("log", "--format=%s%n%w(0,2,2)%b", f"{start}..HEAD")
        stat = git.text("diff", *plain, "--stat", start, "HEAD")
        diff = git.text("diff", *plain, start, "HEAD")
    except GitFailed as error:
        return [("The diff could not be read", error.message)]
    return [
        ("Its commits", cut(log, MOST_DIFF // 2)),
        ("Files changed", cut(stat, MOST_DIFF // 2)),
        ("The diff", cut(diff, MOST_DIFF)),
    ]
