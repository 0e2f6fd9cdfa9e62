"""How the claims of a view stand: held, left behind, given back, cancelled, or not to be read.

Owns reading claim records, and judging whether an owner is gone. Changes no ref and takes no lock.
"""

from collections.abc import Iterable
from typing import Literal

from cortex_git.errors import BadInput, NewerSchema
from cortex_git.models import ClaimRecord
from cortex_git.state import boot_id, process_alive, process_gone
from cortex_git.store import layout
from cortex_git.store.heartbeat import seen_for
from cortex_git.store.index import View
from cortex_git.store.repository import Repository

Standing = Literal["held", "left", "released", "cancelled", "left cancelled", "unreadable"]
"""`left`: its owner is dead, or silent for its whole lease."""


class Judge:
    """Tells how claims stand, by this host's clock and its processes. Safe from several threads."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._records: dict[str, ClaimRecord | NewerSchema | None] = {}
        """What each claim commit says, by object id, of the claims seen last; None of what cannot be read."""

    def record(self, oid: str, task: str | None = None) -> ClaimRecord | None:
        """The record of a claim commit; None when it is not a valid one, or not of the given task."""
        self._load([oid])
        found = self._read(oid)
        if not isinstance(found, ClaimRecord):
            return None
        return found if task is None or found.task == task else None

    def owners(self, view: View) -> set[str]:
        """The hosts that the claims of `view` are of, as far as those can be read."""
        self._load_all(view)
        records = (self._read(oid) for oid in view.claims.values())
        return {record.host for record in records if isinstance(record, ClaimRecord)}

    def newer(self, view: View) -> dict[str, NewerSchema]:
        """By task the claims that a newer version made: theirs for as long as they stand.

        Nobody here knows what such a claim says of its lease and attempts, so nobody takes it over.
        """
        self._load_all(view)
        found = {task: self._read(oid) for task, oid in view.claims.items()}
        return {task: said for task, said in found.items() if isinstance(said, NewerSchema)}

    def standings(self, view: View) -> dict[str, Standing]:
        """How each claim of `view` stands: what whoever wants its task would do with it now."""
        self._load_all(view)
        return {task: self._standing(task, oid, view) for task, oid in view.claims.items()}

    def _standing(self, task: str, oid: str, view: View) -> Standing:
        record = self._record_of(task, oid)
        if record is None:
            return "unreadable"
        if record.state == "cancelled":
            return "left cancelled" if self._is_left_cancelled(task, oid, view) else "cancelled"
        if record.state == "released":
            return "released"
        return "left" if self._is_left(task, oid, record, view) else "held"

    def left_cancelled(self, view: View) -> list[str]:
        """Tasks whose `cancelled` claim was left behind: whoever replaces it publishes their end.

        Nobody works under such a claim, so its age alone is enough, whatever its host says of itself.
        """
        self._load_all(view)
        return [task for task, oid in view.claims.items() if self._is_left_cancelled(task, oid, view)]

    def _is_left_cancelled(self, task: str, oid: str, view: View) -> bool:
        record = self._record_of(task, oid)
        if record is None or record.state != "cancelled" or self._has_result_waiting(oid):
            return False
        return self._seen_for(task, oid) > record.lease_s or self._is_left(task, oid, record, view)

    def unavailable(self, view: View) -> list[str]:
        """Tasks whose claim cannot be had: a living owner's, cancelled, or waiting for its retry.

        Nor is one that a command of this clone has handed in to a provider's batch: it is paid for.
        """
        self._load_all(view)
        paid = set(self.handed_in())
        return [task for task in view.claims if task in paid or self._may_replace(task, view) is None]

    def handed_in(self) -> list[str]:
        """Tasks that a provider's batch is still to answer, whose command may have ended since."""
        query = "SELECT DISTINCT task FROM provider_requests WHERE state = 'open'"
        return [task for (task,) in self._repository.state.execute(query).fetchall()]

    def _may_replace(self, task: str, view: View) -> bool | None:
        """How a loaded claim may be replaced to run its task: True by takeover, False by re-claim, else None.

        A released claim waits out its back-off first. A cancelled one's task is never run.
        """
        oid = view.claims[task]
        record = self._record_of(task, oid)
        if record is None:
            return True if self._is_nobodys(task, oid) else None
        if record.state == "cancelled":
            return None
        if record.state == "released":
            return False if self._seen_for(task, oid) >= record.retry_after_s else None
        return True if self._is_left(task, oid, record, view) else None

    def _is_nobodys(self, task: str, oid: str) -> bool:
        """Whether a claim without a record of it has stood for a lease, by our settings and our clock.

        Somebody pushed it by hand: no host publishes under it, so it is replaced like a silent host's. One
        that a newer version made has an owner, whom we cannot judge.
        """
        lease_s = self._repository.settings.leases.lease_s
        return not isinstance(self._read(oid), NewerSchema) and self._seen_for(task, oid) > lease_s

    def _is_left(self, task: str, oid: str, record: ClaimRecord, view: View) -> bool:
        """Whether a claim's owner is dead or has been silent for its whole lease.

        A living process of this host is never robbed; one of another host only after that lease.
        """
        repository = self._repository
        if record.host not in (repository.host, *repository.former_hosts):
            # Both are looked at, so that both clocks run from the first sight on.
            claim_age = self._seen_for(task, oid)
            heartbeat = seen_for(self._repository, "host", record.host, view.hosts.get(record.host, ""))
            # What it did since the view was fetched is not known: that is no silence.
            if min(claim_age, heartbeat - view.age_s) > record.lease_s:
                return True
            # Another clone on this machine need not be waited for. What it left in its outbox is fenced.
            return process_gone(record.pid, record.pid_started, record.boot_id)
        if record.boot_id != boot_id():
            # The machine was started anew, or an image or a container shares our id: only silence tells.
            return self._seen_for(task, oid) > record.lease_s
        alive = process_alive(record.pid, record.pid_started, record.boot_id)
        return not alive and not self._has_result_waiting(oid)

    def _has_result_waiting(self, oid: str) -> bool:
        """Whether a result under this very claim waits in the outbox: its process died, its work did not."""
        query = "SELECT 1 FROM outbox WHERE claim = ? AND state = 'queued'"
        return self._repository.state.execute(query, (oid,)).fetchone() is not None

    def _seen_for(self, task: str, oid: str) -> float:
        """Seconds since this host first saw this very claim object."""
        return seen_for(self._repository, "claim", task, oid)

    def _record_of(self, task: str, oid: str) -> ClaimRecord | None:
        """The loaded record of the task's claim; None where that is none, or another task's."""
        found = self._read(oid)
        return found if isinstance(found, ClaimRecord) and found.task == task else None

    def _read(self, oid: str) -> ClaimRecord | NewerSchema | None:
        """What a loaded claim commit says. Another thread may have loaded another view since."""
        records = self._records
        return records[oid] if oid in records else self._parsed([oid])[oid]

    def _load_all(self, view: View) -> None:
        """Read all claims of `view`, and keep no others: a long-lived pool sees claims without end."""
        oids = set(view.claims.values())
        self._load(oids)
        if len(self._records) > len(oids):
            before = self._records
            self._records = {oid: before[oid] for oid in oids if oid in before}

    def _load(self, oids: Iterable[str]) -> None:
        unread = {oid for oid in oids if self._records.get(oid) is None}
        self._records.update(self._parsed(unread))

    def _parsed(self, oids: Iterable[str]) -> dict[str, ClaimRecord | NewerSchema | None]:
        found: dict[str, ClaimRecord | NewerSchema | None] = dict.fromkeys(oids)
        names = {f"{oid}:{layout.CLAIM_FILE}": oid for oid in found}
        for name, body in self._repository.git.blobs(names).items():
            try:
                found[names[name]] = ClaimRecord.parse(body, f"claim {names[name][:12]}")
            except NewerSchema as error:
                found[names[name]] = error
            except BadInput:
                continue
        return found
