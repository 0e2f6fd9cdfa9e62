"""What the remote holds after a torture, against what it must hold.

Reads the remote alone, and of runs the log that the trial runner kept. Knows nothing of which faults there
were beyond what `expectations` says.
"""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from cortex_git.gitio import Git

_RESULT = re.compile(r"^coordination/results/(?P<batch>[^/]+)/(?:[0-9a-f]{2}/)?(?P<task>[^/]+)\.json$")
_NOT_TASKS = frozenset({"summary"})
_MADE_BY_TAKERS = frozenset({"failed", "cancelled"})


@dataclass
class Findings:
    """What was found; lists are empty and `unsound` is too when all is well."""

    tasks: int = 0
    results: int = 0
    lost: list[str] = field(default_factory=list)
    """Tasks without a result."""
    duplicates: dict[str, str] = field(default_factory=dict)
    """Tasks with two results, and how they differ."""
    unclaimed: dict[str, str] = field(default_factory=dict)
    """Tasks whose result has a nonce that no claim on the remote ever had."""
    unfolded: list[str] = field(default_factory=list)
    """Tasks whose result is not on the branch after the last fold."""
    claims_left: list[str] = field(default_factory=list)
    """Finished tasks that still have a claim, unexplained."""
    claims_explained: dict[str, str] = field(default_factory=dict)
    falsely_fenced: list[str] = field(default_factory=list)
    """Tasks with a fenced result that was published, too."""
    double_runs: dict[str, str] = field(default_factory=dict)
    """Tasks of which one claim, or one epoch and attempt, was run twice."""
    forgotten: list[str] = field(default_factory=list)
    """Result commits that the remote acknowledged, and that no result ref nor the branch holds now."""
    unsound: list[str] = field(default_factory=list)
    """What `git fsck --strict` says."""
    fenced: int = 0
    takeovers: int = 0
    runs: Counter[str] = field(default_factory=Counter)
    """How often each task was run."""
    runs_again: dict[str, str] = field(default_factory=dict)
    """Tasks run more often than failed attempts explain; a problem where nobody could be suspected."""
    without_run: dict[str, str] = field(default_factory=dict)
    """Tasks that were finished without a run, and as what: given up or cancelled by a taker."""
    unrun: dict[str, str] = field(default_factory=dict)
    """Tasks with a result of a run that nobody saw."""

    def problems(self) -> dict[str, str]:
        """What is wrong, by task; `repository` for what is no task's."""
        found: dict[str, list[str]] = defaultdict(list)
        for what, tasks in (
            ("no result: lost", self.lost),
            ("its result is not on the branch", self.unfolded),
            ("finished, and its claim is still there", self.claims_left),
            ("kept as fenced, and published", self.falsely_fenced),
        ):
            for task in tasks:
                found[task].append(what)
        for named in (self.duplicates, self.unclaimed, self.double_runs, self.unrun):
            for task, what in named.items():
                found[task].append(what)
        if self.unsound:
            found["repository"].append(f"git fsck: {'; '.join(self.unsound[:5])}")
        if self.forgotten:
            found["repository"].append(f"acknowledged, and gone: {', '.join(self.forgotten[:5])}")
        return {task: "; ".join(texts) for task, texts in found.items()}


def check(
    remote: Path,
    tasks: Sequence[str],
    runs: Iterable[Mapping[str, Any]] = (),
    *,
    acknowledged: Collection[str] = (),
    fails: Mapping[str, int] | None = None,
    lease_s: float = math.inf,
    branch: str = "main",
) -> Findings:
    """Check a bare repository that the `tasks` were worked on through, after the last fold.

    `acknowledged` are tips of result refs whose push the remote said yes to. `fails` says of tasks how many
    attempts fail as they are told to. A run more than `lease_s` seconds after the one before it is no problem
    of its own: the machine may have been that slow.
    """
    git = Git(remote)
    found = Findings(tasks=len(tasks))
    published = _published(git, branch)
    claims = _claims(git)
    nonces = {record["nonce"] for record in claims.values()}
    refs = git.refs("refs/cortex/")
    on_branch = {task for task, *_ in _listing(git, f"refs/heads/{branch}")}
    found.results = sum(task in published for task in tasks)
    found.lost = [task for task in tasks if task not in published]
    found.unfolded = [task for task in tasks if task in published and task not in on_branch]
    by_nonce: dict[str, str] = {}
    finished_as: dict[str, str] = {}
    for task, versions in published.items():
        records = _check_result(git, task, versions, nonces, found)
        by_nonce |= {str(record.get("nonce")): task for record in records}
        finished_as[task] = next((str(record.get("status")) for record in records), "")
    fenced = [ref.split("/")[-2:] for ref in refs if "/fenced/" in ref]
    found.fenced = len(fenced)
    found.falsely_fenced = sorted({task for task, nonce in fenced if by_nonce.get(nonce) == task})
    found.takeovers = len({(r["task"], r["epoch"]) for r in claims.values() if r["epoch"] > 1})
    for ref, oid in refs.items():
        if "/claims/" in ref and (task := ref.rpartition("/")[2]) in published:
            _check_claim(task, claims.get(oid), by_nonce, found)
    logged = list(runs)
    _check_runs(logged, tasks, found)
    found.runs_again = _runs_again(logged, fails or {}, lease_s)
    if logged:
        _check_without_run([task for task in tasks if task in published], finished_as, found)
    if acknowledged:
        held = set(git.text("rev-list", "--glob=refs/cortex/results", f"refs/heads/{branch}").split())
        found.forgotten = sorted(set(acknowledged) - held)
    found.unsound = _fsck(git)
    return found


@dataclass(frozen=True, slots=True)
class _Version:
    """One way in which a task's result is there."""

    path: str
    blob: str
    commit: str


def _published(git: Git, branch: str) -> dict[str, set[_Version]]:
    """Every result on any result ref or on the branch: by the commit that added it, and by tip."""
    found: dict[str, set[_Version]] = defaultdict(set)
    history = git.text(
        "log", "--format=commit %H", "--raw", "--no-abbrev", "--no-renames", "--no-merges",
        "--diff-filter=AM", "--root", "--glob=refs/cortex/results", f"refs/heads/{branch}",
        "--", "coordination/results",
    )  # fmt: skip
    commit = ""
    for line in history.splitlines():
        if line.startswith("commit "):
            commit = line.split()[1]
        elif line.startswith(":"):
            fields, path = line.split("\t", 1)
            if (task := _task_of(path)) is not None:
                found[task].add(_Version(path, fields.split()[3], commit))
    tips = [*git.refs("refs/cortex/results"), f"refs/heads/{branch}"]
    for tip in tips:
        for task, path, blob in _listing(git, tip):
            if not any((v.path, v.blob) == (path, blob) for v in found[task]):
                found[task].add(_Version(path, blob, tip))
    return dict(found)


def _listing(git: Git, tip: str) -> list[tuple[str, str, str]]:
    """Task, path and blob of every result at `tip`."""
    done = git.run("ls-tree", "-r", tip, "coordination/results/", check=False)
    found: list[tuple[str, str, str]] = []
    for line in done.text.splitlines():
        fields, _, path = line.partition("\t")
        if (task := _task_of(path)) is not None:
            found.append((task, path, fields.split()[2]))
    return found


def _task_of(path: str) -> str | None:
    match = _RESULT.match(path)
    return match["task"] if match and match["task"] not in _NOT_TASKS else None


def _claims(git: Git) -> dict[str, dict[str, Any]]:
    """Every claim that was ever pushed, by commit: its record. Deleted ones are objects still."""
    listing = git.text(
        "cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname) %(objecttype)"
    )
    commits = [line.split()[0] for line in listing.splitlines() if line.endswith(" commit")]
    found: dict[str, dict[str, Any]] = {}
    for name, body in git.blobs(f"{commit}:claim.json" for commit in commits).items():
        try:
            record = json.loads(body)
            if {"task", "nonce", "epoch", "attempt"} <= record.keys():
                found[name.partition(":")[0]] = record
        except (ValueError, AttributeError):
            continue  # rubbish that an outsider pushed
    return found


def _check_result(
    git: Git, task: str, versions: set[_Version], nonces: set[str], found: Findings
) -> list[dict[str, Any]]:
    """Its records, and what is wrong with a task's result."""
    records: dict[str, dict[str, Any]] = {}
    for blob, body in git.blobs(sorted({version.blob for version in versions})).items():
        try:
            records[blob] = json.loads(body)
        except ValueError:
            found.duplicates[task] = f"result {blob[:12]} is no JSON"
    counted = {
        "nonces": sorted(str(record.get("nonce")) for record in records.values()),
        "paths": sorted({version.path for version in versions}),
        "commits": sorted({version.commit[:12] for version in versions}),
    }
    for what, values in counted.items():
        if len(values) > 1:
            found.duplicates[task] = f"duplicate: {len(values)} {what}: {', '.join(values)}"
            break
    own = [str(record.get("nonce")) for record in records.values()]
    if strange := [nonce for nonce in own if nonce not in nonces]:
        found.unclaimed[task] = f"published with nonce {strange[0]}, which no claim had"
    return list(records.values())


def _check_claim(
    task: str, record: dict[str, Any] | None, by_nonce: Mapping[str, str], found: Findings
) -> None:
    """A claim beside the task's result: explained where a publish was cut in two on the remote's side."""
    if record is None:
        found.claims_explained[task] = "rubbish of an outsider"
    elif by_nonce.get(record["nonce"]) == task:
        found.claims_explained[task] = "the remote was killed in the midst of its publish"
    else:
        found.claims_left.append(task)


def _check_runs(runs: Iterable[Mapping[str, Any]], tasks: Sequence[str], found: Findings) -> None:
    """At most one run for each claim, and for each (task, epoch, attempt). Only `tasks` are counted."""
    counted = set(tasks)
    nonces: Counter[tuple[str, str]] = Counter()
    turns: Counter[tuple[str, int, int]] = Counter()
    for run in runs:
        task = run["task"]
        found.runs[task] += task in counted
        nonces[task, run["nonce"]] += 1
        turns[task, run["epoch"], run["attempt"]] += 1
    for (task, epoch, attempt), count in turns.items():
        if count > 1:
            found.double_runs[task] = f"run {count} times at epoch {epoch}, attempt {attempt}"
    for (task, nonce), count in nonces.items():
        if count > 1:
            found.double_runs[task] = f"run {count} times under one claim, nonce {nonce}"


def _runs_again(
    runs: Sequence[Mapping[str, Any]], fails: Mapping[str, int], lease_s: float
) -> dict[str, str]:
    """Tasks with more runs, each less than a lease after the one before, than their failures explain."""
    times: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        times[run["task"]].append(float(run.get("t", 0.0)))
    found: dict[str, str] = {}
    for task, at in times.items():
        at.sort()
        soon = 1 + sum(later - earlier < lease_s for earlier, later in pairwise(at))
        if soon > 1 + fails.get(task, 0):
            found[task] = f"run {len(at)} times, and no fault struck that lets a host be suspected"
    return found


def _check_without_run(finished: Iterable[str], finished_as: Mapping[str, str], found: Findings) -> None:
    """A result without a run is one that a taker made: of a task cancelled, or out of attempts."""
    for task in finished:
        if found.runs[task]:
            continue
        if finished_as[task] in _MADE_BY_TAKERS:
            found.without_run[task] = finished_as[task]
        else:
            found.unrun[task] = f"{finished_as[task] or 'finished'}, and no run of it was logged"


def _fsck(git: Git) -> list[str]:
    done = git.run("fsck", "--strict", "--no-dangling", "--no-progress", check=False, timeout=600)
    return (
        [line for line in (*done.text.splitlines(), *done.stderr.splitlines()) if line]
        if done.status or done.text.strip()
        else []
    )
