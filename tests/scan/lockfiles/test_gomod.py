"""go.mod: blocks, replacements, the standard library."""

import pytest

from .conftest import Read, gaps, pairs

MOD = """module example.org/demo

go 1.21.5

require example.org/single v1.0.0 // a note

require (
	example.org/a v1.2.3
	"example.org/quoted" v0.0.0-20200101000000-abcdefabcdef // indirect
	example.org/old v2.0.0+incompatible
	example.org/replaced v1.0.0
	example.org/other-version v1.5.0
	example.org/local v1.0.0
)

replace (
	example.org/replaced => example.org/fork v1.1.0
	example.org/other-version v1.4.0 => example.org/never v9.0.0
)

replace example.org/local => ../local

exclude example.org/a v1.2.4

retract [v1.0.0, v1.9.9]
"""


def test_modules(read: Read) -> None:
    content = read("go.mod", MOD)
    assert [(package.name, package.version, package.line) for package in content.packages] == [
        ("example.org/single", "1.0.0", 5),
        ("example.org/a", "1.2.3", 8),
        ("example.org/quoted", "0.0.0-20200101000000-abcdefabcdef", 9),
        ("example.org/old", "2.0.0+incompatible", 10),
        ("example.org/fork", "1.1.0", 11),
        ("example.org/other-version", "1.5.0", 12),
        ("stdlib", "1.21.5", 3),
    ]
    assert content.not_scanned == ()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("go 1.21", set()),
        ("go 1.21\ntoolchain go1.22.3", {("stdlib", "1.22.3")}),
        ("go 1.21.0\ntoolchain default", {("stdlib", "1.21.0")}),
        ("toolchain go1.23rc1", set()),
    ],
)
def test_the_standard_library_only_when_exact(read: Read, lines: str, expected: set[tuple[str, str]]) -> None:
    assert pairs(read("go.mod", f"module m\n{lines}\n")) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("go 1.21\n", "has no module directive"),
        ("module m\nrequire (\n\ta v1.0.0\n", "ends in the middle of a block"),
        ("module m\nwhatever x\n", "is not a go.mod file (line 2)"),
        ("{}", "is not a go.mod file (line 1)"),
    ],
)
def test_what_cannot_be_read(read: Read, text: str, reason: str) -> None:
    assert gaps(read("go.mod", text)) == {"go.mod": reason}


def test_versions_that_are_not_exact(read: Read) -> None:
    content = read("go.mod", "module m\ngo 1.17\nrequire (\n\ta latest\n\tb\n)\nreplace x\n")
    assert gaps(content) == {
        "go.mod: a": "no exact version",
        "go.mod: b": "is not a requirement",
        "go.mod: x": "is not a replacement",
    }


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("", False),
        ("go 1.9", False),
        ("go 1.16", False),
        ("go 1.17", True),
        ("go 1.21rc1", True),
        ("go 1.22.3", True),
        ("go 2.0", True),
        ("go x", False),
    ],
)
def test_before_go_1_17_what_modules_bring_in_is_a_gap(read: Read, line: str, whole: bool) -> None:
    reason = "is from before Go 1.17, and does not list what its modules bring in"
    content = read("go.mod", f"module m\n{line}\nrequire a v1.0.0\n")
    assert gaps(content) == ({} if whole else {"go.mod": reason})
    assert ("a", "1.0.0") in pairs(content)


def test_a_module_that_requires_nothing_is_whole(read: Read) -> None:
    assert gaps(read("go.mod", "module m\n")) == {}
