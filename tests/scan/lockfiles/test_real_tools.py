"""Lockfiles made by the real package managers are read exactly as the tool itself lists them.

Needs the package registries and some minutes, so it is deselected unless asked for:
`pytest -m real_tools tests/scan/lockfiles/test_real_tools.py`. Python tools that are not on the PATH
are installed into a temporary environment, npm ones into a temporary folder.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .conftest import Read, gaps, pairs

pytestmark = [pytest.mark.real_tools, pytest.mark.timeout(900)]

Pairs = set[tuple[str, str]]

PACKAGE_JSON: dict[str, Any] = {
    "name": "demo",
    "version": "1.0.0",
    "private": True,
    "license": "MIT",
    "dependencies": {
        "express": "4.17.1",
        "lodash-alias": "npm:lodash@4.17.20",
        "react": "17.0.2",
        "react-dom": "17.0.2",
        "styled-components": "5.3.0",
        "react-is": "^17",
    },
    "devDependencies": {"jest": "27.0.0", "chokidar": "^3.5.0", "@babel/core": "^7.0.0"},
}
PYTHON = ["requests[socks]==2.31.0", "jinja2>=3.1,<4", "ruamel.yaml==0.18.6", "Flask~=3.0"]
DEV = ["pytest>=8,<9"]
GROUP = f"[dependency-groups]\ndev = {json.dumps(DEV)}\n"
SPECS = {"pdm": ["pdm<2.26", "hishel<0.2", "unearth<0.18"]}
"""Later releases of these allow each other and do not run together."""


@pytest.fixture(autouse=True)
def closed_network() -> None:
    """In place of the suite's own: package managers need their registries."""


def run(command: list[str | Path], folder: Path, check: bool = True) -> str:
    environment = {**os.environ, "CI": "1", "NO_COLOR": "1", "PIPENV_VENV_IN_PROJECT": "1", "COLUMNS": "200"}
    environment.pop("VIRTUAL_ENV", None)
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    if check and done.returncode:
        pytest.fail(f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


@pytest.fixture(scope="session")
def python_tools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The command of each Python tool, installed where it is missing."""
    names = ("uv", "poetry", "pdm", "pipenv")
    found = {name: shutil.which(name) for name in names}
    missing = [name for name in names if found[name] is None]
    if missing:
        home = tmp_path_factory.mktemp("tools")
        subprocess.run([sys.executable, "-m", "venv", home], check=True, timeout=300)
        specs = [spec for name in missing for spec in SPECS.get(name, [name])]
        pip = subprocess.run([home / "bin/pip", "install", "-q", *specs], timeout=600, capture_output=True)
        if pip.returncode:
            pytest.skip("the Python package index does not answer")
        found.update({name: str(home / "bin" / name) for name in missing})
    return {name: str(command) for name, command in found.items()}


def npm_tool(spec: str, command: str, tmp_path: Path) -> list[str | Path]:
    """A package manager from the npm registry, in a folder of its own."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    home = tmp_path / "tool"
    home.mkdir()
    done = subprocess.run(
        ["npm", "install", "-q", "--prefix", home, spec], capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        pytest.skip(f"the npm registry does not give {spec}")
    return ["node", home / command] if command.endswith((".js", ".cjs")) else [home / command]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def read_file(read: Read, path: Path) -> Pairs:
    content = read(path.name, path.read_bytes())
    assert gaps(content) == {}
    return pairs(content)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_npm(read: Read, project: Path, version: int) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    (project / "package.json").write_text(json.dumps(PACKAGE_JSON))
    run(["npm", "install", "--package-lock-only", "--lockfile-version", str(version)], project)
    listed = json.loads(
        run(["npm", "ls", "--all", "--json", "--long", "--package-lock-only"], project, check=False)
    )
    expected = set(_npm_tree(listed))
    assert len(expected) > 300
    assert ("lodash", "4.17.20") in expected
    assert read_file(read, project / "package-lock.json") == expected


def _npm_tree(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for child in node.get("dependencies", {}).values():
        if "version" in child:
            yield child["name"], child["version"]
            yield from _npm_tree(child)


def test_yarn_classic(read: Read, project: Path, tmp_path: Path) -> None:
    yarn = npm_tool("yarn@1.22.22", "node_modules/yarn/bin/yarn.js", tmp_path)
    (project / "package.json").write_text(json.dumps(PACKAGE_JSON))
    run([*yarn, "install", "--ignore-scripts", "--no-progress"], project)
    listed = run([*yarn, "list", "--json", "--no-progress"], project)
    trees = next(row for row in map(json.loads, listed.splitlines()) if row["type"] == "tree")["data"][
        "trees"
    ]
    expected = {
        ("lodash" if name == "lodash-alias" else name, version) for name, version in _yarn_tree(trees)
    }
    assert len(expected) > 300
    assert read_file(read, project / "yarn.lock") == expected


def _yarn_tree(nodes: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if not node.get("shadow"):
            name, _, version = node["name"].rpartition("@")
            yield name, version
            yield from _yarn_tree(node.get("children", []))


def test_yarn_berry(read: Read, project: Path, tmp_path: Path) -> None:
    yarn = npm_tool("@yarnpkg/cli-dist@4", "node_modules/@yarnpkg/cli-dist/bin/yarn.js", tmp_path)
    (project / "package.json").write_text(json.dumps(PACKAGE_JSON))
    (project / "yarn.lock").touch()
    run([*yarn, "install", "--mode=update-lockfile"], project)
    rows = map(json.loads, run([*yarn, "info", "--all", "--recursive", "--json"], project).splitlines())
    expected = set()
    for row in rows:
        name, _, reference = row["value"][1:].partition("@")
        if not reference.startswith("workspace:"):
            expected.add((row["value"][0] + name, row["children"]["Version"]))
    assert len(expected) > 300
    assert ("lodash", "4.17.20") in expected
    assert read_file(read, project / "yarn.lock") == expected


@pytest.mark.parametrize("spec", ["pnpm@7", "pnpm@8", "pnpm@10"])
def test_pnpm(read: Read, project: Path, tmp_path: Path, spec: str) -> None:
    pnpm = npm_tool(spec, "node_modules/pnpm/bin/pnpm.cjs", tmp_path)
    (project / "package.json").write_text(json.dumps(PACKAGE_JSON))
    run([*pnpm, "install", "--ignore-scripts", "--store-dir", tmp_path / "store"], project)
    listed = json.loads(run([*pnpm, "list", "--json", "--depth", "Infinity"], project))
    expected = set(_pnpm_tree(listed[0]))
    assert len(expected) > 300
    assert ("lodash", "4.17.20") in expected
    assert read_file(read, project / "pnpm-lock.yaml") == expected


def _pnpm_tree(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("dependencies", "devDependencies", "optionalDependencies"):
        for child in node.get(key, {}).values():
            yield child["from"], child["version"]
            yield from _pnpm_tree(child)


def canonical(found: Pairs) -> Pairs:
    return {(canonicalize_name(name), version) for name, version in found}


def from_requirements(text: str) -> Pairs:
    """Pins of a tool's own requirements output, read by the packaging library."""
    found = set()
    for line in text.replace("\\\n", " ").splitlines():
        plain = line.partition(" --hash")[0].partition(" #")[0].strip()
        if plain and not plain.startswith(("#", "-", ".")):
            requirement = Requirement(plain)
            found.add((canonicalize_name(requirement.name), next(iter(requirement.specifier)).version))
    return found


def pyproject(folder: Path, dependencies: list[str], more: str) -> None:
    text = '[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.11,<4"\n'
    (folder / "pyproject.toml").write_text(f"{text}dependencies = {json.dumps(dependencies)}\n{more}")


def test_pip_freeze_and_lock(read: Read, project: Path) -> None:
    run([sys.executable, "-m", "venv", project / "env"], project)
    pip = project / "env/bin/python", "-m", "pip"
    run([*pip, "install", "-q", "--upgrade", "pip"], project)
    run([*pip, "install", "-q", *PYTHON, *DEV], project)
    (project / "requirements.txt").write_text(run([*pip, "freeze", "--all"], project))
    inspected = json.loads(run([*pip, "inspect"], project))["installed"]
    expected = {(item["metadata"]["name"], item["metadata"]["version"]) for item in inspected}
    assert len(expected) > 12
    assert canonical(read_file(read, project / "requirements.txt")) == canonical(expected)

    run([*pip, "lock", "-o", "pylock.toml", *PYTHON, *DEV], project)
    unlocked = {name for name, _ in canonical(expected)} & {"pip", "setuptools"}
    locked = canonical(read_file(read, project / "pylock.toml"))
    assert locked == {pair for pair in canonical(expected) if pair[0] not in unlocked}


def test_uv(read: Read, project: Path, python_tools: dict[str, str]) -> None:
    uv = python_tools["uv"]
    pyproject(project, PYTHON, GROUP)
    run([uv, "lock"], project)
    exported = run([uv, "export", "--frozen", "--no-hashes", "--all-groups", "--no-emit-project"], project)
    expected = from_requirements(exported)
    assert len(expected) > 12
    assert read_file(read, project / "uv.lock") == expected

    run([uv, "export", "--frozen", "--all-groups", "--no-emit-project", "-o", "requirements.txt"], project)
    assert read_file(read, project / "requirements.txt") == expected
    run([uv, "export", "--frozen", "--all-groups", "--no-emit-project", "-o", "pylock.toml"], project)
    assert read_file(read, project / "pylock.toml") == expected


def test_poetry(read: Read, project: Path, python_tools: dict[str, str]) -> None:
    index = os.environ.get("PIP_INDEX_URL")
    more = "[tool.poetry]\npackage-mode = false\n[tool.poetry.group.dev.dependencies]\npytest = '>=8,<9'\n"
    if index:
        more += f'[[tool.poetry.source]]\nname = "index"\nurl = "{index}"\npriority = "primary"\n'
    # An index may lack the JSON interface that Poetry uses of its default one, and dotted names.
    pyproject(project, [item for item in PYTHON if "ruamel" not in item], more)
    run([python_tools["poetry"], "lock", "-n"], project)
    rows = run([python_tools["poetry"], "show", "-n", "--no-ansi", "--all"], project)
    expected = {_poetry_row(row) for row in rows.splitlines()}
    assert len(expected) > 12
    assert read_file(read, project / "poetry.lock") == expected


def _poetry_row(row: str) -> tuple[str, str]:
    name, version = row.replace("(!)", " ").split()[:2]
    return name, version


def test_pdm(read: Read, project: Path, python_tools: dict[str, str]) -> None:
    pyproject(project, PYTHON, GROUP)
    pdm = python_tools["pdm"]
    run([pdm, "config", "--local", "python.use_venv", "false"], project)
    run([pdm, "use", sys.executable], project)
    run([pdm, "lock", "-G:all"], project)
    exported = run([pdm, "export", "-f", "requirements", "--no-hashes", "-G:all"], project)
    expected = from_requirements(exported)
    assert len(expected) > 12
    assert read_file(read, project / "pdm.lock") == expected


def test_pipenv(read: Read, project: Path, python_tools: dict[str, str]) -> None:
    pipenv = python_tools["pipenv"]
    run([pipenv, "install", *PYTHON], project)
    run([pipenv, "install", "--dev", *DEV], project)
    expected = from_requirements(run([pipenv, "requirements", "--dev"], project))
    assert len(expected) > 12
    assert canonical(read_file(read, project / "Pipfile.lock")) == expected


@pytest.mark.parametrize("spec", ["bun@1.2.5", "bun@1.4.5"])
def test_bun(read: Read, project: Path, tmp_path: Path, spec: str) -> None:
    bun = npm_tool(spec, "node_modules/.bin/bun", tmp_path)
    (project / "package.json").write_text(json.dumps(PACKAGE_JSON))
    run([*bun, "install", "--lockfile-only"], project)
    listed = run([*bun, "pm", "ls", "--all"], project).splitlines()[1:]
    entries = (line.lstrip(" │├└─").rpartition("@") for line in listed)
    expected = {("lodash" if name == "lodash-alias" else name, version) for name, _, version in entries}
    assert len(expected) > 300
    assert ("lodash", "4.17.20") in expected
    assert read_file(read, project / "bun.lock") == expected


RECIPES = {
    "zlib/1.2.11": "",
    "cmake/3.25.3": "",
    "openssl/1.1.1t": 'requires = "zlib/1.2.11"; tool_requires = "cmake/3.25.3"',
    "app/1.0": 'requires = "openssl/1.1.1t"; tool_requires = "cmake/3.25.3"',
}


def test_conan(read: Read, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True, timeout=300)
    pip = subprocess.run(
        [tmp_path / "env/bin/pip", "install", "-q", "conan>=2,<3"], timeout=600, capture_output=True
    )
    if pip.returncode:
        pytest.skip("the Python package index does not give conan")
    monkeypatch.setenv("CONAN_HOME", str(tmp_path / "conan"))
    conan = tmp_path / "env/bin/conan"
    for reference, body in RECIPES.items():
        name, _, version = reference.partition("/")
        (project / name).mkdir()
        recipe = (
            f'from conan import ConanFile\nclass P(ConanFile):\n    name = "{name}"; version = "{version}"\n'
        )
        (project / name / "conanfile.py").write_text(f"{recipe}    {body}\n")
        run([conan, "export", name], project)
    run([conan, "profile", "detect"], project)
    run([conan, "lock", "create", "app", "--build=missing", "-nr"], project)
    graph = json.loads(
        run([conan, "graph", "info", "app", "--build=missing", "-nr", "--format=json"], project)
    )
    refs = {node["ref"].partition("#")[0] for node in graph["graph"]["nodes"].values()} - {"app/1.0"}
    expected = {(ref.partition("/")[0], ref.partition("/")[2]) for ref in refs}
    assert len(expected) == 3
    content = read("conan.lock", (project / "app" / "conan.lock").read_bytes())
    assert gaps(content) == {}
    assert pairs(content) == expected
    assert {package.name for package in content.packages if package.dev} == {"cmake"}
