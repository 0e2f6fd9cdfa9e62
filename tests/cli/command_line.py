"""What a finished command is, and the identity that test commits are made with."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

COMMIT = ("-c", "user.name=a", "-c", "user.email=a@example.invalid", "commit", "-q", "-m")


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)

    def error(self, code: int) -> str:
        """The one line of an error that ended the command with `code`, and left stdout empty."""
        lines = [line for line in self.err.splitlines() if line.startswith(("error: ", "internal error: "))]
        assert (self.code, self.out, len(lines)) == (code, "", 1), self
        assert "Traceback" not in self.err
        return lines[0].removeprefix("error: ")


Command = Callable[..., Done]
