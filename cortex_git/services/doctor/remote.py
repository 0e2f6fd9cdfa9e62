"""Checks of the remote itself: whether it answers, what it can do, where its refs are, what its clock says.

Owns what is asked of the remote as a whole. Trying it out makes refs of ours there and removes them again.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cortex_git.errors import CortexError
from cortex_git.gitio import Git, redact
from cortex_git.services.doctor.findings import Finding, NotLooked, many, named, note, ok, problem, warning
from cortex_git.services.doctor.patient import Patient
from cortex_git.store import layout, probing
from cortex_git.store.cloning import local_path
from cortex_git.store.probing import NAMESPACES

_SLOW_S = 5.0
SKEW_S = 120.0
"""Seconds by which clocks may differ without a word."""
_NOT_COMPARED = "no decision rests on two machines' wall clocks; only times shown to people are off"


def reachable(patient: Patient) -> Iterator[Finding]:
    """Whether the remote answers, and how quickly."""
    if patient.remote is None:
        yield ok("no remote: processes of this machine coordinate through the repository itself")
        return
    answer = patient.answer
    url = redact(patient.git.run("remote", "get-url", patient.remote, check=False).text.strip())
    if answer.problem is not None:
        yield problem(
            f"remote {patient.remote} does not answer: {answer.problem}",
            url,
            why="nothing can be claimed or published; results wait in the outbox meanwhile",
            do=f"git -C {patient.folder} ls-remote {patient.remote}",
        )
    elif answer.seconds > _SLOW_S:
        yield note(
            f"remote {patient.remote} took {answer.seconds:.1f} s to answer",
            url,
            why="workers claim ahead, and wait for it all the same when tasks are short",
            do="cortex-git bench latency --help",
        )
    else:
        yield ok(
            f"remote {patient.remote} answers in {answer.seconds:.2f} s, {many(len(answer.refs), 'ref')}", url
        )


def capabilities(patient: Patient) -> Iterator[Finding]:
    """Whether the remote can do what coordination needs, tried out."""
    remote, _ = patient.remote, patient.reached
    if remote is None:
        raise NotLooked("there is no remote")
    namespace = patient.settings.namespace
    if patient.tried is None:
        patient.say("trying out what the remote can do …")
        patient.tried = probing.report(patient.git, remote, patient.settings.branch, [namespace])
    found = patient.tried
    for one in found.missing:
        reason = f" ({one.reason})" if one.reason else ""
        yield problem(
            f"the remote does not {one.what}{reason}",
            f"{remote} {namespace}",
            why=f"needed because {one.why}",
            do="allow it there, or use another remote: see docs/remotes.md",
        )
    if found.usable:
        yield ok(f"the remote does all that is needed under {namespace} (protocol {found.protocol})", remote)


def namespaces(patient: Patient) -> Iterator[Finding]:
    """Refs in the namespace that is not in use: some host has other settings."""
    used = patient.settings.namespace
    refs = patient.git.refs() if patient.remote is None else patient.reached.refs
    other = [name for name in NAMESPACES if name != used]
    found = sorted(
        ref
        for ref in refs
        for space in other
        for kind in ("claims", "results", "hosts")
        if ref.startswith(f"{space}/{kind}/")
    )
    if not found:
        yield ok(f"all refs are under {used}")
        return
    yield warning(
        f"{many(len(found), 'ref')} outside of {used}, which these settings name",
        named(found),
        why="hosts with another `namespace` see neither our claims nor our results: tasks may run twice",
        do=f"give every host the same `namespace` in {layout.CONFIG}, then delete the other refs",
    )


def skew(patient: Patient) -> Iterator[Finding]:
    """The wall clock, against the remote's and other hosts'."""
    if patient.remote is not None and patient.reached.ahead_s is not None:
        ahead = patient.reached.ahead_s
        if abs(ahead) > SKEW_S:
            yield _off(f"this clock is {_spoken(ahead)} the remote's", str(patient.remote))
            return
        yield ok(f"the remote's clock and ours agree within {abs(ahead) + patient.reached.seconds:.0f} s")
        return
    found = list(_from_the_future(patient))
    for host, seconds in found[:3]:
        yield _off(f"what {host} wrote last is dated {seconds / 60:,.0f} minutes from now", host)
    if not found:
        yield ok("nothing that other hosts wrote lies in our future")


def _off(text: str, where: str) -> Finding:
    return note(text, where, why=_NOT_COMPARED, do="timedatectl status (or chronyc tracking) on both")


def _spoken(ahead: float) -> str:
    amount = f"{abs(ahead) / 60:,.0f} minutes"
    return f"{amount} behind" if ahead > 0 else f"{amount} ahead of"


def _from_the_future(patient: Patient) -> Iterator[tuple[str, float]]:
    """(host, seconds) for hosts whose newest sign of life or commit is dated later than now."""
    view, repository = patient.current, patient.repository
    limit = datetime.now(UTC) + timedelta(seconds=SKEW_S)
    bodies = repository.git.blobs(f"{oid}:{layout.HOST_FILE}" for oid in view.hosts.values())
    told: dict[str, datetime] = {}
    for host, oid in view.hosts.items():
        try:
            at = datetime.fromisoformat(json.loads(bodies[f"{oid}:{layout.HOST_FILE}"])["at"])
            told[host] = at.astimezone(UTC)
        except (LookupError, ValueError, TypeError, OverflowError):
            continue
    if view.results:
        arguments = ("log", "--no-walk", "--no-show-signature", "--format=%H %ct", "--stdin")
        out = repository.git.text(*arguments, stdin="\n".join(view.results.values()).encode())
        dates = dict(line.split(" ") for line in out.splitlines())
        for host, oid in view.results.items():
            if oid in dates:
                at = datetime.fromtimestamp(min(int(dates[oid]), 2**35), UTC)
                told[host] = max(told.get(host, at), at)
    for host, at in sorted(told.items()):
        if at > limit and host != patient.identity.host:
            yield host, (at - datetime.now(UTC)).total_seconds()


def intact(patient: Patient) -> Iterator[Finding]:
    """`git fsck` of this clone, and of the remote where it is a folder of this machine (with --deep)."""
    if not patient.deep:
        raise NotLooked("only with --deep")
    folders = {"this clone": patient.folder}
    if patient.remote is not None:
        path = local_path(patient.git.text("remote", "get-url", patient.remote))
        if path is not None and (patient.folder / path).is_dir():
            folders["the remote"] = (patient.folder / path).resolve()
    for what, folder in folders.items():
        patient.say(f"git fsck of {what} …")
        yield _checked(what, folder)


def _checked(what: str, folder: Path) -> Finding:
    try:
        done = Git(folder).run("fsck", "--no-dangling", "--no-progress", timeout=3600, check=False)
    except CortexError as error:
        raise NotLooked(error.message) from None
    if not done.status:
        return ok(f"every object of {what} is whole", str(folder))
    lines = [line for line in (done.text + "\n" + done.stderr).splitlines() if line.strip()]
    return problem(
        f"git fsck finds {many(len(lines), 'fault')} in {what}: {lines[0][:120] if lines else 'no word why'}",
        str(folder),
        why="objects that are damaged cannot be fetched or shown",
        do="copy the missing objects from another clone (git fetch), or clone it anew",
    )
