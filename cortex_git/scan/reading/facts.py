"""Ids, kinds, sizes and contents of objects, from one git process that answers until all are read.

Owns the dialogue with `git cat-file --batch-command`, or with `--batch-check` where git is older than 2.36
and contents take one process more. Must never wait for an answer while git waits to be read from, which is
why names go in small groups and git's complaints are taken out in between.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, NamedTuple, cast

from cortex_git.gitio import Git
from cortex_git.scan.reading.limits import Deadline
from cortex_git.scan.reading.process import GuardedGit

_FIRST_WITH_COMMANDS = (2, 36)
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
        self,
        questions: IO[bytes],
        answers: IO[bytes],
        complaints: IO[bytes],
        deadline: Deadline,
        *,
        has_contents: bool,
    ) -> None:
        self.has_contents = has_contents
        """Whether `contents` can be asked for."""
        self.ended = False
        """Whether git has ended, as it does at a damaged object."""
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
        if not self._question("info " if self.has_contents else "", names):
            return [None] * len(names)
        found = [_fact(self._answers.readline()) for _ in names]
        self._complaints.read()
        return found

    def contents(self, oids: Sequence[str], sizes: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
        """Each blob in turn, of the size that `ask` said; no more where git ends, or says another thing."""
        for start in range(0, len(oids), _GROUP):
            group = oids[start : start + _GROUP]
            if not self._question("contents ", group):
                return
            for oid in group:
                header, size = self._answers.readline(), sizes[oid]
                data = self._answers.read(size + 1) if header == f"{oid} blob {size}\n".encode() else b""
                if len(data) != size + 1:
                    self.ended = True  # or what it says next is not known
                    return
                yield oid, data[:-1]
            self._complaints.read()
        self._deadline.left()

    def _question(self, word: str, names: Sequence[str]) -> bool:
        """Whether git takes the question."""
        if self.ended:
            return False
        try:
            self._questions.write("".join(f"{word}{name}\n" for name in names).encode())
            self._questions.flush()
        except OSError:
            self.ended = True
        return not self.ended


@contextmanager
def object_facts(git: GuardedGit, deadline: Deadline) -> Iterator[ObjectFacts]:
    """Start asking about the objects of a repository; git is ended with the block."""
    has_contents = takes_commands()
    form = "--batch-command" if has_contents else "--batch-check"
    with git.streaming("cat-file", form, timeout=deadline.left()) as process:
        pipes = (process.stdin, process.stdout, process.stderr)
        questions, answers, complaints = (cast("IO[bytes]", pipe) for pipe in pipes)
        yield ObjectFacts(questions, answers, complaints, deadline, has_contents=has_contents)


@cache
def takes_commands() -> bool:
    """Whether git is new enough, asked once a process."""
    found = re.search(r"(\d+)\.(\d+)", Git(Path("/")).text("version"))
    return found is not None and (int(found[1]), int(found[2])) >= _FIRST_WITH_COMMANDS


def facts_of(git: GuardedGit, names: Sequence[str], deadline: Deadline) -> list[Fact | None]:
    """The same as `ask`, by a process of its own."""
    lines = "".join(f"{name}\n" for name in names).encode()
    done = git.run("cat-file", "--batch-check", stdin=lines, timeout=deadline.left(), check=False)
    answers = done.stdout.splitlines()
    return [_fact(line) for line in (*answers, *[b""] * len(names))[: len(names)]]


def _fact(line: bytes) -> Fact | None:
    parts = line.decode("utf-8", "replace").split()
    return Fact(parts[0], parts[1], int(parts[2])) if len(parts) == 3 and parts[2].isdigit() else None
