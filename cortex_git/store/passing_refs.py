"""Shared refs that a pull does not fetch, brought here for a moment and let go of again.

Owns where they lie meanwhile: not beside what a pull fetches, because every look goes through those.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from cortex_git.gitio import Git
from cortex_git.store.refs import QUIET_FETCH, SCRATCH, unreachable
from cortex_git.store.repository import Repository


class Dated(NamedTuple):
    """A ref's commit."""

    oid: str
    at: float
    """When it was made, in seconds since 1970 by the clock of who made it."""


@contextmanager
def passing_refs(repository: Repository, kind: str) -> Iterator[dict[str, Dated]]:
    """The shared refs under `kind` (such as `probe`, or `fenced/<task>`), by their shared names.

    What they hold is here until the context ends. Raises RemoteUnreachable.
    """
    space = f"{repository.refs.namespace}/{kind}/"
    if repository.remote is None:
        yield dated(repository.git, space)
        return
    scratch = f"{SCRATCH}{uuid.uuid4().hex}/"
    done = repository.git.run(*QUIET_FETCH, repository.remote, f"+{space}*:{scratch}*", check=False)
    try:
        if done.status:
            raise unreachable(repository.remote, done.stderr)
        here = dated(repository.git, scratch)
        yield {space + ref.removeprefix(scratch): one for ref, one in here.items()}
    finally:
        script = "".join(f"delete {ref}\n" for ref in repository.git.refs(scratch))
        repository.git.run("update-ref", "--stdin", stdin=script.encode(), check=False)


def dated(git: Git, *prefixes: str) -> dict[str, Dated]:
    """The refs of this repository under the prefixes, with the age of their commits."""
    form = "--format=%(objectname) %(committerdate:unix) %(refname)"
    rows = (line.split(" ", 2) for line in git.text("for-each-ref", form, *prefixes).splitlines())
    return {ref: Dated(oid, float(at or 0)) for oid, at, ref in rows}
