"""The budget over all hosts, and the snapshot of it that people read.

Owns the file `coordination/token-budget.json`, which nothing ever reads back as truth: it is computed from
the ledger and the shared document.
"""

import json
from dataclasses import dataclass
from typing import Any

from cortex_git.flocks import file_lock
from cortex_git.limits.accounts import TOTAL, Caps
from cortex_git.limits.balances import Balance, balance
from cortex_git.store import layout
from cortex_git.store.budget_ref import BudgetDocument
from cortex_git.store.repository import Repository
from cortex_git.workers.roster import put_in_place

FILE = f"{layout.ROOT}/token-budget.json"


@dataclass(frozen=True, slots=True)
class OpenAllocation:
    """What an attempt of this host was promised."""

    worker: str
    task: str
    batch: str
    master: str
    tokens: int
    spent: int
    reserved: int
    allocated_at: str


def over_all(repository: Repository, document: BudgetDocument, account: str, limit: int) -> Balance:
    """The account over all hosts: others' slices count as allocated, but for what they said they spent."""
    here = balance(repository.durable_state, repository.host, account)
    used = here.in_use + here.overdrawn
    spent, allocated = here.spent, here.allocated
    for host, held in document.slices.items():
        if host != repository.host:
            told = document.reported.get(host, {}).get(account, 0)
            spent, used = spent + told, used + told
            allocated += max(held.get(account, 0) - told, 0)
    in_use = min(used, limit)
    kept = min(allocated, limit - in_use)
    overdrawn = used + allocated - in_use - kept
    return Balance(account, True, limit, kept, in_use, limit - kept - in_use, spent, overdrawn)


def open_allocations(repository: Repository) -> list[OpenAllocation]:
    """Those of this host, the oldest first."""
    rows = repository.durable_state.execute(
        "SELECT worker, task, batch, master, tokens, spent, reserved, allocated_at FROM allocations"
        " WHERE closed_at IS NULL AND host = ? ORDER BY id",
        (repository.host,),
    )
    return [OpenAllocation(*row) for row in rows]


def document_of(repository: Repository, shared: BudgetDocument) -> dict[str, Any]:
    """The published form."""
    limit = Caps(repository.settings.budget, shared.limits).of(TOTAL) or 0
    found = over_all(repository, shared, TOTAL, limit)
    return {
        "token_budget": {
            "total": found.total,
            "allocated": found.allocated,
            "in_use": found.in_use,
            "available": found.available,
        },
        "allocations": {
            one.worker: {"master": one.master, "tokens": one.tokens, "allocated_at": one.allocated_at}
            for one in open_allocations(repository)
        },
    }


def write_document(repository: Repository, shared: BudgetDocument) -> bool:
    """Put the file in place, whole or not at all, unless it says all that already; whether it was written."""
    with file_lock(repository.private / "token-budget.lock"):
        text = json.dumps(document_of(repository, shared), indent=2, ensure_ascii=False) + "\n"
        return put_in_place(repository, FILE, text.encode("utf-8", "backslashreplace"))
