"""Findings that a report counts apart: suppressed by a person's statement, or known from a baseline.

Owns what is remembered of them. Nothing is ever dropped: every format counts and lists what is set aside.
"""

from dataclasses import dataclass
from typing import Literal

from cortex_git.scan.records import Finding, NotScanned, SecretFound

SuppressionStatus = Literal["accepted", "not_affected", "fixed", "false_positive"]
"""`accepted`: the risk is borne, which is what an ignore file says unless it says more."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A finding with the repository it is in."""

    repo: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A finding that somebody's statement takes out of the count."""

    repo: str
    finding: Finding
    status: SuppressionStatus
    reason: str
    """Never empty: what the ignore file says, or the justification of a VEX statement."""
    source: str
    """The file that says so, and which entry of it."""
    justification: str | None = None
    """OpenVEX's label, such as `vulnerable_code_not_present`, where one was given."""
    expires: str | None = None
    """Last day on which it applies (YYYY-MM-DD), None where it has no end."""
    in_baseline: bool = False


@dataclass(frozen=True, slots=True)
class PlacedSecret:
    """A secret with the repository it is in; it has its number."""

    repo: str
    secret: SecretFound


@dataclass(frozen=True, slots=True)
class SuppressedSecret:
    """A secret that somebody's entry takes out of the count."""

    repo: str
    secret: SecretFound
    status: SuppressionStatus
    reason: str
    """Never empty."""
    source: str
    """The file that says so, and which entry of it."""
    expires: str | None = None
    """Last day on which it applies (YYYY-MM-DD), None where it has no end."""
    in_baseline: bool = False


@dataclass(frozen=True, slots=True)
class AcceptedGap:
    """Something not scanned that somebody's entry takes out of the count."""

    repo: str
    """Empty where it is about the whole batch."""
    gap: NotScanned
    reason: str
    """Never empty: why it is accepted."""
    source: str
    """The file that says so, and which entry of it."""
    expires: str | None = None
    """Last day on which it applies (YYYY-MM-DD), None where it has no end."""

    @property
    def status(self) -> SuppressionStatus:
        """As of a finding that is suppressed: there is no other for a gap."""
        return "accepted"


@dataclass(frozen=True, slots=True)
class Spread:
    """A finding that the baseline has, which is new all the same: it is in further lockfiles now."""

    repo: str
    finding: Finding
    lockfiles: tuple[str, ...]
    """Those in which the baseline does not have it."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """An earlier report or batch that this one was compared with; `findings` are then the new ones only."""

    source: str
    """The file or the batch, as given; of the last batches the names of the first few."""
    known: tuple[Placed, ...] = ()
    """Found now and then."""
    fixed: tuple[Placed, ...] = ()
    """Found then and, where it was looked for again, not now: updated, removed, or withdrawn."""
    not_compared: int = 0
    """Findings of then whose place was not scanned now, so nobody knows."""
    known_secrets: tuple[PlacedSecret, ...] = ()
    """Found now and then."""
    gone_secrets: tuple[PlacedSecret, ...] = ()
    """Found then, looked for again, and not found now. They are in the history still."""
    secrets_not_compared: int = 0
    """Secrets of then that were not looked for now, or not in all files."""
    spread: tuple[Spread, ...] = ()
    """Findings of the rows that were known in other lockfiles."""
    batches: tuple[str, ...] = ()
    """The batches that it is made of, where it is no file."""
