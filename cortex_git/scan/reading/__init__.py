"""Reading a repository as hostile input: one commit's files and lockfile contents, from git objects.

Owns opening and closing what is read. Must never check anything out, nor run what a repository brings.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cortex_git.scan.reading.errors import NoCommit, RepositoryUnreadable
from cortex_git.scan.reading.facts import object_facts
from cortex_git.scan.reading.folder import is_bill, is_plain_folder, open_file, open_folder
from cortex_git.scan.reading.host_gate import HostGate
from cortex_git.scan.reading.limits import Deadline, Limits, OutOfTime, bounded_parse
from cortex_git.scan.reading.listing import Entry, list_files
from cortex_git.scan.reading.local import borrow, why_no_commit
from cortex_git.scan.reading.remote import HEAD, Remote
from cortex_git.scan.reading.snapshot import RepositorySnapshot, Snapshot
from cortex_git.scan.sources import Credentials, Source

__all__ = [
    "Deadline",
    "Entry",
    "HostGate",
    "Limits",
    "NoCommit",
    "OutOfTime",
    "RepositorySnapshot",
    "RepositoryUnreadable",
    "Snapshot",
    "bounded_parse",
    "open_repository",
]


@contextmanager
def open_repository(
    source: Source,
    credentials: Credentials | None = None,
    limits: Limits | None = None,
    gate: HostGate | None = None,
) -> Iterator[Snapshot]:
    """The commit that `source` names, or the folder or file as it is, ready to be read until the block ends.

    Raises RepositoryUnreadable, NoCommit, OutOfTime, or another EnvironmentProblem of git itself.
    """
    limits = limits or Limits()
    deadline = Deadline(limits.time_s)
    if source.local and source.ref is None and is_plain_folder(Path(source.url)):
        yield open_folder(Path(source.url), limits, deadline)
        return
    if source.local and source.ref is None and is_bill(Path(source.url)):
        yield open_file(Path(source.url), limits, deadline)
        return
    with tempfile.TemporaryDirectory(prefix="cortex-git-scan-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if source.local:
            git, fetch, wanted = (
                borrow(Path(source.url), folder, limits, deadline),
                None,
                source.ref or "HEAD",
            )
        else:
            remote = Remote(source, folder, credentials or Credentials(), limits, deadline, gate)
            remote.fetch_commit()
            git, fetch, wanted = remote.git, remote.fetch_blobs, HEAD
        with object_facts(git, deadline) as facts:
            [commit] = facts.ask([f"{wanted}^{{commit}}"])
            if commit is None:
                raise why_no_commit(git, source.ref, deadline)
            listing = list_files(git, commit.oid, limits, deadline)
            snapshot = RepositorySnapshot(commit.oid, listing.entries, limits, deadline, git, facts, fetch)
            snapshot.not_scanned += listing.not_scanned
            snapshot.submodules = listing.submodules
            yield snapshot
