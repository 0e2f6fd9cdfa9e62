"""The model: what is promised holds in the small cases, and breaks without each part of the protocol."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from cortex_git.analysis.model.cases import CASES
from cortex_git.analysis.model.exploring import explore
from cortex_git.analysis.model.parts import PARTS
from cortex_git.analysis.model.promises import PROMISES
from cortex_git.analysis.model.steps import successors
from cortex_git.analysis.model.telling import lines
from cortex_git.analysis.model.world import Case

BY_NAME = {case.name: case for case in CASES}
LONG = {"everything", "late copies", "silence", "cancels"}
"""Cases that only the command explores, to keep this file short."""
BROKEN = {
    "empty-lease": ("calm", "one-run", 6),
    "recheck": ("calm", "one-run", 5),
    "fresh-fetch": ("processes", "one-run", 9),
    "claim-lease": ("suspicion", "one-result", 9),
    "own-lease": ("copies", "kept", 9),
    "claim-nonce": ("answers", "one-run", 7),
    "publish-nonce": ("copies", "not-fenced", 7),
    "ref-order": ("readers", "kept", 10),
    "tombstones": ("branch", "archived", 13),
    "epoch": ("suspicion", "one-run", 7),
    "cancelled": ("retries", "cancelled", 5),
    "late-claims": ("answers", "ends", 3),
    "given-back": ("stopping", "one-run", 9),
}
"""Without which part which case breaks which promise, and in how many steps."""
TWO_RESULTS = {
    ("recheck", "calm"): 6,
    ("claim-lease", "suspicion"): 9,
    ("ref-order", "readers"): 13,
    ("fresh-fetch", "processes"): 10,
    ("own-lease", "copies"): 13,
}


@pytest.mark.parametrize("name", [case.name for case in CASES if case.name not in LONG])
def test_every_promise_holds_in_every_state(name: str) -> None:
    found = explore(BY_NAME[name])
    assert (found.wrong, found.whole) == (None, True), "\n".join(lines(found.case, found.history))
    assert found.states > 20


def test_every_part_is_tried() -> None:
    assert set(BROKEN) == set(PARTS)


@pytest.mark.parametrize("part", BROKEN)
def test_without_a_part_a_promise_breaks(part: str) -> None:
    name, promise, length = BROKEN[part]
    found = explore(replace(BY_NAME[name], without=frozenset({part})))
    assert found.wrong is not None
    assert (found.wrong.promise, len(found.history)) == (promise, length)


@pytest.mark.parametrize(("part", "name"), TWO_RESULTS, ids=[part for part, _ in TWO_RESULTS])
def test_without_a_part_a_task_gets_two_results(part: str, name: str) -> None:
    found = explore(replace(BY_NAME[name], without=frozenset({part})), promises=["one-result"])
    assert len(found.history) == TWO_RESULTS[part, name]
    last = list(lines(found.case, found.history))[-1]
    assert " publishes what waits (" in last


@pytest.mark.parametrize("part", BROKEN)
def test_a_history_is_one_that_the_model_can_take(part: str) -> None:
    """Step by step from the beginning, and only the last step, or none where a task cannot end, is wrong."""
    name, promise, _ = BROKEN[part]
    case = replace(BY_NAME[name], without=frozenset({part}))
    history = explore(case).history
    state = case.first
    for number, step in enumerate(history, 1):
        taken = next(one for one in successors(case, state) if one.step == step)
        broken = taken.wrong.promise if taken.wrong else None
        assert broken == (promise if number == len(history) and promise != "ends" else None)
        state = taken.state


def test_one_host_alone_has_few_states() -> None:
    """Claim, check, run and publish; between them and after them the host may look."""
    found = explore(Case("alone", hosts=1))
    assert (found.states, found.depth) == (6, 5)


def test_a_search_that_was_cut_short_says_so() -> None:
    found = explore(BY_NAME["calm"], most=1000)
    assert (found.wrong, found.whole) == (None, False)


@pytest.mark.parametrize("hosts", [1, 2])
def test_after_a_crash_work_goes_on_by_whoever_is_left(hosts: int) -> None:
    """The process of a host that is alone is started again; else nobody waits for that."""
    assert explore(Case("crash", hosts=hosts, crashes=1)).wrong is None


def test_ctrl_c_ends_the_command() -> None:
    command = [sys.executable, "-m", "cortex_git", "model", "--case", "everything"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    assert child.stderr.readline().startswith("everything")
    os.kill(child.pid, signal.SIGINT)
    out, errors = child.communicate(timeout=30)
    assert (child.returncode, out) == (130, "")
    assert "Traceback" not in errors


def test_all_promises_have_a_part_that_they_rest_on() -> None:
    assert {promise for _, promise, _ in BROKEN.values()} == set(PROMISES)
