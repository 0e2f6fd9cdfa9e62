"""What a process holds: a claim that is being checked, one in hand, a result that is safe on its disk.

Owns the moves of a process that touch nothing but its own clone.
"""

from cortex_git.analysis.model.world import CANCELLED, DROP, IDLE, READY, Case, Process, State, put


def moved(state: State, number: int, process: Process) -> State:
    """The state with the process in another stage."""
    return state._replace(processes=put(state.processes, number, process))


def checked(case: Case, state: State, number: int) -> State:
    """The process after a fetch that counts as its check: it has the claim, or must give it back."""
    process = state.processes[number]
    clone = state.clone(case.owners[number])
    token = process.held
    if clone.known[token.task] is not None:
        return moved(state, number, process._replace(stage=DROP))
    if token.state == CANCELLED or token.attempt > case.attempts:
        return entered(case, state, number)
    return moved(state, number, process._replace(stage=READY))


def entered(case: Case, state: State, number: int) -> State:
    """The outbox has the result made under the process's claim."""
    process = state.processes[number]
    index = case.owners[number]
    clone = state.clone(index)
    clone = clone._replace(waiting=(*clone.waiting, process.held))
    state = state.with_clone(index, clone)
    return moved(state, number, process._replace(stage=IDLE, token=None))
