"""Checks of claims: whose owner is gone, whose task has ended, that nobody can read.

Owns how they are told. What is mended goes through the protocol: by the exact object that was looked at.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from cortex_git.services.doctor.findings import Finding, Mend, many, named, note, ok, problem, warning
from cortex_git.services.doctor.patient import Patient
from cortex_git.store import index, layout
from cortex_git.store.coordination import Coordination
from cortex_git.store.heartbeat import seen_for
from cortex_git.store.hosts import hosts
from cortex_git.store.judging import Standing

_MOST = 5


def _standing(patient: Patient, *wanted: Standing) -> list[str]:
    """Open tasks whose claim stands like that, sorted."""
    view, coordination = patient.current, patient.coordination
    found = coordination.claims.standings(view)
    finished = index.with_result(coordination.repository, list(found))
    return sorted(task for task, standing in found.items() if standing in wanted and task not in finished)


def orphaned(patient: Patient) -> Iterator[Finding]:
    """Claims whose owner is dead, or has been silent for its whole lease."""
    tasks = _standing(patient, "left")
    claims = patient.view.claims
    for task in tasks[:_MOST]:
        record = patient.coordination.claims.record(claims[task])
        host = record.host if record else "nobody"
        seen = seen_for(patient.repository, "claim", task, claims[task])
        yield warning(
            f"{task} is claimed by {host}, which is gone (the claim was first seen here {seen:.0f} s ago)",
            patient.repository.claim_ref(task),
            why="nobody works on it; whoever wants work next takes it over",
            do=f"cortex-git spawn-workers --tasks {task}",
        )
    if len(tasks) > _MOST:
        yield warning(
            f"{len(tasks) - _MOST} more claims of owners that are gone",
            why="nobody works on those either",
            do="cortex-git spawn-workers",
        )
    if not tasks:
        yield ok(f"{many(len(claims), 'claim')}, none of an owner known to be gone")


def finished(patient: Patient) -> Iterator[Finding]:
    """Claims of tasks that have a result, whose owner is gone."""
    view, coordination = patient.current, patient.coordination
    ended = index.with_result(coordination.repository, list(view.claims))
    standings = coordination.claims.standings(view)
    left = sorted(task for task in ended if standings[task] == "left")
    if not left:
        yield ok("no claim is left of a task that has a result")
        return
    yield note(
        f"{many(len(left), 'claim')} left of tasks that have a result",
        named(left),
        why="a remote that was killed in the midst of a publish leaves it; whoever claims next deletes it",
        mend=Mend(f"delete {many(len(left), 'claim')} of finished tasks", lambda: _tidy(patient)),
    )


def cancelled(patient: Patient) -> Iterator[Finding]:
    """Cancels that nobody carried to their end."""
    left = _standing(patient, "left cancelled")
    if not left:
        yield ok("no cancel was left half-way")
        return
    yield warning(
        f"{many(len(left), 'cancel')} left half-way",
        named(left),
        why="nobody runs such a task, and it has no result, so what comes after it waits",
        mend=Mend(f"publish that {named(left)} was cancelled", lambda: _tidy(patient)),
    )


def _tidy(patient: Patient) -> str:
    coordination = Coordination.open(patient.folder)
    before = set(coordination.pull().claims)
    ended = coordination.tidy()
    coordination.flush()
    gone = len(before - set(coordination.pull().claims))
    return f"ended {many(len(ended), 'cancel')}; {many(gone, 'claim')} of ended tasks gone"


def unreadable(patient: Patient) -> Iterator[Finding]:
    """Claims that cannot be read, or that only a newer version can."""
    tasks = _standing(patient, "unreadable")
    repository, view = patient.repository, patient.view
    newer = patient.coordination.claims.newer(view)
    lease_s = repository.settings.leases.lease_s
    for task in tasks[:_MOST]:
        ref = repository.claim_ref(task)
        if task in newer:
            yield problem(
                f"the claim of {task} is of a newer schema ({newer[task].schema})",
                ref,
                why="a newer cortex-git works on it; this one cannot tell whether it still does",
                do="install a newer cortex-git on this host",
            )
            continue
        seen = seen_for(repository, "claim", task, view.claims[task])
        yield warning(
            f"the claim of {task} cannot be read: no host made it",
            ref,
            why=f"nobody works on the task; after {lease_s:.0f} s by this clone's own clock ({seen:.0f} now)"
            " whoever wants it replaces that claim",
            do=f"cortex-git spawn-workers --tasks {task}, after that time",
        )
    if not tasks:
        yield ok("every claim can be read")


def silent(patient: Patient) -> Iterator[Finding]:
    """Hosts that hold claims and seem to be silent, and from when on that will count."""
    view, coordination = patient.current, patient.coordination
    repository = patient.repository
    known = {host.host: host for host in hosts(repository, view)}
    standings = coordination.claims.standings(view)
    held: dict[str, list[str]] = {}
    for task, oid in view.claims.items():
        record = coordination.claims.record(oid)
        if record is not None and standings[task] == "held" and record.host != repository.host:
            held.setdefault(record.host, []).append(task)
    lease_s = repository.settings.leases.lease_s
    count = 0
    for host, tasks in sorted(held.items()):
        found = known.get(host)
        at = _said_at(patient, view.hosts.get(host))
        if found is None or not (found.silent or _is_old(at, lease_s)):
            continue
        count += 1
        yield note(
            f"{host} holds {many(len(tasks), 'claim')}; by its own clock its last sign of life is of {at}",
            named(sorted(tasks)),
            why=f"that was first seen here {found.seen_s:.0f} s ago: {lease_s:.0f} s without another, by this"
            " clone's own clock, and its tasks are taken over",
            do="cortex-git doctor once more, after that time",
        )
    if not count:
        gone = sum(host.silent for host in known.values())
        yield ok(f"{many(len(known), 'host')}, {gone} silent; no silent one holds a claim that counts")


def _said_at(patient: Patient, oid: str | None) -> str:
    """What a host's own clock said at its last sign of life: for people alone."""
    name = f"{oid}:{layout.HOST_FILE}"
    try:
        return str(json.loads(patient.repository.git.blobs([name])[name])["at"])[:19]
    except (LookupError, ValueError, TypeError):
        return "an unknown time"


def _is_old(at: str, seconds: float) -> bool:
    """Whether it is worth a note; nothing else is decided by other machines' clocks."""
    try:
        then = datetime.fromisoformat(at).replace(tzinfo=UTC)
    except ValueError:
        return False
    return (datetime.now(UTC) - then).total_seconds() > seconds
