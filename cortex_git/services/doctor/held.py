"""Documents that waited to be published, and that git alone still holds: the outbox they were in is lost.

Owns finding them by the refs that the publisher keeps the commits of a push by, and entering them into the
outbox again. Must never enter what is known to be published; what is entered too much, publishing recognises.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cortex_git.errors import CortexError
from cortex_git.gitio import Git
from cortex_git.models import Result
from cortex_git.services.doctor.findings import Finding, Mend, NotLooked, many, named, note, ok, problem
from cortex_git.services.doctor.patient import Patient
from cortex_git.store import differences, layout, tombstones
from cortex_git.store.coordination import Coordination
from cortex_git.store.outbox import Entry
from cortex_git.store.publishing import MOST_AT_ONCE

_SPACE = "refs/cortex-outbox/"
_KEPT = f"{_SPACE}kept-"


def keep(git: Git) -> bool:
    """Hold the commits of the last push by a ref of their own: the next push lets go of them.

    Whether all of them are held now.
    """
    refs = git.refs(_SPACE)
    loose = set(refs.values()) - {oid for ref, oid in refs.items() if ref.startswith(_KEPT)}
    done = [git.run("update-ref", f"{_KEPT}{oid}", oid, check=False).status == 0 for oid in loose]
    return all(done)


def held(patient: Patient) -> Iterator[Finding]:
    """Documents of a push that are neither in the outbox nor published: git alone holds them."""
    chains = patient.git.refs(_SPACE)  # before the outbox: what is published meanwhile is known by that
    entries = list(_lost(patient, chains)) if chains else []
    if not entries:
        yield _over(patient, chains)
        return
    results = sum(entry.claim is not None for entry in entries)
    others = len(entries) - results
    parts = [many(results, "result")] if results else []
    parts += [f"{many(others, 'addition')} of tasks"] if others else []
    verb = "is" if len(entries) == 1 else "are"
    yield problem(
        f"{' and '.join(parts)} that waited to be published {verb} held by git alone",
        named(sorted(chains)),
        why="state.db was damaged or removed, and the next push lets go of them: they would be lost",
        do="" if _can_publish(patient) else "cortex-git doctor --fix, as soon as the remote answers",
        mend=_mend(patient, chains, entries),
    )


def _over(patient: Patient, chains: Mapping[str, str]) -> Finding:
    """Nothing is lost. What was kept when state.db was put aside may go once nothing waits either."""
    kept = {ref: oid for ref, oid in chains.items() if ref.startswith(_KEPT)}
    query = "SELECT 1 FROM outbox WHERE state IN ('queued', 'fencing')"
    if not kept or not _can_publish(patient) or patient.repository.state.execute(query).fetchone():
        return ok("git holds nothing that waits and is not in the outbox")

    def drop() -> str:
        _drop(patient.git, kept)
        return f"dropped {many(len(kept), 'ref')} of published pushes"

    return note(
        "what git kept of a push when state.db was put aside is published",
        named(sorted(kept)),
        why="nothing needs it any more",
        mend=Mend(f"drop {named(sorted(kept))}", drop),
    )


def _drop(git: Git, refs: Mapping[str, str]) -> None:
    for ref, oid in refs.items():
        if ref.startswith(_KEPT):
            git.run("update-ref", "-d", ref, oid, check=False)


def _can_publish(patient: Patient) -> bool:
    try:
        return not patient.offline and (patient.remote is None or patient.answer.problem is None)
    except NotLooked:
        return False


def _mend(patient: Patient, chains: Mapping[str, str], entries: list[Entry]) -> Mend | None:
    text = many(len(entries), "document")
    if _can_publish(patient):
        return Mend(
            f"enter {text} into the outbox again and publish them", lambda: _enter(patient, chains, entries)
        )
    if all(f"{_KEPT}{oid}" in chains for oid in chains.values()):
        return None

    def hold() -> str:
        keep(patient.git)
        return f"keeps {text} in git, to be published when the remote answers"

    return Mend(f"keep {text} in git until the remote answers", hold)


def _enter(patient: Patient, chains: Mapping[str, str], entries: list[Entry]) -> str:
    coordination = Coordination.open(patient.folder)
    coordination.outbox.add(entries)
    _drop(patient.git, chains)
    text = f"entered {many(len(entries), 'document')} that git held into the outbox again"
    report = coordination.flush()
    own = {entry.nonce for entry in entries}
    late = len(own.intersection(report.fenced))
    return f"{text}, and published them" + (f", {late:,} of them superseded" if late else "")


@dataclass(frozen=True, slots=True)
class _Commit:
    oid: str
    parent: str | None
    message: str


def _lost(patient: Patient, chains: Mapping[str, str]) -> Iterator[Entry]:
    """An entry for each commit of a push whose documents are neither published nor in the outbox."""
    view, listing = patient.view, dict(patient.papers.all)
    repository, git = patient.repository, patient.git
    state = repository.state
    tips = [*repository.refs.seen().values(), *repository.refs.trunk()]
    tips += [tip for (tip,) in state.execute("SELECT value FROM own WHERE key LIKE 'tip %'")]
    nonces = {nonce for (nonce,) in state.execute("SELECT nonce FROM outbox")}
    queued = "SELECT files FROM outbox WHERE state IN ('queued', 'fencing')"
    waiting = {path for (files,) in state.execute(queued) for path in json.loads(files)}
    names = _nonces(patient, set(chains.values()))
    for commit in _commits(git, set(chains.values()), tips):
        files = differences.added(git, commit.parent, commit.oid)
        places = {path: place for path, _ in files if (place := layout.place_of(path)) is not None}
        try:
            bodies = differences.bodies(git, files)
            contents = {path: bodies[oid] for path, oid in files}
            results = [Result.parse(contents[p], p) for p, place in places.items() if place.kind == "results"]
            _ = [content.decode() for content in contents.values()]
        except (CortexError, UnicodeDecodeError):
            continue  # damaged: it could not be published
        if len(results) == 1:
            result = results[0]
            if result.nonce in nonces or _is_published(patient, result.task, dict(files)):
                continue
            claim = view.claims.get(result.task, "")
            record = patient.coordination.claims.record(claim, result.task) if claim else None
            ours = record is not None and record.nonce == result.nonce
            # A claim that is not ours any more is one that no ref stands at: publishing fences it.
            yield Entry(result.nonce, result.task, claim if ours else commit.oid, commit.message, contents)
        elif not results and not all(
            path in listing or path in waiting or tombstones.covers(state, path) for path in places
        ):
            nonce = names.get(commit.oid, commit.oid)
            batch = next(iter(places.values())).batch
            yield Entry(nonce, batch, None, commit.message, contents)


def _is_published(patient: Patient, task: str, files: Mapping[str, str]) -> bool:
    row = patient.repository.state.execute("SELECT path, oid FROM results WHERE task = ?", (task,)).fetchone()
    return row is not None and files.get(row[0]) == row[1]


def _nonces(patient: Patient, tips: set[str]) -> dict[str, str]:
    """What a push that was given up or left undecided called its commits, by commit."""
    found: dict[str, str] = {}
    for tip, entries in patient.repository.state.execute("SELECT tip, entries FROM intents"):
        if tip in tips:
            nonces = json.loads(entries)
            count = f"--max-count={len(nonces)}"
            commits = patient.git.run("rev-list", "--first-parent", count, tip, check=False).text.split()
            found |= dict(zip(commits, reversed(nonces), strict=False))
    return found


def _commits(git: Git, chains: Iterable[str], known: Iterable[str]) -> list[_Commit]:
    """The commits of pushes that no known tip leads to, oldest first."""
    revisions = "\n".join([*chains, *(f"^{oid}" for oid in known)])
    form = "--format=%x1e%H%x1f%P%x1f%B"
    arguments = ("log", "--no-show-signature", "--ignore-missing", "--topo-order", "--reverse", form)
    limits = ("--max-parents=1", f"--max-count={2 * MOST_AT_ONCE}", "--stdin")
    log = git.text(*arguments, *limits, stdin=revisions.encode())
    parts = (part.split("\x1f", 2) for part in log.split("\x1e")[1:])
    return [_Commit(oid, parent or None, message.strip()) for oid, parent, message in parts]
