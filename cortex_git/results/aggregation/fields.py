"""The fields of several outputs made into those of one, object by object.

Owns which values are compared, and what becomes of those that differ. Must never lose one: what is not in
the merged output is in a side.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cortex_git.results.aggregation import Contradiction, Section, Voice
from cortex_git.results.aggregation.canonical import MOST_DEPTH, joined
from cortex_git.results.aggregation.findings import merged_findings, normal_findings
from cortex_git.results.aggregation.prose import merged_prose
from cortex_git.results.aggregation.weighing import Group, Said, Scales

FINDINGS = "findings"
"""The name of fields that hold lists of findings, at any level."""
PROSE = ("summary", "text")
"""Fields of an output that hold prose for people."""
UNITED = ("not_scanned", "remaining")
"""Lists that every strategy unites: to vote a gap away would be a false all-clear."""


class Merging:
    """One merge under way, and what it has found out."""

    def __init__(self, scales: Scales, voices: Sequence[Voice], repos: Mapping[str, str]) -> None:
        self.contradictions: list[Contradiction] = []
        self.blended: list[Contradiction] = []
        self.said_by: dict[str, tuple[str, ...]] = {}
        self.sections: dict[str, tuple[Section, ...]] = {}
        self._scales = scales
        self._voices = voices
        self._repos = repos
        """The repository that a source is about, where it says so."""

    def merged(self, said: Sequence[Said], path: tuple[str, ...] = ()) -> dict[str, Any]:
        """One object of all these objects."""
        by_key: dict[str, list[Said]] = {}
        for task, value in said:
            for key, item in value.items():
                by_key.setdefault(key, []).append((task, item))
        return {key: self._field(by_key[key], (*path, key), len(said)) for key in sorted(by_key)}

    def _field(self, said: list[Said], path: tuple[str, ...], asked: int) -> Any:
        """The value of one field. `asked`: how many say what it stands in."""
        if len(path) >= MOST_DEPTH:
            return self._leaf(said, path, asked)
        if len(path) == 1 and path[0] in PROSE:
            return self._prose(said, path, asked)
        if all(isinstance(value, Mapping) for _, value in said):
            self._note(said, path, asked)
            return self.merged(said, path)
        if path[-1] == FINDINGS and all(isinstance(value, list | tuple) for _, value in said):
            self._note(said, path, asked)
            found, contradictions = merged_findings(said, self._repos, self._scales, joined(path))
            self.contradictions += contradictions
            return found
        return self._leaf(said, path, asked)

    def _leaf(self, said: list[Said], path: tuple[str, ...], asked: int) -> Any:
        groups = self._scales.groups((task, self._normal(task, value, path)) for task, value in said)
        if len(groups) == 1:
            self._note(said, path, asked)
            return groups[0].value
        if self._unites(path, groups):
            self._blend(path, groups, "all items, those that weigh most first")
            return _union(self._scales, said)
        if self._scales.strategy == "weighted" and all(_number(group.value) for group in groups):
            mean = self._scales.mean(groups)
            exact = self._scales.exact_mean(groups)
            rounded = (
                ", rounded since all are whole numbers" if mean != exact and isinstance(mean, int) else ""
            )
            self._blend(path, groups, f"the mean, weighted by confidence{rounded}")
            return mean
        sides = tuple(self._scales.side(group) for group in groups)
        self.contradictions.append(Contradiction(joined(path), sides, self._scales.reason(groups)))
        return groups[0].value

    def _normal(self, task: str, value: Any, path: tuple[str, ...]) -> Any:
        """A value compared as a whole, findings in it as they come back out of an aggregate."""
        if len(path) >= MOST_DEPTH:
            return value
        if isinstance(value, Mapping):
            return {key: self._normal(task, item, (*path, key)) for key, item in value.items()}
        if path[-1] == FINDINGS and isinstance(value, list | tuple):
            return normal_findings(value, self._repos.get(task, ""))
        return value

    def _unites(self, path: tuple[str, ...], groups: Sequence[Group]) -> bool:
        united = self._scales.strategy == "weighted" or path[-1] in UNITED
        return united and all(isinstance(group.value, list | tuple) for group in groups)

    def _blend(self, path: tuple[str, ...], groups: Sequence[Group], reason: str) -> None:
        sides = tuple(self._scales.side(group) for group in groups)
        self.blended.append(Contradiction(joined(path), sides, reason))

    def _prose(self, said: list[Said], path: tuple[str, ...], asked: int) -> Any:
        prose = merged_prose(said, self._voices)
        if prose.sections:
            self.sections[path[0]] = prose.sections
        else:
            self._note([(task, None) for task in prose.speakers], path, asked)
        return prose.value

    def _note(self, said: Sequence[Said], path: tuple[str, ...], asked: int) -> None:
        if len(said) < asked:
            self.said_by[joined(path)] = tuple(sorted(task for task, _ in said))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _union(scales: Scales, said: Sequence[Said]) -> list[Any]:
    return [group.value for group in scales.groups((task, item) for task, items in said for item in items)]
