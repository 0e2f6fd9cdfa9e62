"""One attempt at fixing one repository: upgrade, read again, test, push the branch.

Owns the order, and what is kept of an upgrade that did not help: nothing. What was upgraded is published
although something else is vulnerable still; where the tests fail, its commit says that it is unfinished.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cortex_git.config import cache_folder, data_folder, load_host_settings
from cortex_git.errors import CortexError, EnvironmentProblem
from cortex_git.gitio import redact
from cortex_git.locating import private_folder
from cortex_git.runners import RunContext, RunOutcome
from cortex_git.runners.agent.checkout import Checkout
from cortex_git.runners.agent.commands import Commands, Ran
from cortex_git.runners.agent.confinement import Confined, Refused
from cortex_git.runners.bump.asked import Wanted, asked_of
from cortex_git.runners.bump.change_request import Upgrade, body, message, subject
from cortex_git.runners.bump.judging import Judge, State, highest
from cortex_git.runners.bump.manifests import PINNED_IN_TOML, asking, repin, repin_manifest
from cortex_git.runners.bump.tools import Need, tool_for
from cortex_git.runners.scan import open_database
from cortex_git.scan.lockfiles import kind_of
from cortex_git.state import monotonic

if TYPE_CHECKING:
    from cortex_git.scan.advisories.database import AdvisoryDatabase

_MARGIN_S = 30.0
"""Of an attempt's time, what is kept to push the work: this, or a tenth of it where that is less."""
_MOST_REASON = 300
_MOST_OUTPUT = 2000
_SHORTEST_HIDDEN = 8
"""Characters of a variable's value that is kept out of what is published; shorter ones stand everywhere."""
_NO_TOOL = "no tool upgrades it in this lockfile without a person; try --runner claude"


class Attempt:
    """Upgrades what one task asks for, in a work tree of its own."""

    def __init__(self, task: Mapping[str, Any], context: RunContext) -> None:
        self._task = task
        self._context = context
        margin = min(_MARGIN_S, context.deadline_s * 0.1)
        self._ends = monotonic() + context.deadline_s - margin
        named = context.options.get("variables") or ()
        self._variables = {name: os.environ[name] for name in named if name in os.environ}

    def outcome(self) -> RunOutcome:
        """What came of it. An error that another attempt may not meet asks for one."""
        try:
            asked = asked_of(self._task)
            with _database(self._context) as database:
                checkout = Checkout.open(self._task, self._context)
                try:
                    return self._in(checkout, Judge(asked, database))
                finally:
                    checkout.leave()
        except EnvironmentProblem as error:
            return RunOutcome("failed", error=str(error), retry=True)
        except CortexError as error:
            return RunOutcome("failed", error=str(error))

    def _in(self, checkout: Checkout, judge: Judge) -> RunOutcome:
        start = checkout.snapshot()
        before = judge.states(lambda path: checkout.read(start, path))
        if all(state.is_fixed for state in before.values()):
            return RunOutcome("completed", _output("clean"))
        programs = self._programs(checkout.folder)
        end, after, reasons = self._upgraded(checkout, judge, programs, start, before)
        rows = [_row(wanted, before[wanted], after[wanted], reasons) for wanted in judge.asked.wanted]
        done = [replace(row, reason="") for row in rows if row.before != row.after]
        left = [row for row in rows if row.reason]
        if end == start or not done:
            why = "; ".join(f"{one.package} in {one.lockfile}: {one.reason}" for one in left[:3])
            checkout.restore(start)
            return RunOutcome("failed", _output("unfixed", left=left), f"nothing was upgraded: {why}")
        return self._published(checkout, done, left, self._tested(programs))

    def _upgraded(
        self,
        checkout: Checkout,
        judge: Judge,
        programs: Commands,
        start: str,
        before: Mapping[Wanted, State],
    ) -> tuple[str, dict[Wanted, State], dict[Wanted, str]]:
        """Upgrade one package after another: the tree then, what it pins, and why one could not be.

        What did not help is taken back.
        """
        reasons: dict[Wanted, str] = {}
        good, states = start, dict(before)
        for wanted in before:
            state = states[wanted]
            if state.is_fixed:
                continue
            if monotonic() >= self._ends:
                reasons[wanted] = "there was no time left for it"
                continue
            problem = self._upgrade(checkout, programs, wanted, state, good)
            tree = checkout.snapshot()
            changed = checkout.changed(good, tree)
            now = states | judge.states(lambda path, tree=tree: checkout.read(tree, path), changed)  # type: ignore[misc]
            if problem is None and not now[wanted].is_fixed:
                problem = now[wanted].problem or _stayed(wanted, now[wanted])
            if any(one != wanted and was.is_fixed and not now[one].is_fixed for one, was in states.items()):
                problem = "its upgrade makes another package vulnerable"
            elif problem is None or now[wanted].improves(state):
                good, states = tree, now
            if problem is not None:
                reasons[wanted] = problem
                checkout.restore(good)
        return good, states, reasons

    def _upgrade(
        self, checkout: Checkout, programs: Commands, wanted: Wanted, state: State, tree: str
    ) -> str | None:
        """Change the lockfile, with what has to change beside it; why that did not go, or None."""
        if state.problem is not None:
            return state.problem
        fixes = {version: fix for version, fix in state.vulnerable.items() if fix is not None}
        target = highest(wanted.ecosystem, list(fixes.values()))
        if target is None:
            return "no fixed version was published"
        try:
            if kind_of(wanted.lockfile) == "requirements":
                return repin(Confined(checkout.folder), wanted, fixes)
            content = checkout.read(tree, wanted.lockfile) or b""
            tool = tool_for(wanted.lockfile, content)
            if tool is None:
                return _NO_TOOL
            folder = wanted.lockfile.rpartition("/")[0]
            manifest = checkout.read(tree, f"{folder}/package.json" if folder else "package.json")
            need = Need(
                wanted.package, fixes, target, asking(wanted.package, manifest, content), state.direct
            )
            if kind_of(wanted.lockfile) in PINNED_IN_TOML:
                repin_manifest(Confined(checkout.folder), folder, wanted, fixes)
            for words in tool.commands(need):
                ran = programs.run(words, self._left(), below=folder, variables=tool.variables)
                if ran.status != 0:
                    return self._failed(words, ran)
        except Refused as refusal:
            return str(refusal)
        return None

    def _failed(self, words: Sequence[str], ran: Ran) -> str:
        said = self._said(ran).strip().splitlines()
        telling = [line for line in said if "ERR" in line or "error" in line.lower()] or said
        ended = "took too long" if ran.status is None else f"ended with status {ran.status}"
        return f"`{' '.join(words[:3])} …` {ended}" + (f": {telling[0].strip()}" if telling else "")

    def _said(self, ran: Ran) -> str:
        """A program's output without the values of this host's variables, as results are published."""
        text = ran.output.decode("utf-8", "replace")
        for name, value in self._variables.items():
            if len(value) >= _SHORTEST_HIDDEN:
                text = text.replace(value, f"${name}")
        return redact(text)

    def _tested(self, programs: Commands) -> list[dict[str, Any]]:
        """Run the person's tests, until one fails."""
        tests: list[dict[str, Any]] = []
        for words in self._context.options.get("tests") or ():
            try:
                ran = programs.run(list(words), self._left())
            except Refused as refusal:
                tests.append(
                    {"command": shlex.join(words), "status": 127, "seconds": 0.0, "output": str(refusal)}
                )
                break
            tests.append(
                {
                    "command": shlex.join(words),
                    "status": ran.status,
                    "seconds": round(ran.seconds, 3),
                    "output": self._said(ran)[-_MOST_OUTPUT:],
                }
            )
            if ran.status != 0:
                break
        return tests

    def _published(
        self,
        checkout: Checkout,
        done: Sequence[Upgrade],
        left: Sequence[Upgrade],
        tests: list[dict[str, Any]],
    ) -> RunOutcome:
        title, passed = subject(done), all(test["status"] == 0 for test in tests)
        status = "tests_failed" if not passed else "partly" if left else "fixed"
        output = _output(status, done=done, left=left, tests=tests)
        output["change_request"] = {"title": title, "body": body(done, left, tests)}
        self._context.so_far.update(output)
        first = title if passed else f"Unfinished: {title}"
        try:
            published = checkout.publish(message(first, done, str(self._task["task"])))
        except CortexError as error:
            why = f"the upgrade could not be pushed and stays in its work tree: {error}"
            return RunOutcome("failed", output, why)
        if published is not None:
            output |= {
                "branch": published.branch,
                "commit": published.commit,
                "diffstat": published.diffstat,
            }
        if passed:
            return RunOutcome("completed", output)
        return RunOutcome("failed", output, f"`{tests[-1]['command']}` failed after the upgrade")

    def _programs(self, folder: Path) -> Commands:
        """Package managers reach their registries; variables of this host's person say which those are."""
        own = private_folder(Path(self._context.folder)) if self._context.folder else None
        private = (own,) if own is not None else ()
        return Commands(folder, private, network=True, variables=self._variables)

    def _left(self) -> float:
        longest = load_host_settings().agents.command_timeout_s
        return max(1.0, min(longest, self._ends - monotonic()))


def _database(context: RunContext) -> "AdvisoryDatabase":
    """The advisories that judge: those the campaign was started with, else this host's."""
    own = {"data_dir": str(data_folder()), "cache_dir": str(cache_folder())}
    return open_database({**own, **context.options})


def _row(wanted: Wanted, before: State, after: State, reasons: Mapping[Wanted, str]) -> Upgrade:
    reason = ""
    if not after.is_fixed:
        reason = reasons.get(wanted) or after.problem or _stayed(wanted, after)
    what = (wanted.lockfile, wanted.ecosystem, wanted.package)
    return Upgrade(*what, before.pinned, after.pinned, wanted.advisories, reason[:_MOST_REASON])


def _stayed(wanted: Wanted, state: State) -> str:
    pinned = ", ".join(state.vulnerable)
    who = ", ".join(wanted.via) or "what asks for it"
    fixes = ", ".join(dict.fromkeys(fix for fix in state.vulnerable.values() if fix)) or "another version"
    return f"it stayed at {pinned}: {who} may not allow {fixes}"


def _output(
    status: str,
    *,
    done: Sequence[Upgrade] = (),
    left: Sequence[Upgrade] = (),
    tests: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    return {
        "status": status,
        "upgrades": [one.to_json() for one in done],
        "left": [one.to_json() for one in left],
        "tests": list(tests),
    }
