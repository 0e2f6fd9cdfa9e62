"""Lists of findings made into one list, each vulnerability of a package once whatever ids it goes by.

Owns which findings are the same. Must never lose an id, nor let two packages or repositories become one.
"""

import marshal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cortex_git.results.aggregation import Contradiction
from cortex_git.results.aggregation.canonical import canonical
from cortex_git.results.aggregation.weighing import Group, Said, Scales
from cortex_git.scan.advisories.grouping import AliasGroups, preference
from cortex_git.scan.names import lookup_name
from cortex_git.scan.records import SEVERITIES

SOURCES, COUNT, VARIANTS = "sources", "count", "variants"
"""What a merged finding has besides: who saw it, how many they are, and what each of them said of it."""
_PLACE = ("version", "lockfile", "line")
"""Where a finding is: taken together from one variant, never mixed."""
_DESCRIBED = {"id", "aliases", "ecosystem", "package", "repo", "summary", "fixed", "score", "severity"} | {
    "other_lockfiles",
    *_PLACE,
}
"""Keys that are settled one by one below; of others the value that wins is taken."""
_Finding = dict[str, Any]


def merged_findings(
    said: Sequence[Said], repos: Mapping[str, str], scales: Scales, field: str
) -> tuple[list[_Finding], list[Contradiction]]:
    """The findings of all lists, the most severe first, and what the sources do not agree on."""
    variants = _variants(said, repos)
    merged: list[tuple[_Finding, list[Contradiction]]] = []
    for group in _same(variants):
        ranked = sorted(group, key=scales.rank)
        merged.append(_Merging(ranked, scales, field).result())
    merged.sort(key=lambda pair: _order(pair[0]))
    return [one for one, _ in merged], [each for _, found in merged for each in found]


def normal_findings(items: Sequence[Any], repo: str) -> list[Any]:
    """A list as it can be read from an aggregate: each finding in its normal form, once, in order."""
    found = sorted(_variants([("", items)], {"": repo}), key=lambda group: group.text)
    return [group.value for group in found]


def variants_of(merged: Mapping[str, Any]) -> Iterator[tuple[Any, Sequence[str]]]:
    """What was said of a merged finding, each with those who said it."""
    if VARIANTS in merged:
        for variant in merged[VARIANTS]:
            yield variant["finding"], variant[SOURCES]
    else:
        bare = {key: value for key, value in merged.items() if key not in (SOURCES, COUNT)}
        yield bare, merged[SOURCES]


def _variants(said: Sequence[Said], repos: Mapping[str, str]) -> list[Group]:
    """Every different finding with those who said exactly that."""
    values: dict[str, Any] = {}
    tasks: dict[str, set[str]] = {}
    known: dict[tuple[str, bytes], str] = {}
    for task, items in said:
        repo = repos.get(task, "")
        for item in items:
            key = (
                repo,
                marshal.dumps(item, 2),
            )  # a third of the time of JSON, and sources often say the same
            text = known.get(key)
            if text is None:
                value = _normal(item, repo) if isinstance(item, Mapping) else item
                known[key] = text = canonical(value)
                values.setdefault(text, value)
            tasks.setdefault(text, set()).add(task)
    return [Group(value, text, tuple(sorted(tasks[text]))) for text, value in values.items()]


def _normal(finding: Mapping[str, Any], repo: str) -> _Finding:
    """The finding under the id to show, its aliases sorted, its repository named."""
    value = dict(finding)
    if repo and value.get("repo") is None:
        value["repo"] = repo
    aliases = value.get("aliases", ())
    well_formed = isinstance(aliases, list | tuple) and all(isinstance(alias, str) for alias in aliases)
    if well_formed and isinstance(value.get("id"), str):
        first, *others = sorted({value["id"], *aliases}, key=preference)
        value["id"] = first
        if others or "aliases" in value:
            value["aliases"] = sorted(others)
    return value


def _same(variants: Iterable[Group]) -> Iterator[list[Group]]:
    """The variants of each vulnerability: ids joined over their aliases, package by package."""
    places: dict[tuple[str, str, str], list[Group]] = {}
    for variant in variants:
        if _ids(variant.value):
            places.setdefault(_place_of(variant.value), []).append(variant)
        else:
            yield [variant]
    for members in places.values():
        joined = AliasGroups()
        for variant in members:
            first, *others = _ids(variant.value)
            joined.join(first, others)
        same: dict[str, list[Group]] = {}
        for variant in members:
            same.setdefault(joined.root(_ids(variant.value)[0]), []).append(variant)
        yield from same.values()


def _ids(finding: Any) -> list[str]:
    """Every id of a finding; none of one that is no vulnerability, such as a review's remark."""
    if not isinstance(finding, Mapping) or not isinstance(finding.get("id"), str):
        return []
    aliases = finding.get("aliases")
    listed = aliases if isinstance(aliases, list | tuple) else ()
    return [finding["id"], *(alias for alias in listed if isinstance(alias, str))]


def _place_of(finding: Mapping[str, Any]) -> tuple[str, str, str]:
    ecosystem, package, repo = (_word(finding.get(key)) for key in ("ecosystem", "package", "repo"))
    return (ecosystem, lookup_name(ecosystem, package), repo)


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else canonical(value)


class _Merging:
    """The merging of one finding's variants, the winner first."""

    def __init__(self, ranked: Sequence[Group], scales: Scales, field: str) -> None:
        self._ranked = ranked
        self._scales = scales
        self._field = field
        self._name = ""
        self._contradictions: list[Contradiction] = []

    def result(self) -> tuple[_Finding, list[Contradiction]]:
        sources = sorted({task for variant in self._ranked for task in variant.tasks})
        marks = {SOURCES: sources, COUNT: len(sources)}
        first = self._ranked[0].value
        if not isinstance(first, Mapping):
            return {"value": first, **marks, VARIANTS: self._listed()}, []
        merged = dict(first)
        if len(self._ranked) > 1:
            merged = self._merged()
        if len(self._ranked) > 1 or marks.keys() & first.keys() or VARIANTS in first:
            marks[VARIANTS] = self._listed()
        return merged | marks, self._contradictions

    def _listed(self) -> list[dict[str, Any]]:
        return [{"finding": variant.value, SOURCES: list(variant.tasks)} for variant in self._ranked]

    def _merged(self) -> _Finding:
        values: list[_Finding] = [variant.value for variant in self._ranked]
        merged: _Finding = {}
        for value in values:
            for key in value:
                if merged.get(key) is None:
                    merged[key] = value[key]
        ids = {id_ for value in values for id_ in _ids(value)}
        merged["id"], *others = sorted(ids, key=preference)
        merged["aliases"] = sorted(others)
        self._name = _name(merged)
        self._settle_place(merged)
        severe = self._settle(merged, "severity", self._ranked, unsaid=("unknown",))
        self._settle(merged, "score", severe)
        for key in sorted(merged.keys() - _DESCRIBED):
            self._settle(merged, key, self._ranked)
        return merged

    def _settle_place(self, merged: _Finding) -> None:
        """Version and lockfile of one variant, the fix of those with that version, all other lockfiles."""
        placed = [variant.value for variant in self._ranked if any(variant.value.get(key) for key in _PLACE)]
        for key in _PLACE:
            if placed and key in merged:
                merged[key] = placed[0].get(key)
        version = merged.get("version")
        like = [v for v in self._ranked if v.value.get("version") in (None, version)]
        self._settle(merged, "fixed", like)
        lockfiles = {_word(variant.value.get("lockfile")) for variant in self._ranked}
        for variant in self._ranked:
            others = variant.value.get("other_lockfiles")
            lockfiles |= (
                {one for one in others if isinstance(one, str)} if isinstance(others, list) else set()
            )
        others = sorted(lockfiles - {"", _word(merged.get("lockfile"))})
        if others or "other_lockfiles" in merged:
            merged["other_lockfiles"] = others

    def _settle(
        self, merged: _Finding, key: str, variants: Sequence[Group], unsaid: tuple[str, ...] = ()
    ) -> list[Group]:
        """Put in the value that wins; returns the variants that have it. None is nothing said."""
        if key not in merged:
            return list(variants)
        saying = [v for v in variants if v.value.get(key) is not None and v.value[key] not in unsaid]
        groups = self._scales.groups((task, v.value[key]) for v in saying for task in v.tasks)
        if not groups:
            merged[key] = next((v.value[key] for v in variants if v.value.get(key) is not None), None)
            return list(variants)
        merged[key] = groups[0].value
        if len(groups) > 1:
            sides = tuple(self._scales.side(group) for group in groups)
            reason = self._scales.reason(groups)
            self._contradictions.append(Contradiction(f"{self._field}.{key}", sides, reason, self._name))
        return [v for v in saying if canonical(v.value[key]) == groups[0].text]


def _name(finding: Mapping[str, Any]) -> str:
    words = [_word(finding.get(key)) for key in ("ecosystem", "package")]
    where = " ".join(word for word in words if word)
    repo = _word(finding.get("repo"))
    return f"{finding['id']}" + (f" of {where}" if where else "") + (f" in {repo}" if repo else "")


def _order(finding: Mapping[str, Any]) -> tuple[int, float, list[str], str]:
    """As a scan orders its findings; no two are equal, as variants tell apart what is said here."""
    severity = finding.get("severity")
    rank = SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
    score = finding.get("score")
    known = -score if isinstance(score, int | float) else 0
    words = [_word(finding.get(key)) for key in ("ecosystem", "package", "id")]
    return (rank, known, words, canonical(finding))
