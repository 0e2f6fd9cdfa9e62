"""Steps of whoever holds a clone's publish lock, as `store.publishing` does them.

Owns what becomes of a result from the outbox on. One operation on the remote a step.
"""

from collections.abc import Iterator

from cortex_git.analysis.model.fetching import holds, looked, settled
from cortex_git.analysis.model.promises import Wrong
from cortex_git.analysis.model.world import (
    ADDED,
    DEAD,
    Case,
    Clone,
    Flight,
    Intent,
    Kept,
    Next,
    Publishing,
    State,
    Step,
    Tip,
    Token,
    put,
)


def publish_steps(case: Case, state: State, index: int) -> Iterator[Next]:
    """What a clone's publisher may do now. Any living process is one; the first of them does it here."""
    clone = state.clones[index]
    living = [p for p in case.of_clone[index] if state.processes[p].stage != DEAD]
    if clone is None or not living:
        return
    if clone.publishing is not None:
        if clone.publishing.stage == "ask":
            yield _settle(state, index, clone, clone.publishing.process)
        elif clone.publishing.stage == "stale":
            yield _look_late(state, index, clone, clone.publishing)
        elif clone.fetching is None:
            yield _search(case, state, index, clone.publishing)
    elif clone.open:
        yield _settle(state, index, clone, living[0])
    elif clone.waiting:
        yield from _pushes(case, state, index, clone, living[0])


def _pushes(case: Case, state: State, index: int, clone: Clone, number: int) -> Iterator[Next]:
    """One push of everything that waits, one result for each task, its intent recorded first.

    Made again within a second of one that was given up, it is the same commit.
    """
    tokens = tuple({(token.task, token.state == ADDED): token for token in clone.waiting}.values())
    base = clone.tip
    below = clone.branch.tree
    if base is not None and clone.branch.contains[clone.host] < base.place:
        below = base.tree  # the branch as last seen does not contain it yet
    place = base.place + 1 if base else 1
    tip = Tip(clone.host, place, index, 0, below | set(tokens))
    intent = Intent(base, _fresh_tip(state, tip), tokens)
    yield from _push(case, state, index, intent, Step("publish", number, tokens[0].task))
    for old in clone.given_up:
        if (old.base, old.tokens, old.tip._replace(serial=0)) == (base, tokens, tip):
            yield from _push(case, state, index, old, Step("publish again", number, tokens[0].task))


def _push(case: Case, state: State, index: int, intent: Intent, step: Step) -> Iterator[Next]:
    clone, tokens = state.clone(index), intent.tokens
    if state.tips[clone.host] == intent.tip:
        # It has landed by now: the remote has this very commit already, which is no answer.
        yield Next(step._replace(how="unchanged"), settled(_unsure(state, index, intent, step.who)))
        return
    ours = "own-lease" in case.without or state.tips[clone.host] == intent.base
    stale = tuple(token for token in tokens if not holds(state, token))
    if "claim-lease" in case.without:
        stale = ()
    if ours and not stale:
        landed, wrong = land(state, intent)
        yield Next(step, _acknowledged(landed, index, intent, tokens), wrong=wrong)
        if state.left.lost:
            left = state.left._replace(lost=state.left.lost - 1)
            unsure = _unsure(landed._replace(left=left), index, intent, step.who)
            yield Next(step._replace(how="lost"), settled(unsure), True, wrong)
    else:
        stage, which = ("search", stale) if ours else ("stale", tokens)
        publishing = Publishing(step.who, stage, which)
        then = _with(state, index, given_up=clone.given_up | {intent}, publishing=publishing)
        yield Next(step._replace(how="refused"), settled(then))
    if state.left.lost:
        left = state.left._replace(lost=state.left.lost - 1)
        air = state.air | {Flight(None, None, intent)}
        unsure = _unsure(state._replace(left=left, air=air), index, intent, step.who)
        yield Next(step._replace(how="air"), settled(unsure), True)


def _unsure(state: State, index: int, intent: Intent, number: int) -> State:
    """The push was intended, and no answer came: it is asked for next, by this flush or another."""
    clone = state.clone(index)
    ask = Publishing(number, "ask", intent.tokens)
    given_up = clone.given_up - {intent}
    return _with(state, index, open=(intent, *clone.open), given_up=given_up, publishing=ask)


def land(state: State, intent: Intent) -> tuple[State, Wrong | None]:
    """The remote has taken the push. What promise that breaks, if any."""
    wrong = None
    for token in intent.tokens:
        if token.state != ADDED and any(
            other.task == token.task and other != token and other.state != ADDED for other in state.landed
        ):
            wrong = Wrong("one-result", "the task has two results")
    claims = list(state.claims)
    for token in intent.tokens:
        if token.state != ADDED:
            claims[token.task] = None
    state = state._replace(
        claims=tuple(claims),
        tips=put(state.tips, intent.tip.host, intent.tip),
        landed=state.landed | set(intent.tokens),
    )
    wrong = wrong or unseen(state) or _fenced(state)
    return settled(state), wrong


def unseen(state: State) -> Wrong | None:
    """What is wrong where a published result is on no result ref, nor on the branch."""
    seen = set(state.branch.tree).union(*(tip.tree for tip in state.tips if tip))
    lost = [token for token in state.landed if token not in seen and Kept(token) not in seen]
    return Wrong("kept", "a published result is on no ref any more") if lost else None


def _fenced(state: State) -> Wrong | None:
    for clone in state.clones:
        if clone is not None and not state.landed.isdisjoint(clone.fenced):
            return Wrong("not-fenced", "a published result is called fenced")
    return None


def _acknowledged(state: State, index: int, intent: Intent, tokens: tuple[Token, ...] = ()) -> State:
    """The clone knows that the push took place; with `tokens` they are entered in its index, too."""
    clone = state.clone(index)
    known, added = list(clone.known), list(clone.added)
    for token in tokens:
        if token.state == ADDED:
            added[token.task] = True
        else:
            known[token.task] = known[token.task] or token
    done = set(intent.tokens)
    return _with(
        state, index,
        known=tuple(known),
        added=tuple(added),
        waiting=tuple(token for token in clone.waiting if token not in done),
        open=tuple(other for other in clone.open if other != intent),
        given_up=clone.given_up - {intent},
        tip=intent.tip if intent.tip.host == clone.host else clone.tip,
    )  # fmt: skip


def _settle(state: State, index: int, clone: Clone, number: int) -> Next:
    """The outcome of a push without answer: the ref stands where it would have put it, or not.

    The flush that made the push enters what landed in the index, too; a later one leaves that to a fetch.
    """
    intent = clone.open[0]
    tokens = clone.publishing.tokens if clone.publishing else ()
    state = _with(state, index, publishing=None)
    if state.tips[intent.tip.host] == intent.tip:
        then = _acknowledged(state, index, intent, tokens)
        return Next(Step("settle", number, how="landed"), settled(then), wrong=_doubted(state, intent.tokens))
    then = _with(state, index, open=clone.open[1:], given_up=clone.given_up | {intent})
    return Next(Step("settle", number, how="absent"), settled(then))


def _doubted(state: State, tokens: tuple[Token, ...]) -> Wrong | None:
    if any(token not in state.landed for token in tokens):
        return Wrong("kept", "a result counts as published that never was")
    return None


def _look_late(state: State, index: int, clone: Clone, publishing: Publishing) -> Next:
    """Our ref moved: by a push of ours that was given up and landed late, or by a copy of this clone."""
    tip = state.tips[clone.host]
    for intent in clone.given_up:
        if intent.tip == tip:
            then = _acknowledged(_with(state, index, publishing=None), index, intent)
            step = Step("look late", publishing.process, how="ours")
            return Next(step, settled(then), wrong=_doubted(state, intent.tokens))
    then = _with(state, index, publishing=publishing._replace(stage="leave"))
    return Next(Step("look late", publishing.process, how="not ours"), then)


def _search(case: Case, state: State, index: int, publishing: Publishing) -> Next:
    """Each result is looked for by its nonce: found, it is done; else fenced, or to go out under a new id."""
    state, wrong = looked(case, state, index)
    seen = state.clone(index)
    found = {t for t in publishing.tokens if seen.known[t.task] == t and "publish-nonce" not in case.without}
    changes: dict[str, object] = {
        "publishing": None,
        "waiting": tuple(t for t in seen.waiting if t not in found),
    }
    step = Step(publishing.stage, publishing.process, publishing.tokens[0].task, "found" if found else "")
    if publishing.stage == "leave":
        changes |= {"host": index + len(state.clones), "tip": None}
    else:
        fenced = [token for token in publishing.tokens if token not in found]
        changes["waiting"] = tuple(t for t in seen.waiting if t not in publishing.tokens)
        changes["fenced"] = (*seen.fenced, *fenced)
    then = settled(_with(state, index, **changes))
    return Next(step, then, wrong=wrong or _fenced(then) or _doubted(state, tuple(found)))


def _fresh_tip(state: State, tip: Tip) -> Tip:
    taken = {state.tips[tip.host]} | {flight.push.tip for flight in state.air if flight.push}
    for clone in state.clones:
        if clone is not None:
            taken |= {clone.tip, *clone.tips, *(i.tip for i in (*clone.open, *clone.given_up))}
    while tip in taken:
        tip = tip._replace(serial=tip.serial + 1)
    return tip


def _with(state: State, index: int, **changes: object) -> State:
    """The state with fields of one clone changed."""
    clone = state.clone(index)
    return state.with_clone(index, clone._replace(**changes))  # type: ignore[arg-type]
