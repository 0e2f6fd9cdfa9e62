"""The errors a person can meet, each with one line to read, a next step and an exit code.

Owns the exit codes of the command line. Must never print anything: `cli.main` is the one boundary
that turns an error into a line on stderr.
"""

from enum import IntEnum

MOST_CHARACTERS = 2000
"""Of a message, and of a hint: what they quote may be a whole file."""


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "…"


class ExitCode(IntEnum):
    """What the process ends with; scripts rely on these."""

    OK = 0
    FINDINGS = 1
    """Findings at or above --fail-on, or failed tasks."""
    USAGE = 2
    ENVIRONMENT = 3
    """No git, no repository, an unreachable remote, or a scan that could not be complete."""
    LIMIT = 4
    INTERNAL = 70
    INTERRUPTED = 130


class CortexError(Exception):
    """An error worth one line: what happened and where (`message`), and what to do (`hint`)."""

    exit_code: ExitCode = ExitCode.ENVIRONMENT

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = _shortened(message)
        self.hint = _shortened(hint)

    def __str__(self) -> str:
        return f"{self.message}: {self.hint}" if self.hint else self.message


class BadInput(CortexError):
    """What the person gave cannot be used as it is."""

    exit_code = ExitCode.USAGE


class NewerSchema(BadInput):
    """A document that a newer version wrote, which this one must not read, run or replace."""

    exit_code = ExitCode.ENVIRONMENT

    def __init__(self, where: str, kind: str, found: int, known: int) -> None:
        super().__init__(
            f"{where}: {kind} has schema {str(found)[:20]}, and this cortex-git reads up to {known}",
            "install a newer cortex-git on this host; nothing was changed",
        )
        self.schema = found


class EnvironmentProblem(CortexError):
    """Something outside the program is missing or does not answer."""

    exit_code = ExitCode.ENVIRONMENT


class LimitReached(CortexError):
    """A budget or a limit ended the work."""

    exit_code = ExitCode.LIMIT
