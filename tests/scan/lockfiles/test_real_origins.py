"""Direct, development and via are what the real package managers themselves say of their lockfiles.

Needs the package registries: `pytest -m real_tools tests/scan/lockfiles/test_real_origins.py`.
"""

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cortex_git.scan.records import MAX_VIA, Package

from .conftest import Read
from .test_real_tools import (
    DEV,
    GROUP,
    PACKAGE_JSON,
    PYTHON,
    from_requirements,
    npm_tool,
    pyproject,
    run,
)
from .test_real_tools import project as project
from .test_real_tools import python_tools as python_tools

pytestmark = [pytest.mark.real_tools, pytest.mark.timeout(900)]

Pair = tuple[str, str]


def packages(read: Read, project: Path, lockfile: str, manifest: str) -> dict[Pair, Package]:
    content = read(lockfile, (project / lockfile).read_bytes(), {manifest: (project / manifest).read_bytes()})
    return {(package.name, package.version): package for package in content.packages}


def bringing(tree: dict[str, Any], *sections: str) -> dict[Pair, set[str]]:
    """For each package of a tool's tree, the top-level names under which the tool prints it."""
    found: dict[Pair, set[str]] = defaultdict(set)
    for section in sections:
        for name, node in tree.get(section, {}).items():
            for pair in below(node):
                found[pair].add(name)
    return found


def below(node: dict[str, Any]) -> Iterator[Pair]:
    for section in ("dependencies", "optionalDependencies"):
        for name, child in node.get(section, {}).items():
            if "version" in child:
                yield (child.get("from") or child.get("name") or name), child["version"]
                yield from below(child)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_npm(read: Read, project: Path, version: int) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    (project / "package.json").write_text(json.dumps(PACKAGE_JSON))
    run(["npm", "install", "--package-lock-only", "--lockfile-version", str(version)], project)
    found = packages(read, project, "package-lock.json", "package.json")
    listed = json.loads(
        run(["npm", "ls", "--all", "--json", "--long", "--package-lock-only"], project, check=False)
    )
    top = {(node["name"], node["version"]) for node in listed["dependencies"].values()}
    assert {pair for pair, package in found.items() if package.direct} == top

    def queried(selector: str) -> set[Pair]:
        nodes = json.loads(run(["npm", "query", selector, "--package-lock-only"], project))
        return {(node["name"], node["version"]) for node in nodes}

    # What production brings in as a peer or only optionally has marks of its own in the lockfile.
    dev = queried(".dev") - queried(".prod")
    least = dev - queried(".peer") - queried(".optional") if version > 1 else set()
    assert len(least) > 50 or version == 1, "version 1 does not say what is a peer"
    assert least <= {pair for pair, package in found.items() if package.dev} <= dev
    printed = bringing(listed, "dependencies")
    checked = 0
    for pair, names in printed.items():
        package = found[pair]
        if not package.direct and len(package.via) < MAX_VIA:
            assert names - {package.name} <= set(package.via), pair
            checked += 1
    assert checked > 100


@pytest.mark.parametrize("spec", ["pnpm@7", "pnpm@8", "pnpm@9"])
def test_pnpm(read: Read, project: Path, tmp_path: Path, spec: str) -> None:
    pnpm = npm_tool(spec, "node_modules/pnpm/bin/pnpm.cjs", tmp_path)
    (project / "package.json").write_text(json.dumps(PACKAGE_JSON))
    run([*pnpm, "install", "--ignore-scripts", "--store-dir", tmp_path / "store"], project)
    found = packages(read, project, "pnpm-lock.yaml", "package.json")

    def listed(*options: str) -> dict[str, Any]:
        tree: dict[str, Any] = json.loads(
            run([*pnpm, "list", "--json", "--depth", "Infinity", *options], project)
        )[0]
        return tree

    everything, production = listed(), listed("--prod")
    top = {
        (node["from"], node["version"])
        for section in ("dependencies", "devDependencies")
        for node in everything[section].values()
    }
    assert {pair for pair, package in found.items() if package.direct} == top
    prod = set(below(production))
    assert {pair for pair, package in found.items() if package.dev is False} == prod
    for pair, names in bringing(everything, "dependencies", "devDependencies").items():
        package = found[pair]
        if not package.direct and len(package.via) < MAX_VIA:
            assert names == set(package.via), pair


def test_uv(read: Read, project: Path, python_tools: dict[str, str]) -> None:
    uv = python_tools["uv"]
    pyproject(project, PYTHON, GROUP)
    run([uv, "lock"], project)
    found = packages(read, project, "uv.lock", "pyproject.toml")
    plain = [uv, "export", "--frozen", "--no-hashes", "--no-emit-project"]
    prod = from_requirements(run([*plain, "--no-dev"], project))
    assert {pair for pair, package in found.items() if package.dev is False} == prod
    assert {pair for pair, package in found.items() if package.dev} == from_requirements(
        run([*plain, "--only-dev"], project)
    ) - prod
    asked = {canonicalize_name(Requirement(text).name) for text in PYTHON + DEV}
    assert {name for (name, _), package in found.items() if package.direct} == asked
    compile_: list[str | Path] = [
        uv,
        "pip",
        "compile",
        "-q",
        "pyproject.toml",
        "--no-header",
        "-o",
        "requirements.txt",
    ]
    run(compile_, project)
    compiled = packages(read, project, "requirements.txt", "pyproject.toml")
    assert set(compiled) == prod
    for pair, package in compiled.items():
        assert (package.direct, package.via) == (found[pair].direct, found[pair].via)


def test_poetry(read: Read, project: Path, python_tools: dict[str, str]) -> None:
    index = os.environ.get("PIP_INDEX_URL")
    more = "[tool.poetry]\npackage-mode = false\n[tool.poetry.group.dev.dependencies]\npytest = '>=8,<9'\n"
    if index:
        more += f'[[tool.poetry.source]]\nname = "index"\nurl = "{index}"\npriority = "primary"\n'
    pyproject(project, [item for item in PYTHON if "ruamel" not in item], more)
    poetry = python_tools["poetry"]
    run([poetry, "lock", "-n"], project)
    found = packages(read, project, "poetry.lock", "pyproject.toml")

    def shown(*options: str) -> set[str]:
        rows = run([poetry, "show", "-n", "--no-ansi", *options], project).splitlines()
        return {row.split()[0] for row in rows}

    assert {name for (name, _), package in found.items() if package.direct} == shown("--top-level")
    assert {name for (name, _), package in found.items() if package.dev is False} == shown("--only", "main")
    assert {name for (name, _), package in found.items() if package.dev} == shown() - shown("--only", "main")
