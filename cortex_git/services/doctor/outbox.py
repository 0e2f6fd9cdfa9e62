"""Checks of what this host has still to publish: it is on this disk alone until the remote has it.

Owns how waiting entries are told; publishing them is the store's.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from cortex_git.services.doctor.findings import Finding, Mend, NotLooked, many, note, ok, warning
from cortex_git.services.doctor.patient import Patient
from cortex_git.services.doctor.processes import holder_of
from cortex_git.store.coordination import Coordination
from cortex_git.store.outbox import PROBLEM, Intent, Outbox

_SOON_S = 60.0
"""Seconds in which a running command publishes what it enters."""
_READ = 500
_SAID = {
    "done": "published since",
    "queued": "waiting still",
    "fencing": "superseded, to be kept",
    "fenced": "superseded and kept",
    "": "not in the outbox any more, so their tasks are run again unless another push had them",
}
"""By the state of an entry: what became of it after a push that did not arrive."""


def waiting(patient: Patient) -> Iterator[Finding]:
    """Results and tasks that the remote has not acknowledged."""
    state = patient.state
    count = state.execute("SELECT count(*) FROM outbox WHERE state = 'queued'").fetchone()[0]
    if not count:
        yield ok("nothing waits to be published")
        return
    rows = state.execute("SELECT files FROM outbox WHERE state = 'queued' ORDER BY id LIMIT ?", (_READ,))
    ages = [age for (files,) in rows for age in _ages(files)]
    oldest = max(ages, default=0.0)
    row = state.execute("SELECT value FROM own WHERE key = ?", (PROBLEM,)).fetchone()
    reason = f"; the last try ended with: {row[0].partition(' ')[2]}" if row else ""
    verb = "waits" if count == 1 else "wait"
    text = f"{many(count, 'document')} {verb} to be published, the oldest for {_spoken(oldest)}{reason}"
    make = warning if oldest > _SOON_S else note
    yield make(
        text,
        str(patient.private / "state.db"),
        why="until then they are on this disk alone",
        do="cortex-git sync",
        mend=_publish(patient, f"publish {many(count, 'document')}"),
    )


def superseded(patient: Patient) -> Iterator[Finding]:
    """Results that came too late, and could not be kept at the remote yet."""
    query = "SELECT task FROM outbox WHERE state = 'fencing' ORDER BY id"
    tasks = [task for (task,) in patient.state.execute(query)]
    if not tasks:
        yield ok("no superseded result waits to be kept")
        return
    yield warning(
        f"{many(len(tasks), 'superseded result')} could not be kept at the remote yet",
        tasks[0],
        why="somebody else ended the task; this work is kept under refs/cortex/fenced/ for people",
        do="cortex-git sync",
        mend=_publish(patient, f"keep {many(len(tasks), 'superseded result')} at the remote"),
    )


def pushes(patient: Patient) -> Iterator[Finding]:
    """Pushes that nobody has recorded the end of."""
    query = "SELECT tip, host, entries FROM intents WHERE state = 'open'"
    rows = patient.state.execute(query).fetchall()
    if not rows or _is_publishing(patient):
        yield ok("no push was left undecided" if not rows else "a push is under way")
        return
    left = [Intent(tip, host, tuple(json.loads(nonces))) for tip, host, nonces in rows]
    yield note(
        f"{many(len(left), 'push', 'pushes')} had no answer when the command ended",
        str(patient.private / "state.db"),
        why="the next publish finds out whether it arrived, and repeats it if not",
        do="cortex-git sync",
        mend=_publish(patient, "find out whether it arrived", left),
    )


def _is_publishing(patient: Patient) -> bool:
    return holder_of(patient.private / "publish.lock") is not None


def _publish(patient: Patient, intent: str, left: Sequence[Intent] = ()) -> Mend | None:
    """None where nothing can be published now. `left`: pushes of which it is to be told what became."""
    try:
        if patient.offline or (patient.remote is not None and patient.answer.problem is not None):
            return None
    except NotLooked:
        return None

    def run() -> str:
        coordination = Coordination.open(patient.folder)
        before = coordination.outbox.count()
        report = coordination.flush()
        if left:
            return "; ".join(_became(coordination.outbox, one) for one in left)
        count = len(report.done) + len(report.fenced)
        if not count:
            why = "it was published meanwhile" if not before else "another command was faster"
            return f"nothing was left to publish: {why}"
        late = f", {len(report.fenced):,} of them superseded" if report.fenced else ""
        return f"published {many(count, 'document')}{late}"

    return Mend(intent, run)


def _became(outbox: Outbox, push: Intent) -> str:
    """What became of a push that had no answer, and of its documents."""
    text = many(len(push.nonces), "document")
    if all(one.tip != push.tip for one in (*outbox.intents("given up"), *outbox.intents())):
        return f"the push of {text} had arrived"
    states = outbox.states(push.nonces)
    parts = [
        f"{count:,} {said}"
        for state, said in _SAID.items()
        if (count := sum(states.get(nonce, "") == state for nonce in push.nonces))
    ]
    return f"the push of {text} did not arrive" + (f": {', '.join(parts)}" if parts else "")


def _ages(files: str) -> Iterator[float]:
    """Seconds since the documents of an entry were made, by this host's own clock."""
    try:
        documents = [json.loads(text) for text in json.loads(files).values()]
    except (ValueError, AttributeError, TypeError):
        return
    for document in documents:
        if isinstance(document, dict):
            at = document.get("completed_at") or document.get("created_at") or ""
            try:
                yield max((datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds(), 0.0)
            except (ValueError, TypeError):
                continue


def _spoken(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
