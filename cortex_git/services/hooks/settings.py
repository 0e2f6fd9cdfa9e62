"""What a person set for the hooks, in git's own configuration: never in a file that a push brings.

Owns the names and what they may be.
"""

from dataclasses import dataclass
from typing import Literal

from cortex_git.errors import BadInput
from cortex_git.gitio import Git
from cortex_git.scan.records import SEVERITIES, NotScanned, Severity

SECTION = "cortex-git"
DEFAULT_FAIL_ON: Severity = "high"
NEVER = "never"


@dataclass(frozen=True, slots=True)
class HookSettings:
    """The `cortex-git.*` settings of one repository."""

    fail_on: Severity | None = DEFAULT_FAIL_ON
    """The least severity that stops a push (`cortex-git.failOn`); None for `never`."""
    incomplete: Literal["allow", "block"] = "allow"
    """Whether what could not be looked at stops a push or a commit (`cortex-git.incomplete`)."""
    ignore_file: str | None = None
    """The ignore file for findings (`cortex-git.ignoreFile`), from the top of the work tree."""
    exclude: tuple[str, ...] = ()
    """Globs of paths that the guard of commits passes over (`cortex-git.guardExclude`, any number)."""
    wrong: tuple[NotScanned, ...] = ()
    """What is set for a push and means nothing: the default counts, and nobody looked as was asked."""

    @property
    def stopping(self) -> tuple[Severity, ...]:
        """The severities that stop a push."""
        return () if self.fail_on is None else SEVERITIES[: SEVERITIES.index(self.fail_on) + 1]


def read_settings(git: Git) -> HookSettings:
    """The settings of a repository.

    Raises BadInput where `incomplete` means nothing: whether that may stop anything is what it would say.
    """
    done = git.run("config", "--null", "--get-regexp", rf"^{SECTION}\.", check=False)
    found: dict[str, list[str]] = {}
    for entry in done.stdout.decode("utf-8", "surrogateescape").split("\0"):
        name, _, value = entry.partition("\n")
        found.setdefault(name.lower().removeprefix(f"{SECTION}."), []).append(value)
    wrong: tuple[NotScanned, ...] = ()
    try:
        fail_on = _last(found, "failOn", DEFAULT_FAIL_ON, (*SEVERITIES, NEVER))
    except BadInput as problem:
        fail_on = DEFAULT_FAIL_ON
        told = f"{problem.message}: {problem.hint}; until then {DEFAULT_FAIL_ON} counts"
        wrong = (NotScanned("what should stop a push", told),)
    incomplete = _last(found, "incomplete", "allow", ("allow", "block"))
    return HookSettings(
        fail_on=next((severity for severity in SEVERITIES if severity == fail_on), None),
        incomplete="block" if incomplete == "block" else "allow",
        ignore_file=found.get("ignorefile", [""])[-1] or None,
        exclude=tuple(found.get("guardexclude", ())),
        wrong=wrong,
    )


def _last(found: dict[str, list[str]], name: str, default: str, known: tuple[str, ...]) -> str:
    value = found.get(name.lower(), [default])[-1].lower()
    if value not in known:
        raise BadInput(
            f"the git setting {SECTION}.{name} is {value!r}", f"set it to one of {', '.join(known)}"
        )
    return value
