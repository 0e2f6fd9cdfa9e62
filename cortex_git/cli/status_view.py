"""What `status` shows on a terminal: the overview as one screen.

Owns layout only. Must never print what others chose unescaped, nor more lines than the screen has.
"""

from collections import Counter
from datetime import date, datetime

from rich.console import Console
from rich.text import Text

from cortex_git.analysis.utilization import Utilization
from cortex_git.cli.screen import LABEL, Section, fitted, terminal_size, word
from cortex_git.pages.text import counted
from cortex_git.services.overview import Budget, ClaimAge, Overview, Queue
from cortex_git.store.hosts import Host
from cortex_git.store.outcomes import Outcome
from cortex_git.workers.roster import LiveWorker, shown_type

_TYPES = 4
"""Worker types that the queue names."""
_LOUD = {"Alert": "bold red", "Offline": "bold yellow"}


def print_status(found: Overview) -> None:
    """The screen on stdout; one line less than the terminal has, for the prompt that follows."""
    width, height = terminal_size()
    console = Console(highlight=False, markup=False, width=width)
    for line in render(found, width, height - 1):
        console.print(line, soft_wrap=True)


def render(found: Overview, width: int, height: int) -> list[Text]:
    """The lines of the screen, each at most `width` cells."""
    lines = []
    for label, text in fitted(sections(found), width, height):
        # What was kept together in one line is apart again for whoever searches or copies it.
        plain = text.replace("\u00a0", " ")
        lines.append(Text.assemble((f"{label:<{LABEL}}", _LOUD.get(label, "bold")), plain))
        lines[-1].rstrip()
    return lines


def sections(found: Overview) -> list[Section]:
    """What is said, in the order of the screen."""
    remote = f"remote {word(found.remote)}" if found.remote else "no remote"
    shown = [Section("Host", f"{word(found.host)}, {remote}, {clock(found.at)}")]
    if found.problem:
        shown.append(Section("Offline", "the remote does not answer; what follows was seen before"))
    if found.alert:
        shown.append(Section("Alert", " ".join(map(word, found.alert.split(" ")))))
    shown += [
        Section("Queue", _queue(found.queue)),
        Section("Pool", _pool(found)),
        Section("Budget", _budget(found.budget)),
        Section("24 hours", _utilization(found.utilization)),
        Section("Workers", _workers(found.workers), [_worker(w) for w in _busy_first(found.workers)]),
        Section("Claims", _claims(found.claims), [_claim(c, found.host) for c in found.claims]),
        Section("Results", _results(found), [_outcome(o, found.host) for o in found.outcomes.last]),
        Section("Hosts", _hosts(found.hosts), [_host(h) for h in found.hosts]),
    ]
    return shown


def _queue(queue: Queue) -> str:
    if not queue.open:
        return "empty"
    priorities = ", ".join(f"{count}\u00a0{name}" for name, count in queue.by_priority.items() if count)
    kinds = [f"{count}\u00a0{word(kind)}" for kind, count in list(queue.by_type.items())[:_TYPES]]
    others = len(queue.by_type) - _TYPES
    if others > 0:
        kinds.append(f"and {others} more {'type' if others == 1 else 'types'}")
    return f"{queue.open:,} open, {queue.claimed:,} of them claimed; {priorities}; {', '.join(kinds)}"


def _pool(found: Overview) -> str:
    pool = found.pool
    if pool is None:
        return "none runs: `cortex-git pool start`"
    state = ", draining" if pool["draining"] else ""
    return (
        f"{pool['pid']}{state}: {counted(len(pool['workers']), 'worker')}, target {pool['target']}"
        f" ({pool['min']} to {pool['max']}), {word(pool['policy'])}"
    )


def _budget(budget: Budget) -> str:
    total = f" of {budget.total:,}" if budget.total is not None else ""
    level = "" if budget.level == "ok" else f"; {budget.level}"
    return f"{budget.used:,}{total} tokens used, {budget.held:,} held by running tasks{level}"


def _utilization(used: Utilization) -> str:
    if used.average_active is None:
        return "no pool ran"
    efficiency = "" if used.efficiency is None else f", efficiency {used.efficiency:.0%}"
    return (
        f"{used.average_active:.1f} active on average, {used.peak_active} at most{efficiency};"
        f" light {used.light or 0:.0%}, medium {used.medium or 0:.0%}, heavy {used.heavy or 0:.0%}"
        f" of {duration(used.covered_s)} with a pool"
    )


def _workers(workers: tuple[LiveWorker, ...]) -> str:
    if not workers:
        return "none"
    counts = Counter(worker.status for worker in workers)
    return f"{len(workers)}: " + ", ".join(f"{count} {status}" for status, count in counts.most_common())


def _busy_first(workers: tuple[LiveWorker, ...]) -> list[LiveWorker]:
    return sorted(workers, key=lambda worker: (worker.task is None, worker.worker))


def _worker(worker: LiveWorker) -> list[str]:
    words = [word(worker.worker), worker.status]
    if worker.task is not None:
        words += [word(worker.task), f"{worker.token_budget:,}\u00a0tokens"]
    elif shown_type(worker.worker, worker.type) not in worker.worker:
        words.append(word(shown_type(worker.worker, worker.type)))
    return words


def _claims(claims: tuple[ClaimAge, ...]) -> str:
    if not claims:
        return "none"
    counts = Counter(claim.state for claim in claims)
    return f"{len(claims)}: " + ", ".join(f"{count} {state}" for state, count in counts.most_common())


def _claim(claim: ClaimAge, host: str) -> list[str]:
    """Of another host's claim only the least age is known."""
    age = duration(claim.age_s) if claim.exact else f"≥{duration(claim.age_s)}"
    words = [word(claim.task), claim.state, age]
    if claim.started is not False or claim.state != "running":
        words.append(word(claim.worker))
    else:
        words.append("not\u00a0started")
    return words if claim.host == host else [*words, f"on\u00a0{word(claim.host)}"]


def _results(found: Overview) -> str:
    counts = found.outcomes.by_status
    if not counts and not found.waiting:
        return "none"
    parts = ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in counts.most_common())
    late = f", {found.fencing:,} of them came too late" if found.fencing else ""
    waiting = f"; {found.waiting:,} wait to be published{late}" if found.waiting else ""
    return f"{counts.total():,}: {parts}{waiting}" if counts else waiting.removeprefix("; ")


def _outcome(outcome: Outcome, host: str) -> list[str]:
    words = [word(outcome.task), outcome.status.replace("_", "\u00a0"), clock(outcome.completed_at, today())]
    words.append(word(outcome.worker))
    if outcome.tokens_used:
        words.append(f"{outcome.tokens_used:,}\u00a0tokens")
    return words if outcome.host == host else [*words, f"on\u00a0{word(outcome.host)}"]


def _hosts(hosts: tuple[Host, ...]) -> str:
    if not hosts:
        return "none has given a sign of life"
    silent = sum(host.silent for host in hosts)
    return f"{len(hosts)}, {silent} of them silent" if silent else f"{len(hosts)}"


def _host(host: Host) -> list[str]:
    """How many workers a silent host has nobody knows."""
    words = [word(host.host), "silent" if host.silent else f"{host.workers}\u00a0workers"]
    words.append(f"seen\u00a0{duration(host.seen_s)}\u00a0ago")
    return [*words, "(this\u00a0one)"] if host.own else words


def today() -> date:
    return datetime.now().astimezone().date()


def duration(seconds: float) -> str:
    """Seconds as a person says them: `12s`, `3m05s`, `2h10m`, `5d02h`."""
    whole = int(seconds)
    for unit, below, size in (("d", "h", 86400), ("h", "m", 3600), ("m", "s", 60)):
        if whole >= size:
            rest = whole % size // (size // 24 if unit == "d" else 60 if unit == "h" else 1)
            return f"{whole // size}{unit}{rest:02d}{below}"
    return f"{whole}s"


def clock(at: str, today: date | None = None) -> str:
    """A moment in local time to the second, without the date of `today`; what is no moment stays as it is."""
    try:
        moment = datetime.fromisoformat(at).astimezone()
    except (ValueError, OverflowError, OSError):
        return word(at)
    return f"{moment:%H:%M:%S}" if moment.date() == today else f"{moment:%Y-%m-%d\u00a0%H:%M:%S}"
