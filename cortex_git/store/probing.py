"""What a remote can do, tried out on refs of our own that are removed again.

Owns the choice of namespace. A remote that cannot compare-and-swap is refused here, at `init`, rather
than being coordinated through weakly.
"""

import uuid
from dataclasses import dataclass

from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import Git, redact
from cortex_git.store.commits import Draft, singles
from cortex_git.store.refs import ABSENT, Outcome, RemoteRefs, Update

NAMESPACES = ("refs/cortex", "refs/heads/cortex")
"""Tried in this order: the second is for servers that take branches only."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the probe found."""

    namespace: str
    atomic: bool


def probe(git: Git, remote: str, branch: str) -> Capabilities:
    """Try both namespaces. Raises RemoteUnreachable, or EnvironmentProblem where neither can be used."""
    RemoteRefs(git, remote, NAMESPACES[0], branch).read_back([f"refs/heads/{branch}"])
    reasons: list[str] = []
    for namespace in NAMESPACES:
        refs = RemoteRefs(git, remote, namespace, branch)
        problem = _try(refs)
        if problem is None:
            return Capabilities(namespace, atomic=True)
        reasons.append(f"{namespace}: {problem}")
    raise EnvironmentProblem(
        f"remote {redact(remote)} cannot coordinate ({'; '.join(reasons)})",
        "it must let you create, replace and delete refs, with atomic pushes",
    )


def _try(refs: RemoteRefs) -> str | None:
    """What the remote will not do; None when it does everything that claims and publishing need."""
    name = uuid.uuid4().hex
    author = "cortex-git probe <probe@cortex-git.invalid>"
    one, two = singles(refs.git, author, [Draft(f"probe {i} {name}", {"probe": b""}) for i in (1, 2)])
    first, second = (f"{refs.namespace}/probe/{name}-{number}" for number in (1, 2))
    steps = (
        ("create a ref", [Update(first, one, ABSENT)], [Outcome.APPLIED]),
        ("refuse to create it twice", [Update(first, two, ABSENT)], [Outcome.STALE]),
        (
            "replace and create refs in one atomic push",
            [Update(first, two, one), Update(second, one, ABSENT)],
            [Outcome.APPLIED] * 2,
        ),
        ("delete refs", [Update(first, None, two), Update(second, None, one)], [Outcome.APPLIED] * 2),
    )
    for what, updates, expected in steps:
        if updates[-1].new is None and set(refs.read_back([first, second])) != {first, second}:
            return "it hides refs that were pushed"
        if refs.transaction(updates, atomic=len(updates) > 1) != expected:
            return f"it does not {what}" + (f" ({refs.refusal})" if refs.refusal else "")
    return None
