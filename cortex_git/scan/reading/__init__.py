"""Reading a repository as hostile input: one commit's files and lockfile contents, from git objects.

Owns opening and closing what is read. Must never check anything out, nor run what a repository brings.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cortex_git.scan.reading.errors import NoCommit, RepositoryUnreadable
from cortex_git.scan.reading.limits import Deadline, Limits, OutOfTime, bounded_parse
from cortex_git.scan.reading.listing import Entry, list_files
from cortex_git.scan.reading.local import borrow, resolve
from cortex_git.scan.reading.remote import Remote
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
            git = borrow(Path(source.url), folder, limits, deadline)
            commit, fetch = resolve(git, source.ref, deadline), None
        else:
            remote = Remote(source, folder, credentials or Credentials(), limits, deadline)
            git, commit, fetch = remote.git, remote.fetch_commit(), remote.fetch_blobs
        listing = list_files(git, commit, limits, deadline)
        yield RepositorySnapshot(
            commit, listing.entries, limits, deadline, git, fetch, not_scanned=list(listing.not_scanned)
        )
