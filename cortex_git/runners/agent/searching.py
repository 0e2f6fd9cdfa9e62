"""Looks for text in the files of a confined folder: a fixed string, or a pattern for a bounded time.

Owns what is looked at and how much of it. Never matches a pattern in this process.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from cortex_git.runners.agent import matching
from cortex_git.runners.agent.confinement import Confined, Refused

MOST_HITS = 50
LIMIT_S = 5.0
"""Seconds that a pattern may take over all files."""
_MOST_FILES = 20_000
_MOST_BYTES = 32 * 1024 * 1024
"""Of all the files that one search looks at."""
_LARGEST = 1024 * 1024
_SHOWN = 200
"""Characters of a line that are shown."""


def search(folder: Confined, pattern: str, glob: str, *, regex: bool) -> str:
    """`path:line: text` for each hit, and a last line where there may be more. Raises Refused."""
    if not pattern:
        raise Refused("there is nothing to search for")
    texts = _Texts(folder, glob)
    hits = list(_matching(pattern, texts) if regex else _containing(pattern, texts))
    lines = [f"{path}:{number}: {line.strip()[:_SHOWN]}" for path, number, line in hits[:MOST_HITS]]
    if len(hits) > MOST_HITS:
        lines.append(f"[more than {MOST_HITS}: narrow it down]")
    if texts.cut:
        lines.append("[not all files were searched: give a glob]")
    return "\n".join(lines) or "nothing found"


class _Texts(Iterable[tuple[str, str]]):
    """The text files that a glob picks, with their contents."""

    def __init__(self, folder: Confined, glob: str) -> None:
        self._folder, self._glob = folder, glob
        self.cut = False
        """Whether there was more than one search looks at."""

    def __iter__(self) -> Iterator[tuple[str, str]]:
        size = 0
        for number, path in enumerate(self._folder.files()):
            if number >= _MOST_FILES or size >= _MOST_BYTES:
                self.cut = True
                return
            if self._glob and not picks(self._glob, path):
                continue
            try:
                content = self._folder.read(path)
            except Refused:
                continue
            size += len(content)
            if b"\0" not in content[:8192] and len(content) <= _LARGEST:
                yield path, content.decode("utf-8", "replace")


def picks(glob: str, path: str) -> bool:
    """Whether a glob means the file: by its name, or by its path where the glob has a `/`."""
    if "/" not in glob:
        return fnmatchcase(path.rpartition("/")[2], glob)
    return fnmatchcase(path, glob) or fnmatchcase(path, glob.replace("**/", ""))


def _containing(text: str, texts: _Texts) -> Iterator[tuple[str, int, str]]:
    found = 0
    for path, content in texts:
        if text not in content:
            continue
        for number, line in enumerate(content.split("\n"), 1):
            if text in line:
                yield path, number, line
                found += 1
                if found > MOST_HITS:
                    return


def _matching(pattern: str, texts: _Texts) -> Iterator[tuple[str, int, str]]:
    command = [sys.executable, "-I", "-S", matching.__file__, pattern, str(MOST_HITS + 1)]
    if "\0" in pattern:
        raise Refused("a pattern cannot hold that character")
    records = b"".join(json.dumps(record).encode() + b"\n" for record in texts)
    try:
        done = subprocess.run(
            command, input=records, capture_output=True, timeout=LIMIT_S, check=False, env={}
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"the pattern took over {LIMIT_S:g} s: use a simpler one") from None
    except (OSError, ValueError):
        raise Refused("the pattern cannot be used") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Refused(f"the pattern is not a regular expression: {lines[-1][:200] if lines else ''}")
    for line in done.stdout.splitlines():
        path, number, text = json.loads(line)
        yield path, number, text
