"""Which of the candidates are scanned: by name, language, age; archived ones and forks of a listing.

Must never leave out what a filter cannot judge: what nobody knows of is scanned, and said to be.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate
from typing import NamedTuple

from cortex_git.errors import BadInput
from cortex_git.pages.text import counted
from cortex_git.scan.sources.candidates import Candidate

_LONGEST = 500
_MOST_STARS = 10


class Filtered(NamedTuple):
    """What is scanned, and a line for each reason why something is not, or why a filter had no hold."""

    kept: list[Candidate]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Filters:
    """What a person asked for; the defaults leave out archived repositories and forks of listings."""

    match: tuple[str, ...] = ()
    """Globs on `owner/repo`, or without a slash on the repository's own name; letter case is ignored."""
    exclude: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    archived: bool = False
    forks: bool = False
    pushed_since: float | None = None
    """Seconds since 1970."""

    def apply(self, candidates: Iterable[Candidate]) -> Filtered:
        """The candidates to scan, in their order. Raises BadInput for a glob that cannot be used."""
        match, exclude = _Globs(self.match, "--match"), _Globs(self.exclude, "--exclude")
        kept: list[Candidate] = []
        out: Counter[str] = Counter()
        unknown: Counter[str] = Counter()
        for candidate in candidates:
            reason = self._reason(candidate, match, exclude, unknown)
            if reason:
                out[reason] += 1
            else:
                kept.append(candidate)
        notes = [f"left out: {count:,} {reason}" for reason, count in out.items()]
        notes += [
            f"{counted(count, 'repository is', 'repositories are')} scanned although {why}"
            for why, count in unknown.items()
        ]
        return Filtered(kept, notes)

    def _reason(
        self, candidate: Candidate, match: "_Globs", exclude: "_Globs", unknown: Counter[str]
    ) -> str | None:
        """Why this one is left out; what could not be judged is added to `unknown`."""
        if self.match and not match.hit(candidate.name):
            return "whose name no --match fits"
        if exclude.hit(candidate.name):
            return "by --exclude"
        if candidate.listed and candidate.archived and not self.archived:
            return "that are archived (--archived takes them)"
        if candidate.listed and candidate.fork and not self.forks:
            return "that are forks (--forks takes them)"
        unsure = []
        if self.languages:
            if candidate.language is None:
                unsure.append("nobody says their language (--language)")
            elif candidate.language.lower() not in {language.lower() for language in self.languages}:
                return "in another language"
        if self.pushed_since is not None:
            if candidate.pushed is None:
                unsure.append("nobody says when they were pushed to (--pushed-since)")
            elif candidate.pushed < self.pushed_since:
                return "not pushed to since then"
        unknown.update(unsure)
        return None


class _Globs:
    def __init__(self, globs: Iterable[str], option: str) -> None:
        self._patterns = [(_pattern(glob, option), "/" in glob) for glob in globs]

    def hit(self, name: str) -> bool:
        folded = name.lower()
        last = folded.rpartition("/")[2]
        return any(pattern.match(folded if whole else last) for pattern, whole in self._patterns)


def _pattern(glob: str, option: str) -> "re.Pattern[str]":
    if not glob or len(glob) > _LONGEST or glob.count("*") > _MOST_STARS:
        raise BadInput(f"{option} {glob[:100]!r} is no glob", f"write {option} 'owner/web-*'")
    return re.compile(translate(glob.lower()))


def matching(globs: Iterable[str], option: str) -> "re.Pattern[str] | None":
    """One pattern for any of the globs, on the whole text and by letter case; None without globs."""
    given = list(globs)
    for glob in given:
        _pattern(glob, option)
    return re.compile("|".join(f"(?:{translate(glob)})" for glob in given)) if given else None
