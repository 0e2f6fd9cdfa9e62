"""How a clone comes to see what is on the remote, and what nobody can tell apart any more.

Owns the fetch, in one step or in two. Result refs are read before the branch.
"""

from cortex_git.analysis.model.holding import checked
from cortex_git.analysis.model.promises import Wrong
from cortex_git.analysis.model.world import (
    ADDED,
    CHECK,
    Branch,
    Case,
    Clone,
    Fetching,
    Kept,
    Next,
    State,
    Step,
    Tip,
    Token,
    put,
)

_NO_AIR: frozenset = frozenset()  # type: ignore[type-arg]


def settled(state: State) -> State:
    """The state without pushes that can never arrive any more, and without memories of such."""
    air = state.air
    if air:
        air = frozenset(flight for flight in air if _may_land(state, flight))
        if air != state.air:
            state = state._replace(air=air)
    for number, process in enumerate(state.processes):
        if process.disowned:
            kept = frozenset(token for token in process.disowned if _is_near(state, token))
            if kept != process.disowned:
                state = state._replace(
                    processes=put(state.processes, number, process._replace(disowned=kept))
                )
    for number, clone in enumerate(state.clones):
        if clone is None:
            continue
        if clone.unstarted:
            near = frozenset(token for token in clone.unstarted if _is_near(state, token))
            if near != clone.unstarted:
                clone = clone._replace(unstarted=near)
                state = state.with_clone(number, clone)
        if clone.given_up:
            tips = {flight.push.tip for flight in air if flight.push}
            left = frozenset(i for i in clone.given_up if i.tip in tips or state.tips[i.tip.host] == i.tip)
            if left != clone.given_up:
                state = state.with_clone(number, clone._replace(given_up=left))
    return state


def _may_land(state: State, flight) -> bool:  # type: ignore[no-untyped-def]
    if flight.push is None:
        return flight.replaces is None or state.claims[flight.token.task] == flight.replaces
    push = flight.push
    return state.tips[push.tip.host] == push.base and all(holds(state, token) for token in push.tokens)


def holds(state: State, token: Token) -> bool:
    """Whether the remote has the claim that a push of this token would delete, if any."""
    return token.state == ADDED or state.claims[token.task] == token


def _is_near(state: State, token: Token) -> bool:
    """Whether the claim is on the remote, on its way there, or in anybody's view."""
    return (
        state.claims[token.task] == token
        or any(flight.token == token for flight in state.air)
        or any(clone is not None and clone.claims[token.task] == token for clone in state.clones)
    )


def refreshed(
    case: Case, clone: Clone, claims: tuple[Token | None, ...], tips: tuple[Tip | None, ...], branch: Branch
) -> Clone:
    """The clone once it has indexed these refs. What it knew of results it knows for ever."""
    if None in clone.known:
        known, added = list(clone.known), list(clone.added)
        for tree in (*(tip.tree for tip in tips if tip), branch.tree):
            for item in tree:
                token = item.token if isinstance(item, Kept) else item
                if token.state == ADDED:
                    added[token.task] = True
                elif known[token.task] is None:
                    known[token.task] = token
        clone = clone._replace(known=tuple(known), added=tuple(added))
    return clone._replace(claims=claims, tips=tips if case.folds else clone.tips, branch=branch)


def looked(case: Case, state: State, index: int) -> tuple[State, Wrong | None]:
    """The state after a whole fetch by a clone, and what it failed to show."""
    clone = state.clone(index)
    clone = refreshed(case, clone, state.claims, state.tips, state.branch)
    state = settled(state.with_clone(index, clone))
    return state, missed(clone, state.landed)


def missed(clone: Clone, published: frozenset[Token]) -> Wrong | None:
    """A result that was there when the fetch began, and that the reader does not know of."""
    return Wrong("kept", "a reader does not see a published result") if knows_less(clone, published) else None


def knows_less(clone: Clone, published: frozenset[Token]) -> bool:
    """Whether anything published is not in the clone's index."""
    return any(
        not clone.added[token.task] if token.state == ADDED else clone.known[token.task] is None
        for token in published
    )


def fetched(case: Case, state: State, number: int, kind: str) -> Next:
    """A process fetches at once; with `check` that is its look after a claim."""
    after, wrong = looked(case, state, case.owners[number])
    if kind == "check":
        after = checked(case, after, number)
    return Next(Step(kind, number), after, wrong=wrong)


def begin(case: Case, state: State, number: int) -> Next:
    """A process begins a fetch: claims and result refs are read, the branch is not."""
    index = case.owners[number]
    clone = state.clone(index)
    fetching = Fetching(number, state.claims, state.tips, state.branch, state.landed)
    clone = clone._replace(fetching=fetching)
    return Next(Step("begin fetch", number), state.with_clone(index, clone))


def end(case: Case, state: State, number: int) -> Next:
    """The fetch of a process ends: the branch is read, and everything indexed."""
    index = case.owners[number]
    clone = state.clone(index)
    old = clone.fetching
    if old is None:
        raise ValueError(f"clone {index} has no fetch under way")
    tips, branch = old.tips, state.branch
    if "ref-order" in case.without:
        tips, branch = state.tips, old.branch
    clone = refreshed(case, clone._replace(fetching=None), old.claims, tips, branch)
    after = settled(state.with_clone(index, clone))
    done = [number] if state.processes[number].stage == CHECK else []
    if "fresh-fetch" in case.without:  # whoever waits for a look takes this one
        done = [p for p in case.of_clone[index] if state.processes[p].stage == CHECK]
    for process in done:
        after = checked(case, after, process)
    return Next(Step("end fetch", number), after, wrong=missed(clone, old.published))
