"""What is fuzzed: each target reads bytes as one parser of outside data does, and checks what must hold.

A target returns where all is well, whatever the bytes, and raises where it is not: an error that is none of
ours, a value that cannot be written and read again, a password that got through. The hypothesis tests beside
this package and `scripts/fuzz.py` run the same targets.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

from cortex_git.scan.reports.escape import terminal

FAMILIES = ("documents", "lockfiles", "protocol", "scanning", "submissions", "words")
"""The modules that hold targets."""


class Target(NamedTuple):
    """One parser: `check` raises for a fault; `seeds` are valid inputs to begin with."""

    check: Callable[[bytes], None]
    seeds: Sequence[bytes]


def targets_of(family: str) -> dict[str, Target]:
    """The targets of one family, by name."""
    found: dict[str, Target] = import_module(f"{__name__}.{family}").TARGETS
    return found


def all_targets() -> dict[str, Target]:
    """Every target, by name."""
    return {name: target for family in FAMILIES for name, target in targets_of(family).items()}


def assert_one_line(error: Exception) -> None:
    """What a person is told of an error is one line, of a length that can be read."""
    shown = terminal(str(error))
    assert shown.isprintable(), shown
    assert len(str(error)) < 5000, "an error that is a page long"
