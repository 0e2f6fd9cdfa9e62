"""In how much of a repository secrets were looked for: what was looked through, and what was passed over.

Owns the counts. Without them a report that names no secret could not be told from one that never looked.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

_REASONS = 12
"""That are told apart."""


class FileSecrets(NamedTuple):
    """What one file's content held; never the secrets themselves."""

    size: int
    """Bytes."""
    text: bool
    """Whether it was looked through: what is no text is passed over."""
    found: tuple[tuple[str, int], ...] = ()
    """Kind and line (from 1) of each, in order."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Files of one kind that were not looked through."""

    reason: str
    """Such as `symbolic links` or `no text`."""
    files: int


@dataclass(frozen=True, slots=True)
class SecretsLooked:
    """In how much secrets were looked for, in one repository or in several."""

    files: int
    """Looked through: paths of the commit, so that one content under two names counts twice."""
    size: int
    """Bytes of these files."""
    passed_over: tuple[PassedOver, ...] = ()
    """The others, most first."""
    whole: bool = True
    """Whether nothing that should have been looked through was left, and every find is named."""


def by_reason(files: Counter[str]) -> tuple[PassedOver, ...]:
    """The reasons that have any file, most files first, and the rarest of many as one."""
    found = [PassedOver(reason, count) for reason, count in files.most_common() if count]
    rest = sum(one.files for one in found[_REASONS:])
    return (*found[:_REASONS], *([PassedOver("other reasons", rest)] if rest else []))


def together(parts: Iterable[SecretsLooked]) -> SecretsLooked:
    """The sum over several repositories."""
    files, size, whole, passed = 0, 0, True, Counter[str]()
    for part in parts:
        files += part.files
        size += part.size
        whole = whole and part.whole
        for one in part.passed_over:
            passed[one.reason] += one.files
    return SecretsLooked(files, size, by_reason(passed), whole)
