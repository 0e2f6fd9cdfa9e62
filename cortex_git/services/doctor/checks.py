"""The list of all checks, in the order in which they are made and told.

Owns which there are. What a later one looks at may be mended by an earlier one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cortex_git.services.doctor import (
    archives,
    branch,
    claims,
    documents,
    environment,
    held,
    host_files,
    ledger,
    locks,
    outbox,
    pools,
    publishing,
    remote,
    setting_files,
    state_file,
    storage,
)
from cortex_git.services.doctor.findings import Finding
from cortex_git.services.doctor.patient import Patient

ENVIRONMENT, REPOSITORY, HOST, REMOTE = "environment", "repository", "host", "remote"
AREAS = (ENVIRONMENT, REPOSITORY, HOST, REMOTE)


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `looks` says what it looks at, `mends` what `--fix` does about it (empty: nothing)."""

    id: str
    area: str
    run: Callable[[Patient], Iterator[Finding]]
    mends: str = ""
    anywhere: bool = False
    """Whether it makes sense outside of a coordination repository."""

    @property
    def looks(self) -> str:
        return (self.run.__doc__ or "").strip().splitlines()[0]


CHECKS: tuple[Check, ...] = (
    Check("git", ENVIRONMENT, environment.git_version, anywhere=True),
    Check("helpers", ENVIRONMENT, environment.helpers, anywhere=True),
    Check("python", ENVIRONMENT, environment.python, anywhere=True),
    Check("host-settings", ENVIRONMENT, setting_files.own, anywhere=True),
    Check("ownership", ENVIRONMENT, storage.ownership),
    Check("permissions", ENVIRONMENT, storage.permissions),
    Check("file-system", ENVIRONMENT, storage.file_system, anywhere=True),
    Check("disk", ENVIRONMENT, storage.room, anywhere=True),
    Check("clocks", ENVIRONMENT, environment.clocks, anywhere=True),
    Check("confinement", ENVIRONMENT, environment.agents, anywhere=True),
    Check("advisories", ENVIRONMENT, environment.advisories, anywhere=True),
    Check("repository", REPOSITORY, branch.repository),
    Check("settings", REPOSITORY, setting_files.shared),
    Check(
        "state",
        HOST,
        state_file.sound,
        "saves what the outbox still holds, puts the damaged file aside, makes a new one",
    ),
    Check("identity", HOST, host_files.identity, "gives the clone a new id"),
    Check("git-locks", HOST, locks.git_locks, "removes those on refs of ours"),
    Check("tracking", HOST, host_files.tracking, "drops refs that lead nowhere, to be fetched anew"),
    Check("reachable", REMOTE, remote.reachable),
    Check("remote-locks", REMOTE, locks.remote_locks),
    Check("capabilities", REMOTE, remote.capabilities),
    Check("pulling", HOST, host_files.pulling),
    Check("held", HOST, held.held, "enters them into the outbox again, and publishes them"),
    Check("outbox", HOST, outbox.waiting, "publishes them"),
    Check("superseded", HOST, outbox.superseded, "keeps them at the remote"),
    Check("pushes", HOST, outbox.pushes, "finds out, and publishes what did not arrive"),
    Check("task-locks", HOST, locks.task_locks, "removes locks of dead owners"),
    Check("pool", HOST, pools.door, "removes the socket of a dead pool"),
    Check("workers", HOST, pools.workers, "has them save what they hold, then ends them"),
    Check("work-trees", HOST, host_files.work_trees),
    Check("agent-branches", HOST, host_files.branches),
    Check("budget", HOST, ledger.adds_up),
    Check("reservations", HOST, ledger.dead_owners, "gives tokens of dead attempts back"),
    Check("objects", HOST, host_files.objects),
    Check("snapshots", HOST, host_files.snapshots, "writes them anew"),
    Check("committed", REPOSITORY, branch.committed),
    Check("branch", REPOSITORY, branch.branch),
    Check("documents", REPOSITORY, documents.readable),
    Check("clashes", REPOSITORY, documents.clashes),
    Check("waits", REPOSITORY, documents.waits),
    Check("batches", REPOSITORY, documents.sealed),
    Check("results", REPOSITORY, documents.results),
    Check("archives", REPOSITORY, archives.archives, "makes a ref again whose commit is here"),
    Check("namespaces", REMOTE, remote.namespaces),
    Check("clock-skew", REMOTE, remote.skew),
    Check("claims", REMOTE, claims.orphaned),
    Check("finished-claims", REMOTE, claims.finished, "deletes them by their exact object"),
    Check("cancelled-claims", REMOTE, claims.cancelled, "publishes that the task was cancelled"),
    Check("unreadable-claims", REMOTE, claims.unreadable),
    Check("silent-hosts", REMOTE, claims.silent),
    Check("fold", REMOTE, publishing.folded, "folds"),
    Check("fenced", REMOTE, publishing.fenced),
    Check("fsck", REMOTE, remote.intact),
)
