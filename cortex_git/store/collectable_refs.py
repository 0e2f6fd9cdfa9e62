"""Refs that were left behind: on the remote by hosts, workers and commands that are gone, and in this clone.

Owns when such a ref may go. Each is deleted by its exact object id, so one that changed meanwhile stays.
"""

import json
import time

from cortex_git.errors import EnvironmentProblem
from cortex_git.flocks import file_lock
from cortex_git.store import index, layout
from cortex_git.store.archivable import seconds_of
from cortex_git.store.archiving import missing_refs, restore_refs
from cortex_git.store.collecting import DAY_S, Finding
from cortex_git.store.coordination import Coordination
from cortex_git.store.hosts import hosts
from cortex_git.store.index import View
from cortex_git.store.passing_refs import dated, passing_refs
from cortex_git.store.refs import SCRATCH, Outcome, Update
from cortex_git.store.repository import Repository

_SILENT_S = 7 * DAY_S
_PROBE_S = DAY_S
_SCRATCH = (SCRATCH, "refs/cortex-gc/")
"""The second is an older version's."""
_OUTBOX = "refs/cortex-outbox/"
_LEFT = ("left", "released", "left cancelled")
"""How a claim of a finished task stands when nobody alive has it."""


def silent_hosts(coordination: Coordination, view: View) -> list[Finding]:
    """Heartbeats of hosts that said nothing for a week by what they wrote, and for a lease by our own clock.

    One that comes back makes its ref anew. A host with a claim keeps it: whoever waits for that claim's
    lease counts from the heartbeat too.
    """
    repository = coordination.repository
    busy = coordination.claims.owners(view)
    names = {f"{oid}:{layout.HOST_FILE}": host for host, oid in view.hosts.items()}
    bodies = repository.git.blobs(names)
    said = {host: _said_at(bodies.get(name, b"")) for name, host in names.items()}
    found: list[Finding] = []
    for host in hosts(repository, view):
        at = said.get(host.host)
        days = (time.time() - at) / DAY_S if at is not None else None
        if host.own or (days is not None and days * DAY_S < _SILENT_S):
            continue
        ref = f"{repository.refs.namespace}/hosts/{host.host}"
        long = f"it said nothing for {days:.0f} days" if days is not None else "what it says cannot be read"
        if host.host in busy:
            found.append(Finding("heartbeats", ref, f"{long}, but it has a claim still"))
        elif not host.silent:
            found.append(Finding("heartbeats", ref, f"{long}, but this clone saw it only now: look later"))
        else:
            found.append(_ref(repository, "heartbeats", ref, view.hosts[host.host], long))
    return found


def _said_at(body: bytes) -> float | None:
    try:
        return seconds_of(str(json.loads(body).get("at")))
    except (ValueError, AttributeError, RecursionError):
        return None


def orphaned_claims(coordination: Coordination, view: View) -> list[Finding]:
    """Claims of finished tasks that nobody alive holds: a remote that was killed in a publish keeps them."""
    repository = coordination.repository
    finished = index.with_result(repository, list(view.claims))
    standings = coordination.claims.standings(view) if finished else {}
    return [
        _ref(
            repository,
            "claims",
            repository.claim_ref(task),
            view.claims[task],
            "its task is finished, and nobody alive holds it",
        )
        for task in sorted(finished)
        if standings[task] in _LEFT
    ]


def left_probes(coordination: Coordination) -> list[Finding]:
    """Refs by which an `init` that was killed tried out the remote."""
    repository = coordination.repository
    before = time.time() - _PROBE_S
    with passing_refs(repository, "probe") as found:
        return [
            _ref(repository, "probes", ref, one.oid, "left behind by an `init` that did not end")
            for ref, one in found.items()
            if one.at < before
        ]


def old_fenced(coordination: Coordination, older_s: float) -> list[Finding]:
    """Fenced results made more than `older_s` seconds ago: results that came after somebody else's."""
    repository = coordination.repository
    before = time.time() - older_s
    with passing_refs(repository, "fenced") as found:
        return [
            _ref(repository, "fenced", ref, one.oid, f"fenced {(time.time() - one.at) / DAY_S:.0f} days ago")
            for ref, one in found.items()
            if one.at < before
        ]


def lost_archives(coordination: Coordination) -> list[Finding]:
    """Archives whose ref somebody deleted: it is made again."""
    repository = coordination.repository
    missing = missing_refs(repository)
    if not missing:
        return []

    def restore() -> bool:
        restore_refs(repository, missing)
        return True

    what = ", ".join(sorted(missing)[:3]) + (" and more" if len(missing) > 3 else "")
    return [Finding("archive refs", what, "somebody deleted it: made again", len(missing), remove=restore)]


def left_local_refs(coordination: Coordination) -> list[Finding]:
    """Refs of this clone that a killed command left: of imports and gc; of the outbox where nothing waits."""
    repository = coordination.repository
    found: list[Finding] = []
    for ref, one in dated(repository.git, *_SCRATCH, _OUTBOX).items():
        if ref.startswith(_SCRATCH):
            if one.at < time.time() - DAY_S:
                found.append(_local(repository, ref, one.oid, "left behind by a command that did not end"))
        elif ref != f"{_OUTBOX}next":
            found.append(_of_outbox(coordination, ref, one.oid))
    return found


def _of_outbox(coordination: Coordination, ref: str, oid: str) -> Finding:
    if coordination.outbox.count() or coordination.outbox.intents():
        return Finding("local refs", ref, "the outbox is not empty")
    if not _is_remote(coordination.repository, oid):
        return Finding("local refs", ref, "the remote does not have it")
    return _local(coordination.repository, ref, oid, "published, and the outbox is empty")


def _is_remote(repository: Repository, oid: str) -> bool:
    """Whether what the shared refs hold, as last fetched, contains the commit."""
    tips = [*repository.refs.trunk(), *repository.refs.seen().values()]
    revisions = "\n".join([oid, *(f"^{tip}" for tip in tips)])
    return not repository.git.text("rev-list", "--stdin", stdin=revisions.encode())


def _local(repository: Repository, ref: str, oid: str, reason: str) -> Finding:
    def remove() -> bool:
        with file_lock(repository.private / "publish.lock"):
            return not repository.git.run("update-ref", "-d", ref, oid, check=False).status

    return Finding("local refs", ref, reason, remove=remove)


def _ref(repository: Repository, kind: str, ref: str, oid: str, reason: str) -> Finding:
    def remove() -> bool:
        outcome = repository.refs.transaction([Update(ref, None, oid)], atomic=False)[0]
        if outcome is Outcome.REFUSED:
            raise EnvironmentProblem(f"the remote refused to delete {ref}: {repository.refs.refusal}")
        return outcome is Outcome.APPLIED

    return Finding(kind, ref, reason, remove=remove)
