"""Checks of the token ledger of this host: that its figures add up, and that nobody dead holds any.

Owns the comparison; giving tokens back is the ledger's.
"""

import json
from collections import Counter
from collections.abc import Iterator

from cortex_git.limits.balances import balanced
from cortex_git.limits.ledger import Ledger, open_calls, owner_gone
from cortex_git.services.doctor.findings import Finding, Mend, many, named, ok, problem, warning
from cortex_git.services.doctor.patient import Patient
from cortex_git.state import of_clone

_MANUAL = "cortex-git budget show, and see docs/budgets.md"


def adds_up(patient: Patient) -> Iterator[Finding]:
    """`allocated + in_use + available == total` for every account, and the sums it is made of."""
    state = patient.state
    grants = state.execute("SELECT host, account, tokens, spent, reserved, allocated FROM grants").fetchall()
    rests: Counter[tuple[str, str]] = Counter()
    reserved: Counter[tuple[str, str]] = Counter()
    query = "SELECT host, accounts, tokens, spent, reserved FROM allocations WHERE closed_at IS NULL"
    for host, accounts, tokens, spent, held in state.execute(query):
        for account in json.loads(accounts):
            rests[host, account] += tokens - spent - held
            reserved[host, account] += held
    faults = []
    for host, account, tokens, spent, held, allocated in grants:
        found = balanced(account, tokens, spent, held, allocated)
        figures = (found.allocated, found.in_use, found.available)
        sums = (rests[host, account], reserved[host, account])
        if min(figures) < 0 or sum(figures) != found.total:
            faults.append((account, f"{' + '.join(map(str, figures))} is not {found.total}"))
        elif (allocated, held) != sums:
            text = f"{allocated} allocated and {held} reserved, and its attempts hold {sums[0]} and {sums[1]}"
            faults.append((account, text))
    for account, text in faults[:3]:
        yield problem(
            f"account {account} does not add up: {text}",
            str(patient.private / "state.db"),
            why="attempts may be refused tokens that are there, or get some that are not",
            do=_MANUAL,
        )
    if not faults:
        yield ok(f"{many(len(grants), 'account')}, all of which add up")


def dead_owners(patient: Patient) -> Iterator[Finding]:
    """Tokens held by attempts whose process has ended."""
    state = patient.state
    waiting = open_calls(state)
    rows = state.execute(
        "SELECT nonce, task, tokens - spent, pid, started, boot FROM allocations WHERE closed_at IS NULL"
    ).fetchall()
    callers = state.execute(
        "SELECT nonce, pid, started, boot FROM reservations WHERE state IN ('held', 'sent')"
    ).fetchall()
    busy = {nonce for nonce, *owner in callers if not owner_gone(*owner)} | waiting
    dead = [row for row in rows if row[0] not in busy and owner_gone(*row[3:])]
    if not dead:
        yield ok(f"{many(len(rows), 'attempt')} with tokens, all alive" if rows else "nobody holds tokens")
        return

    def reap() -> str:
        return f"gave back what {many(Ledger(of_clone(patient.folder), '').reap(), 'dead attempt')} held"

    yield warning(
        f"{sum(row[2] for row in dead):,} tokens are held by {many(len(dead), 'attempt')} of dead processes",
        named([str(row[1]) for row in dead]),
        why="nobody else can use them until the next command gives them back; what was sent counts as spent",
        mend=Mend("give back what dead attempts hold", reap),
    )
