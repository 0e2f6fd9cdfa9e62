"""Podfile.lock."""

import pytest

from .conftest import Read, gaps

LOCK = """PODS:
  - Alamofire (5.4.3)
  - Firebase/CoreOnly (8.5.0):
    - FirebaseCore (= 8.5.0)
  - FirebaseCore (8.5.0):
    - "GoogleUtilities/Logger (~> 7.4)"
  - "GoogleUtilities/Environment (7.5.0)":
    - PromisesObjC (< 3.0, >= 1.2)
  - GoogleUtilities/Logger (7.5.0):
    - GoogleUtilities/Environment
  - Own (0.1.0):
    - Alamofire
  - PromisesObjC (2.0.0)
  - React-Core (0.68.2)

DEPENDENCIES:
  - Alamofire (~> 5.4)
  - Firebase/CoreOnly
  - Own (from `./Own`)
  - React-Core (from `../node_modules/react-native/`)

SPEC REPOS:
  trunk:
    - Alamofire

EXTERNAL SOURCES:
  Own:
    :path: "./Own"
  React-Core:
    :path: "../node_modules/react-native/"

SPEC CHECKSUMS:
  Alamofire: 20a8e2a0d1a2b4b4d4e4e4

PODFILE CHECKSUM: 7c8b2d4e1f

COCOAPODS: 1.11.2
"""


def test_pods(read: Read) -> None:
    content = read("ios/Podfile.lock", LOCK)
    assert [
        (package.name, package.version, package.line, package.direct) for package in content.packages
    ] == [
        ("Alamofire", "5.4.3", 2, True),
        ("Firebase", "8.5.0", 3, True),
        ("FirebaseCore", "8.5.0", 5, False),
        ("GoogleUtilities", "7.5.0", 7, False),
        ("PromisesObjC", "2.0.0", 13, False),
        ("React-Core", "0.68.2", 14, True),
    ]
    assert {package.ecosystem for package in content.packages} == {"CocoaPods"}
    assert content.not_scanned == ()


def test_a_cut_off_file_is_said(read: Read) -> None:
    content = read("Podfile.lock", LOCK.partition("SPEC CHECKSUMS")[0])
    assert len(content.packages) == 6
    assert gaps(content) == {"Podfile.lock": "has no COCOAPODS version, so it may be cut off"}


def test_entries_that_are_no_pods(read: Read) -> None:
    content = read("Podfile.lock", "PODS:\n  - Alamofire\n  - [x]\n  - A (1.0)\nCOCOAPODS: 1.11.2\n")
    assert [package.name for package in content.packages] == ["A"]
    assert gaps(content) == {
        "Podfile.lock: Alamofire": "is not a pod with its version",
        "Podfile.lock: an entry": "is not a pod with its version",
    }


def test_no_pods_are_legal_with_a_podfile(read: Read) -> None:
    assert read("Podfile.lock", "PODFILE CHECKSUM: aa\n\nCOCOAPODS: 1.11.2\n").not_scanned == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("COCOAPODS: 1.11.2\n", "has no PODS"),
        ("PODS: x\nCOCOAPODS: 1.11.2\n", "has something else than a list (line 1)"),
        ("- a\n", "is not a table"),
        ("PODS:\n  - 'A (1.0)\n", "is not valid YAML (line 3)"),
    ],
)
def test_malformed(read: Read, text: str, reason: str) -> None:
    assert gaps(read("Podfile.lock", text)) == {"Podfile.lock": reason}
