"""Histories for people: one numbered line a step.

Owns the words. Clones are called by letters, their processes by letter and number, tasks T1, T2.
"""

from collections.abc import Iterator, Sequence

from cortex_git.analysis.model.world import Case, Step, Token

_ANSWERS = {
    "": "",
    "lost": "; the answer is lost, though it landed",
    "air": "; no answer comes, and it may land later",
    "refused": "; refused",
    "unchanged": "; the remote has it already",
}
_BIDS = {
    "claim": "claims",
    "reclaim": "claims again",
    "take over": "takes over",
    "cancel": "cancels",
    "end cancel": "takes over the cancel of",
}


def lines(case: Case, history: Sequence[Step]) -> Iterator[str]:
    """The history, one line a step, without numbers."""
    for step in history:
        yield _line(case, step)


def _line(case: Case, step: Step) -> str:
    who = _clone(step.who) if step.kind == "copy" else _process(case, step.who)
    task = f"T{step.task + 1}"
    answer = _ANSWERS.get(step.how, "")
    if step.kind in _BIDS:
        return f"{who} {_BIDS[step.kind]} {task}{_numbers(step.token)}{answer}"
    words = {
        "read back": f"{who} reads the claim of {task} back: "
        + ("not there" if step.how == "absent" else "it is its own"),
        "check": f"{who} fetches after its claim was acknowledged",
        "fetch": f"{who} fetches",
        "begin fetch": f"{who} begins a fetch",
        "end fetch": f"{who}'s fetch ends",
        "run": f"{who} runs {task}{_numbers(step.token)}; its result is in the outbox",
        "fail": f"{who} runs {task}{_numbers(step.token)}, and the attempt fails",
        "worker dies": f"{who}'s worker dies while it runs {task}{_numbers(step.token)}",
        "give back": f"{who} gives {task} back, not begun",
        "give back late": f"{who} gives {task} back, as its claim landed after it had been let go",
        "drop": f"{who} deletes its claim of {task}, which is finished",
        "tidy": f"{who} deletes what was left of the claim of {task}, which is finished",
        "release": f"{who} releases {task} for another attempt{answer}",
        "retry": f"{who} adds {task}, to do T1 again",
        "publish": f"{who} publishes what waits ({task}){answer}",
        "publish again": f"{who} publishes the same commit again ({task}){answer}",
        "settle": f"{who} looks what became of its last push: "
        + ("it landed" if step.how == "landed" else "nothing"),
        "look late": f"{who} finds its result ref moved, by a push that was "
        + ("its own" if step.how == "ours" else "not its own"),
        "leave": f"{who} looks for what waits, and takes a new id",
        "search": f"{who} looks for the result of {task} by its nonce: "
        + ("it is published" if step.how == "found" else "not there, so it is fenced"),
        "fold": f"{who} folds the result refs into the branch",
        "archive": f"{who} archives the batch of {task}",
        "arrives": f"the {'claim' if step.how == 'claim' else 'result'} of {task} that had no answer lands",
        "crash": f"{who} dies" + (f" while it runs {task}" if step.how == "run" else ""),
        "restart": f"{who} is started again",
        "copy": f"A is copied to {who}, as "
        + ("an image: with the same id" if step.how == "image" else "a folder: with an id of its own"),
    }
    return words[step.kind]


def _numbers(token: Token | None) -> str:
    return f" (epoch {token.epoch}, attempt {token.attempt})" if token else ""


def _clone(index: int) -> str:
    return chr(ord("A") + index)


def _process(case: Case, number: int) -> str:
    if number < 0:
        return ""
    index = case.owners[number]
    mates = case.of_clone[index]
    return _clone(index) + (str(mates.index(number) + 1) if len(mates) > 1 else "")
