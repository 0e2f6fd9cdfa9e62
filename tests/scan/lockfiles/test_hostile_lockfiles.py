"""Hostile and random bytes: no reader raises, hangs, or takes a broken file for an empty one."""

import json
import subprocess
import sys
from collections.abc import Callable

import billworld
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cortex_git.scan.lockfiles import FORMATS, includes_of, kind_of, manifest_without_lock, read_lockfile
from cortex_git.scan.records import LockfileContent

from . import (
    test_bun,
    test_bundler,
    test_cargo,
    test_cocoapods,
    test_composer,
    test_conan,
    test_deps_json,
    test_gomod,
    test_gradle,
    test_haskell,
    test_maven,
    test_mix,
    test_npm,
    test_nuget,
    test_pnpm,
    test_pub,
    test_python_locks,
    test_renv,
    test_swift,
    test_verification,
    test_yarn,
)
from .conftest import Read

FIXTURES: dict[str, str] = {
    "package-lock.json": json.dumps(test_npm.V3, indent=2),
    "npm-shrinkwrap.json": json.dumps(test_npm.V1, indent=2),
    "yarn.lock": test_yarn.CLASSIC,
    "sub/yarn.lock": test_yarn.BERRY,
    "pnpm-lock.yaml": test_pnpm.V9,
    "sub/pnpm-lock.yaml": test_pnpm.V5,
    "requirements.txt": "-r base.txt\nfoo[x]==1.0 ; python_version > '3' \\\n  --hash=sha256:aa\nb @ https://x/y\n",
    "poetry.lock": test_python_locks.POETRY,
    "pdm.lock": test_python_locks.PDM,
    "uv.lock": test_python_locks.UV,
    "tool.py.lock": test_python_locks.UV,
    "pylock.toml": test_python_locks.PYLOCK,
    "Pipfile.lock": '{"_meta": {}, "default": {"a": {"version": "==1.0"}}}',
    "Cargo.lock": test_cargo.LOCK,
    "go.mod": test_gomod.MOD,
    "Gemfile.lock": test_bundler.LOCK,
    "composer.lock": json.dumps(test_composer.LOCK, indent=4),
    "pom.xml": test_maven.CHILD,
    "gradle.lockfile": test_gradle.LOCK,
    "packages.lock.json": json.dumps(test_nuget.LOCK, indent=2),
    "packages.config": '<packages><package id="a" version="1" /></packages>',
    "cabal.project.freeze": test_haskell.FREEZE,
    "stack.yaml.lock": test_haskell.STACK,
    "Package.resolved": json.dumps(test_swift.V2, indent=2),
    "Podfile.lock": test_cocoapods.LOCK,
    "bun.lock": test_bun.LOCK.rstrip(),
    "App.deps.json": test_deps_json.DEPS.rstrip(),
    "gradle/verification-metadata.xml": test_verification.METADATA.rstrip(),
    "conan.lock": test_conan.V2.rstrip(),
    "sub/conan.lock": test_conan.V1.rstrip(),
    "pubspec.lock": test_pub.LOCK,
    "mix.lock": test_mix.LOCK.rstrip(),
    "renv.lock": test_renv.LOCK.rstrip(),
    "bom.json": json.dumps(billworld.CYCLONEDX, indent=2),
    "sbom.json": json.dumps(billworld.CYCLONEDX, indent=2),
    "bom.xml": billworld.CYCLONEDX_XML.rstrip(),
    "a.spdx.json": json.dumps(billworld.SPDX, indent=2),
    "sub/a.spdx.json": json.dumps(billworld.SPDX_3),
    "a.spdx": billworld.SPDX_TAGS,
    "a.spdx.yaml": billworld.SPDX_YAML,
}
PATHS = sorted(FIXTURES)
EMPTY_IS_LEGAL = {"requirements.txt"}
JSON = (".json", "Pipfile.lock", "composer.lock", ".resolved", "bun.lock", "conan.lock", "renv.lock")
CLOSED = [path for path in PATHS if path.endswith((*JSON, ".xml", ".config", "mix.lock"))]
"""Formats whose last character closes what the first one opened."""

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def run(path: str, data: bytes) -> LockfileContent:
    """Read a file whose every sibling is itself; a reader's own mistake fails the test."""
    content = read_lockfile(path, data, lambda _: data)
    for gap in content.not_scanned:
        assert not gap.reason.startswith("could not be read"), gap
    for package in content.packages:
        assert package.name.isprintable() and package.version.isprintable()
    includes_of(kind_of(path) or "", path, data)
    return content


def test_every_format_has_a_fixture_with_packages(read: Read) -> None:
    assert {kind_of(path) for path in PATHS} == set(FORMATS) - {"spdx-unread"}
    assert all(read(path, FIXTURES[path]).packages for path in PATHS)


@pytest.mark.parametrize("path", PATHS)
@quick
@given(data=st.binary(max_size=300))
def test_arbitrary_bytes(path: str, data: bytes) -> None:
    content = run(path, data)
    assert content.packages or content.not_scanned or path in EMPTY_IS_LEGAL or b"#" in data


@pytest.mark.parametrize("path", PATHS)
@quick
@given(data=st.data())
def test_mutated_fixtures(path: str, data: st.DataObject) -> None:
    whole = FIXTURES[path].encode()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 60)))
    run(path, whole[:start] + data.draw(st.binary(max_size=8)) + whole[end:])


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
KEYS = [
    "packages",
    "dependencies",
    "version",
    "lockfileVersion",
    "default",
    "_meta",
    "name",
    "packages-dev",
    "dist",
    "pins",
    "state",
    "location",
    "components",
    "purl",
    "@graph",
    "externalRefs",
    "workspaces",
    "requires",
    "graph_lock",
    "nodes",
    "Packages",
    "libraries",
    "targets",
    "type",
]
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*KEYS, "node_modules/a"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("path", [path for path in PATHS if path.endswith(JSON)])
@quick
@given(tree=trees)
def test_json_of_wrong_types(path: str, tree: object) -> None:
    run(path, json.dumps(tree).encode())


@pytest.mark.parametrize("path", CLOSED)
def test_every_truncation_is_seen(path: str) -> None:
    whole = FIXTURES[path].encode()
    for end in range(0, len(whole), 7):
        assert run(path, whole[:end]).not_scanned, whole[:end][-40:]


@pytest.mark.parametrize("path", [path for path in PATHS if path not in EMPTY_IS_LEGAL])
@pytest.mark.parametrize(
    "data", [b"", b" \n\n", b"\xef\xbb\xbf", b"\0" * 9, b"\xff\xfe\xfd", b"[]", b"null", b"<a/>"]
)
def test_nothing_is_never_an_empty_success(path: str, data: bytes) -> None:
    content = run(path, data)
    assert content.packages == ()
    assert content.not_scanned


@pytest.mark.parametrize("path", PATHS)
def test_merge_conflicts(path: str) -> None:
    text = FIXTURES[path]
    half = text.index("\n", len(text) // 2) if "\n" in text else 0
    broken = f"{text[:half]}\n<<<<<<< HEAD\n{text[half:]}\n=======\n>>>>>>> other\n"
    content = run(path, broken.encode())
    assert content.packages == ()
    assert [gap.reason for gap in content.not_scanned] == ["has merge conflict markers"]


DEEP = 200_000
MIB = 1 << 20
BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "deep JSON arrays": ("package-lock.json", lambda: b"[" * DEEP),
    "deep JSON objects": ("composer.lock", lambda: b'{"a":' * DEEP),
    "deep version 1 tree": (
        "package-lock.json",
        lambda: (
            b'{"dependencies":' + b'{"a":{"version":"1","dependencies":' * DEEP + b"{}" + b"}}" * DEEP + b"}"
        ),
    ),
    "many JSON objects": ("package-lock.json", lambda: b'{"packages":[' + b'{"":0},' * (2 * MIB) + b"0]}"),
    "long JSON number": ("package-lock.json", lambda: b'{"lockfileVersion":' + b"9" * MIB + b"}"),
    "deep YAML flow": ("pnpm-lock.yaml", lambda: b"a: " + b"[" * DEEP),
    "deep YAML block": ("pnpm-lock.yaml", lambda: b"- " * DEEP + b"a"),
    "deep YAML keys": ("pnpm-lock.yaml", lambda: b"? " * DEEP + b"a"),
    "many YAML values": ("pnpm-lock.yaml", lambda: b"lockfileVersion: [" + b"[]," * (5 * MIB) + b"]"),
    "YAML alias bomb": (
        "pnpm-lock.yaml",
        lambda: (
            b"a0: &a0 [x]\n"
            + b"".join(b"a%d: &a%d [*a%d,*a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 60))
        ),
    ),
    "deep TOML arrays": ("poetry.lock", lambda: b"a = " + b"[" * DEEP),
    "TOML dotted key": ("Cargo.lock", lambda: b"a" + b".a" * (4 * MIB) + b" = 1"),
    "TOML dotted header": ("uv.lock", lambda: b"[a" + b".a" * (4 * MIB) + b"]"),
    "TOML dotted inline key": ("pdm.lock", lambda: b"x = { a" + b'."a,"' * MIB + b" = 1 }"),
    "many TOML arrays": ("pylock.toml", lambda: b"x = [" + b"[]," * (4 * MIB) + b"]"),
    "billion laughs": (
        "pom.xml",
        lambda: (
            b'<!DOCTYPE p [<!ENTITY a "aaaaaaaaaa">'
            + b"".join(b'<!ENTITY b%d "%s">' % (n, b"&b%d;" % (n - 1) * 10) for n in range(1, 30))
            + b"]><project>&b29;</project>"
        ),
    ),
    "outside entity": (
        "pom.xml",
        lambda: b'<!DOCTYPE p [<!ENTITY a SYSTEM "file:///etc/passwd">]><project>&a;</project>',
    ),
    "deep XML": ("pom.xml", lambda: b"<a>" * (4 * MIB)),
    "wide XML": ("packages.config", lambda: b"<packages>" + b"<a/>" * (3 * MIB) + b"</packages>"),
    "XML attributes": (
        "packages.config",
        lambda: b"<packages " + b" ".join(b'a%d="%d"' % (n, n) for n in range(MIB)) + b"/>",
    ),
    "white space": ("requirements.txt", lambda: b"a" + b" " * (8 * MIB) + b"#" + b" #" * MIB),
    "continuations": ("requirements.txt", lambda: b"a\\\n" * MIB),
    "backslashes": ("requirements.txt", lambda: b"\\" * (8 * MIB) + b"$"),
    "many open requirements": ("requirements.txt", lambda: b"".join(b"p%d\n" % n for n in range(2 * MIB))),
    "many empty lines": ("requirements.txt", lambda: b"ab\n" * (5 * MIB)),
    "many yarn entries": ("yarn.lock", lambda: b"a:\n" * (5 * MIB)),
    "many go.mod lines": ("go.mod", lambda: b"module m\n" + b"go 1\n" * (3 * MIB)),
    "many gems": ("Gemfile.lock", lambda: b"GEM\n  specs:\n" + b"    a\n" * MIB),
    "many pnpm entries": (
        "pnpm-lock.yaml",
        lambda: b"packages: {" + b"".join(b"a%d," % n for n in range(MIB)) + b"}",
    ),
    "many TOML keys": ("uv.lock", lambda: b"".join(b"a%d=1\n" % n for n in range(MIB + 9))),
    "many TOML packages": ("uv.lock", lambda: b"version=1\n" + b"[[package]]\n" * 249_000),
    "many JSON keys": (
        "composer.lock",
        lambda: b'{"packages":[0]' + b"".join(b',"a%d":1' % n for n in range(MIB)) + b"}",
    ),
    "many gradle lines": ("gradle.lockfile", lambda: b"".join(b"a:b:%d\n" % n for n in range(MIB))),
    "long XML text": ("pom.xml", lambda: b"<project>" + b"&lt;\n" * (2 * MIB) + b"</project"),
    "brackets": ("requirements.txt", lambda: b"a[" * (4 * MIB)),
    "dashes in a wheel name": ("requirements.txt", lambda: b"./" + b"a-" * (4 * MIB) + b".whl"),
    "quotes": ("yarn.lock", lambda: b'"' * (8 * MIB) + b":\n"),
    "at signs": ("yarn.lock", lambda: b"@" * (8 * MIB) + b":\n"),
    "open quotes in JSON": ("composer.lock", lambda: b'{"a": "\\"' + b'\\"' * (4 * MIB)),
    "quote marks in go.mod": ("go.mod", lambda: b"module m\nrequire " + b'"' * (8 * MIB + 1)),
    "arrows in go.mod": ("go.mod", lambda: b"module m\nreplace " + b"=> " * (3 * MIB)),
    "parentheses in Gemfile.lock": ("Gemfile.lock", lambda: b"GEM\n  specs:\n    " + b"a (" * (3 * MIB)),
    "many components": (
        "bom.json",
        lambda: b'{"bomFormat":"CycloneDX","components":[' + b'{"purl":"pkg:t/a"},' * 400_000 + b"{}]}",
    ),
    "many XML components": (
        "bom.xml",
        lambda: (
            b"<bom><components>" + b"<component><purl>x</purl></component>" * 400_000 + b"</components></bom>"
        ),
    ),
    "many XML elements": (
        "bom.xml",
        lambda: b"<bom><components>" + b"<a/>" * (3 * MIB) + b"</components></bom>",
    ),
    "long purls": (
        "bom.xml",
        lambda: b"<bom><components><component><purl>" + b"pkg:" * (3 * MIB) + b"</purl>",
    ),
    "many SPDX tags": ("a.spdx", lambda: b"SPDXVersion: 2\n" + b"PackageName: a\n" * MIB),
    "many SPDX relations": ("a.spdx", lambda: b"SPDXVersion: 2\n" + b"Relationship: a b c\n" * (MIB // 2)),
    "open text in SPDX": (
        "a.spdx",
        lambda: b"SPDXVersion: 2\nDocumentComment: <text>\n" + b"a\n" * (4 * MIB),
    ),
    "many pods": ("Podfile.lock", lambda: b"PODS:\n" + b"  - A (1)\n" * MIB),
    "many constraints": ("cabal.project.freeze", lambda: b"constraints: " + b"a ==1 ||," * MIB),
    "many constraint fields": ("cabal.project.freeze", lambda: b"constraints: a ==1\n" * (MIB // 2)),
    "constraint of many lines": ("cabal.project.freeze", lambda: b"constraints:\n" + b" a\n" * (5 * MIB)),
    "long constraint": ("cabal.project.freeze", lambda: b"constraints: " + b"a." * (4 * MIB)),
    "many Swift pins": ("Package.resolved", lambda: b'{"version":2,"pins":[' + b"{}," * 499_000 + b"{}]}"),
    "many Bun packages": (
        "bun.lock",
        lambda: b'{"packages":{' + b"".join(b'"a%d":["a@1.0.0"],' % n for n in range(499_990)) + b'"a":1}}',
    ),
    "many Bun dependencies": (
        "bun.lock",
        lambda: (
            b'{"packages":{"%b":["a@1.0.0",{"dependencies":{' % (b"a/" * 500)
            + b",".join(b'"b%d":0' % n for n in range(MIB))
            + b"}}]}}"
        ),
    ),
    "deep Bun key": (
        "bun.lock",
        lambda: b'{"packages":{"' + b"a/" * (7 * MIB) + b'":["a@1.0.0"],"b":["b@1.0.0"]},}',
    ),
    "many trailing commas": ("bun.lock", lambda: b'{"packages":[' + b"[1,]," * 499_000 + b"]}"),
    "many comments": ("bun.lock", lambda: b"{" + b"/**/" * (4 * MIB)),
    "open comment": ("bun.lock", lambda: b'{"a":1, /*' + b"*" * (8 * MIB)),
    "open string": ("bun.lock", lambda: b'{"a' + b'\\"' * (7 * MIB)),
    "one reference of many Conan nodes": (
        "conan.lock",
        lambda: (
            b'{"graph_lock":{"nodes":{"1":{"ref":"'
            + b"a" * (7 * MIB)
            + b'"},"0":{"path":"p","requires":["1"'
            + b',"1"' * (2 * MIB)
            + b"]}}}}"
        ),
    ),
    "slashes in conan.lock": ("conan.lock", lambda: b'{"requires":[\n"' + b"a/" * (7 * MIB) + b'\\n"]}'),
    "many Pub packages": (
        "pubspec.lock",
        lambda: b"packages: {" + b"".join(b"a%d: {source: hosted}," % n for n in range(300_000)),
    ),
    "many renv packages": (
        "renv.lock",
        lambda: b'{"Packages":{' + b"".join(b'"a%d":{},' % n for n in range(499_990)) + b'"a":1}}',
    ),
    "many Elixir words": ("mix.lock", lambda: b"%{" + b'"a": {:hex, :a, "1"},' * (MIB // 2) + b"}"),
    "deep Elixir term": ("mix.lock", lambda: b"%{" + b'"a": {' * DEEP),
    "open text in mix.lock": ("mix.lock", lambda: b'%{"' + b'\\"' * (7 * MIB)),
    "comments in mix.lock": ("mix.lock", lambda: b"# \n" * (4 * MIB)),
    "long word in mix.lock": ("mix.lock", lambda: b"%{" + b"a" * (14 * MIB)),
    "many components to verify": (
        "gradle/verification-metadata.xml",
        lambda: b"<verification-metadata><components>" + b'<component group="a"/>' * 600_000,
    ),
    "colons in gradle.lockfile": ("gradle.lockfile", lambda: b"a:" * (4 * MIB)),
}


HEAVY = [
    "many components",
    "many XML components",
    "many SPDX tags",
    "many Bun packages",
    "many Bun dependencies",
    "many Pub packages",
    "many renv packages",
    "many Elixir words",
    "many pods",
    "many constraint fields",
    "many JSON objects",
    "many JSON keys",
    "many TOML packages",
    "wide XML",
    "XML attributes",
    "many open requirements",
    "many yarn entries",
]


@pytest.mark.parametrize("name", [name for name in BOMBS if name not in HEAVY])
def test_bombs_end(name: str) -> None:
    path, data = BOMBS[name]
    assert run(path, data()).not_scanned


MEASURED = """
import sys
from pathlib import Path
from cortex_git.scan.lockfiles import includes_of, kind_of, read_lockfile

path, data = sys.argv[1], sys.stdin.buffer.read()
content = read_lockfile(path, data, lambda _: data)
assert content.not_scanned
for gap in content.not_scanned:
    assert not gap.reason.startswith("could not be read"), gap
for package in content.packages:
    assert package.name.isprintable() and package.version.isprintable()
includes_of(kind_of(path) or "", path, data)
status = Path("/proc/self/status")
lines = status.read_text().splitlines() if status.exists() else ["VmHWM: 0 kB"]
print(next(line for line in lines if line.startswith("VmHWM")).split()[1])
"""
"""What `run` does and looks at, in a process of its own; its peak memory in KiB, 0 where nobody says."""


@pytest.mark.parametrize("name", HEAVY)
def test_bombs_end_and_cost_little_memory(name: str) -> None:
    """Peak memory of a process that reads the bomb: under 400 MiB, the bomb's own bytes included."""
    path, data = BOMBS[name]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, path], input=data(), capture_output=True, check=False, timeout=110
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 400 * 1024


@quick
@given(paths=st.lists(st.text(max_size=40) | st.sampled_from([*PATHS, "package.json", "a/b.csproj"])))
def test_any_paths(paths: list[str]) -> None:
    named = manifest_without_lock(paths)
    assert {gap.what for gap in named} <= set(paths)
    assert all(kind_of(path) in {None, *FORMATS} for path in paths)
