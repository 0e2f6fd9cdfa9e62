"""What a remote can do, tried out on refs of our own that are removed again.

Owns the list of what coordination needs of a remote, and the choice of namespace. A remote that cannot
compare-and-swap is refused here, at `init`, rather than being coordinated through weakly.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import Git, redact
from cortex_git.store.commits import Draft, singles
from cortex_git.store.greeting import Greeting, greet
from cortex_git.store.refs import ABSENT, Outcome, RemoteRefs, Update, takes_branches_only, unreachable

NAMESPACES = ("refs/cortex", "refs/heads/cortex")
"""Tried in this order: the second is for servers that take branches only."""

NEEDS = {
    "create": ("create refs", "every claim is a ref that must not exist yet"),
    "show": ("show refs that were pushed", "hosts see each other's claims and results by fetching them"),
    "exclude": ("refuse to create a ref twice", "of all the hosts that try, one may get a claim"),
    "replace": ("replace a ref", "claims of dead hosts are taken over, and heartbeats change"),
    "atomic": ("change several refs all or none", "a result is published and its claim ended in one push"),
    "delete": ("delete refs", "a claim ends when its task has a result"),
}
"""By name: what is needed of a remote, and why."""


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing that coordination needs: whether the remote does it, and else why not, in its own words."""

    name: str
    able: bool
    reason: str = ""

    @property
    def what(self) -> str:
        return NEEDS[self.name][0]

    @property
    def why(self) -> str:
        return NEEDS[self.name][1]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a remote can do under `namespace`, the first in which it can do everything.

    Where there is none, `namespace` is the one in which it can do most, and `usable` is False.
    """

    namespace: str
    found: tuple[Capability, ...]
    greeting: Greeting
    custom_refused: str = ""
    """Why `refs/cortex` is not used, where it is not; empty where it is."""

    @property
    def usable(self) -> bool:
        return not self.missing

    @property
    def missing(self) -> list[Capability]:
        return [one for one in self.found if not one.able]

    @property
    def atomic(self) -> bool:
        return all(one.able for one in self.found if one.name == "atomic")

    @property
    def round_trip_ms(self) -> float:
        return self.greeting.round_trip_ms

    @property
    def protocol(self) -> int:
        return self.greeting.protocol

    @property
    def filters(self) -> bool:
        return self.greeting.filters

    def lines(self) -> list[str]:
        """For people, one capability a line, then what the remote says of itself."""
        lines = [f"{'yes' if one.able else 'NO ':3}  {_told(one)}" for one in self.found]
        greeting = self.greeting
        if self.custom_refused:
            lines.append(f"refs are branches, because under {NAMESPACES[0]} {self.custom_refused}")
        filters = "yes" if self.filters else "no (coordination needs none)"
        lines += [
            f"git protocol {greeting.protocol}, object format {greeting.object_format}, filters: {filters}",
            f"round trip of ls-remote: {greeting.round_trip_ms:.0f} ms",
        ]
        return lines

    def to_json(self) -> dict[str, object]:
        """For the output of `init` and `doctor`."""
        return {
            "namespace": self.namespace,
            "usable": self.usable,
            "custom_refused": self.custom_refused or None,
            "capabilities": [
                {"name": one.name, "what": one.what, "able": one.able, "reason": one.reason or None}
                for one in self.found
            ],
            "protocol": self.protocol,
            "object_format": self.greeting.object_format,
            "filters": self.filters,
            "round_trip_ms": self.round_trip_ms,
        }


def _told(one: Capability) -> str:
    if one.able:
        return one.what
    return f"{one.what} ({one.reason or 'refused'}); needed because {one.why}"


def probe(git: Git, remote: str, branch: str) -> Capabilities:
    """What `report` finds, for a remote to be used. Raises EnvironmentProblem where it cannot be."""
    found = report(git, remote, branch)
    if found.usable:
        return found
    first = found.missing[0]
    reasons = "; ".join(f"it does not {one.what}" + (f" ({one.reason})" if one.reason else "")
                        for one in found.missing if one.reason != NOT_TRIED)  # fmt: skip
    elsewhere = f"; {NAMESPACES[0]}: {found.custom_refused}" if found.custom_refused else ""
    raise EnvironmentProblem(
        f"remote {redact(remote)} cannot coordinate ({found.namespace}: {reasons}{elsewhere})",
        f"needed because {first.why}; allow it there (docs/remotes.md), or use another remote",
    )


def report(git: Git, remote: str, branch: str, namespaces: Sequence[str] = NAMESPACES) -> Capabilities:
    """What the remote can do, in the first of the namespaces that will do, else in the best of them.

    About ten pushes of tiny commits. Raises RemoteUnreachable where it does not answer, also in between.
    """
    greeting = greet(git, remote)
    tried: list[Capabilities] = []
    refused = ""
    for namespace in namespaces:
        found = Capabilities(
            namespace, tuple(_Trial(git, remote, namespace, branch).all()), greeting, refused
        )
        if found.usable:
            return found
        tried.append(found)
        if namespace == NAMESPACES[0]:
            first = found.missing[0]
            refused = f"it does not {first.what}" + (f" ({first.reason})" if first.reason else "")
    return max(tried, key=lambda one: len([c for c in one.found if c.able]))


NOT_TRIED = "not tried"


class _Trial:
    """One namespace of one remote, tried out step by step; what was made is removed at the end."""

    def __init__(self, git: Git, remote: str, namespace: str, branch: str) -> None:
        self._refs = RemoteRefs(git, remote, namespace, branch)
        self._name = f"{namespace}/probe/{uuid.uuid4().hex}"
        self._chained = takes_branches_only(namespace)

    def all(self) -> list[Capability]:
        """Every capability, in the order of `NEEDS`."""
        first, second = f"{self._name}-1", f"{self._name}-2"
        one, rival = self._commit(1), self._commit(2)
        two = self._commit(3, one)
        three = self._commit(4, two)
        found = [self._step("create", [Update(first, one, ABSENT)])]
        if not found[0].able:
            return found + [Capability(name, able=False, reason=NOT_TRIED) for name in list(NEEDS)[1:]]
        try:
            shown = self._refs.read_back([first]) == {first: one}
            found.append(Capability("show", shown, "" if shown else "it hides them"))
            found.append(self._step("exclude", [Update(first, rival, ABSENT)], Outcome.STALE))
            found.append(self._step("replace", [Update(first, two, one)]))
            there = two if found[-1].able else one
            found.append(self._atomic(first, second, there, three))
            there = self._refs.read_back([first]).get(first, there)
            found.append(self._step("delete", [Update(first, None, there)]))
        finally:
            self._clean([first, second, f"{self._name}-3", f"{first}/below"])
        return found

    def _atomic(self, first: str, second: str, there: str, new: str) -> Capability:
        """Both of two refs change; and neither does where one cannot: its name lies below the other's."""
        other, below = f"{self._name}-3", f"{first}/below"
        self._push([Update(other, there, ABSENT), Update(below, there, ABSENT)], atomic=True)
        if set(self._refs.read_back([other, below])) == {other}:
            return Capability("atomic", able=False, reason="it says so, but does one without the other")
        both = [Update(second, there, ABSENT), Update(first, new, there)]
        return self._step("atomic", both)

    def _step(self, name: str, updates: list[Update], expected: Outcome = Outcome.APPLIED) -> Capability:
        outcomes = self._push(updates, atomic=len(updates) > 1)
        able = outcomes == [expected] * len(updates)
        return Capability(name, able, "" if able else self._refs.refusal)

    def _push(self, updates: list[Update], *, atomic: bool) -> list[Outcome]:
        self._refs.refusal = ""
        outcomes = self._refs.transaction(updates, atomic=atomic)
        if Outcome.UNKNOWN in outcomes:
            reason = self._refs.refusal or "no answer arrived"
            raise unreachable(self._refs.remote, reason)
        return outcomes

    def _clean(self, names: list[str]) -> None:
        left = self._refs.read_back(names)
        if left:
            self._refs.transaction([Update(ref, None, oid) for ref, oid in left.items()], atomic=False)

    def _commit(self, number: int, parent: str | None = None) -> str:
        author = "cortex-git probe <probe@cortex-git.invalid>"
        draft = Draft(f"probe {number} {self._name}", {"probe": b""}, parent if self._chained else None)
        return singles(self._refs.git, author, [draft])[0]
