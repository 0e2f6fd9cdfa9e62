"""Checks of the repository as git sees it, and of the branch that results are folded into.

Owns what needs no document to be read. Changes nothing.
"""

import re
from collections.abc import Iterator
from contextlib import suppress

from cortex_git.errors import CortexError
from cortex_git.gitio import telling_line
from cortex_git.services.doctor.findings import Finding, NotLooked, note, ok, problem, warning
from cortex_git.services.doctor.patient import Patient
from cortex_git.store.creation import IGNORED
from cortex_git.store.protection import check_no_checkout
from cortex_git.store.refs import TRACKING
from cortex_git.store.repository import remote_of

_TRUNK = f"{TRACKING}trunk"
_HEAD = re.compile(r"ref: refs/\S+|[0-9a-f]{40}(?:[0-9a-f]{24})?")


def repository(patient: Patient) -> Iterator[Finding]:
    """Whether git takes the folder for a repository, with a commit, and one remote to coordinate through."""
    where = str(patient.folder)
    if not patient.folder.is_dir():
        yield problem(
            "there is no such folder",
            where,
            why="there is nothing to look at",
            do="give an existing one with --repository",
        )
        return
    if not (patient.folder / ".git").exists():
        yield _no_repository(patient, "it has no .git")
        return
    try:
        done = patient.git.run("rev-parse", "--git-dir", check=False)
    except CortexError as error:
        raise NotLooked(error.message) from None
    if done.status:
        yield _no_repository(patient, telling_line(done.stderr))
        return
    if patient.git.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}", check=False).status:
        head = patient.git.run("symbolic-ref", "--quiet", "HEAD", check=False).text.strip()
        yield warning(
            f"HEAD leads to no commit ({head or 'it names one that is missing'})",
            where,
            why="your checkout cannot follow the branch; the coordination itself needs no checkout",
            do=f"git -C {where} fetch && git -C {where} switch --detach {_TRUNK}",
        )
    try:
        remote = remote_of(patient.git)
    except CortexError as error:
        yield problem(error.message, where, why="nobody can tell where claims are made", do=error.hint)
        return
    yield ok(f"a git repository, remote {remote}" if remote else "a git repository without a remote", where)


def _no_repository(patient: Patient, reason: str) -> Finding:
    if "dubious ownership" in reason:
        raise NotLooked("git does not trust the folder")
    head = patient.folder / ".git" / "HEAD"
    why = "no command works in it; what it has not published is in .git/cortex/state.db, so keep that"
    try:
        text = head.read_text(errors="replace").strip() if head.is_file() else None
    except OSError as error:
        return problem(
            f"HEAD cannot be read: {error.strerror}", str(head), why=why, do="check its permissions"
        )
    if text is not None and not _HEAD.fullmatch(text):
        return problem("HEAD is damaged", str(head), why=why, do=f"echo 'ref: refs/heads/main' > {head}")
    again = f"git clone the remote anew, and copy {patient.folder}/.git/cortex/state.db* into its .git/cortex"
    return problem(f"git takes this for no repository: {reason}", str(patient.folder), why=why, do=again)


def committed(patient: Patient) -> Iterator[Finding]:
    """Files that are this clone's own, and were committed all the same."""
    branch = patient.settings.branch
    with suppress(NotLooked):
        _ = patient.view
    found: set[str] = set()
    for revision in (_TRUNK, f"refs/heads/{branch}"):
        done = patient.git.run("ls-tree", "-r", "--name-only", revision, "--", *IGNORED, check=False)
        found |= set(done.text.split("\n")) - {""}
    for path in sorted(found)[:5]:
        yield warning(
            "a file of one clone alone is committed, and everybody gets it",
            path,
            why="it is overwritten by every host, so checkouts are never clean and do not follow the branch",
            do=f"git rm -r --cached {path} && git commit -m 'Leave out {path}' && git push",
        )
    if not found:
        yield ok("locks and snapshots are not committed")


def branch(patient: Patient) -> Iterator[Finding]:
    """Whether the branch is there, here and at the remote, and both have one history."""
    name = patient.settings.branch
    ref = f"refs/heads/{name}"
    local = patient.git.refs(ref).get(ref)
    if patient.remote is None:
        folded = f"{patient.namespace}/main"
        if local is None and folded not in patient.git.refs(folded):
            yield _absent(patient, name, "this repository")
        else:
            yield ok(f"branch {name} is there")
        return
    if not patient.offline and patient.answer.problem is None and ref not in patient.answer.refs:
        yield _absent(patient, name, f"remote {patient.remote}", local)
        return
    try:
        check_no_checkout(patient.git, patient.remote, name)
    except CortexError as error:
        yield problem(error.message, patient.remote, why="no fold can be pushed there", do=error.hint)
    with suppress(NotLooked):
        _ = patient.view
    trunk = patient.git.refs(_TRUNK).get(_TRUNK)
    if local is None or trunk is None:
        raise NotLooked("the branch was never fetched") if trunk is None else NotLooked(f"no local {name}")
    ahead, behind = _distance(patient, local, trunk)
    where = f"{name} and {patient.remote}/{name}"
    if ahead and behind:
        yield warning(
            f"branch {name} and the remote's have parted: {ahead} commits here, {behind} there",
            where,
            why="your checkout cannot follow; results are read and published all the same",
            do=f"git -C {patient.folder} pull --rebase {patient.remote} {name}",
        )
    elif ahead:
        yield note(
            f"{ahead} commits of branch {name} are not at the remote",
            where,
            why="settings and files in them reach nobody yet",
            do=f"git -C {patient.folder} push {patient.remote} {name}",
        )
    else:
        text = f"your checkout is {behind} commits behind" if behind else "your checkout is up to date"
        yield ok(f"branch {name} is there, {text}", where)


def _absent(patient: Patient, name: str, place: str, local: str | None = None) -> Finding:
    push = f"git -C {patient.folder} push {patient.remote} {name}"
    return problem(
        f"branch {name} is not in {place}",
        name,
        why="hosts read the settings and the folded results there",
        do=push if local else f"cortex-git init {patient.folder}",
    )


def _distance(patient: Patient, local: str, trunk: str) -> tuple[int, int]:
    """Commits that only `local` has, and that only `trunk` has."""
    done = patient.git.run("rev-list", "--left-right", "--count", f"{local}...{trunk}", check=False)
    if done.status:
        raise NotLooked("the history is not all here")
    ahead, behind = done.text.split()
    return int(ahead), int(behind)
