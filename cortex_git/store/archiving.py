"""Archiving: the files of work that ended long ago leave the branch; a tombstone stays, and a ref keeps them.

Owns the order, ref first and branch then, so that a command killed anywhere between leaves nothing that the
next one cannot go on from. The branch moves by compare-and-swap: whoever loses looks again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.gitio import Git
from cortex_git.store import layout, tombstones
from cortex_git.store.archivable import ARCHIVED, Due, Kept, look
from cortex_git.store.commits import Draft, merge
from cortex_git.store.folding import contains, fold, parents
from cortex_git.store.index import View
from cortex_git.store.protection import branch_refused, branch_stuck
from cortex_git.store.pulling import pull
from cortex_git.store.refs import ABSENT, QUIET_FETCH, Outcome, Update
from cortex_git.store.repository import Repository

_TRIES = 8
_AT_ONCE = 200
"""Archives in one push."""
_LANDED = (Outcome.APPLIED, Outcome.UNCHANGED)


@dataclass
class Archived:
    """What was archived, or would be."""

    done: list[Due] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)


def planned(repository: Repository, older_s: float, batches: Sequence[str] = ()) -> Archived:
    """What `archive` would do, by the branch as it is now. Changes nothing.

    Raises BadInput for a batch in `batches` that cannot be archived.
    """
    view = pull(repository)
    due, kept = look(repository, view, parents(repository, view)[0], older_s, batches)
    _refuse(kept, batches)
    return Archived(due, kept)


def refuse_unready(repository: Repository, batches: Sequence[str]) -> None:
    """Raises BadInput for one of the batches that cannot be archived now. Folds first, as `archive` does."""
    fold(repository)
    view = pull(repository)
    _refuse(look(repository, view, parents(repository, view)[0], 0.0, batches)[1], batches)


def archive(
    repository: Repository, older_s: float, batches: Sequence[str] = (), into: Archived | None = None
) -> Archived:
    """Archive what ended more than `older_s` seconds ago, or just the named batches whatever their age.

    What was done is in `into` at once, so that it can be told where an error ends the rest.

    Raises BadInput for a named batch that cannot be archived, RemoteUnreachable, and EnvironmentProblem where
    the remote refuses or the branch moves faster than we do; then nothing is lost, and running it again
    goes on.
    """
    report = Archived() if into is None else into
    foreign: list[Kept] = []
    moved = 0
    """Times in a row that somebody else was faster."""
    outcome = Outcome.STALE
    while moved < _TRIES:
        fold(repository)
        view = pull(repository)
        base, others = parents(repository, view)
        if others:
            moved += 1
            continue
        left = [
            name for name in batches if name not in {one.stone.batch for one in report.done if not one.back}
        ]
        if batches and not left:
            break
        due, kept = look(repository, view, base, older_s, left)
        report.kept = [*kept, *foreign]
        _refuse(report.kept, left)
        passed = {one.batch for one in foreign}
        due = [one for one in due if one.stone.name not in passed]
        if not due:
            break
        held, others_own = _hold(repository, base, due[:_AT_ONCE])
        foreign += others_own
        if not held:
            moved += not others_own
            continue
        outcome = _move(repository, view, base, held)
        if outcome in _LANDED:
            report.done += held
            moved = 0
        else:
            moved += 1
    else:
        if outcome is Outcome.BUSY:
            raise branch_stuck(repository.settings.branch, repository.refs.refusal)
        raise EnvironmentProblem(
            "the branch moves all the time: nothing more was archived", "try again later"
        )
    pull(repository)
    return report


def _refuse(kept: Iterable[Kept], batches: Sequence[str]) -> None:
    for one in kept:
        if one.batch in batches:
            if one.reason == ARCHIVED:
                raise BadInput(
                    f"batch {one.batch!r} is archived already",
                    f"look at it with `cortex-git results list --batch {one.batch}`",
                )
            raise BadInput(
                f"batch {one.batch!r} cannot be archived: {one.reason}", "see `cortex-git task list`"
            )


def _hold(repository: Repository, base: str, due: Sequence[Due]) -> tuple[list[Due], list[Kept]]:
    """Put a ref on a commit that holds each archive's files: those where it is now, and those that stay.

    Where a ref is there already, made by a command that was killed or runs elsewhere, its commit is used.
    One of neither: somebody else moved that ref meanwhile, and it is worth another look.
    """
    refs = {f"{repository.refs.namespace}/archive/{one.stone.name}": one for one in due if not one.back}
    there = repository.refs.read_back(list(refs)) if refs else {}
    held = [one for one in due if one.back]
    foreign: list[Kept] = []
    updates: list[Update] = []
    for ref, one in refs.items():
        commit = there.get(ref)
        if commit is None:
            updates.append(Update(ref, base, ABSENT))
        elif _holds(repository, ref, commit, one):
            held.append(replace(one, stone=one.stone.model_copy(update={"commit": commit})))
        elif contains(repository, base, commit):
            updates.append(Update(ref, base, commit))
        else:
            foreign.append(Kept(one.stone.name, f"{ref} holds something else: move that ref away"))
    outcomes = repository.refs.transaction(updates, atomic=False)
    if Outcome.REFUSED in outcomes:
        raise EnvironmentProblem(
            f"the remote refused to keep archives: {repository.refs.refusal}",
            f"allow refs under {repository.refs.namespace}/archive/",
        )
    unsure = [u.ref for u, o in zip(updates, outcomes, strict=True) if o not in _LANDED]
    now = repository.refs.read_back(unsure) if unsure else {}
    held += [refs[u.ref] for u in updates if u.ref not in unsure or now.get(u.ref) == base]
    return held, foreign


def _holds(repository: Repository, ref: str, commit: str, due: Due) -> bool:
    if not _has(repository.git, commit):
        if repository.remote is not None:
            repository.git.run(*QUIET_FETCH, repository.remote, ref, check=False)
        if not _has(repository.git, commit):
            return False
    found = tombstones.files_of(repository, commit, due.stone.batch)
    return due.files.items() <= found.items()


def _has(git: Git, commit: str) -> bool:
    return git.run("cat-file", "-e", f"{commit}^{{tree}}", check=False).status == 0


def _move(repository: Repository, view: View, base: str, due: Sequence[Due]) -> Outcome:
    """Take the files off the branch and put the tombstones there, and say whether that landed."""
    files: dict[str, bytes | str] = {layout.archive_path(one.stone.name): one.stone.to_bytes() for one in due}
    removed = [path for one in due for path in one.files]
    tasks = sum(len(one.stone.tasks) for one in due)
    names = due[0].stone.name if len(due) == 1 else f"{len(due)} batches"
    mark = " [skip ci]" if repository.settings.skip_ci else ""
    many = "1 task" if tasks == 1 else f"{tasks} tasks"
    draft = Draft(f"chore(cortex): archive {names} with {many}{mark}", files, removed=removed)
    commit = merge(repository.git, repository.identity.author, [base], draft)
    outcome = repository.refs.move_trunk(commit, view.trunk[0])
    if outcome is Outcome.REFUSED:
        raise branch_refused(repository.settings.branch, repository.refs.refusal)
    if outcome in _LANDED:
        return outcome
    trunk = pull(repository).trunk
    return Outcome.APPLIED if trunk and contains(repository, trunk[0], commit) else outcome


def missing_refs(repository: Repository) -> dict[str, str]:
    """Archives whose ref is gone, by ref the commit that it stood on."""
    known = dict(repository.state.execute("SELECT name, commit_id FROM archives"))
    space = f"{repository.refs.namespace}/archive/"
    there = repository.refs.under(space) if known else {}
    return {
        f"{space}{name}": commit
        for name, commit in known.items()
        if f"{space}{name}" not in there and _has(repository.git, commit)
    }


def restore_refs(repository: Repository, refs: dict[str, str]) -> None:
    """Make refs of archives again. The commits are in the branch's history."""
    updates = [Update(ref, oid, ABSENT) for ref, oid in refs.items()]
    for start in range(0, len(updates), _AT_ONCE):
        repository.refs.transaction(updates[start : start + _AT_ONCE], atomic=False)
