"""The parts of the protocol that can be taken out of the model, to see what each is there for.

Owns their names and what they say; the steps look for the names.
"""

PARTS = {
    "empty-lease": "a fresh claim is pushed with a lease that the ref must not exist",
    "recheck": "after a claim was acknowledged the refs are fetched, and a finished task's claim is dropped",
    "fresh-fetch": "that fetch must have begun after the acknowledgement; one under way does not count",
    "claim-lease": "a publish deletes the claim by its exact object id, or none of it happens",
    "own-lease": "a publish moves the host's result ref by its exact old tip",
    "claim-nonce": "a claim without an answer is ours only if it is read back",
    "publish-nonce": "a result whose claim is gone is looked for by its nonce before it is called fenced",
    "ref-order": "readers take result refs before the branch, and no result ref is ever reset",
    "tombstones": "a fold leaves out files of archived batches",
    "epoch": "a takeover puts an object of its own in the claim's place",
    "cancelled": "the task of a cancelled claim is never run",
    "late-claims": "a claim that was not there when it was read back, and lands later, is given back",
    "given-back": "a claim given back keeps the numbers of its epoch and attempt, if they are not the first",
}
"""Each part with what it does."""
