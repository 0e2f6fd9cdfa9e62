"""Checks of what a clone keeps for itself: its id, its snapshots, what it saw of the remote, its objects.

Owns those that need no other process to be looked at.
"""

import json
import os
from collections.abc import Iterator

from cortex_git.flocks import file_lock
from cortex_git.services.doctor.findings import (
    Finding,
    Mend,
    NotLooked,
    many,
    named,
    note,
    ok,
    problem,
    warning,
)
from cortex_git.services.doctor.patient import Patient
from cortex_git.store.collecting import counted
from cortex_git.store.coordination import Coordination
from cortex_git.store.identity import FILE, is_of, kept_identity, load_identity
from cortex_git.store.refs import TRACKING
from cortex_git.workers.roster import FILE as POOL_FILE
from cortex_git.workers.roster import live_workers
from cortex_git.workers.roster import write_document as write_pool

_MOST_LOOSE, _MOST_PACKS = 20_000, 60


def identity(patient: Patient) -> Iterator[Finding]:
    """This clone's id, and whether it is a copy's."""
    path = patient.private / FILE

    def anew() -> str:
        return f"this clone is {load_identity(patient.private).host} now"

    mend = Mend("give this clone a new id", anew)
    try:
        kept = kept_identity(patient.private)
    except (OSError, ValueError) as error:
        why = "the next command takes a new id; claims under the old one wait out their lease"
        yield warning(f"this host's id cannot be read: {error}", str(path), why=why, mend=mend)
        return
    if kept is None:
        yield ok("this clone has no id yet: the first command gives it one", str(path))
    elif not is_of(kept, patient.private):
        yield note(
            f"this clone was copied, or moved here from another disk: {kept.host} is the other one's id",
            str(path),
            why="it takes an id of its own, so that the two never publish under one",
            mend=mend,
        )
    else:
        former = _former(patient, kept.host)
        yield ok(f"{kept.host}" + (f", formerly {named(former)}" if former else ""), str(path))


def _former(patient: Patient, host: str) -> list[str]:
    """Ids that this clone has published under before."""
    try:
        rows = patient.state.execute("SELECT key FROM own WHERE key LIKE 'tip %' ORDER BY key").fetchall()
    except NotLooked:
        return []
    return [key.removeprefix("tip ") for (key,) in rows if key != f"tip {host}"]


def pulling(patient: Patient) -> Iterator[Finding]:
    """Whether what hosts share can be fetched, and entered into this clone's index."""
    try:
        view = patient.view
    except NotLooked:
        if patient.hindrance is None:
            raise
        if not os.access(patient.git_dir, os.W_OK):
            raise NotLooked("the clone cannot be written") from None
        broken = [ref for ref in _broken(patient, "refs/")[0] if not ref.startswith(TRACKING)]
        mend = f"git -C {patient.folder} fsck --connectivity-only; else clone the remote anew"
        if broken:
            mend = _anew(patient, broken[0])
        yield problem(
            f"pulling fails: {patient.hindrance}",
            str(patient.git_dir),
            why="every command that claims or publishes begins with it",
            do=mend,
        )
        return
    yield ok(f"{many(len(view.claims), 'claim')} and {many(len(view.results), 'result ref')} seen")


def _anew(patient: Patient, ref: str) -> str:
    """The command that makes a damaged ref of a person's again, where its log says where it stood."""
    mend = f"rm {patient.git_dir / ref}"
    log = patient.git_dir / "logs" / ref
    stood = f"$(tail -n 1 {log} | cut -d ' ' -f 2)"
    return f"{mend} && git -C {patient.folder} update-ref {ref} {stood}" if log.is_file() else mend


def tracking(patient: Patient) -> Iterator[Finding]:
    """What this clone last saw of the remote: refs that lead nowhere keep every fetch from working."""
    broken, count = _broken(patient, TRACKING)
    if not broken:
        yield ok(f"{many(count, 'ref')} of the remote known")
        return
    yield warning(
        f"{many(len(broken), 'ref')} of what was last seen of the remote lead nowhere",
        named(sorted(broken)),
        why="pulling fails or misses results, until they are fetched anew",
        mend=Mend(f"drop {named(sorted(broken))}, to be fetched anew", lambda: _drop(patient, broken)),
    )


def _broken(patient: Patient, space: str) -> tuple[list[str], int]:
    """The refs under `space` that lead nowhere, and how many others there are."""
    done = patient.git.run("for-each-ref", "--format=%(objectname) %(refname)", space, check=False)
    marker = "ignoring broken ref "
    broken = [line.partition(marker)[2].strip() for line in done.stderr.splitlines() if marker in line]
    refs = dict(line.split(" ", 1)[::-1] for line in done.text.splitlines())
    oids = "".join(f"{oid}\n" for oid in refs.values()).encode()
    checked = patient.git.text("cat-file", "--batch-check", stdin=oids).splitlines() if refs else []
    broken += [ref for ref, line in zip(refs, checked, strict=True) if line.endswith(" missing")]
    return broken, len(refs)


def _drop(patient: Patient, broken: list[str]) -> str:
    with file_lock(patient.private / "fetch.lock"):
        for ref in broken:
            if patient.git.run("update-ref", "--no-deref", "-d", ref, check=False).status:
                (patient.git_dir / ref).unlink(missing_ok=True)  # what git cannot read it will not delete
    return f"dropped {many(len(broken), 'ref')} of what was seen; the next pull fetches them"


def work_trees(patient: Patient) -> Iterator[Finding]:
    """Folders of agents' work that was not published."""
    from cortex_git.runners.agent.worktrees import leftovers

    found = leftovers(patient.folder)
    for one in found[:5]:
        record = one.record
        unpushed = record.commit is not None and not record.pushed
        make = warning if unpushed else note
        what = "a commit that was not pushed" if unpushed else "files that are in no commit, perhaps"
        push = f"git -C {record.clone} push {record.repo} {record.commit}:refs/heads/{record.branch}"
        yield make(
            f"an agent's folder for {record.task} was left, with {what}: {record.reason}",
            str(one.folder),
            why="a folder with work that nobody has is never removed by itself",
            do=push if unpushed else f"git -C {one.folder} status",
        )
    if len(found) > 5:
        yield note(f"{len(found) - 5} more folders of agents were left", str(patient.private / "worktrees"))
    if not found:
        yield ok("no folder of an agent was left")


def branches(patient: Patient) -> Iterator[Finding]:
    """Local branches with an agent's work that no remote has."""
    own = ("claims", "results", "hosts", "fenced", "archive", "probe", "budget", "main", "work")
    refs = patient.git.refs("refs/heads/cortex")
    tips = {
        ref: oid
        for ref, oid in refs.items()
        if ref.removeprefix("refs/heads/cortex/").split("/")[0] not in own
    }
    if not tips or patient.remote is None:
        yield ok("no branch of an agent waits here to be pushed")
        return
    known = (f"--glob={TRACKING}*", "--remotes")
    missing = set(patient.git.text("rev-list", *tips.values(), "--not", *known).split())
    unpushed = sorted(ref.removeprefix("refs/heads/") for ref, oid in tips.items() if oid in missing)
    for name in unpushed[:5]:
        yield warning(
            f"branch {name} holds work that no remote has",
            name,
            why="nobody else sees it, and it is lost with this folder",
            do=f"git -C {patient.folder} push {patient.remote} {name}",
        )
    if not unpushed:
        yield ok(f"{many(len(tips), 'branch', 'branches')} of agents, all pushed")


def objects(patient: Patient) -> Iterator[Finding]:
    """The size of the object store: loose objects and packs."""
    there = counted(patient.git)
    size = (there.loose_kib + there.packs_kib) / 1024
    text = f"{there.loose:,} loose objects, {many(there.packs, 'pack')}, {size:,.0f} MiB"
    if there.loose > _MOST_LOOSE or there.packs > _MOST_PACKS:
        why = "every git call gets slower with them, and packing beside the work has not kept up"
        yield note(text, str(patient.git_dir / "objects"), why=why, do="cortex-git gc --yes")
    else:
        yield ok(text, str(patient.git_dir / "objects"))


def snapshots(patient: Patient) -> Iterator[Finding]:
    """worker-pool.json and token-budget.json, which a pool that was killed leaves as they were."""
    path = patient.folder / POOL_FILE
    try:
        shown = json.loads(path.read_text())["active_workers"]
    except FileNotFoundError:
        yield ok("no snapshot was written yet", str(path))
        return
    except (OSError, ValueError, LookupError, TypeError):
        shown = None
    if shown is not None and len(shown) == len(live_workers(patient.repository)):
        yield ok("the snapshot shows who works", str(path))
        return

    def write() -> str:
        return _rewrite(Coordination.open(patient.folder))

    yield note(
        "the snapshot of the workers is not what runs"
        if shown is not None
        else "the snapshot cannot be read",
        str(path),
        why="people and dashboards read it; nothing of ours does",
        mend=Mend("write the snapshots anew", write),
    )


def _rewrite(coordination: Coordination) -> str:
    from cortex_git.store.budget_ref import BudgetRef
    from cortex_git.store.daily import PublishedToday
    from cortex_git.workers.token_budget import write_document as write_budget

    repository = coordination.repository
    write_pool(repository, PublishedToday(repository).counts())
    write_budget(repository, BudgetRef(repository).last_seen())
    return "wrote the snapshots anew"
