"""What the threads of the dashboard send to the one that draws."""

from textual.message import Message

from cortex_git.cli.dashboard.acting import Failure
from cortex_git.cli.dashboard.looking import Look


class Seen(Message):
    """A look has ended."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look


class Said(Message):
    """An action has ended, with a line for the person."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class Listed(Message):
    """The failed tasks were read."""

    def __init__(self, failures: list[Failure]) -> None:
        super().__init__()
        self.failures = failures
