"""Commands in the documentation: each exists, and takes the flags that it is shown with."""

import re
import shlex
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])
sys.path.insert(0, str(CHECKOUT / "scripts"))

import command_reference  # noqa: E402

COMMANDS = {command.path: command.parsed for command in command_reference.commands()}
_BEFORE = {"--debug", "--log-format", "--version", "--help", "-h"}
"""Flags of the program itself."""


def shown(page: Path) -> list[str]:
    """What follows `cortex-git` in code, to the end of the command."""
    text = re.sub(r"\\\n\s*", " ", page.read_text(encoding="utf-8"))
    pieces = text.split("\n```")
    blocks, prose = pieces[1::2], "\n".join(pieces[::2])
    blocks.append("\n".join(re.findall(r"^ {4}(.*)$", prose, re.M)))
    lines = [line.partition(" #")[0] for block in blocks for line in block.splitlines()]
    parts = [part for line in lines for part in re.split(r"&&|\||>>|;", line)]
    code = [found[1] for part in parts if (found := re.search(r"(?:^|\s)cortex-git (.+)$", part))]
    return [*re.findall(r"`cortex-git ([^`\n]+)`", prose), *code]


def flags_of(path: str) -> set[str]:
    return {
        flag for parameter in COMMANDS[path].params for flag in (*parameter.opts, *parameter.secondary_opts)
    }


def words_of(text: str) -> list[str]:
    try:
        return shlex.split(text.replace("[", " ").replace("]", " ").replace("…", " "))
    except ValueError:
        return text.split()


def command_of(words: list[str]) -> str | None:
    """The longest beginning of the words that names a command."""
    for count in (3, 2, 1):
        path = " ".join(words[:count])
        if path in COMMANDS:
            return path
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(CHECKOUT).as_posix())
def test_commands_that_are_shown_can_be_given(page: Path) -> None:
    groups = {path.partition(" ")[0] for path in COMMANDS if " " in path}
    for text in shown(page):
        words = words_of(re.sub(r"^--log-format \w+ ", "", text))
        if not words or not re.fullmatch(r"[a-z][a-z-]*", words[0]):
            continue
        path = command_of(words)
        if path is None:
            assert words[0] in groups, f"{page.name} shows: cortex-git {text}"
            continue
        unknown = (
            {word.partition("=")[0] for word in words if re.fullmatch(r"--[a-z][a-z-]*(=.*)?|-[a-z]", word)}
            - flags_of(path)
            - _BEFORE
        )
        assert not unknown, f"{page.name} shows {sorted(unknown)} for: cortex-git {text}"


def test_enough_is_looked_at() -> None:
    assert sum(len(shown(page)) for page in PAGES) > 150
