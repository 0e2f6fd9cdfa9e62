"""Where an attempt's work starts: at the ref its task names, or where an earlier attempt ended.

Owns what is fetched for that and what the work is compared with. Checks nothing out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.runners.agent.worktrees import WorkTree
from cortex_git.scan.reading.limits import Deadline
from cortex_git.scan.sources import checked_ref

_COMMIT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class Start:
    """Where an attempt's work starts."""

    commit: str
    """What is checked out."""
    base: str
    """Where its line of commits left the repository's default branch."""
    before: str
    """What the work as a whole is compared with: an earlier attempt's changes are part of it."""
    resumed: bool = False
    note: str = ""


def found_start(work: WorkTree, earlier: Mapping[str, Any], deadline: Deadline) -> Start:
    """Fetch what the task starts from; anew where an earlier attempt's work is gone, and that is noted."""
    clone, ref = work.clone, work.clone.source.ref
    wanted = clone.fetch(ref or "HEAD", work.ref("base"), deadline)
    default = wanted
    if ref is not None:
        try:
            default = clone.fetch("HEAD", work.ref("default"), deadline)
        except EnvironmentProblem:
            default = wanted  # its HEAD may name nothing, and nobody asked for it
    resume = earlier.get("resume")
    branch, commit = (
        (resume.get("branch"), resume.get("commit")) if isinstance(resume, Mapping) else (None, None)
    )
    if not branch and not commit:
        return Start(wanted, clone.common(default, wanted) or wanted, wanted)
    found = _earlier_commit(work, branch, commit, deadline)
    if found is None:
        note = f"the work of {branch or commit} is neither on the remote nor here: started anew"
        return Start(wanted, clone.common(default, wanted) or wanted, wanted, note=note)
    before = clone.common(wanted, found) or wanted
    if before == found:  # it was merged
        return Start(wanted, clone.common(default, wanted) or wanted, wanted)
    return Start(found, clone.common(default, found) or before, before, resumed=True)


def _earlier_commit(work: WorkTree, branch: object, commit: object, deadline: Deadline) -> str | None:
    """An earlier attempt's last commit: on its branch, or never pushed and on this host still."""
    known = commit if isinstance(commit, str) and _COMMIT_ID.fullmatch(commit) else None
    if isinstance(branch, str):
        try:
            tip = work.clone.fetch(f"refs/heads/{checked_ref(branch)}", work.ref("earlier"), deadline)
            known = known or tip
        except (BadInput, EnvironmentProblem):
            pass  # it was merged and deleted, most likely
    found = work.clone.commit(known) if known else None
    if found is not None:
        work.clone.git().run("update-ref", work.ref("earlier"), found)
    return found
