"""From a line that a model wrote to the words of a program that may run, or to the reason why not.

Owns what a command may be. There is no shell anywhere: what would mean something to one is refused, so
that nobody believes it did what it says.
"""

import re
import shlex
from collections.abc import Collection, Sequence

from cortex_git.runners.agent.confinement import Refused, is_gits

MOST_CHARACTERS = 4000
_FOR_A_SHELL = frozenset(";|&<>`")
GIT_READS = frozenset({"blame", "diff", "grep", "log", "ls-files", "show", "status"})
"""The subcommands of git that a model may use, where the person has put `git` on the list."""
_GIT_REFUSED = (
    "--contents",
    "--exclude-from",
    "--exclude-per-directory",
    "--ext-diff",
    "--file",
    "--ignore-revs-file",
    "--no-index",
    "--open-files-in-pager",
    "--output",
    "--textconv",
)
"""Options that start programs or reach files git would not; git takes any beginning of them, too."""
_GIT_REFUSED_SHORT = {"grep": "Of", "ls-files": "X", "blame": "S"}
_ANY_OPTION_OF_GIT = re.compile(r"--[a-z]")


def words_of(line: str, allowed: Collection[str]) -> list[str]:
    """The words of a command that may run, its program first. Raises Refused."""
    _refuse_shell(line)
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise Refused(f"the command cannot be read: {error}") from None
    if not words:
        raise Refused("there is no command")
    program = words[0]
    if program not in allowed or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", program):
        known = ", ".join(sorted(allowed)) or "none"
        raise Refused(f"{program[:60]} may not be run here; these may, by their bare names: {known}")
    if program == "git":
        _check_git(words[1:])
    return words


def _refuse_shell(line: str) -> None:
    if len(line) > MOST_CHARACTERS:
        raise Refused("the command is too long")
    if not line.replace("\t", " ").isprintable():
        raise Refused("one command on one line, please: no line breaks or control characters")
    quote, escaped = "", False
    for position, char in enumerate(line):
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if char == quote else quote
            if quote == '"' and (char == "`" or line.startswith("$(", position)):
                raise Refused("there is no shell here: $( ) and backticks do nothing")
        elif char in "'\"":
            quote = char
        elif char in _FOR_A_SHELL or line.startswith(("$(", "${"), position):
            raise Refused(f"there is no shell here: run one program at a time, without {char}")


def _check_git(words: Sequence[str]) -> None:
    if not words or words[0] not in GIT_READS:
        raise Refused(f"git may only be used as git {', git '.join(sorted(GIT_READS))}")
    short = _GIT_REFUSED_SHORT.get(words[0], "")
    for word in words[1:]:
        name = word.partition("=")[0]
        if _ANY_OPTION_OF_GIT.match(name) and any(refused.startswith(name) for refused in _GIT_REFUSED):
            raise Refused(f"git's option {name} is not available")
        if word[:1] == "-" and word[:2] != "--" and any(letter in word for letter in short):
            raise Refused(f"git's option {word[:40]} is not available")
        _refuse_outside(word)


def _refuse_outside(word: str) -> None:
    """With paths that lead out, `git diff` compares any two files."""
    values = [word, word.partition("=")[2]] if word.startswith("-") else [word]
    for value in values:
        names = value.rpartition(":")[2].split("/")
        if value.startswith("/") or ".." in names or any(is_gits(name) for name in names):
            raise Refused("git may only be asked about the task's own files")
