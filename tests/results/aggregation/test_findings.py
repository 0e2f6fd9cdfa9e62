"""Findings of several sources, merged over their ids."""

import json
from typing import Any

from cortex_git.results.aggregation import Aggregate, Source
from cortex_git.results.aggregation.strategies import aggregate

BASE = {"ecosystem": "npm", "package": "p", "version": "1", "lockfile": "a", "line": 3}


def finding(id_: str, *aliases: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "aliases": list(aliases), "severity": "high", "fixed": "1.2", **BASE, **more}


def merged(*lists: list[Any], strategy: str = "weighted") -> Aggregate:
    given = [Source(f"t-{at}", {"findings": found}, "", 50 + at) for at, found in enumerate(lists)]
    return aggregate(given, strategy)


def shown(one: Aggregate) -> list[tuple[str, list[str], int]]:
    return [(each["id"], each["aliases"], each["count"]) for each in one.output["findings"]]


def test_ids_are_joined_over_aliases_of_several_steps() -> None:
    one = merged([finding("GHSA-a", "PYSEC-1")], [finding("PYSEC-1", "CVE-2020-2")], [finding("CVE-2020-2")])
    assert shown(one) == [("CVE-2020-2", ["GHSA-a", "PYSEC-1"], 3)]
    assert one.output["findings"][0]["sources"] == ["t-0", "t-1", "t-2"]


def test_packages_ecosystems_and_repositories_stay_apart() -> None:
    one = merged(
        [finding("CVE-2020-2"), finding("CVE-2020-2", package="q")],
        [finding("CVE-2020-2", ecosystem="PyPI"), finding("CVE-2020-2", repo="other")],
    )
    assert [count for _, _, count in shown(one)] == [1, 1, 1, 1]


def test_a_name_is_the_ecosystems_own() -> None:
    one = merged(
        [finding("CVE-2020-2", ecosystem="PyPI", package="My_Pkg")],
        [finding("CVE-2020-2", ecosystem="PyPI", package="my-pkg")],
    )
    assert shown(one) == [("CVE-2020-2", [], 2)]


def test_the_repository_of_the_result_is_that_of_its_findings() -> None:
    sources = [Source(f"t-{repo}", {"repo": repo, "findings": [finding("CVE-2020-2")]}) for repo in "ab"]
    assert [each["repo"] for each in aggregate(sources, "vote").output["findings"]] == ["a", "b"]


def test_severities_and_fixes_that_differ_are_contradictions() -> None:
    one = merged(
        [finding("CVE-2020-2", severity="low", score=3.0)],
        [finding("CVE-2020-2", fixed="1.3", score=7.5)],
        [finding("CVE-2020-2", severity="unknown", score=None, fixed=None)],
    )
    [found] = one.output["findings"]
    assert (found["severity"], found["score"], found["fixed"], found["count"]) == ("high", 7.5, "1.3", 3)
    sides = {each.field: [(side.value, side.sources) for side in each.sides] for each in one.contradictions}
    assert sides == {
        "findings.fixed": [("1.3", ("t-1",)), ("1.2", ("t-0",))],
        "findings.severity": [("high", ("t-1",)), ("low", ("t-0",))],
    }
    assert {each.finding for each in one.contradictions} == {"CVE-2020-2 of npm p"}
    assert [each["sources"] for each in found["variants"]] == [["t-2"], ["t-1"], ["t-0"]]


def test_fixes_of_different_versions_contradict_nothing() -> None:
    other = finding("CVE-2020-2", version="2", fixed="2.5", lockfile="b", line=9)
    one = merged([finding("CVE-2020-2")], [other])
    [found] = one.output["findings"]
    assert [found[key] for key in ("version", "fixed", "lockfile", "line")] == ["2", "2.5", "b", 9]
    assert found["other_lockfiles"] == ["a"]
    assert not one.contradictions


def test_the_vote_is_on_each_finding() -> None:
    low = finding("CVE-2020-2", severity="low")
    one = merged([low], [low | {"line": 4}], [finding("CVE-2020-2")], strategy="vote")
    assert one.output["findings"][0]["severity"] == "low"
    assert one.contradictions[0].reason == "more sources say so: 2 against 1"


def test_what_a_triage_says_is_settled_too() -> None:
    yes, no = (
        {"id": "X-1", "package": "p", "reachable": "yes"},
        {"id": "X-1", "package": "p", "reachable": "no"},
    )
    sources = [Source("t-0", {"answer": {"findings": [yes]}}), Source("t-1", {"answer": {"findings": [no]}})]
    one = aggregate(sources, "resolve")
    assert len(one.output["answer"]["findings"]) == 1
    assert [each.field for each in one.contradictions] == ["answer.findings.reachable"]


def test_remarks_are_the_same_only_if_all_of_it_is() -> None:
    remark = {"path": "a.py", "line": 3, "severity": "low", "problem": "x"}
    one = merged([remark, "a word"], [remark], [remark | {"line": 4}])
    assert [(each.get("line"), each["count"]) for each in one.output["findings"]] == [
        (4, 1),
        (3, 2),
        (None, 1),
    ]
    assert one.output["findings"][2]["value"] == "a word"


def test_who_looked_and_saw_nothing_is_told_from_who_did_not_look() -> None:
    given = [Source("t-0", {"findings": []}), Source("t-1", {"findings": []}), Source("t-2", {"x": 1})]
    assert aggregate(given, "vote").said_by["findings"] == ("t-0", "t-1")


def test_the_most_severe_comes_first() -> None:
    one = merged([finding("B-1", severity="low"), finding("A-1", severity="low"), finding("C-1")])
    assert [id_ for id_, _, _ in shown(one)] == ["C-1", "A-1", "B-1"]


def test_many_sources_of_many_findings() -> None:
    found = [finding(f"CVE-2020-{at}", f"GHSA-{at}", package=f"p{at % 50}") for at in range(2000)]
    one = merged(*(json.loads(json.dumps(found)) for _ in range(20)))
    assert [count for _, _, count in shown(one)] == [20] * 2000
