"""What the manifest beside a lockfile needs, the lockfile has to list; what may be absent is no gap."""

import json

import pytest

from .conftest import Read, gaps

NPM = {
    "dependencies": {"lodash": "^4", "alias": "npm:x@1", "own": "file:own"},
    "devDependencies": {"qs": "6"},
}
NPM |= {"optionalDependencies": {"fsevents": "2"}, "peerDependencies": {"react": "18"}}
LOCKED = {name: {"version": "1.0.0"} for name in ("lodash", "alias", "qs")}
YARN = "# yarn lockfile v1\n\n\n" + "".join(f'{n}@npm:x:\n  version "1.0.0"\n\n' for n in LOCKED)
PNPM = "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n"
PNPM += "".join(f"      {n}:\n        specifier: 1.0.0\n        version: 1.0.0\n" for n in LOCKED)
PNPM += "\npackages:\n\n" + "".join(f"  {n}@1.0.0:\n    resolution: {{integrity: x}}\n" for n in LOCKED)
NODE = {f"node_modules/{name}": entry for name, entry in LOCKED.items()}
PYPROJECT = """[project]
name = "x"
dependencies = ["Django>=4,<5", "tomli; python_version < '3.11'", "x[extra]", "pip", "own @ x:/o", "six"]
optional-dependencies = {extra = ["absent"]}
[dependency-groups]
dev = ["py_test", {include-group = "y"}]
[tool.poetry.dependencies]
python = "^3"
local = {path = "../local"}
toml = {version = "1", optional = true}
[tool.uv.sources]
six = {path = "six"}
"""
POETRY = '[[package]]\nname = "{}"\nversion = "1"\n\n'
POETRY += '[[package]]\nname = "six"\nversion = "1"\n\n[metadata]\nlock-version = "2.0"\n'
PDM = '[metadata]\ngroups = ["default", "dev"]\nlock_version = "4.5.0"\ncontent_hash = "x"\n\n'
PDM += "".join(f'[[package]]\nname = "{name}"\nversion = "1"\n\n' for name in ("django", "py-test"))
UV = 'version = 1\n[[package]]\nname = "x"\nversion = "1"\nsource = { virtual = "." }\n'
for each in ("django", "py-test"):
    UV += f'\n[[package]]\nname = "{each}"\nversion = "1"\nsource = {{ registry = "x" }}\n'
PYLOCK = 'lock-version = "1.0"\n[[packages]]\nname = "django"\nversion = "1"\n'
PIPFILE = (
    '[packages]\nDjango = "*"\nsetuptools = "*"\nown = {path = "."}\nwin = {version = "*", markers = "x"}\n'
)
PIPFILE += '[dev-packages]\npytest = "*"\n'
PIPFILE_LOCK = {
    "_meta": {},
    "default": {"django": {"version": "==1"}},
    "develop": {"pytest": {"version": "==1"}},
}
CARGO_TOML = """[package]
name = "x"
[dependencies]
time = "0.1"
short = {package = "long_name", version = "1"}
own = {path = "own", version = "1"}
maybe = {version = "1", optional = true}
shared = {workspace = true}
[target.'cfg(windows)'.dependencies]
winapi = "0.3"
[workspace.dependencies]
shared = "1"
"""
CARGO = 'version = 3\n\n[[package]]\nname = "x"\nversion = "0.1.0"\n'
for each in ("time", "long-name", "shared", "winapi"):
    CARGO += f'\n[[package]]\nname = "{each}"\nversion = "1.0.0"\nsource = "registry+x"\n'
COMPOSER = {
    "require": {"php": ">=8", "ext-json": "*", "A/b": "1", "virtual/x": "1"},
    "require-dev": {"c/d": "1"},
}
COMPOSER_LOCK = {"packages": [{"name": "a/b", "version": "1.0", "provide": {"virtual/x": "1"}}]}
COMPOSER_LOCK |= {"packages-dev": [{"name": "c/d", "version": "1.0"}]}
CASES = {
    "package-lock.json": (
        "package.json",
        json.dumps(NPM),
        json.dumps({"lockfileVersion": 3, "packages": NODE}),
    ),
    "v1/package-lock.json": (
        "v1/package.json",
        json.dumps(NPM),
        json.dumps({"lockfileVersion": 1, "dependencies": LOCKED}),
    ),
    "yarn.lock": ("package.json", json.dumps(NPM), YARN),
    "pnpm-lock.yaml": ("package.json", json.dumps(NPM), PNPM),
    "poetry.lock": ("pyproject.toml", PYPROJECT, POETRY.format("django")),
    "pdm.lock": ("pyproject.toml", PYPROJECT, PDM),
    "uv.lock": ("pyproject.toml", PYPROJECT, UV),
    "pylock.toml": ("pyproject.toml", PYPROJECT, PYLOCK),
    "Pipfile.lock": ("Pipfile", PIPFILE, json.dumps(PIPFILE_LOCK)),
    "Cargo.lock": ("Cargo.toml", CARGO_TOML, CARGO),
    "composer.lock": ("composer.json", json.dumps(COMPOSER), json.dumps(COMPOSER_LOCK)),
}
FIRST = {"package.json": "lodash", "pyproject.toml": "django", "Pipfile": "django", "Cargo.toml": "time"}


@pytest.mark.parametrize("path", CASES)
def test_a_lockfile_lists_what_its_manifest_needs(read: Read, path: str) -> None:
    manifest, content, lockfile = CASES[path]
    assert gaps(read(path, lockfile, {manifest: content})) == {}
    name = FIRST.get(manifest.rpartition("/")[2], "a/b")
    without = lockfile.replace(name, "other/x" if "/" in name else "other")
    assert gaps(read(path, without, {manifest: content})) == {
        path: f"needs {name}, which it does not list: it may be cut off"
    }
    assert gaps(read(path, without)) == {}, "nothing is known without the manifest"


def test_a_lockfile_with_nothing_is_whole_where_nothing_is_needed(read: Read) -> None:
    for path, empty in (
        ("yarn.lock", "# yarn lockfile v1\n\n\n"),
        ("package-lock.json", '{"lockfileVersion": 3}'),
    ):
        assert gaps(read(path, empty, {"package.json": '{"dependencies": {}}'})) == {}
        assert list(gaps(read(path, empty, {"package.json": '{"dependencies": {"qs": "6"}}'}))) == [path]


def test_members_of_a_workspace_are_looked_at_each_for_itself(read: Read) -> None:
    pnpm = "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n"
    pnpm += "    dependencies:\n      qs:\n        version: 1.0.0\n\n"
    pnpm += "  web: {}\n\npackages:\n\n  qs@1.0.0:\n    resolution: {integrity: x}\n"
    web = {"web/package.json": '{"dependencies": {"qs": "1"}}'}
    assert list(gaps(read("pnpm-lock.yaml", pnpm, web))) == ["pnpm-lock.yaml"]
    npm = {"": {}, "web": {}, "node_modules/web": {"resolved": "web", "link": True}}
    lock = json.dumps({"lockfileVersion": 3, "packages": npm})
    assert list(gaps(read("package-lock.json", lock, web))) == ["package-lock.json"]
    npm["web/node_modules/qs"] = {"version": "1.0.0"}
    assert gaps(read("package-lock.json", json.dumps({"lockfileVersion": 3, "packages": npm}), web)) == {}


@pytest.mark.parametrize(
    ("path", "cut", "reason"),
    [
        ("uv.lock", 'version = 1\n[[package]]\nname = "x"\nversion = "1"\n', "the entry is cut off"),
        ("Cargo.lock", 'version = 3\n\n[[package]]\nname = "x"\n', "the entry is cut off"),
        ("pdm.lock", '[metadata]\ngroups = ["default"]\n', "has no content_hash, so it may be cut off"),
        ("pnpm-lock.yaml", PNPM[: PNPM.index("    dependencies")], "ends in the middle of an entry"),
        (
            "pnpm-lock.yaml",
            PNPM[: PNPM.index("        version")],
            "needs lodash, which it does not list: it may be cut off",
        ),
    ],
    ids=["uv", "cargo", "pdm", "pnpm-importer", "pnpm-range"],
)
def test_a_cut_inside_an_entry_shows_without_a_manifest(read: Read, path: str, cut: str, reason: str) -> None:
    assert list(gaps(read(path, cut)).values()) == [reason]
