"""Folding: the result refs of all hosts merged into the branch that people read.

Owns the octopus commit and the user's fast-forward. Anyone may fold at any time; a fold that loses the
race or dies half-way costs nothing, because the result refs hold everything.
"""

from collections.abc import Sequence

from cortex_git.errors import EnvironmentProblem
from cortex_git.flocks import file_lock
from cortex_git.gitio import GitFailed
from cortex_git.store import layout, tombstones
from cortex_git.store.commits import Draft, merge
from cortex_git.store.differences import added
from cortex_git.store.index import View
from cortex_git.store.protection import branch_refused, branch_stuck
from cortex_git.store.pulling import pull
from cortex_git.store.refs import Outcome
from cortex_git.store.repository import Repository

_TRIES = 8
_FOLDED = "folded"
"""Key in table `own` of a branch commit, and the tips of result refs that are known to be in it."""


def fold(repository: Repository, view: View | None = None) -> str | None:
    """Merge every result ref into the branch; the new commit, or None when it had everything already.

    Paths are unique, so the union of added files is the merge, without those that a tombstone in any of
    them stands for. Raises RemoteUnreachable, or EnvironmentProblem when the remote refuses the branch, or
    could not move it at any try (results stay readable from the host refs).
    """
    outcome = Outcome.STALE
    for _ in range(_TRIES):
        current = view or pull(repository)
        view = None
        base, others = parents(repository, current)
        if not others:
            return None
        files: dict[str, bytes | str] = {}
        for tip in others:
            for path, oid in added(repository.git, base, tip, only_new=True):
                if layout.is_plain(path):
                    files[path] = min(oid, str(files.get(path, oid)))  # the same choice as the index makes
        mark = " [skip ci]" if repository.settings.skip_ci else ""
        removed = tombstones.keep_out(repository, base, files)
        draft = Draft(f"chore(cortex): fold {_many(len(files), 'document')}{mark}", files, removed=removed)
        author = repository.identity.author
        commit = merge(repository.git, author, [base, *others], draft)
        outcome = repository.refs.move_trunk(commit, current.trunk[0])
        if outcome is Outcome.APPLIED:
            _remember_folded(repository, commit, list(current.results.values()))
            return commit
        if outcome is Outcome.REFUSED:
            raise branch_refused(repository.settings.branch, repository.refs.refusal)
    if outcome is Outcome.BUSY:
        raise branch_stuck(repository.settings.branch, repository.refs.refusal)
    return None


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def parents(repository: Repository, view: View) -> tuple[str, list[str]]:
    """The commit to build on, and the tips that it does not contain yet."""
    if not view.trunk:
        raise EnvironmentProblem(
            f"branch {repository.settings.branch} does not exist", "run `cortex-git init` in this repository"
        )
    # Without a remote the user's branch may have moved past what was folded, or stand behind it.
    base = view.trunk[-1]
    folded = view.trunk[0]
    if base != folded and contains(repository, folded, base):
        base = folded
    tips = [folded, *view.results.values()]
    return base, _not_in(repository, base, tips)


def contains(repository: Repository, descendant: str, ancestor: str) -> bool:
    return repository.git.run("merge-base", "--is-ancestor", ancestor, descendant, check=False).status == 0


def _not_in(repository: Repository, base: str, tips: Sequence[str]) -> list[str]:
    """The tips that `base` does not contain.

    Those found to be in it are remembered: git would go back through the whole history for each ref of a
    host that is long gone, at every fold.
    """
    wanted = [tip for tip in dict.fromkeys(tips) if tip != base]
    inside = _folded(repository, base) & set(wanted)
    unsure = [tip for tip in wanted if tip not in inside]
    if not unsure:
        return []
    revisions = "\n".join([*unsure, f"^{base}"])
    missing = set(repository.git.text("rev-list", "--stdin", stdin=revisions.encode()).split())
    found = [tip for tip in wanted if tip in missing]
    _remember_folded(repository, base, [tip for tip in wanted if tip not in missing])
    return found


def _folded(repository: Repository, base: str) -> set[str]:
    """Tips known to be in `base`, because an ancestor of it had them."""
    row = repository.state.execute("SELECT value FROM own WHERE key = ?", (_FOLDED,)).fetchone()
    before, *tips = row[0].split() if row else [""]
    return set(tips) if before and (before == base or contains(repository, base, before)) else set()


def _remember_folded(repository: Repository, base: str, tips: Sequence[str]) -> None:
    value = " ".join([base, *tips])
    repository.state.execute("INSERT OR REPLACE INTO own VALUES (?, ?)", (_FOLDED, value))


def follow(repository: Repository) -> str | None:
    """Fast-forward the user's checkout to the branch if it stands clean on it; else what to say to them.

    Called when the work is over. Commands of one clone that end together take turns.
    """
    with file_lock(repository.private / "follow.lock"):
        return _follow(repository)


def _follow(repository: Repository) -> str | None:
    git = repository.git
    trunk = repository.refs.trunk()
    branch = repository.settings.branch
    if not trunk:
        return None
    head = git.run("symbolic-ref", "--quiet", "--short", "HEAD", check=False).text.strip()
    local = git.refs(f"refs/heads/{branch}").get(f"refs/heads/{branch}")
    if local == trunk[0] or (local is not None and contains(repository, local, trunk[0])):
        return None
    how = f"git merge --ff-only {trunk[0][:12]}"
    if head != branch:
        return f"results are folded into {branch}; you are on {head or 'a detached commit'}"
    if git.text("status", "--porcelain", "--untracked-files=no"):
        return f"your checkout has changes, so it was not moved; when it is clean: {how}"
    try:
        git.run("merge", "--ff-only", "--quiet", trunk[0])
    except GitFailed as error:
        return f"your checkout was not moved ({error.message}); to do it: {how}"
    return None
