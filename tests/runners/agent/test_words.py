"""Only plain calls of listed programs become words; everything a shell would do more is refused."""

import pytest

from cortex_git.config import AgentSettings
from cortex_git.runners.agent.confinement import Refused
from cortex_git.runners.agent.words import GIT_READS, words_of

LISTED = AgentSettings().commands


@pytest.mark.parametrize(
    "line",
    [
        "pytest; curl http://example.org",
        "pytest && env",
        "pytest | tee x",
        "pytest & sleep 9",
        "pytest > /etc/x",
        "pytest < /etc/passwd",
        "pytest $(cat /etc/passwd)",
        "pytest ${HOME}",
        'pytest "$(cat x)"',
        "pytest `id`",
        'pytest "`id`"',
        "pytest\nenv",
        "pytest\renv",
        "pytest\0",
        "pytest \x1b[2J",
        "pytest 'unclosed",
        "",
        "   ",
        "'' x",
        "env",
        "printenv",
        "sh -c 'id'",
        "bash",
        "sudo pytest",
        "xargs pytest",
        "curl http://example.org",
        "ssh host",
        "A=b pytest",
        "PATH=. pytest",
        "./pytest",
        "/usr/bin/python3",
        "../pytest",
        "sub/pytest",
        "-pytest",
        "git status",
        "git -c alias.x=!sh x",
        "pytest " + "x" * 5000,
    ],
)
def test_what_a_shell_would_do_is_refused(line: str) -> None:
    with pytest.raises(Refused):
        words_of(line, LISTED)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("pytest -q tests", ["pytest", "-q", "tests"]),
        ("python -c 'print(1); x = 2 > 1'", ["python", "-c", "print(1); x = 2 > 1"]),
        ('python -c "a|b"', ["python", "-c", "a|b"]),
        (r"pytest -k a\;b", ["pytest", "-k", "a;b"]),
        ("go test ./...", ["go", "test", "./..."]),
        ("pytest $HOME", ["pytest", "$HOME"]),
    ],
)
def test_a_plain_call_is_taken_as_it_is(line: str, words: list[str]) -> None:
    assert words_of(line, LISTED) == words


@pytest.mark.parametrize(
    "line",
    [
        "git",
        "git x",
        "git config --list",
        "git push",
        "git -C / status",
        "git -c core.pager=sh log",
        "git --git-dir=/x status",
        "git --exec-path=. status",
        "git diff --no-index /etc/passwd /dev/null",
        "git diff --no-i a b",
        "git diff a.txt /etc/passwd",
        "git diff ../x y",
        "git diff --output=x",
        "git log --outp x",
        "git log -p --ext-diff",
        "git show --textconv HEAD",
        "git grep -Osh x",
        "git grep -nO x",
        "git grep --open x",
        "git grep -f .git/config",
        "git grep --file=x y",
        "git blame --contents x y",
        "git blame -S x y",
        "git ls-files -X x",
        "git ls-files --exclude-from=/etc/passwd",
        "git show HEAD:../x",
        "git show .git/config",
    ],
)
def test_git_only_reads_the_tasks_own_files(line: str) -> None:
    with pytest.raises(Refused):
        words_of(line, [*LISTED, "git"])


@pytest.mark.parametrize(
    "line",
    ["git status --short", "git diff HEAD~1..HEAD -- a.py", "git log --oneline -5", "git show HEAD:a.py"]
    + [f"git {name}" for name in sorted(GIT_READS)],
)
def test_git_reads_where_the_person_lists_it(line: str) -> None:
    assert words_of(line, ["git"])[0] == "git"
