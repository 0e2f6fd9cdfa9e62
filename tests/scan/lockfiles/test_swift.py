"""Package.resolved, versions 1 to 3."""

import json
from typing import Any

import pytest

from .conftest import Read, gaps, pairs

V1: dict[str, Any] = {
    "object": {
        "pins": [
            {
                "package": "swift-nio",
                "repositoryURL": "https://github.com/apple/swift-nio.git",
                "state": {"branch": None, "revision": "51c3fc2e", "version": "2.40.0"},
            },
            {
                "package": "Vapor",
                "repositoryURL": "git@GitHub.com:vapor/vapor.git",
                "state": {"branch": None, "revision": "9cdd3c4c", "version": "4.61.1"},
            },
            {
                "package": "branchy",
                "repositoryURL": "https://github.com/example/branchy",
                "state": {"branch": "main", "revision": "0c6e3c1d", "version": None},
            },
        ]
    },
    "version": 1,
}
V2: dict[str, Any] = {
    "pins": [
        {
            "identity": "swift-nio",
            "kind": "remoteSourceControl",
            "location": "https://github.com/apple/swift-nio.git",
            "state": {"revision": "51c3fc2e", "version": "2.40.0"},
        },
        {
            "identity": "inhouse",
            "kind": "remoteSourceControl",
            "location": "ssh://git@git.example.org:2222/Team/inhouse.git",
            "state": {"revision": "aa", "version": "1.0.0-beta.1"},
        },
        {
            "identity": "here",
            "kind": "localSourceControl",
            "location": "/Users/me/here",
            "state": {"revision": "bb", "version": "0.1.0"},
        },
    ],
    "version": 2,
}
V3 = {"originHash": "f2c1a8", **V2, "version": 3}
XCODE = "App.xcodeproj/project.xcworkspace/xcshareddata/swiftpm/Package.resolved"


def test_version_1(read: Read) -> None:
    content = read("Package.resolved", json.dumps(V1, indent=2))
    assert [
        (package.ecosystem, package.name, package.version, package.line) for package in content.packages
    ] == [
        ("SwiftURL", "github.com/apple/swift-nio", "2.40.0", 6),
        ("SwiftURL", "github.com/vapor/vapor", "4.61.1", 15),
    ]
    assert gaps(content) == {
        "Package.resolved: github.com/example/branchy": "no exact version (a branch or revision)"
    }


@pytest.mark.parametrize("document", [V2, V3], ids=["2", "3"])
def test_versions_2_and_3(read: Read, document: dict[str, Any]) -> None:
    content = read(XCODE, json.dumps(document))
    assert pairs(content) == {
        ("github.com/apple/swift-nio", "2.40.0"),
        ("git.example.org/Team/inhouse", "1.0.0-beta.1"),
    }
    assert content.not_scanned == ()


def test_packages_of_a_registry_have_no_address(read: Read) -> None:
    pin = {"identity": "mona.LinkedList", "kind": "registry", "location": "", "state": {"version": "1.2.0"}}
    content = read("Package.resolved", json.dumps({"pins": [pin], "version": 3}))
    assert content.packages == ()
    assert list(gaps(content)) == ["Package.resolved: mona.LinkedList"]


@pytest.mark.parametrize("location", ["/somewhere/else", "../else", "file:///else", "else"])
def test_an_address_that_is_a_path_is_a_gap(read: Read, location: str) -> None:
    pin = {
        "identity": "x",
        "kind": "remoteSourceControl",
        "location": location,
        "state": {"version": "1.0.0"},
    }
    content = read("Package.resolved", json.dumps({"pins": [pin], "version": 2}))
    assert content.packages == ()
    assert list(gaps(content).values()) == ["its address names no repository on a host"]


def test_a_later_version_is_read_as_far_as_it_goes_and_said(read: Read) -> None:
    content = read("Package.resolved", json.dumps({**V2, "version": 4}))
    assert len(content.packages) == 2
    assert gaps(content) == {"Package.resolved": "is of a version that is not known"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ('{"pins": [', "is not valid JSON (line 1)"),
        ('{"pins": []}', "has no version"),
        ('{"version": 2}', "pins is not an array"),
        ('{"version": 1, "object": []}', "object is not a table"),
    ],
)
def test_malformed(read: Read, text: str, reason: str) -> None:
    assert gaps(read("Package.resolved", text)) == {"Package.resolved": reason}
