"""`cortex-git model`: what it prints and how it ends."""

from collections.abc import Callable
from typing import Any

from command_line import Command

from cortex_git.analysis.model.parts import PARTS
from cortex_git.analysis.model.promises import PROMISES


def test_promises_that_hold_are_said(cortex: Command) -> None:
    done = cortex("model", "--case", "suspicion", "--case", "readers")
    assert done.code == 0
    assert done.out.count("held") == 2
    for name, text in PROMISES.items():
        assert f"  {name}: {text}\n" in done.out
    assert done.err.splitlines()[0] == "suspicion: a living host is taken for dead"


def test_a_broken_promise_comes_with_its_history(
    cortex: Command, conforms: Callable[[Any, str], None]
) -> None:
    done = cortex("model", "--case", "suspicion", "--without", "claim-lease")
    assert done.code == 1
    lines = done.out.splitlines()
    assert "one-result is broken" in lines[1]
    assert lines[-9] == "   1. A claims T1 (epoch 1, attempt 1)"
    assert lines[-1] == "   9. B publishes what waits (T1)"
    told = cortex("model", "--case", "suspicion", "--without", "claim-lease", "--format", "json")
    assert told.code == 1
    conforms(told.json(), "model")
    assert told.json()["cases"][-1]["history"] == [line[6:] for line in lines[-9:]]


def test_a_case_of_ones_own(cortex: Command, conforms: Callable[[Any, str], None]) -> None:
    done = cortex("model", "--hosts", "3", "--suspicions", "1", "--promise", "one-result", "--format", "json")
    assert done.code == 0
    conforms(done.json(), "model")
    (case,) = done.json()["cases"]
    assert (done.json()["promises"], case["case"], case["whole"]) == (["one-result"], "own", True)


def test_a_case_that_is_too_large_is_given_up(cortex: Command) -> None:
    done = cortex("model", "--hosts", "3", "--tasks", "2", "--most", "1000")
    assert done.code == 1
    assert "given up: too many states" in done.out


def test_what_is_not_there_is_said(cortex: Command) -> None:
    assert (
        cortex("model", "--without", "luck").error(2).startswith("no part is called 'luck': they are: empty-")
    )
    assert cortex("model", "--case", "luck").error(2).startswith("no case is called 'luck'")
    assert cortex("model", "--promise", "luck").error(2).startswith("no promise is called 'luck'")


def test_the_help_names_every_part_and_promise(cortex: Command) -> None:
    words = "".join(cortex("model", "--help").out.split())
    for name in (*PARTS, *PROMISES):
        assert name in words
