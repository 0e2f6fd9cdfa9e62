"""bun.lock as Bun 1.4 writes it, and the binary bun.lockb."""

import pytest

from .conftest import Read, gaps, pairs

LOCK = """{
  "lockfileVersion": 2,
  "configVersion": 1,
  "workspaces": {
    "": {
      "name": "demo",
      "dependencies": {
        "debug": "2.6.9",
        "left": "./left.tgz",
        "old-lodash": "npm:lodash@4.17.20",
        "vendored": "file:./vendored",
      },
      "devDependencies": {
        "is-odd": "3.0.1",
      },
      "optionalDependencies": {
        "fsevents": "2.3.3",
      },
    },
    "packages/a": {
      "name": "@demo/a",
      "version": "0.2.0",
      "dependencies": {
        "@demo/b": "workspace:*",
      },
      "devDependencies": {
        "debug": "4.3.1",
      },
    },
    "packages/b": {
      "name": "@demo/b",
      "version": "0.3.0",
      "dependencies": {
        "@babel/helper-string-parser": "7.22.5",
      },
      "peerDependencies": {
        "is-number": "6.0.0",
      },
    },
  },
  "packages": {
    "@babel/helper-string-parser": ["@babel/helper-string-parser@7.22.5", "", {}, "sha512-mM4COj=="],

    "@demo/a": ["@demo/a@workspace:packages/a"],

    "@demo/b": ["@demo/b@workspace:packages/b"],

    "debug": ["debug@2.6.9", "", { "dependencies": { "ms": "2.0.0" } }, "sha512-bC7Elr=="],

    "fsevents": ["fsevents@2.3.3", "", { "os": "darwin" }, "sha512-5xoDfX=="],

    "is-number": ["is-number@6.0.0", "", {}, "sha512-Wu1VHe=="],

    "is-odd": ["is-odd@3.0.1", "", { "dependencies": { "is-number": "^6.0.0" } }, "sha512-CQpnWP=="],

    "left": ["left@./left.tgz", {}, "sha512-ZWTF/Q=="],

    "minimist": ["minimist@0.0.8", "", {}, "sha512-miQKw5=="],

    "ms": ["ms@2.0.0", "", {}, "sha512-Tpp60P=="],

    "old-lodash": ["lodash@4.17.20", "", {}, "sha512-PlhdFc=="],

    "vendored": ["vendored@file:vendored", { "dependencies": { "minimist": "0.0.8" } }],

    "@demo/a/debug": ["debug@4.3.1", "", { "dependencies": { "ms": "2.1.2" }, "peerDependencies": { "supports-color": "*" }, "optionalPeers": ["supports-color"] }, "sha512-doEwdv=="],

    "@demo/a/debug/ms": ["ms@2.1.2", "", {}, "sha512-sGkPx+=="],
  }
}
"""  # noqa: E501


def test_packages_with_their_origins_and_lines(read: Read) -> None:
    content = read("bun.lock", LOCK)
    found = {(p.name, p.version): (p.direct, p.dev, p.via) for p in content.packages}
    assert found == {
        ("@babel/helper-string-parser", "7.22.5"): (True, False, ()),
        ("debug", "2.6.9"): (True, False, ()),
        ("debug", "4.3.1"): (True, True, ()),
        ("fsevents", "2.3.3"): (True, False, ()),
        ("is-number", "6.0.0"): (True, False, ("is-odd",)),
        ("is-odd", "3.0.1"): (True, True, ()),
        ("lodash", "4.17.20"): (True, False, ()),
        ("minimist", "0.0.8"): (False, False, ("vendored",)),
        ("ms", "2.0.0"): (False, False, ("debug",)),
        ("ms", "2.1.2"): (False, True, ("debug",)),
    }
    assert gaps(content) == {"bun.lock: left": "not from a registry (./left.tgz)"}
    lines = LOCK.splitlines()
    for package in content.packages:
        assert f'["{package.name}@{package.version}"' in lines[(package.line or 0) - 1]
        assert package.ecosystem == "npm"


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("workspace:packages/a", None),
        ("link:a", None),
        ("file:../a", None),
        ("file:a.tgz", "not from a registry (file:a.tgz)"),
        ("github:o/r#5f0cd1b", "not from a registry (github:o/r#5f0cd1b)"),
        ("git+ssh://u:secret@example.org/r#5f", "not from a registry (git+ssh://example.org/r#5f)"),
        ("https://example.org/a-1.0.0.tgz", "not from a registry (https://example.org/a-1.0.0.tgz)"),
        ("", "not from a registry (no version)"),
    ],
)
def test_what_is_from_no_registry(read: Read, reference: str, reason: str | None) -> None:
    content = read("bun.lock", f'{{"lockfileVersion": 1, "packages": {{"a": ["a@{reference}", {{}}]}}}}')
    assert content.packages == ()
    assert gaps(content) == ({"bun.lock: a": reason} if reason else {})


def test_another_registry_and_comments(read: Read) -> None:
    text = """// c, }
{ "lockfileVersion": 0, /* a
 "x": 1, */ "workspaces": {},
  "packages": {
    "u/*l": ["u/*l@1.0.0", "https://npm.example.org//u/-/u-1.0.0.tgz", {}, "sha512-,]"],
  }, }"""
    content = read("bun.lock", text)
    assert [(p.name, p.version, p.line) for p in content.packages] == [("u/*l", "1.0.0", 5)]
    assert content.not_scanned == ()


def test_a_version_that_is_not_known_is_said_and_read(read: Read) -> None:
    content = read("bun.lock", '{"lockfileVersion": 9, "packages": {"a": ["a@1.0.0", "", {}, ""]}}')
    assert pairs(content) == {("a", "1.0.0")}
    assert gaps(content) == {"bun.lock": "is of a lockfileVersion that is not known"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "has neither packages nor workspaces"),
        ('{"lockfileVersion": 1, "packages": []}', "packages is not a table"),
        ('{"lockfileVersion": 1,\n "packages": {,}}', "is not valid JSON (line 2)"),
        (LOCK[: len(LOCK) // 2], "is not valid JSON (line 44)"),
        ('{"a": "', "is not valid JSON (line 1)"),
        ("{ /* ", "is not valid JSON (line 1)"),
    ],
    ids=["empty", "array", "comma", "cut off", "open string", "open comment"],
)
def test_malformed(read: Read, text: str, reason: str) -> None:
    content = read("bun.lock", text)
    assert content.packages == ()
    assert reason in {gap.reason for gap in content.not_scanned}


def test_entries_of_wrong_types_are_named(read: Read) -> None:
    text = (
        '{"lockfileVersion": 1, "workspaces": {"": 1}, "packages": {"a": {}, "b": [], "c": [3], "d": ["@"]}}'
    )
    content = read("bun.lock", text)
    reason = "the entry is not an array that begins with its name and version"
    assert gaps(content) == {
        "bun.lock: a": reason,
        "bun.lock: b": reason,
        "bun.lock: c": reason,
        "bun.lock: d": "not from a registry (no version)",
    }


def test_the_nearest_of_several_versions_is_brought_in(read: Read) -> None:
    text = """{"lockfileVersion": 1,
 "workspaces": {"": {"dependencies": {"a": "1"}, "devDependencies": {"s/b": "1"}}},
 "packages": {
 "a": ["a@1.0.0", "", {"dependencies": {"@s/b": "1"}}, ""],
 "a/@s/b": ["@s/b@1.0.0", "", {"dependencies": {"c": "1"}}, ""],
 "a/@s/b/c": ["c@1.0.0", "", {}, ""],
 "@s/b": ["@s/b@2.0.0", "", {"peerDependencies": {"c": "1"}}, ""],
 "c": ["c@2.0.0", "", {}, ""]}}"""
    origins = {(p.name, p.version): (p.direct, p.dev, p.via) for p in read("bun.lock", text).packages}
    assert origins["c", "1.0.0"] == (False, False, ("a",))
    assert origins["c", "2.0.0"] == (False, None, ())


def test_the_binary_lockfile_is_not_scanned(read: Read) -> None:
    data = b"#!/usr/bin/env bun\nbun-lockfile-format-v0\n\x02\0\0\0\xff\xfe"
    content = read("sub/bun.lockb", data)
    assert content.packages == ()
    assert gaps(content) == {
        "sub/bun.lockb": "is binary: `bun install --save-text-lockfile` writes the bun.lock that is read"
    }
