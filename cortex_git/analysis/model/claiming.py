"""Steps of processes that claim, run, release and cancel, as `store.claims` and `workers` do them.

Owns what becomes of a claim until its result is in the outbox. One operation on the remote a step.
"""

from collections.abc import Iterator

from cortex_git.analysis.model.fetching import begin, fetched, settled
from cortex_git.analysis.model.holding import entered, moved
from cortex_git.analysis.model.promises import Wrong
from cortex_git.analysis.model.world import (
    ADDED,
    CANCELLED,
    CHECK,
    DEAD,
    DROP,
    FAILED,
    IDLE,
    ORPHAN,
    READY,
    RELEASED,
    RUNNING,
    UNSURE,
    Case,
    Clone,
    Flight,
    Next,
    Process,
    State,
    Step,
    Token,
    alive,
    fresh,
    put,
)

_NOTHING: frozenset[Token] = frozenset()


def process_steps(case: Case, state: State, number: int) -> Iterator[Next]:
    """Everything that one living process may do now, but publish and fold for its clone."""
    process = state.processes[number]
    clone = state.clones[case.owners[number]]
    if process.stage == DEAD or clone is None or (clone.fetching and clone.fetching.process == number):
        return
    if process.stage == IDLE:
        yield from _idle(case, state, number, clone)
    elif process.stage == UNSURE:
        yield _read_back(case, state, number, process)
    elif process.stage == CHECK:
        if clone.fetching is None:
            if case.slow_fetch:
                yield begin(case, state, number)
            else:
                yield fetched(case, state, number, "check")
    elif process.stage == READY:
        yield from _ready(case, state, number, process)
    else:
        yield _finish(case, state, number, process)


def _idle(case: Case, state: State, number: int, clone: Clone) -> Iterator[Next]:
    disowned = state.processes[number].disowned
    late = [token for token in clone.claims if token is not None and token in disowned]
    if late:
        yield _give_back_late(case, state, number, late)
    for task in range(case.tasks):
        if not clone.added[task]:
            yield from _add(case, state, number, clone, task)
            continue
        old = clone.claims[task]
        if clone.known[task] is not None:
            if old is not None and state.claims[task] == old and _is_left(state, old, clone):
                claims = put(state.claims, task, None)
                yield Next(Step("tidy", number, task), settled(state._replace(claims=claims)))
            continue
        if not late:  # else the code gives those back first
            yield from _bids(case, state, number, clone, task)
        if state.left.cancels and not clone.waiting:
            left = state.left._replace(cancels=state.left.cancels - 1)
            yield from _place(
                case, state._replace(left=left), number, "cancel", _cancelling(number, task, old), old, True
            )


def _give_back_late(case: Case, state: State, number: int, late: list[Token]) -> Next:
    """Claims that landed after they had been let go, as far as this clone sees."""
    process = state.processes[number]
    after = moved(state, number, process._replace(disowned=process.disowned - set(late)))
    there = [token for token in late if state.claims[token.task] == token]
    for token in there:
        after = _given_back(case, after, token)
    how = "" if there else "refused"
    return Next(Step("give back late", number, late[0].task, how), settled(after))


def _add(case: Case, state: State, number: int, clone: Clone, task: int) -> Iterator[Next]:
    """Where the first task did not end well, as far as this clone knows, it is done again as a new one."""
    first = clone.known[0]
    if first is None or any(token.task == task for token in clone.waiting):
        return
    if first.state == CANCELLED or first.attempt >= case.attempts:
        token = fresh(state, Token(task, number, state.processes[number].life, ADDED, 0, 0, 0))
        added = clone._replace(waiting=(*clone.waiting, token))
        after = state.with_clone(case.owners[number], added)
        yield Next(Step("retry", number, task, token=token), after, True)


def _bids(case: Case, state: State, number: int, clone: Clone, task: int) -> Iterator[Next]:
    """Ways to claim a task that has no result as far as this clone knows."""
    old = clone.claims[task]
    life = state.processes[number].life
    if (old is None or old.state != CANCELLED) and _is_locked(case, state, number, clone, task):
        return
    if old is None:
        yield from _place(case, state, number, "claim", Token(task, number, life, RUNNING, 1, 1, 0), None)
        return
    if old.state == RELEASED or (old.state == CANCELLED and "cancelled" in case.without):
        revived = old.revived or old.state == CANCELLED
        new = Token(task, number, life, RUNNING, old.epoch, old.attempt, 0, revived)
        yield from _place(case, state, number, "reclaim", new, old)
        return
    if (old.process, old.life) == (number, life) or old in clone.waiting:
        return
    free = _is_left(state, old, clone)
    if not free:
        if alive(state, old) and old.process in case.of_clone[case.owners[number]]:
            return  # a living process of the same clone is never robbed
        if not state.left.suspicions:
            return
        state = state._replace(left=state.left._replace(suspicions=state.left.suspicions - 1))
    if old.state == CANCELLED:
        yield from _place(
            case, state, number, "end cancel", _cancelling(number, task, old, life), old, not free
        )
        return
    if "epoch" in case.without:
        new = old  # pushed again, the remote answers that it has it: taken for a win
    else:
        used = old not in clone.unstarted
        new = Token(task, number, life, RUNNING, old.epoch + 1, old.attempt + used, 0, old.revived)
    yield from _place(case, state, number, "take over", new, old, not free)


def _is_locked(case: Case, state: State, number: int, clone: Clone, task: int) -> bool:
    """Whether a living process of this clone has the task's lock folder, until its result is settled."""
    mates = (state.processes[p] for p in case.of_clone[case.owners[number]])
    holds = (mate.token for mate in mates if mate.stage != DEAD)
    ours = (token for token in clone.waiting if alive(state, token))
    return any(token and token.task == task and token.state == RUNNING for token in (*holds, *ours))


def _cancelling(number: int, task: int, old: Token | None, life: int = 0) -> Token:
    epoch, attempt = (old.epoch + 1, old.attempt) if old else (1, 1)
    return Token(task, number, life, CANCELLED, epoch, attempt, 0)


def _is_left(state: State, old: Token, clone: Clone) -> bool:
    """Whether the claim's owner is dead, and its result does not wait here."""
    return old not in clone.waiting and not alive(state, old)


def _given_back(case: Case, state: State, token: Token) -> State:
    """The claim is deleted, or released as it is where its numbers would be forgotten with it."""
    back = None
    if "given-back" not in case.without and (token.epoch, token.attempt) != (1, 1):
        back = fresh(state, token._replace(state=RELEASED, nonce=0))
    return settled(state._replace(claims=put(state.claims, token.task, back)))


def _place(
    case: Case, state: State, number: int, kind: str, new: Token, old: Token | None, fault: bool = False
) -> Iterator[Next]:
    """One push of a claim, and what may become of it and of its answer. A refused one changes nothing."""
    process = state.processes[number]
    new = fresh(state, new._replace(life=process.life)) if new != old else new
    bold = old is None and "empty-lease" in case.without
    lands = bold or state.claims[new.task] == old
    landed = settled(state._replace(claims=put(state.claims, new.task, new)))
    waits = process._replace(stage=UNSURE, token=new)
    if lands:
        stage = READY if "recheck" in case.without else CHECK
        won = moved(landed, number, process._replace(stage=stage, token=new))
        yield Next(Step(kind, number, new.task, token=new), won, fault)
    if state.left.lost and new != old:
        left = state.left._replace(lost=state.left.lost - 1)
        if lands:
            unsure = moved(landed._replace(left=left), number, waits)
            yield Next(Step(kind, number, new.task, "lost", new), unsure, True)
        air = state.air | {Flight(new, old)}
        unsure = moved(settled(state._replace(air=air, left=left)), number, waits)
        yield Next(Step(kind, number, new.task, "air", new), unsure, True)


def _read_back(case: Case, state: State, number: int, process: Process) -> Next:
    """The process reads its claim's ref: it is its own, or it never was."""
    token = process.held
    ours = state.claims[token.task] == token
    if ours or "claim-nonce" in case.without:
        then = process._replace(stage=CHECK)
    else:
        disowned = _NOTHING if "late-claims" in case.without else process.disowned | {token}
        then = process._replace(stage=IDLE, token=None, disowned=disowned)
    return Next(
        Step("read back", number, token.task, "" if ours else "absent"), settled(moved(state, number, then))
    )


def run_twice(token: Token) -> Wrong:
    return Wrong("one-run", f"attempt {token.attempt} of epoch {token.epoch} is run twice")


def _run(case: Case, state: State, token: Token) -> tuple[State, Wrong | None]:
    """A worker is on the task. What is wrong with that, if anything."""
    wrong = None
    run = (token.task, token.epoch, token.attempt)
    count = sum(task == token.task for task, _, _ in state.runs)
    if token.revived:
        wrong = Wrong("cancelled", "a cancelled task is run")
    elif run in state.runs:
        wrong = run_twice(token)
    elif case.calm and count > state.failed[token.task]:
        wrong = Wrong("one-run", "the task is run twice, though nobody died and nobody was suspected")
    return state._replace(runs=state.runs | {run}), wrong


def _ready(case: Case, state: State, number: int, process: Process) -> Iterator[Next]:
    token = process.held
    ran, wrong = _run(case, state, token)
    yield Next(Step("run", number, token.task, token=token), entered(case, ran, number), wrong=wrong)
    if state.left.failures:
        left = state.left._replace(failures=state.left.failures - 1)
        counts = put(state.failed, token.task, state.failed[token.task] + 1)
        failed = ran._replace(left=left, failed=counts)
        if token.attempt < case.attempts:
            then = moved(failed, number, process._replace(stage=FAILED))
        else:
            then = entered(case, failed, number)
        yield Next(Step("fail", number, token.task, token=token), then, True, wrong)
    if state.left.crashes:
        left = state.left._replace(crashes=state.left.crashes - 1)
        then = moved(ran._replace(left=left), number, process._replace(stage=ORPHAN))
        yield Next(Step("worker dies", number, token.task, token=token), then, True, wrong)
    if state.left.drains:
        left = state.left._replace(drains=state.left.drains - 1)
        then = moved(state._replace(left=left), number, process._replace(stage=IDLE, token=None))
        if state.claims[token.task] == token:
            then = _given_back(case, then, token)
        yield Next(Step("give back", number, token.task), then, True)


def _finish(case: Case, state: State, number: int, process: Process) -> Next:
    """The claim of a finished task is deleted, a failed attempt's released, a dead worker's replaced."""
    token = process.held
    ours = state.claims[token.task] == token
    done = moved(state, number, process._replace(stage=IDLE, token=None))
    if process.stage == DROP:
        kind, new = "drop", None
    elif process.stage == FAILED:
        kind = "release"
        new = fresh(
            state, token._replace(state=RELEASED, attempt=token.attempt + 1, nonce=0, life=process.life)
        )
    else:
        kind = "take over"
        new = fresh(state, token._replace(epoch=token.epoch + 1, attempt=token.attempt + 1, nonce=0))
    if ours:
        done = done._replace(claims=put(state.claims, token.task, new))
        if process.stage == ORPHAN:
            stage = READY if "recheck" in case.without else CHECK
            done = moved(done, number, process._replace(stage=stage, token=new))
    how = "" if ours else "refused"
    return Next(Step(kind, number, token.task, how, new), settled(done))
