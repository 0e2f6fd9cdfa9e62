"""Everything that may happen next in a state.

Owns the order in which steps are tried, and which of several alike clones begins.
"""

from collections.abc import Iterator

from cortex_git.analysis.model.branching import branch_steps
from cortex_git.analysis.model.claiming import process_steps
from cortex_git.analysis.model.faults import fault_steps
from cortex_git.analysis.model.fetching import begin, end, fetched, knows_less
from cortex_git.analysis.model.publishing import publish_steps
from cortex_git.analysis.model.world import IDLE, Case, Clone, Next, State


def successors(case: Case, state: State) -> Iterator[Next]:
    """Each step that is possible now, with the state after it."""
    for index, clone in enumerate(state.clones):
        # Clones are alike until they act, so they begin in their order. (A copy acts when it is there.)
        if clone is None or (index > state.acted and index < case.hosts):
            continue
        acted = max(state.acted, index + 1) if index < case.hosts else state.acted
        for found in _of_clone(case, state, index, clone):
            if found.state.acted != acted:
                found = found._replace(state=found.state._replace(acted=acted))
            yield found
    yield from fault_steps(case, state)


def _of_clone(case: Case, state: State, index: int, clone: Clone) -> Iterator[Next]:
    for number in case.of_clone[index]:
        if clone.fetching is not None and clone.fetching.process == number:
            yield end(case, state, number)
            continue
        yield from process_steps(case, state, number)
        if state.processes[number].stage == IDLE:
            if clone.fetching is None and _is_behind(case, state, clone):
                yield begin(case, state, number) if case.slow_fetch else fetched(case, state, number, "fetch")
            if case.folds:
                yield from branch_steps(case, state, number)
    yield from publish_steps(case, state, index)


def _is_behind(case: Case, state: State, clone: Clone) -> bool:
    """Whether a fetch would show anything new."""
    if clone.claims != state.claims or clone.branch != state.branch:
        return True
    if case.folds and clone.tips != state.tips:
        return True
    return knows_less(clone, state.landed)
