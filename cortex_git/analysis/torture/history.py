"""What led to a failure: the merged events of the hosts, in the order of the machine's monotonic clock.

Owns reading the logs of a torture. A line that a full disk or a kill cut short is passed over.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cortex_git.analysis.torture.world import World

_MOST_LINES = 60
_OF_HOSTS = frozenset({"fault", "missed", "continued", "ended", "command", "recovered"})
Event = Mapping[str, Any]


def read(path: Path) -> Iterator[Event]:
    """The objects of a log, one a line."""
    if not path.exists():
        return
    for line in path.read_text(errors="replace").splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value


def events(world: World) -> list[Event]:
    """Everything that was logged, in order."""
    paths = [world.events, world.runs, *sorted((world.folder / "control").glob("*/log.jsonl"))]
    return sorted((event for path in paths for event in read(path)), key=lambda event: float(event["t"]))


def injected(found: list[Event]) -> Counter[str]:
    """How often each fault was really done."""
    return Counter(event["fault"] for event in found if event["event"] == "fault")


def missed(found: list[Event]) -> int:
    """How often a fault waited for another host's work in vain."""
    return sum(event["event"] == "missed" for event in found)


def acknowledged(found: list[Event]) -> set[str]:
    """Where result refs stand by pushes that the remote said yes to."""
    yes = {_call(event) for event in found if event["event"] == "answer" and event["status"] == 0}
    calls = (event for event in found if event["event"] == "call" and event["kind"] == "publish")
    return {
        new
        for event in calls
        if _call(event) in yes
        for ref, new in event["updates"].items()
        if "/results/" in ref
    }


def _call(event: Event) -> tuple[object, ...]:
    """What tells a call of git from all others."""
    return event["host"], event.get("pid"), event.get("kind"), event.get("n")


def of_task(task: str, found: list[Event]) -> list[str]:
    """The lines that tell what happened to a task, and what its hosts suffered meanwhile."""
    own = [event for event in found if _names(event, task)]
    hosts = {event["host"] for event in own} | {"all"}
    calls = {_call(event) for event in own}
    its = {
        id(event)
        for event in found
        if _names(event, task) or (event["event"] in ("answer", "late") and _call(event) in calls)
    }
    around = [event for event in found if event["event"] in _OF_HOSTS and event["host"] in hosts]
    # Of too many, those of its hosts are left out that are farthest from what happened to it.
    times = [float(event["t"]) for event in own]
    around.sort(key=lambda event: min((abs(float(event["t"]) - t) for t in times), default=0.0))
    room = max(_MOST_LINES - len(its), _MOST_LINES // 4)
    near = {id(event) for event in [event for event in around if id(event) not in its][:room]}
    picked = [event for event in found if id(event) in its or id(event) in near]
    began = float(found[0]["t"]) if found else 0.0
    left_out = len({id(event) for event in around} - its - near)
    lines = [_told(event, task, began) for event in picked]
    if len(lines) > 2 * _MOST_LINES:
        skipped = len(lines) - 2 * _MOST_LINES
        lines = [*lines[:_MOST_LINES], f"({skipped} lines in between)", *lines[-_MOST_LINES:]]
    return [*lines, f"({left_out} more events of these hosts, farther away)"] if left_out else lines


def _names(event: Event, task: str) -> bool:
    if event.get("task") == task or task in event.get("tasks", ()):
        return True
    return any(ref.endswith(f"/claims/{task}") for ref in event.get("updates", ()))


def _told(event: Event, task: str, began: float) -> str:
    head = f"{float(event['t']) - began:9.3f} {event['host']:<9} {event['event']:<9}"
    match event["event"]:
        case "run" | "ran":
            about = f"nonce {event['nonce'][:8]}, epoch {event['epoch']}, attempt {event['attempt']}"
            return f"{head} {about}, pid {event['pid']}"
        case "fault":
            where = f"{event.get('kind', '')} {event.get('n', '')}".rstrip()
            return f"{head} {event['fault']} ({event.get('how', '')}) at {where}"
        case "call":
            updates = {
                ref: new for ref, new in event.get("updates", {}).items() if task in ref or "/results/" in ref
            }
            sent = ", ".join(
                f"{ref.removeprefix('refs/')} -> {new[:10] or 'deleted'}" for ref, new in updates.items()
            )
            return f"{head} {event['kind']} {event['n']}: {sent}"
        case "answer" | "late":
            lines = [line for line in event.get("answer", []) if task in line or "/results/" in line]
            text = "; ".join(" ".join(line.split()) for line in lines)
            about = f"{event['kind']} {event['n']}: status {event['status']}"
            return f"{head} {about} {text} {' '.join(event.get('error', '').split())}".rstrip()
        case "ended":
            return f"{head} {' '.join(event['arguments'])}: code {event['code']} {event['said']}"
        case "command":
            return f"{head} {' '.join(event['arguments'])}, pid {event['pid']}"
    return head
