"""The budget as a person looks at it and changes it: show, set, history, reclaim.

Owns what these commands say and do. None of them spends; what hosts may spend stays their own business but
for `reclaim`, which takes a silent host's unspent slice from it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cortex_git.errors import BadInput
from cortex_git.limits import accounts
from cortex_git.limits.accounts import TOTAL, Caps, is_past
from cortex_git.limits.balances import Balance, Grouping, balances, spending
from cortex_git.limits.ledger import Ledger
from cortex_git.store.budget_ref import MOST_TOKENS, BudgetDocument, BudgetRef
from cortex_git.store.coordination import Coordination
from cortex_git.store.hosts import hosts
from cortex_git.store.outcomes import tokens_by_host
from cortex_git.store.refs import RemoteUnreachable
from cortex_git.store.repository import Repository
from cortex_git.workers.levels import BudgetLevel, level_of, standing
from cortex_git.workers.token_budget import (
    OpenAllocation,
    document_of,
    open_allocations,
    over_all,
    write_document,
)

Limits = dict[str, int | None]
"""Tokens by limit name (`total`, `daily`, `monthly`, `master:…`, `batch:…`); None: no limit."""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account with a limit, over all hosts and here."""

    account: str
    limit: int
    level: BudgetLevel
    all_hosts: Balance
    here: Balance


@dataclass(frozen=True, slots=True)
class BudgetView:
    """The budget at one moment."""

    host: str
    problem: str | None
    """Why the shared budget could not be read; then it is as it was last seen."""
    level: BudgetLevel
    limits: Limits
    accounts: tuple[AccountRow, ...]
    slices: dict[str, dict[str, int]]
    reported: dict[str, dict[str, int]]
    allocations: tuple[OpenAllocation, ...]
    published: dict[str, Any]
    """The content of `coordination/token-budget.json`."""

    def to_json(self) -> dict[str, Any]:
        """The document of `budget show --format json`, without its schema number."""
        return {
            **self.published,
            "host": self.host,
            "problem": self.problem,
            "level": self.level,
            "limits": self.limits,
            "accounts": [_row(row) for row in self.accounts],
            "slices": self.slices,
            "reported": self.reported,
        }


def _row(row: AccountRow) -> dict[str, Any]:
    def figures(found: Balance) -> dict[str, int]:
        names = ("total", "allocated", "in_use", "available", "spent", "overdrawn")
        return {name: getattr(found, name) for name in names}

    head = {"account": row.account, "limit": row.limit, "level": row.level}
    return {**head, **figures(row.all_hosts), "here": figures(row.here)}


def look(coordination: Coordination) -> BudgetView:
    """The budget now; without the remote as it was last seen. Dead owners' tokens come back first."""
    repository = coordination.repository
    shared, problem = _shared(repository)
    ledger = Ledger(repository.durable_state, repository.host)
    ledger.reap()
    caps = Caps(repository.settings.budget, shared.limits)
    here = {held.account: held for held in balances(repository.durable_state, repository.host)}
    known = {TOTAL, accounts.day(), accounts.month(), *here}
    known |= {account for told in (*shared.slices.values(), *shared.reported.values()) for account in told}
    limited = caps.limited(sorted(account for account in known if not is_past(account)))
    write_document(repository, shared)
    return BudgetView(
        host=repository.host,
        problem=problem,
        level=standing(repository, caps, shared, limited).level,
        limits=limits_in_force(caps),
        accounts=tuple(_account(repository, shared, caps, name, limit) for name, limit in limited.items()),
        slices=shared.slices,
        reported=shared.reported,
        allocations=tuple(open_allocations(repository)),
        published=document_of(repository, shared),
    )


def _shared(repository: Repository) -> tuple[BudgetDocument, str | None]:
    shared = BudgetRef(repository)
    try:
        return shared.read().document, None
    except RemoteUnreachable as error:
        return shared.last_seen(), error.message


def _account(
    repository: Repository, shared: BudgetDocument, caps: Caps, account: str, limit: int
) -> AccountRow:
    everywhere = over_all(repository, shared, account, limit)
    here = Ledger(repository.durable_state, repository.host).balance(account)
    return AccountRow(account, limit, level_of(everywhere.spent, limit, caps), everywhere, here)


def limits_in_force(caps: Caps) -> Limits:
    """Every limit by its name: the settings' with what was set for everyone in their place."""
    names = [TOTAL, accounts.DAILY, accounts.MONTHLY, *map(accounts.master, caps.settings.masters)]
    settings: Limits = {name: caps.of(name) for name in names}
    if caps.settings.batch is not None:
        settings["batch"] = caps.settings.batch
    return settings | {name: caps.of(name) for name in caps.overrides}


def set_limits(coordination: Coordination, changes: Mapping[str, int | None]) -> Limits:
    """Set limits for every host at once; all limits in force afterwards.

    A limit below what is spent already stops the spending, and is no error.
    """
    if not changes:
        raise BadInput("nothing to set", "give --total, --daily, --monthly, --master or --batch")
    for name, tokens in changes.items():
        if tokens is not None and not 0 <= tokens <= MOST_TOKENS:
            raise BadInput(f"{name}: {tokens:,} is no number of tokens", f"give at most {MOST_TOKENS:,}")

    def edit(document: BudgetDocument) -> BudgetDocument:
        return document.model_copy(update={"limits": document.limits | dict(changes)})

    document = BudgetRef(coordination.repository).change(edit)
    write_document(coordination.repository, document)
    return limits_in_force(Caps(coordination.repository.settings.budget, document.limits))


def history(coordination: Coordination, days: int) -> list[dict[str, Any]]:
    """What this host's attempts spent in the last `days` days (UTC), by day, master, batch and model."""
    by: tuple[Grouping, ...] = ("day", "master", "batch", "provider", "model")
    since = f"{datetime.now(UTC) - timedelta(days=days - 1):%Y-%m-%d}"
    repository = coordination.repository
    own = [repository.host, *repository.former_hosts]
    rows: list[dict[str, Any]] = []
    for found in spending(repository.durable_state, own, by, since):
        figures = asdict(found)
        names = dict(zip(by, figures.pop("names"), strict=True))
        rows.append({**names, **figures, "total": found.total})
    return rows


@dataclass(frozen=True, slots=True)
class Reclaimed:
    """What `budget reclaim` takes, or would take, by account, and what it leaves."""

    host: str
    taken: dict[str, int]
    left: dict[str, int]


def reclaim(coordination: Coordination, host: str, *, dry_run: bool = False) -> Reclaimed:
    """Take a silent host's unspent slice from it, for the others.

    What stays its own is the most that is known to be spent: what it reported, or what its results say.
    Raises BadInput for this very host, one that is not silent, or one without a slice.
    """
    repository = coordination.repository
    view = coordination.pull()
    if host in (repository.host, *repository.former_hosts):
        raise BadInput(f"{host} is this host", "its own tokens come back by themselves")
    if any(found.host == host and not found.silent for found in hosts(repository, view)):
        raise BadInput(f"{host} gave a sign of life lately", "wait until `cortex-git status` calls it silent")
    shared = BudgetRef(repository)
    document = shared.read().document
    if host not in document.slices:
        raise BadInput(f"{host} holds no slice of the budget", "see `cortex-git budget show`")
    results = tokens_by_host(repository).get(host, 0)

    def left(document: BudgetDocument) -> dict[str, int]:
        told = document.reported.get(host, {})
        least = {TOTAL: results}
        held = document.slice_of(host).items()
        return {a: min(tokens, max(told.get(a, 0), least.get(a, 0))) for a, tokens in held}

    def edit(document: BudgetDocument) -> BudgetDocument:
        keeps = left(document)
        return document.with_host(host, keeps, keeps)

    keeps = left(document)
    taken = {a: tokens - keeps[a] for a, tokens in document.slice_of(host).items()}
    if not dry_run:
        shared.change(edit)
    return Reclaimed(host, taken, keeps)
