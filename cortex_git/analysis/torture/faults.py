"""The faults there are: their names, what each does, and where in a host's work each can strike.

Owns the names that `--faults` takes. How each is done is in `between`, `running` and `happenings`.
"""

from cortex_git.errors import BadInput

FAULTS: dict[str, str] = {
    "kill-worker": "a worker process is killed (SIGKILL) while it runs a task, or just after",
    "kill-command": "the command or pool is killed around a claim, re-check, fold, heartbeat, or a run's end",
    "kill-publisher": "whoever publishes is killed before, during or after its push",
    "lost-ack": "a push lands, and its sender sees an error",
    "lost-push": "a push never arrives, and its sender sees an error",
    "duplicate": "a push is sent twice; its sender sees the first answer or the second",
    "delay": "a push or a fetch arrives late, some after their sender was told that they failed",
    "remote-down": "the remote is away for all hosts, for a while",
    "refuse": "the remote's pre-receive hook refuses every push, for a while",
    "outsider": "somebody commits to the branch by hand, also while a fold is under way",
    "disk-full": "a clone's file system has no space left, for a while",
    "read-only": "a clone's file system cannot be written, for a while",
    "corrupt-lock": "the owner file of a clone's lock folder holds rubbish",
    "corrupt-claim": "an outsider pushes a claim that holds rubbish",
    "corrupt-state": "a clone's state.db is overwritten with rubbish between two of its commands",
    "clock": "a host's wall clock is wrong by up to an hour",
    "freeze": "all processes of a host are stopped for longer than its lease, and continued",
    "copy": "a clone is copied with its .git while it works, and the copy works on as well",
    "restart-host": "all processes of a host are killed at once, and its work is started anew",
}
"""Every fault, with what it does; the order is that of the report."""

SUSPICIOUS = frozenset(
    {
        "kill-worker", "kill-command", "kill-publisher", "disk-full", "read-only", "corrupt-state",
        "freeze", "copy", "restart-host",
    }
)  # fmt: skip
"""Those that may have a task run again; without any of them every task runs exactly once."""


def chosen(text: str) -> tuple[str, ...]:
    """The faults that `all`, `none` or a list with commas names, in the report's order. Raises BadInput."""
    names = {part.strip() for part in text.split(",")} - {""}
    if names in ({"all"}, {"none"}):
        return tuple(FAULTS) if names == {"all"} else ()
    known = f"use all, none or some of {', '.join(FAULTS)}"
    if not names:
        raise BadInput("--faults names no fault", known)
    if both := sorted(names & {"all", "none"}):
        raise BadInput(f"--faults takes {both[0]!r} alone, not with others", known)
    if unknown := sorted(names - set(FAULTS)):
        raise BadInput(f"no fault is called {unknown[0]!r}", known)
    return tuple(name for name in FAULTS if name in names)
