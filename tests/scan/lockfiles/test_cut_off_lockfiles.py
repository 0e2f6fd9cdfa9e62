"""Lockfiles that are well-formed and yet not whole: cut off, made by hand, of a later format.

A package manager lists all that it names itself, so a file that does not is no all-clear.
"""

import json

import pytest

from cortex_git.scan.lockfiles import read_lockfile
from cortex_git.scan.lockfiles.collecting import Collector

from .conftest import Read, gaps, pairs

CARGO = """version = 4

[[package]]
name = "app"
version = "0.1.0"
dependencies = [
 "bytes",
]

[[package]]
name = "bytes"
version = "1.5.0"
source = "registry+https://example.org/index"
"""
UV = """version = 1
requires-python = ">=3.12"

[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }
dependencies = [
    { name = "idna", marker = "sys_platform == 'win32'" },
]

[[package]]
name = "idna"
version = "3.6"
source = { registry = "https://example.org/simple" }
"""
PDM = """[metadata]
lock_version = "4.5.0"
content_hash = "sha256:x"
[[package]]
name = "anyio"
version = "4.2.0"
dependencies = [
    "app>=1",
    "colorama; sys_platform == 'win32'",
    "idna>=2.8",
]

[[package]]
name = "Idna"
version = "3.6"
"""
YARN = """# yarn lockfile v1


debug@^4.0.0:
  version "4.3.4"
  resolved "https://example.org/debug-4.3.4.tgz"
  dependencies:
    ms "2.1.2"

ms@2.1.2:
  version "2.1.2"
  resolved "https://example.org/ms-2.1.2.tgz"
"""
BERRY = """__metadata:
  version: 8

"app@workspace:.":
  version: 0.0.0-use.local
  resolution: "app@workspace:."
  dependencies:
    ms: "npm:2.1.2"
  linkType: soft

"ms@npm:2.1.2":
  version: 2.1.2
  resolution: "ms@npm:2.1.2"
  linkType: hard
"""
PNPM = """lockfileVersion: '9.0'

importers:

  .:
    dependencies:
      debug:
        specifier: ^4.0.0
        version: 4.3.4
      own:
        specifier: workspace:*
        version: link:packages/own

packages:

  debug@4.3.4:
    resolution: {integrity: sha512-x}

  ms@2.1.2:
    resolution: {integrity: sha512-x}

snapshots:

  debug@4.3.4:
    dependencies:
      ms: 2.1.2

  ms@2.1.2: {}
"""
GRADLE = """# This is a Gradle generated file for dependency locking.
org.acme:thing:1.0=compileClasspath
org.acme:tool:2.0=compileClasspath
empty=annotationProcessor
"""
HASHED = """idna==3.6 \\
    --hash=sha256:0123
six==1.16.0 \\
    --hash=sha256:4567 \\
    --hash=sha256:89ab
"""
PROJECT = {"pyproject.toml": '[project]\nname = "app"\n'}
CUT = "which it does not list: it may be cut off"


@pytest.mark.parametrize(
    ("path", "whole", "cut_at", "left", "reason"),
    [
        ("Cargo.lock", CARGO, '[[package]]\nname = "bytes"', 0, f"needs bytes, {CUT}"),
        ("Cargo.lock", CARGO, "[[package]]", 0, "has no packages, not even the project's own"),
        ("uv.lock", UV, '[[package]]\nname = "idna"', 0, f"needs idna, {CUT}"),
        ("uv.lock", UV, "[[package]]", 0, "has no packages, not even the project's own"),
        ("pdm.lock", PDM, '[[package]]\nname = "Idna"', 1, f"needs idna, {CUT}"),
        ("yarn.lock", YARN, "ms@2.1.2:", 1, f"needs ms, {CUT}"),
        ("yarn.lock", BERRY, '"ms@npm', 0, f"needs ms, {CUT}"),
        ("pnpm-lock.yaml", PNPM, "packages:", 0, f"needs debug, {CUT}"),
        ("pnpm-lock.yaml", PNPM, "importers:", 0, "has no importers, so it may be cut off"),
        ("gradle.lockfile", GRADLE, "org.acme:tool", 1, "has no line `empty=`, so it may be cut off"),
        (
            "requirements.txt",
            HASHED,
            "    --hash=sha256:89ab",
            2,
            "ends in the middle of a line, so it may be cut off",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value else "",
)
def test_a_file_that_ends_too_soon_says_so(
    read: Read, path: str, whole: str, cut_at: str, left: int, reason: str
) -> None:
    before = read(path, whole, PROJECT)
    assert gaps(before) == {}
    content = read(path, whole[: whole.index(cut_at)], PROJECT)
    assert gaps(content)[path] == reason
    assert len(content.packages) == left
    assert set(content.packages) <= set(before.packages) or left == 0


def test_what_is_cut_inside_an_entry_is_no_package(read: Read) -> None:
    berry = read("yarn.lock", BERRY.removesuffix("  linkType: hard\n"))
    assert gaps(berry) == {"yarn.lock: ms@npm:2.1.2": "the entry is cut off"}
    classic = read("yarn.lock", YARN.removesuffix('.tgz"\n'))
    assert gaps(classic) == {"yarn.lock: ms@2.1.2": "the entry is cut off"}
    assert pairs(classic) == {("debug", "4.3.4")}
    gradle = read("gradle.lockfile", GRADLE.replace("2.0=compileClasspath", "2."))
    assert gaps(gradle) == {
        "gradle.lockfile: org.acme:tool:2.": "names no configuration, so it may be cut off"
    }
    assert pairs(gradle) == {("org.acme:thing", "1.0")}


def test_workspaces_that_yarn_does_not_list_are_no_gap() -> None:
    files = {
        "package.json": b'{"name": "app", "workspaces": ["packages/*"]}',
        "packages/own/package.json": b'{"name": "ms", "version": "2.1.2"}',
    }
    text = YARN[: YARN.index("ms@2.1.2:")].encode()
    content = read_lockfile("yarn.lock", text, files.get, ("packages/own/package.json",))
    assert content.not_scanned == ()


def test_what_a_package_lock_lacks(read: Read) -> None:
    root = {
        "dependencies": {"ms": "^2.0.0", "fsevents": "^2.0.0"},
        "devDependencies": {"jest": "^29.0.0"},
        "optionalDependencies": {"fsevents": "^2.0.0"},
    }
    text = json.dumps({"lockfileVersion": 3, "packages": {"": root}})
    assert gaps(read("package-lock.json", text)) == {
        "package-lock.json": f"needs jest and 1 more, {CUT}",
    }
    assert gaps(read("npm-shrinkwrap.json", text)) == {"npm-shrinkwrap.json": f"needs ms, {CUT}"}


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("poetry.lock", '[metadata]\nlock-version = "9.0"\n', "is of a lock-version that is not known"),
        (
            "pdm.lock",
            '[metadata]\nlock_version = "9.0"\ncontent_hash = "x"\n',
            "is of a lock_version that is not known",
        ),
        ("Cargo.lock", CARGO.replace("version = 4", "version = 9"), "is of a version that is not known"),
        ("uv.lock", UV.replace("version = 1\n", "version = [1]\n"), "is of a version that is not known"),
        (
            "pylock.toml",
            'lock-version = "2.0"\npackages = []\n',
            "is of a lock-version that is not known",
        ),
        ("pylock.toml", 'lock-version = "1.0"\n', "has no packages, so it may be cut off"),
        ("app.spdx", "SPDXVersion: SPDX-2.3\nSPDXID: SPDXRef-DOCUMENT\n", "lists no packages"),
    ],
    ids=lambda value: value if "\n" not in value else "",
)
def test_later_formats_and_files_without_packages(read: Read, path: str, text: str, reason: str) -> None:
    assert gaps(read(path, text)) == {path: reason}


@pytest.mark.parametrize(
    ("ecosystem", "version"),
    [
        ("npm", ">=1.8.2"),
        ("npm", "latest"),
        ("npm", "1."),
        ("Pub", "null"),
        ("PyPI", "not a version"),
        ("Maven", "$acmeVersion}"),
        ("Packagist", "^1.0"),
    ],
)
def test_what_is_no_version(ecosystem: str, version: str) -> None:
    out = Collector(ecosystem, "x.lock")
    out.add("a", version)
    assert gaps(out.content()) == {"x.lock: a": f"no exact version ({version})"}


@pytest.mark.parametrize(
    ("ecosystem", "version"),
    [
        ("PyPI", "1!2.0.1+cu118"),
        ("npm", "0.0.0-use.local"),
        ("Go", "0.0.0-20190101000000-0123456789ab+incompatible"),
        ("Maven", "r09-jre"),
        ("NuGet", "04.5.0.0"),
        ("CRAN", "1.0-3"),
        ("ConanCenter", "cci.20210324"),
        ("Debian", "1:2.36~rc1-9+deb12u4"),
    ],
)
def test_odd_versions_that_are_real(ecosystem: str, version: str) -> None:
    out = Collector(ecosystem, "x.lock")
    out.add("a", version)
    assert pairs(out.content()) == {("a", version)}


@pytest.mark.parametrize(
    ("path", "text"),
    [("yarn.lock", YARN), ("gradle.lockfile", GRADLE), ("uv.lock", UV)],
    ids=["yarn", "gradle", "uv"],
)
def test_line_ends_of_old_systems(read: Read, path: str, text: str) -> None:
    assert read(path, text.replace("\n", "\r")) == read(path, text)


@pytest.mark.parametrize(
    "text",
    ["- one\n", '<?xml version="1.0"?><a><b/></a>\n', "- if it is sent, call it so\n"],
    ids=["list", "xml", "prose"],
)
def test_other_text_is_no_requirement(read: Read, text: str) -> None:
    assert list(gaps(read("requirements.txt", text)).values()) == ["is not a requirement"]


def test_gems_without_their_heading(read: Read) -> None:
    text = "GEM\n  remote: https://example.org/\n  specs\n    rack (3.0.0)\n\nDEPENDENCIES\n  rack\n"
    assert gaps(read("Gemfile.lock", text))["Gemfile.lock"] == "is not a Gemfile.lock (line 3)"
    assert pairs(read("Gemfile.lock", text.replace("specs", "specs:"))) == {("rack", "3.0.0")}
