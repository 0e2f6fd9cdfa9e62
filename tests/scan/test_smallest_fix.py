"""The smallest fixed version over several ranges, records and pre-releases; where a finding comes from."""

from collections.abc import Callable
from typing import Any

import pytest

from cortex_git.scan.advisories.database import AdvisoryDatabase
from cortex_git.scan.matching import match
from cortex_git.scan.records import Finding, Package

MakeDatabase = Callable[..., AdvisoryDatabase]


def record(id_: str, *events: tuple[str, str], ecosystem: str = "npm", aliases: tuple[str, ...] = ()) -> Any:
    """An advisory about `p`; two events make a range."""
    ranges = [
        {"type": "SEMVER" if ecosystem == "npm" else "ECOSYSTEM", "events": [dict([one]) for one in pair]}
        for pair in zip(events[::2], events[1::2], strict=True)
    ]
    affected = {"package": {"ecosystem": ecosystem, "name": "p"}, "ranges": ranges}
    return {"id": id_, "modified": "2024-01-01T00:00:00Z", "aliases": list(aliases), "affected": [affected]}


def fixed(database: AdvisoryDatabase, version: str, ecosystem: str = "npm") -> str | None:
    found = match(database, [Package(ecosystem, "p", version, "package-lock.json")]).findings
    return found[0].fixed if found else "not affected"


BRANCHES = (
    *(("introduced", "0"), ("fixed", "1.4.2")),
    *(("introduced", "2.0.0"), ("fixed", "2.3.1")),
    *(("introduced", "3.0.0-alpha.1"), ("fixed", "3.0.0-beta.2")),
)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.0.0", "1.4.2"),
        ("1.4.2-rc.1", "1.4.2"),
        ("1.4.2", "not affected"),
        ("1.9.0", "not affected"),
        ("2.0.0-beta", "not affected"),
        ("2.0.0", "2.3.1"),
        ("3.0.0-alpha.1", "3.0.0-beta.2"),
        ("3.0.0-alpha.10", "3.0.0-beta.2"),
        ("3.0.0-beta.10", "not affected"),
        ("3.0.0", "not affected"),
    ],
)
def test_each_branch_has_its_own_fix(make_database: MakeDatabase, version: str, expected: str) -> None:
    assert fixed(make_database(record("A-1", *BRANCHES)), version) == expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [("2.0a1", "2.0b2"), ("2.0b1.post1", "2.0b2"), ("2.0b2", "not affected"), ("1.9", "1.9.5")],
)
def test_pre_releases_of_python(make_database: MakeDatabase, version: str, expected: str) -> None:
    events = (("introduced", "0"), ("fixed", "1.9.5"), ("introduced", "2.0a1"), ("fixed", "2.0b2"))
    assert fixed(make_database(record("A-1", *events, ecosystem="PyPI")), version, "PyPI") == expected


def test_a_fix_that_the_next_range_covers_is_none(make_database: MakeDatabase) -> None:
    events = (
        *(("introduced", "1.0.0"), ("fixed", "1.5.0")),
        *(("introduced", "1.5.0"), ("fixed", "1.6.0")),
        *(("introduced", "1.2.0"), ("fixed", "1.5.1")),
        *(("introduced", "1.6.1"), ("fixed", "1.7.0")),
    )
    database = make_database(record("A-1", *events))
    assert fixed(database, "1.0.0") == "1.6.0"
    assert fixed(database, "1.5.0") == "1.6.0"
    assert fixed(database, "1.6.1") == "1.7.0"


def test_a_fix_that_a_twin_record_covers_is_none(make_database: MakeDatabase) -> None:
    one = record("A-1", ("introduced", "0"), ("fixed", "1.5.0"), aliases=("B-1",))
    twin = record("B-1", ("introduced", "1.4.0"), ("fixed", "1.6.0"), aliases=("A-1",))
    other = record("C-1", ("introduced", "1.5.0"), ("fixed", "9.0.0"))
    database = make_database(one, twin, other)
    assert fixed(database, "1.0.0") == "1.6.0", "another vulnerability's range changes nothing"


def test_a_record_without_an_end_leaves_the_fix_of_its_twin(make_database: MakeDatabase) -> None:
    one = record("A-1", ("introduced", "0"), ("fixed", "1.5.0"), aliases=("B-1",))
    twin = record("B-1", ("introduced", "0"), ("last_affected", "1.7.0"), aliases=("A-1",))
    assert fixed(make_database(one, twin), "1.0.0") == "1.5.0"


def found_in(database: AdvisoryDatabase, *packages: Package) -> Finding:
    (finding,) = match(database, packages).findings
    return finding


def test_where_a_finding_comes_from_is_joined_over_its_places(make_database: MakeDatabase) -> None:
    database = make_database(record("A-1", ("introduced", "0"), ("fixed", "1.5.0")))
    brought = Package("npm", "p", "1.0.0", "a/package-lock.json", 3, False, True, ("mocha",))
    asked = Package("npm", "p", "1.1.0", "b/package-lock.json", 4, True, False, ())
    unsure = Package("npm", "p", "1.2.0", "c/yarn.lock", 5)
    alone = found_in(database, brought)
    assert (alone.direct, alone.dev, alone.via) == (False, True, ("mocha",))
    assert alone.upgrade == "cd a && npm update p"
    both = found_in(database, brought, asked)
    assert (both.lockfile, both.direct, both.dev, both.via) == (
        "a/package-lock.json",
        True,
        False,
        ("mocha",),
    )
    assert both.upgrade == "cd b && npm install p@1.5.0", "where the repository asks for it"
    mixed = found_in(database, brought, unsure)
    assert (mixed.direct, mixed.dev) == (None, None)


def test_the_commands_of_one_package_end_well_in_any_order(make_database: MakeDatabase) -> None:
    """All bring the highest fix, and one that leads out of what comes after; `fixed` stays each one's own."""
    database = make_database(
        record("A-1", ("introduced", "0"), ("fixed", "1.2.0")),
        record("A-2", ("introduced", "0"), ("fixed", "1.5.0")),
        record("A-3", ("introduced", "1.5.0"), ("fixed", "1.7.1")),
        record("A-4", ("introduced", "0"), ("last_affected", "1.9.0")),
        record("A-5", ("introduced", "2.0.0"), ("fixed", "2.0.1")),
    )
    package = Package("npm", "p", "1.0.0", "web/package-lock.json", 1, True)
    other = Package("npm", "p", "2.0.0", "package-lock.json", 1, True)
    found = match(database, [package, other]).findings
    command = "cd web && npm install p@1.7.1"
    assert {one.id: (one.fixed, one.upgrade) for one in found} == {
        "A-1": ("1.2.0", command),
        "A-2": ("1.5.0", command),
        "A-4": (None, None),
        "A-5": ("2.0.1", "npm install p@2.0.1"),
    }


def test_at_most_five_are_named(make_database: MakeDatabase) -> None:
    database = make_database(record("A-1", ("introduced", "0"), ("fixed", "1.5.0")))
    packages = [
        Package("npm", "p", "1.0.0", f"{n}/package-lock.json", 1, False, False, (f"b{n}", f"a{n}"))
        for n in range(4)
    ]
    assert found_in(database, *packages).via == ("a0", "a1", "a2", "a3", "b0")


def test_no_fix_is_no_command(make_database: MakeDatabase) -> None:
    database = make_database(record("A-1", ("introduced", "0"), ("last_affected", "1.5.0")))
    finding = found_in(database, Package("npm", "p", "1.0.0", "package-lock.json", 1, True))
    assert (finding.fixed, finding.upgrade) == (None, None)
