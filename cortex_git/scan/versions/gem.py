"""The order of RubyGems versions: numbers and words in turn, a word makes a prerelease.

Measured, `univers` orders these rightly, but its import costs more than this whole module, and it
takes the platform suffix of a lockfile for a prerelease.
"""

import re

from cortex_git.scan.versions.error import VersionError

_VERSION = re.compile(r"\d+(?:\.[0-9a-z]+)*(?:-[0-9a-z-]+(?:\.[0-9a-z-]+)*)?", re.IGNORECASE | re.ASCII)
_PLATFORM = re.compile(
    r"-(?:x86|x64|i[3-6]86|arm|aarch64|java|jruby|universal|mswin|mingw|ppc|powerpc|s390|riscv)[0-9a-z_.-]*$",
    re.IGNORECASE | re.ASCII,
)
_SEGMENT = re.compile(r"\d+|[a-z]+", re.IGNORECASE)

Key = tuple[tuple[int, int, str], ...]
_WORD, _END, _NUMBER = 0, 1, 2
"""A word comes before the end of a version (1.0.a < 1.0), a number after it (1.0.1 > 1.0)."""


def parse(text: str) -> Key:
    """The key of a gem's version; a platform suffix (`1.13.0-x86_64-linux`) is not part of it."""
    plain = _PLATFORM.sub("", text.strip())
    if _VERSION.fullmatch(plain) is None:
        raise VersionError("RubyGems", text)
    segments = _SEGMENT.findall(plain.replace("-", ".pre."))
    first_word = next((i for i, part in enumerate(segments) if not part.isdigit()), len(segments))
    kept = _without_zeros(segments[:first_word]) + _without_zeros(segments[first_word:])
    key = [(_NUMBER, int(part), "") if part.isdigit() else (_WORD, 0, part) for part in kept]
    return (*key, (_END, 0, ""))


def _without_zeros(segments: list[str]) -> list[str]:
    end = len(segments)
    while end and segments[end - 1].isdigit() and int(segments[end - 1]) == 0:
        end -= 1
    return segments[:end]
