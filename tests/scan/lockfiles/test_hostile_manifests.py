"""Manifests of any content may add a gap, but never take one away, nor a package, and cost little."""

import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortex_git.scan.lockfiles import Manifests, kind_of, read_lockfile
from cortex_git.scan.records import LockfileContent

from . import test_direct_and_dev as shapes

LOCKFILES = {
    "package-lock.json": json.dumps(shapes.NPM_1),
    "yarn.lock": shapes.YARN_1,
    "b/yarn.lock": shapes.BERRY,
    "pnpm-lock.yaml": "lockfileVersion: '9.0'\n\nimporters:\n\n  .: {}\n\npackages:\n\n  a@1.0.0: {}\n",
    "poetry.lock": shapes.POETRY.format(requests="", pytest=""),
    "pdm.lock": shapes.PDM,
    "uv.lock": 'version = 1\n[[package]]\nname = "a"\nversion = "1"\nsource = { registry = "x" }\n',
    "pylock.toml": 'lock-version = "1.0"\n[[packages]]\nname = "a"\nversion = "1"\n',
    "Pipfile.lock": '{"_meta": {}, "default": {"a": {"version": "==1.0"}}}',
    "Cargo.lock": shapes.CARGO,
    "composer.lock": '{"packages": [{"name": "a/b", "version": "1.0"}], "packages-dev": []}',
    "gradle.lockfile": "a:b:1.0=compileClasspath\n",
}
leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
KEYS = [
    *("dependencies", "devDependencies", "workspaces", "packages", "require", "require-dev", "project"),
    *("tool", "poetry", "pdm", "uv", "group", "dev-dependencies", "dependency-groups", "target", "package"),
    *("dev-packages", "optional-dependencies", "name", "express", "requests"),
]
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=16,
)


def read(path: str, manifest: bytes | None) -> LockfileContent:
    below = ("packages/web/package.json", "member/Cargo.toml") if manifest is not None else ()
    content = read_lockfile(path, LOCKFILES[path].encode(), lambda _: manifest, below)
    assert not any(gap.reason.startswith("could not be read") for gap in content.not_scanned)
    return content


def named(content: LockfileContent) -> list[tuple[str, str, int | None]]:
    return [(package.name, package.version, package.line) for package in content.packages]


@pytest.mark.parametrize("path", LOCKFILES)
@settings(max_examples=60, deadline=None)
@given(documents, st.binary(max_size=30))
def test_a_manifest_changes_no_package_and_takes_away_no_gap(
    path: str, document: object, noise: bytes
) -> None:
    alone = read(path, None)
    for manifest in (json.dumps(document).encode(), noise, as_toml(document).encode()):
        content = read(path, manifest)
        assert named(content) == named(alone)
        assert set(content.not_scanned) >= set(alone.not_scanned)
        assert {gap.path for gap in content.not_scanned} <= {path}


def as_toml(value: object, prefix: str = "") -> str:
    """The tables of a document, for manifests that are TOML."""
    if not isinstance(value, dict):
        return ""
    plain = {key: item for key, item in value.items() if not isinstance(item, dict) and item is not None}
    lines = [f"[{prefix}]"] if prefix else []
    lines += [f"{json.dumps(key)} = {json.dumps(item)}" for key, item in plain.items()]
    inner = [
        as_toml(item, f"{prefix}.{json.dumps(key)}" if prefix else json.dumps(key))
        for key, item in value.items()
        if isinstance(item, dict)
    ]
    return "\n".join([*lines, *inner])


def npm_tower(size: int) -> tuple[str, bytes]:
    """Deep keys, each of which needs what only the top has."""
    keys = [
        "node_modules/" + "/node_modules/".join(["a"] * (1 + n % 60)) + f"/node_modules/b{n}"
        for n in range(size)
    ]
    packages = {key: {"version": "1.0.0", "dependencies": {"top": "*", "no": "*"}} for key in keys}
    packages["node_modules/top"] = {"version": "1.0.0", "dependencies": {f"b{n}": "*" for n in range(size)}}
    return "package-lock.json", json.dumps({"lockfileVersion": 3, "packages": {"": {}, **packages}}).encode()


def npm_1_tower(size: int) -> tuple[str, bytes]:
    inner: dict[str, object] = {f"x{n}": {"version": "1.0.0", "requires": {"y": "*"}} for n in range(size)}
    for depth in range(50):
        inner = {f"d{depth}": {"version": "1.0.0", "dependencies": inner}}
    return "package-lock.json", json.dumps({"lockfileVersion": 1, "dependencies": inner}).encode()


def berry_workspaces(size: int) -> tuple[str, bytes]:
    """Many workspaces in one folder, by as many names for it."""
    entries = [
        f'"w{n}@workspace:{"./" * (n % 9)}p":\n  resolution: "w{n}@workspace:{"./" * (n % 9)}p"\n'
        "  dependencies:\n    lodash: 1\n  linkType: soft\n"
        for n in range(size)
    ]
    return "yarn.lock", ("__metadata:\n  version: 8\n\n" + "\n".join(entries)).encode()


def cargo_twins(size: int) -> tuple[str, bytes]:
    """Many crates of one name, and one that needs the name as often."""
    crates = [f'[[package]]\nname = "a"\nversion = "{n}.0.0"\nsource = "registry+x"\n' for n in range(size)]
    needs = ",\n".join(['"a"', '"a 1.0.0"'] * size)
    own = f'[[package]]\nname = "own"\nversion = "1.0.0"\ndependencies = [{needs}]\n'
    return "Cargo.lock", ("version = 3\n" + own + "\n".join(crates)).encode()


MANIFEST = json.dumps({"dependencies": {f"x{n}": "*" for n in range(2_000)}}).encode()


@pytest.mark.parametrize("make", [npm_tower, npm_1_tower, berry_workspaces, cargo_twins])
def test_cost_grows_with_the_size_alone(make: Callable[[int], tuple[str, bytes]]) -> None:
    def seconds(size: int) -> float:
        path, data = make(size)
        best = 9.0
        for _ in range(3):
            start = time.process_time()
            assert read_lockfile(path, data, lambda _: MANIFEST).packages or "yarn" in path
            best = min(best, time.process_time() - start)
        return best

    assert seconds(4_000) < 32 * max(seconds(500), 0.002)  # quadratic: 64


def test_every_kind_with_manifests_is_here() -> None:
    asking = {kind_of(path) or "" for path in LOCKFILES}
    kinds = (
        *("npm", "yarn", "pnpm", "requirements", "poetry", "pdm", "uv", "pylock", "pipfile", "cargo", "go"),
        *("bundler", "composer", "maven", "gradle", "nuget-lock", "nuget-config"),
    )
    assert {kind for kind in kinds if Manifests(()).of(kind, "x")} == asking
