"""What the hosts share of the budget: one document at `refs/cortex/budget`, changed by compare-and-swap.

Owns the document's form and how it is read and replaced. Knows no ledger: whoever changes it decides what
may be recorded before the push, and what only after it.
"""

import json
import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import ConfigDict, Field

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.models import Document
from cortex_git.store.commits import Draft, singles
from cortex_git.store.refs import (
    ABSENT,
    QUIET_FETCH,
    Outcome,
    RemoteUnreachable,
    Update,
    takes_branches_only,
    unreachable,
)
from cortex_git.store.repository import Repository

FILE = "budget.json"
_KEY = "budget document"
_TRIES = 40
_PAUSE_S = 0.05
_MOST_PAUSE_S = 1.0

Tokens = Mapping[str, int]
"""Tokens by account."""
MOST_TOKENS = 10**15
"""More is no count of tokens, and would not add up in SQLite."""
Count = Annotated[int, Field(ge=0, le=MOST_TOKENS)]


class BudgetDocument(Document):
    """Limits, slices and what hosts said that they spent.

    Every host writes the whole of it again, so keys that only a newer version knows are kept.
    """

    model_config = ConfigDict(extra="allow")
    kind = "budget"

    nonce: str = ""
    """New with each change, so that no two are the same object."""
    limits: dict[str, Count | None] = Field(default_factory=dict)
    """What `budget set` set, in the place of the settings; null: no limit."""
    slices: dict[str, dict[str, Count]] = Field(default_factory=dict)
    """By host and account: what the host may spend in all."""
    reported: dict[str, dict[str, Count]] = Field(default_factory=dict)
    """By host and account: what it had spent when it last said so."""

    def slice_of(self, host: str) -> dict[str, int]:
        return self.slices.get(host, {})

    def assigned(self, account: str) -> int:
        """The sum of all hosts' slices of the account."""
        return sum(held.get(account, 0) for held in self.slices.values())

    def spent(self, account: str) -> int:
        """What all hosts reported of the account."""
        return sum(told.get(account, 0) for told in self.reported.values())

    def with_host(self, host: str, slices: Tokens, reported: Tokens) -> "BudgetDocument":
        """The document with another slice and report for the host; hosts without any are left out."""
        mine = {account: tokens for account, tokens in slices.items() if tokens}
        told = {account: tokens for account, tokens in reported.items() if tokens}
        return self.model_copy(
            update={
                "slices": {k: v for k, v in (self.slices | {host: mine}).items() if v},
                "reported": {k: v for k, v in (self.reported | {host: told}).items() if v},
            }
        )

    def without(self, is_past: Callable[[str], bool]) -> "BudgetDocument":
        """The document without the accounts that nobody can spend from any more."""

        def kept(held: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
            found = {
                host: {account: tokens for account, tokens in mine.items() if not is_past(account)}
                for host, mine in held.items()
            }
            return {host: mine for host, mine in found.items() if mine}

        return self.model_copy(update={"slices": kept(self.slices), "reported": kept(self.reported)})


@dataclass(frozen=True, slots=True)
class Found:
    """The document as it was read: `oid` is what a change of it has to name, None while there is none."""

    oid: str | None
    document: BudgetDocument


class BudgetRef:
    """The shared document of one coordination repository. Safe from any thread."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.ref = f"{repository.refs.namespace}/budget"

    def read(self) -> Found:
        """The document as it stands now, at the source. Raises RemoteUnreachable."""
        for _ in range(_TRIES):
            oid = self._repository.refs.read_back([self.ref]).get(self.ref)
            if oid is None:
                return self._remember(Found(None, BudgetDocument()))
            body = self._body(oid)
            if body is not None:
                return self._remember(Found(oid, BudgetDocument.parse(body, self.ref)))
            time.sleep(random.uniform(0, _PAUSE_S))  # noqa: S311 - it was changed under our hands: look again
        raise EnvironmentProblem(f"{self.ref} cannot be read", "try again in a moment")

    def _body(self, oid: str) -> bytes | None:
        """The document in that commit, fetched where it is not here; None where it is gone at the remote."""
        name = f"{oid}:{FILE}"
        git, remote = self._repository.git, self._repository.remote
        body = git.blobs([name]).get(name)
        if body is not None or remote is None:
            return body
        done = git.run(*QUIET_FETCH, remote, oid, check=False)
        body = git.blobs([name]).get(name)
        gone = ("not our ref", "unadvertised", "does not point to a valid object", "couldn't find remote ref")
        if body is None and not any(word in done.stderr for word in gone):
            if done.status:
                raise unreachable(remote, done.stderr)
            raise BadInput(f"{self.ref} holds no {FILE}", "something else wrote it: delete that ref")
        return body

    def write(self, old: Found, document: BudgetDocument) -> Found | None:
        """Replace what was read; None where somebody else was faster, or it is not known to have arrived.

        What never was acknowledged may still arrive: then it is found at the next reading. Raises BadInput
        for what could not be read again: it would end every host's work.
        """
        body = document.model_copy(update={"nonce": uuid.uuid4().hex})
        data = body.to_bytes()
        BudgetDocument.parse(data, self.ref)
        parent = old.oid if takes_branches_only(self._repository.refs.namespace) else None
        draft = Draft(f"budget by {self._repository.host}", {FILE: data}, parent)
        new = singles(self._repository.git, self._repository.identity.author, [draft])[0]
        refs = self._repository.refs
        outcome = refs.transaction([Update(self.ref, new, old.oid or ABSENT)], atomic=True)[0]
        if outcome is Outcome.UNKNOWN and refs.read_back([self.ref]).get(self.ref) == new:
            outcome = Outcome.APPLIED
        if outcome is Outcome.REFUSED:
            raise EnvironmentProblem(
                f"the remote refuses to change {self.ref}: {refs.refusal}", "is there a rule against it?"
            )
        return self._remember(Found(new, body)) if outcome is Outcome.APPLIED else None

    def change(self, edit: Callable[[BudgetDocument], BudgetDocument]) -> BudgetDocument:
        """Replace the document by what `edit` makes of it, however often others change it meanwhile.

        `edit` may be called several times, and must come to the same end when it finds its own work done.
        Raises RemoteUnreachable.
        """
        pause = _PAUSE_S
        for _ in range(_TRIES):
            found = self.read()
            wanted = edit(found.document)
            if wanted == found.document:
                return wanted
            written = self.write(found, wanted)
            if written is not None:
                return written.document
            time.sleep(random.uniform(0, pause))  # noqa: S311 - no secret
            pause = min(pause * 1.5, _MOST_PAUSE_S)
        raise RemoteUnreachable(f"{self.ref} is changed by others all the time", "try again in a moment")

    def last_seen(self) -> BudgetDocument:
        """The document as this clone saw it last; an empty one where it never did. Needs no remote."""
        query = "SELECT value FROM own WHERE key = ?"
        row = self._repository.state.execute(query, (_KEY,)).fetchone()
        return BudgetDocument.parse(row[0].encode(), self.ref) if row else BudgetDocument()

    def _remember(self, found: Found) -> Found:
        text = json.dumps(found.document.model_dump(mode="json", by_alias=True))
        state = self._repository.state
        row = state.execute("SELECT value FROM own WHERE key = ?", (_KEY,)).fetchone()
        if row is None or row[0] != text:
            state.execute("INSERT OR REPLACE INTO own VALUES (?, ?)", (_KEY, text))
        return found
