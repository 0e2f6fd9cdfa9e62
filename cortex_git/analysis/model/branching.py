"""Steps that change the branch, as `store.folding` and the archive do them.

Owns the fold, and the archive. Each task of the model is a batch of its own.
"""

from collections.abc import Iterator

from cortex_git.analysis.model.fetching import settled
from cortex_git.analysis.model.promises import Wrong
from cortex_git.analysis.model.publishing import unseen
from cortex_git.analysis.model.world import Branch, Case, Clone, Item, Kept, Next, State, Step, put


def branch_steps(case: Case, state: State, number: int) -> Iterator[Next]:
    """Fold and archive by one idle process, as its clone last saw the refs. A lost race changes nothing."""
    index = case.owners[number]
    clone = state.clones[index]
    if clone is None or clone.branch != state.branch:
        return
    if any(tip and tip.place > clone.branch.contains[tip.host] for tip in clone.tips):
        yield _fold(case, state, number, index, clone)
        return
    if not case.archives:
        return
    for item in clone.branch.tree:
        if (
            not isinstance(item, Kept)
            and Kept(item) not in clone.branch.tree
            and clone.claims[item.task] is None
        ):
            tree = clone.branch.tree - {item} | {Kept(item)}
            after = state._replace(branch=Branch(tree, clone.branch.contains))
            yield Next(Step("archive", number, item.task), settled(after), True, unseen(after))


def _fold(case: Case, state: State, number: int, index: int, clone: Clone) -> Next:
    """The union of what the result refs add to the branch, without what its tombstones name."""
    branch = clone.branch
    tree: set[Item] = set(branch.tree)
    contains = list(branch.contains)
    archived = {item.token for item in branch.tree if isinstance(item, Kept)}
    if "tombstones" in case.without:
        archived = set()
    for tip in clone.tips:
        if tip is None or tip.place <= branch.contains[tip.host]:
            continue
        tree |= tip.tree - archived
        contains[tip.host] = tip.place
    after = state._replace(branch=Branch(frozenset(tree), tuple(contains)))
    wrong = unseen(after)
    if any(isinstance(item, Kept) and item.token in tree for item in tree):
        wrong = Wrong("archived", "a fold brings archived files back")
    if "ref-order" in case.without and state.tips[clone.host] == clone.tip and clone.tip is not None:
        # The host's own ref is reset at once, now that the branch has everything.
        after = after._replace(tips=put(after.tips, clone.host, None))
        contains[clone.host] = 0
        after = after._replace(branch=Branch(after.branch.tree, tuple(contains)))
        after = after._replace(clones=put(after.clones, index, clone._replace(tip=None)))
        wrong = wrong or unseen(after)
    return Next(Step("fold", number), settled(after), wrong=wrong)
