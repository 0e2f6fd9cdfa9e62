"""OSV events against the specification's own walk over them, and the parts that can't be evaluated."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_matcher import compare, in_range

from cortex_git.scan.advisories.ranges import Interval, coverage, decode, encode, spans
from cortex_git.scan.versions import parse


def entry(*events: dict[str, str], kind: str = "ECOSYSTEM", **more: Any) -> dict[str, Any]:
    return {"ranges": [{"type": kind, "events": list(events)}], **more}


def covered(ecosystem: str, affected: dict[str, Any], version: str) -> bool:
    found = coverage(ecosystem, affected)
    key = parse(ecosystem, version)
    return version in found.versions or any(span.covers(key) for span in spans(ecosystem, found.intervals))


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0.9", False),
        ("1.0", True),
        ("1.4.9", True),
        ("1.5", False),
        ("2.0rc1", False),
        ("2.0", True),
        ("9", True),
    ],
)
def test_unordered_events_and_several_intervals(version: str, expected: bool) -> None:
    affected = entry({"introduced": "2.0"}, {"fixed": "1.5"}, {"introduced": "1.0"})
    assert covered("PyPI", affected, version) is expected


def test_zero_comes_before_every_version() -> None:
    affected = entry({"introduced": "0"}, {"fixed": "1.0.0"}, kind="SEMVER")
    assert covered("npm", affected, "0.0.0-alpha")
    assert not covered("npm", affected, "1.0.0")


def test_last_affected_is_inside_and_limit_is_outside() -> None:
    last = entry({"introduced": "1.0"}, {"last_affected": "1.5"})
    assert covered("PyPI", last, "1.5") and not covered("PyPI", last, "1.5.1")
    limited = entry({"introduced": "1.0"}, {"limit": "3.0"})
    assert covered("PyPI", limited, "2.9") and not covered("PyPI", limited, "3.0")
    assert coverage("PyPI", entry({"introduced": "1"}, {"limit": "*"})).intervals == (
        Interval("1", None, ""),
    )


def test_adjoining_intervals_leave_no_hole() -> None:
    affected = entry({"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "1.0"}, {"fixed": "2.0"})
    assert covered("PyPI", affected, "1.0")


def test_listed_versions_are_kept_only_outside_of_the_intervals() -> None:
    affected = entry({"introduced": "1.0"}, {"fixed": "2.0"}, versions=["0.1", "1.0", "1.9", "2004d"])
    assert coverage("PyPI", affected).versions == ("0.1", "2004d")


@pytest.mark.parametrize(
    ("affected", "gap"),
    [
        (entry({"introduced": "0"}, kind="GIT"), "gives only git commits"),
        ({}, "names no versions"),
        (
            entry({"introduced": "0"}, {"fixed": "not a version"}),
            "has a version range that cannot be ordered",
        ),
        (entry({"fixed": "1.0"}), "has a version range that cannot be ordered"),
        (entry({"introduced": "0"}, kind="GIT", versions=["1.0"]), ""),
        ({"ranges": "nonsense", "versions": 7}, "names no versions"),
    ],
)
def test_what_cannot_be_evaluated_is_a_gap(affected: dict[str, Any], gap: str) -> None:
    assert coverage("PyPI", affected).gap == gap


def test_intervals_survive_storage() -> None:
    intervals = (Interval(None, "1.0", "fixed"), Interval("2", None, ""))
    assert decode(encode(intervals)) == intervals


_versions = st.builds("{}.{}.{}".format, *(st.integers(0, 3),) * 3)
_semver = st.builds("{}{}".format, _versions, st.sampled_from(["", "", "-0", "-alpha", "-rc.1"]))
_event = st.one_of(
    st.builds(lambda v: {"introduced": v}, st.one_of(st.just("0"), _semver)),
    st.builds(lambda v: {"fixed": v}, _semver),
    st.builds(lambda v: {"last_affected": v}, _semver),
    st.builds(lambda v: {"limit": v}, _semver),
)
_events = st.lists(_event, min_size=1, max_size=6).filter(
    lambda events: any("introduced" in e for e in events)
)


@given(_events, _semver)
def test_any_events_give_what_the_specification_walks_to(events: list[dict[str, str]], version: str) -> None:
    expected = in_range(version, events, compare("npm"))
    assert covered("npm", entry(*events, kind="SEMVER"), version) is expected


@given(_events, st.lists(_semver, max_size=4), _semver)
def test_dropping_listed_versions_inside_intervals_changes_nothing(
    events: list[dict[str, str]], versions: list[str], version: str
) -> None:
    expected = version in versions or in_range(version, events, compare("npm"))
    assert covered("npm", entry(*events, kind="SEMVER", versions=versions), version) is expected
