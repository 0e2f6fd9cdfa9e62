"""Reading a repository as hostile input: one commit's files and lockfile contents, from git objects.

Owns opening and closing what is read. Must never check anything out, nor run what a repository brings.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cortex_git.scan.reading.errors import NoCommit, RepositoryUnreadable
from cortex_git.scan.reading.facts import object_facts
from cortex_git.scan.reading.limits import Deadline, Limits, OutOfTime, bounded_parse
from cortex_git.scan.reading.listing import Entry, list_files
from cortex_git.scan.reading.local import borrow, why_no_commit
from cortex_git.scan.reading.remote import HEAD, Remote
from cortex_git.scan.reading.snapshot import RepositorySnapshot
from cortex_git.scan.sources import Credentials, Source

__all__ = [
    "Deadline",
    "Entry",
    "Limits",
    "NoCommit",
    "OutOfTime",
    "RepositorySnapshot",
    "RepositoryUnreadable",
    "bounded_parse",
    "open_repository",
]


@contextmanager
def open_repository(
    source: Source, credentials: Credentials | None = None, limits: Limits | None = None
) -> Iterator[RepositorySnapshot]:
    """The commit that `source` names, ready to be read until the block ends.

    Raises RepositoryUnreadable, NoCommit, OutOfTime, or another EnvironmentProblem of git itself.
    """
    limits = limits or Limits()
    deadline = Deadline(limits.time_s)
    with tempfile.TemporaryDirectory(prefix="cortex-git-scan-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if source.local:
            git, fetch, wanted = (
                borrow(Path(source.url), folder, limits, deadline),
                None,
                source.ref or "HEAD",
            )
        else:
            remote = Remote(source, folder, credentials or Credentials(), limits, deadline)
            remote.fetch_commit()
            git, fetch, wanted = remote.git, remote.fetch_blobs, HEAD
        with object_facts(git, deadline) as facts:
            [commit] = facts.ask([f"{wanted}^{{commit}}"])
            if commit is None:
                raise why_no_commit(git, source.ref, deadline)
            listing = list_files(git, commit.oid, limits, deadline)
            snapshot = RepositorySnapshot(commit.oid, listing.entries, limits, deadline, git, facts, fetch)
            snapshot.not_scanned += listing.not_scanned
            yield snapshot
