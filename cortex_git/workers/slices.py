"""This host's slice of the shared budget: asking for more of it, and giving back what is not needed.

Owns the order of writing, which keeps what the ledger lets this host spend within what the shared document
says it may: less is recorded here first and pushed then, more is pushed first and recorded when a
compare-and-swap of our own has gone through. A kill in between leaves tokens unused, never spent twice.
"""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

from cortex_git.flocks import file_lock
from cortex_git.limits.accounts import Caps, is_past
from cortex_git.limits.balances import Balance, balances
from cortex_git.limits.ledger import Ledger
from cortex_git.store.budget_ref import BudgetDocument, BudgetRef, Found
from cortex_git.store.refs import RemoteUnreachable
from cortex_git.store.repository import Repository

_TRIES = 40
_PAUSE_S = 0.05
_MOST_PAUSE_S = 1.0
_SHARES = 4
"""A host takes this fraction of its fair share at once, so that a few steps are enough for all of it."""
_NOTHING = Balance("", limited=False, total=0, allocated=0, in_use=0, available=0, spent=0, overdrawn=0)


@dataclass(frozen=True, slots=True)
class Wish:
    """What an exchange is to bring."""

    needs: Mapping[str, int]
    """Tokens that an attempt waits for, by account."""
    live_hosts: int = 1
    give_back: bool = False
    """Keep what is bound only."""


def exchange(repository: Repository, wish: Wish) -> BudgetDocument:
    """Bring this host's slice and the shared document in line; the document as it is then.

    One process of the clone at a time. Raises RemoteUnreachable.
    """
    ledger = Ledger(repository.durable_state, repository.host)
    shared = BudgetRef(repository)
    pause = _PAUSE_S
    with file_lock(repository.private / "budget.lock"):
        for _ in range(_TRIES):
            found = shared.read()
            document = _try(repository, ledger, shared, found, wish)
            if document is not None:
                return document
            time.sleep(random.uniform(0, pause))  # noqa: S311 - no secret
            pause = min(pause * 1.5, _MOST_PAUSE_S)
        mine = shared.read().document.slice_of(repository.host)
        here = {held.account: held for held in balances(repository.durable_state, repository.host)}
        ledger.grant({a: mine.get(a, 0) for a, b in here.items() if b.limited and b.total > mine.get(a, 0)})
    raise RemoteUnreachable(f"{shared.ref} is changed by others all the time", "try again in a moment")


def _try(
    repository: Repository, ledger: Ledger, shared: BudgetRef, found: Found, wish: Wish
) -> BudgetDocument | None:
    """One exchange on the document as found; None where somebody else changed it meanwhile."""
    caps = Caps(repository.settings.budget, found.document.limits)
    old = found.document.without(is_past)
    mine = old.slice_of(ledger.host)
    here = {held.account: held for held in balances(repository.durable_state, ledger.host)}
    names = {*mine, *wish.needs, *(a for a, b in here.items() if b.limited or b.allocated)}
    limited = caps.limited(account for account in sorted(names) if not is_past(account))
    targets = {
        account: target(
            here.get(account, _NOTHING),
            mine.get(account, 0),
            limit - old.assigned(account),
            wish,
            wish.needs.get(account, 0),
        )
        for account, limit in limited.items()
    }
    slices = targets | _recorded_less(ledger, here, targets)
    dropped = [a for a, b in here.items() if b.limited and a not in limited and not is_past(a)]
    ledger.grant(dict.fromkeys(dropped))  # an account whose limit was taken away
    reported = {account: ledger.balance(account).spent for account in limited}
    new = old.with_host(ledger.host, slices, reported)
    more = {a: t for a, t in slices.items() if not here.get(a, _NOTHING).limited or t > here[a].total}
    if new == found.document and not more:
        return found.document
    written = shared.write(found, new)
    if written is None:
        return None
    ledger.grant(more)
    return written.document


def target(held: Balance, mine: int, free: int, wish: Wish, need: int = 0) -> int:
    """What this host's slice of an account should be.

    `mine` is what it is, `free` what no host has: below zero where a limit was lowered, and then what is
    not bound is given up. What was used is ours whatever the limit says, for it is a fact.
    """
    used = held.in_use + held.overdrawn
    bound = used + held.allocated
    room = max(mine + free, 0)
    wanted = bound if wish.give_back else max(mine, bound)
    if need and bound + need <= room:
        share = mine + max(free, 0) // (_SHARES * max(wish.live_hosts, 1))
        wanted = max(wanted, bound + need, min(share, room))
    return min(wanted, max(room, used, min(bound, mine)))


def _recorded_less(ledger: Ledger, here: Mapping[str, Balance], targets: Mapping[str, int]) -> dict[str, int]:
    """Lower the ledger's accounts that are to hold less; what they hold then, by account."""
    less = {a: t for a, t in targets.items() if a in here and here[a].limited and t < here[a].total}
    cut = {a: t for a, t in less.items() if t < here[a].in_use + here[a].overdrawn + here[a].allocated}
    ledger.grant(cut)
    return ledger.shrink({a: t for a, t in less.items() if a not in cut})
