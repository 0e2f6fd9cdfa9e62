"""What the model says of a state, and what the remote and the clones say of themselves.

Read by an onlooker that takes no part.
"""

import json

from activities import number_of
from modelwalk import World

from cortex_git.analysis.model.world import CANCELLED, RUNNING, Case, Kept, State, Token
from cortex_git.store import index


def told(token: Token, case: Case, *, ended: bool = False) -> tuple[object, ...]:
    """What the remote can tell of a claim, or of a result that ended one."""
    who = "canceller" if token.state == CANCELLED else f"p{token.process}-{token.life}"
    if ended:
        return token.task, token.epoch, min(token.attempt, case.attempts), who
    return token.task, token.state, token.epoch, token.attempt, who


def expected(case: Case, state: State) -> dict[str, object]:
    """What the model says is on the remote and in the clones."""
    seen = {item for tip in state.tips if tip for item in tip.tree} | state.branch.tree
    results = {item.token if isinstance(item, Kept) else item for item in seen}
    return {
        "claims": {told(token, case) for token in state.claims if token},
        "results": {
            told(token, case, ended=True) for token in results if token.state in (RUNNING, CANCELLED)
        },
        "waiting": [len(clone.waiting) for clone in state.clones if clone],
        "fenced": [len(clone.fenced) for clone in state.clones if clone],
        "known": [[token is not None for token in clone.known] for clone in state.clones if clone],
    }


def found(world: World, state: State) -> dict[str, object]:
    """The same as it is."""
    case, remote = world.case, world.remote
    refs = remote.refs("refs/cortex/claims/", "refs/cortex/results/", "refs/heads/main")
    bodies = remote.blobs(f"{oid}:claim.json" for ref, oid in refs.items() if "/claims/" in ref)
    claims = [json.loads(body) for body in bodies.values()]
    results: set[tuple[object, ...]] = set()
    for oid in {oid for ref, oid in refs.items() if "/claims/" not in ref}:
        results |= world.results_in(oid)
    clones = [world.observer(number) for number, clone in enumerate(state.clones) if clone is not None]
    names = [f"t{n + 1}" if n not in case.later else "t1-r1" for n in range(case.tasks)]
    known = [index.with_result(clone.repository, names) for clone in clones]
    return {
        "claims": {(number_of(c["task"]), c["state"], c["epoch"], c["attempt"], c["worker"]) for c in claims},
        "results": results,
        "waiting": [len(clone.outbox.waiting()) for clone in clones],
        "fenced": [
            len([*clone.outbox.waiting("fencing"), *clone.outbox.waiting("fenced")]) for clone in clones
        ],
        "known": [[name in finished for name in names] for finished in known],
    }
