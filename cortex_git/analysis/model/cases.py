"""The cases that are explored: small worlds, each with other faults, that together have every step.

Owns their sizes, mostly small ones first: all of them take about 15 s of one core.
"""

from cortex_git.analysis.model.world import Case

CASES = (
    Case("calm", "nothing goes wrong", hosts=3, tasks=2),
    Case("suspicion", "a living host is taken for dead", hosts=2, suspicions=1),
    Case(
        "readers", "results are folded and archived while others read, with a suspicion",
        hosts=2, folds=True, archives=True, slow_fetch=True, suspicions=1,
    ),
    Case(
        "retries", "a task that was cancelled is done again, perhaps by two",
        hosts=2, tasks=2, cancels=1, retries=True,
    ),
    Case("copies", "a clone is copied, with its id or with a new one", hosts=1, copies=1, tasks=2),
    Case("stopping", "claims are given back at a stop", hosts=2, drains=2, failures=1, crashes=1),
    Case("answers", "acknowledgements are lost, and pushes arrive late", hosts=2, lost=2, failures=1),
    Case(
        "branch", "results are folded and archived",
        hosts=2, tasks=2, folds=True, archives=True,
    ),
    Case(
        "processes", "two processes of one clone share its fetches and its outbox",
        hosts=2, processes=(1, 2), slow_fetch=True, crashes=1, suspicions=1,
    ),
    Case("cancels", "a task is cancelled, perhaps by two", hosts=2, cancels=2, crashes=1, suspicions=1),
    Case("silence", "hosts die and are wrongly suspected", hosts=3, crashes=1, suspicions=1),
    Case("late copies", "a clone is copied while a push is on its way", hosts=2, copies=1, lost=1),
    Case(
        "everything", "a crash, a suspicion, a lost answer and a failed attempt",
        hosts=2, crashes=1, suspicions=1, lost=1, failures=1,
    ),
)  # fmt: skip
