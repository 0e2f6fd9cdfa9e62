"""The words that go with an upgrade: the commit's message, the title and text of a change request.

Owns their form. Names and versions come from repositories and advisories, and are shown as code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cortex_git.scan.reports.escape import markdown_cell, markdown_code, visible

_MOST_SUBJECT = 100
_MOST_ROWS = 50


@dataclass(frozen=True, slots=True)
class Upgrade:
    """One package of one lockfile that was upgraded, or is vulnerable still for `reason`."""

    lockfile: str
    ecosystem: str
    package: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    advisories: tuple[str, ...]
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "lockfile": self.lockfile,
            "ecosystem": self.ecosystem,
            "package": self.package,
            "from": list(self.before),
            "to": list(self.after),
            "advisories": list(self.advisories),
        }
        return found | ({"reason": self.reason} if self.reason else {})


def subject(done: Sequence[Upgrade]) -> str:
    """One line: `Upgrade lodash to 4.17.21 (CVE-2021-23337)`."""
    ids = list(dict.fromkeys(name for one in done for name in one.advisories))
    packages = list(dict.fromkeys(one.package for one in done))
    if len(packages) == 1:
        versions = dict.fromkeys(v for one in done for v in new_ones(one.before, one.after))
        what = f"Upgrade {packages[0]} to {', '.join(versions)}" if versions else f"Drop {packages[0]}"
    else:
        what = f"Upgrade {len(packages)} vulnerable packages"
    named = f" ({', '.join(ids[:3])}{', …' if len(ids) > 3 else ''})"
    text = visible(what + named)
    return text if len(text) <= _MOST_SUBJECT else text[: _MOST_SUBJECT - 1] + "…"


def new_ones(before: Sequence[str], after: Sequence[str]) -> Sequence[str]:
    """What an upgrade brought: the versions that were not pinned before, else those that stayed."""
    return [version for version in after if version not in before] or after


def message(title: str, done: Sequence[Upgrade], task: str) -> str:
    """The commit's message."""
    lines = [visible(f"{one.lockfile}: {one.package} {_versions(one)}") for one in done[:_MOST_ROWS]]
    return "\n".join((title, "", *lines, "", f"Task: {task}"))


def body(done: Sequence[Upgrade], left: Sequence[Upgrade], tests: Sequence[dict[str, Any]]) -> str:
    """The text of a change request, in Markdown."""
    lines = ["| Package | From | To | Lockfile | Advisories |", "| --- | --- | --- | --- | --- |"]
    for one in done[:_MOST_ROWS]:
        after = ", ".join(one.after) or "gone"
        cells = (one.package, ", ".join(one.before), after, one.lockfile, ", ".join(one.advisories))
        lines.append("| " + " | ".join(map(markdown_cell, cells)) + " |")
    if len(done) > _MOST_ROWS:
        lines.append(f"\n{len(done) - _MOST_ROWS} more are in the commit.")
    if left:
        lines += ["", "Still vulnerable:", ""]
        lines += [
            f"- {markdown_code(one.package)} in {markdown_code(one.lockfile)}: {markdown_code(one.reason)}"
            for one in left[:_MOST_ROWS]
        ]
    lines += ["", *(_told(one) for one in tests)] if tests else ["", "No tests were run."]
    return "\n".join(lines) + "\n"


def _told(test: dict[str, Any]) -> str:
    ended = "ran out of time" if test["status"] is None else f"ended with status {test['status']}"
    return f"{markdown_code(test['command'])} {ended} after {test['seconds']:.0f} s."


def _versions(one: Upgrade) -> str:
    return f"{', '.join(one.before)} -> {', '.join(one.after) or 'gone'}"
