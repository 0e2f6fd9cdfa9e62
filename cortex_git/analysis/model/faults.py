"""Steps that nobody wants: crashes, pushes that arrive late, copies of a clone. And the start after a crash.

Owns what each of them leaves behind.
"""

from collections.abc import Iterator

from cortex_git.analysis.model.claiming import run_twice
from cortex_git.analysis.model.fetching import settled
from cortex_git.analysis.model.publishing import land
from cortex_git.analysis.model.world import (
    CHECK,
    DEAD,
    IDLE,
    READY,
    RUNNING,
    UNSURE,
    Case,
    Next,
    Process,
    State,
    Step,
    put,
)


def fault_steps(case: Case, state: State) -> Iterator[Next]:
    """Whatever may go wrong now."""
    for flight in state.air:
        if flight.push is not None:
            if state.tips[flight.push.tip.host] == flight.push.base or "own-lease" in case.without:
                after, wrong = land(state._replace(air=state.air - {flight}), flight.push)
                yield Next(
                    Step("arrives", -1, flight.push.tokens[0].task, "push"), settled(after), True, wrong
                )
        elif flight.token is not None and state.claims[flight.token.task] == flight.replaces:
            claims = put(state.claims, flight.token.task, flight.token)
            after = settled(state._replace(claims=claims, air=state.air - {flight}))
            yield Next(Step("arrives", -1, flight.token.task, "claim", flight.token), after, True)
    for number, process in enumerate(state.processes):
        if process.stage == DEAD:
            alone = not any(
                other.stage != DEAD and state.clones[clone] is not None
                for other, clone in zip(state.processes, case.owners, strict=True)
            )
            back = put(state.processes, number, Process(IDLE, life=process.life + 1))
            yield Next(Step("restart", number), settled(state._replace(processes=back)), not alone)
        elif state.left.crashes and state.clones[case.owners[number]] is not None:
            yield from _crash(case, state, number, process)
    if state.left.copies:
        yield from _copies(state)


def _crash(case: Case, state: State, number: int, process: Process) -> Iterator[Next]:
    index = case.owners[number]
    clone = state.clone(index)
    busy = clone.publishing is not None or (clone.fetching is not None and clone.fetching.process == number)
    if process.stage == IDLE and not busy and not process.disowned and not _has_claims(state, number):
        return  # nobody could tell
    if clone.fetching is not None and clone.fetching.process == number:
        clone = clone._replace(fetching=None)
    if clone.publishing is not None and clone.publishing.process == number:
        clone = clone._replace(publishing=None)
    token = process.token
    if token is not None and token.state == RUNNING and process.stage in (UNSURE, CHECK, READY):
        clone = clone._replace(unstarted=clone.unstarted | {token})
    after = state._replace(
        left=state.left._replace(crashes=state.left.crashes - 1),
        clones=put(state.clones, index, clone),
        processes=put(state.processes, number, Process(DEAD, life=process.life)),
    )
    yield Next(Step("crash", number), settled(after), True)
    if process.stage == READY and token is not None:
        # The same in the midst of the run: its lock says that a worker was on the task.
        run = (token.task, token.epoch, token.attempt)
        wrong = run_twice(token) if run in state.runs else None
        clone = clone._replace(unstarted=state.clone(index).unstarted)
        after = after._replace(clones=put(state.clones, index, clone), runs=state.runs | {run})
        yield Next(Step("crash", number, token.task, "run"), settled(after), True, wrong)


def _has_claims(state: State, number: int) -> bool:
    life = state.processes[number].life
    return any(token and (token.process, token.life) == (number, life) for token in state.claims) or any(
        flight.token and (flight.token.process, flight.token.life) == (number, life) for flight in state.air
    )


def _copies(state: State) -> Iterator[Next]:
    """The first clone is copied with its `.git`: as a folder, which is noticed, or as a disk image."""
    index = next(number for number, clone in enumerate(state.clones) if clone is None)
    left = state.left._replace(copies=state.left.copies - 1)
    copy = state.clone(0)._replace(publishing=None, fetching=None)
    state = state._replace(left=left)
    yield Next(Step("copy", index, how="image"), state.with_clone(index, copy), True)
    copy = copy._replace(host=index + len(state.clones), tip=None)
    yield Next(Step("copy", index, how="folder"), state.with_clone(index, copy), True)
