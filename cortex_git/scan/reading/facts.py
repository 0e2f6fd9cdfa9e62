"""Ids, kinds and sizes of objects, from one git process that answers until the repository is closed.

Owns the dialogue with `git cat-file --batch-check`. Must never wait for an answer while git waits to be
read from, which is why names go in small groups and git's complaints are taken out in between.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, NamedTuple, cast

from cortex_git.scan.reading.limits import Deadline
from cortex_git.scan.reading.process import GuardedGit

_GROUP = 50
"""Names asked for at once: questions, answers and errors all fit into a pipe (64 KiB on Linux)."""


class Fact(NamedTuple):
    """What git says about one object."""

    oid: str
    kind: str
    size: int
    """Bytes, as the object's header says."""


class ObjectFacts:
    """Answers for one repository; nothing more once git has ended, be it by damage or by the deadline."""

    def __init__(
        self, questions: IO[bytes], answers: IO[bytes], complaints: IO[bytes], deadline: Deadline
    ) -> None:
        self._questions = questions
        self._answers = answers
        self._complaints = complaints
        self._deadline = deadline
        os.set_blocking(complaints.fileno(), False)

    def ask(self, names: Sequence[str]) -> list[Fact | None]:
        """The facts of each name in turn, None for what does not exist or cannot be read.

        Raises OutOfTime when git did not answer in time.
        """
        answers: list[Fact | None] = []
        for start in range(0, len(names), _GROUP):
            answers += self._ask_group(names[start : start + _GROUP])
        self._deadline.left()
        return answers

    def _ask_group(self, names: Sequence[str]) -> list[Fact | None]:
        try:
            self._questions.write("".join(f"{name}\n" for name in names).encode())
            self._questions.flush()
        except OSError:
            return [None] * len(names)
        found = [_fact(self._answers.readline()) for _ in names]
        self._complaints.read()
        return found


@contextmanager
def object_facts(git: GuardedGit, deadline: Deadline) -> Iterator[ObjectFacts]:
    """Start asking about the objects of a repository; git is ended with the block."""
    with git.streaming("cat-file", "--batch-check", timeout=deadline.left()) as process:
        pipes = (process.stdin, process.stdout, process.stderr)
        questions, answers, complaints = (cast("IO[bytes]", pipe) for pipe in pipes)
        yield ObjectFacts(questions, answers, complaints, deadline)


def _fact(line: bytes) -> Fact | None:
    parts = line.decode("utf-8", "replace").split()
    return Fact(parts[0], parts[1], int(parts[2])) if len(parts) == 3 and parts[2].isdigit() else None
