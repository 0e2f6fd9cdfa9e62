"""What people and their scripts hand in: files of tasks, files of repositories, values of flags."""

import atexit
import os
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import NoReturn

from cortex_git.errors import BadInput, CortexError
from cortex_git.models import Task
from cortex_git.scan.sources import checked_source, parse_source, read_repos_file
from cortex_git.services.submitting import parse_context, read_tasks
from fuzz.targets import Target, assert_one_line

LINES = (
    b'{"title": "one", "type": "fix-worker", "after": ["t-0"], "context": {"a": 1}, "id": "t-1"}\n\n'
    b'{"type": "scan-worker", "repo": "https://example.invalid/r@v1", "priority": "high", "budget": 5}\n'
    b'{"title": "two", "type": "test-worker", "deadline": 1.5, "labels": ["x"], "sensitive": true}\n'
)
HELPER = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*::")
"""What git takes for the name of a program that reaches the repository."""
REPOSITORIES = (
    b"# ours\nhttps://example.invalid/a@main\ngit@example.invalid:b.git # two\n../c\nfile:///srv/d\n"
)
DOCUMENTS = (
    b'{"acme/web": "git@example.invalid:acme/web", "x": "https://example.invalid/x@v1"}',
    b"repo:\n- acme/web\nskip-repo: [acme/api]\nplatform: gitlab\nbase-url: https://example.invalid\n",
    b"repos:\n  web: {url: acme/web, branch: main}\n  x: ./x\n",
    b"- acme/web\n- url: https://example.invalid/x\n  tag: v1\n",
)


@cache
def _file() -> Path:
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    own = tempfile.mkdtemp(prefix="cortex-fuzz-", dir=folder)
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return Path(own) / "given"


def _no_router() -> NoReturn:
    raise BadInput("there is no router here")


def _tasks(data: bytes) -> None:
    _file().write_bytes(data)
    try:
        made = read_tasks(str(_file()), "tasks", _no_router)
    except CortexError as error:
        assert_one_line(error)
        return
    for task in (task for several in made for task in several):
        assert Task.parse(task.to_bytes(), "here") == task


def _repositories(data: bytes) -> None:
    _file().write_bytes(data)
    try:
        found = read_repos_file(str(_file()))
    except CortexError as error:
        assert_one_line(error)
        return
    for source in found:
        _check(source.repo, source.url, source.ref)


def _check(repo: str, url: str, ref: str | None) -> None:
    assert not url.startswith("-") and not HELPER.match(url) and url.isprintable(), url
    assert ref is None or not ref.startswith("-")
    if "://" in url:
        authority = url.partition("://")[2].partition("/")[0]
        assert ":" not in authority.rpartition("@")[0], "a password"
        assert "@" not in repo.partition("://")[2].partition("/")[0], "an account that is shown"


def _source(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        source = parse_source(text, Path("/nowhere"))
    except CortexError as error:
        assert_one_line(error)
        return
    _check(source.repo, source.url, source.ref)
    assert checked_source(source.repo, source.url, source.ref) == source


def _context(data: bytes) -> None:
    try:
        value = parse_context(data.decode("utf-8", "replace"))
    except BadInput as error:
        assert_one_line(error)
        return
    assert isinstance(value, dict)


TARGETS = {
    "task-file": Target(_tasks, (LINES,)),
    "repositories": Target(_repositories, (REPOSITORIES, *DOCUMENTS)),
    "source": Target(
        _source, (b"https://example.invalid/a@main", b"git@example.invalid:b.git", b"ssh://u@h/p")
    ),
    "context": Target(_context, (b'{"a": [1]}', b"a=1,b=text,c=true")),
}
