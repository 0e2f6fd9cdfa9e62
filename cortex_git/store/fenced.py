"""Results that came too late: after somebody else's, or after a cancel. Kept for people, never counted.

Owns reading them, from the shared refs and from the outbox of this clone. They are no part of a pull: whoever
wants them fetches them. Changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cortex_git.errors import BadInput
from cortex_git.models import Result
from cortex_git.store import index, layout
from cortex_git.store.outbox import Outbox
from cortex_git.store.passing_refs import Dated, passing_refs
from cortex_git.store.repository import Repository

FENCING = "fencing"
"""The state of an outbox entry that is superseded and not kept at the remote yet."""


@dataclass(frozen=True, slots=True)
class Fenced:
    """One superseded result."""

    task: str
    nonce: str
    """Of the claim that it was worked out under."""
    fenced_at: str | None
    """When its commit was made, by the clock of its host; None while it waits in the outbox."""
    result: Result | None
    """None where it cannot be read."""

    @property
    def waits(self) -> bool:
        """Whether it is on this disk alone yet."""
        return self.fenced_at is None


@dataclass(frozen=True, slots=True)
class _Ref:
    task: str
    nonce: str
    oid: str
    made_at: str


def fenced_results(repository: Repository, task: str | None = None) -> list[Fenced]:
    """Those of one task or of all, the oldest first; what waits in this clone's outbox comes last.

    Raises RemoteUnreachable.
    """
    waiting = [one for one in _in_outbox(repository) if task in (None, one.task)]
    here = {one.nonce for one in waiting}  # one whose push arrived, and its answer did not
    kept = [one for one in _kept(repository, task) if one.nonce not in here]
    return [*sorted(kept, key=lambda one: (one.fenced_at or "", one.task, one.nonce)), *waiting]


def count_waiting(repository: Repository) -> int:
    """How many wait in the outbox of this clone, because they could not be kept at the remote yet."""
    query = "SELECT count(*) FROM outbox WHERE state = ?"
    return int(repository.durable_state.execute(query, (FENCING,)).fetchone()[0])


def _in_outbox(repository: Repository) -> Iterator[Fenced]:
    for entry in Outbox(repository).waiting(FENCING):
        bodies = [body for path, body in entry.files.items() if _is_result(path, entry.task)]
        yield Fenced(entry.task, entry.nonce, None, _parsed(bodies, entry.task))


def _kept(repository: Repository, task: str | None) -> list[Fenced]:
    space = f"{repository.refs.namespace}/fenced/"
    with passing_refs(repository, "fenced" if task is None else f"fenced/{task}") as found:
        return _read(repository, [_ref(ref.removeprefix(space), one) for ref, one in found.items()])


def _ref(name: str, one: Dated) -> _Ref:
    task, _, nonce = name.rpartition("/")
    return _Ref(task, nonce, one.oid, datetime.fromtimestamp(one.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def _read(repository: Repository, refs: Sequence[_Ref]) -> list[Fenced]:
    """All in one git call where the tasks are known here; else one more for each."""
    names = {ref.oid: name for ref in refs if (name := _expected(repository, ref)) is not None}
    bodies = repository.git.blobs(names.values())
    found: list[Fenced] = []
    for ref in refs:
        body = bodies.get(names.get(ref.oid, ""))
        said = [body] if body is not None else _searched(repository, ref)
        found.append(Fenced(ref.task, ref.nonce, ref.made_at, _parsed(said, ref.task)))
    return found


def _expected(repository: Repository, ref: _Ref) -> str | None:
    try:
        return f"{ref.oid}:{layout.result_beside(index.path_of(repository, ref.task))}"
    except BadInput:
        return None  # nobody added the task, as far as this clone knows


def _searched(repository: Repository, ref: _Ref) -> list[bytes]:
    listing = repository.git.run("ls-tree", "-r", "-z", "--name-only", ref.oid, check=False)
    names = [f"{ref.oid}:{path}" for path in listing.text.split("\0") if _is_result(path, ref.task)]
    return list(repository.git.blobs(names).values())


def _is_result(path: str, task: str) -> bool:
    place = layout.place_of(path)
    return place is not None and (place.kind, place.task) == ("results", task)


def _parsed(bodies: Sequence[bytes], task: str) -> Result | None:
    """Whoever can push can write such a ref, and it must not hide the others."""
    for body in bodies:
        try:
            result = Result.parse(body, f"fenced result of {task}")
        except BadInput:
            continue
        if result.task == task:
            return result
    return None
