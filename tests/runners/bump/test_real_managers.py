"""The commands that we print, and those of a campaign, with the package managers themselves.

Each needs its program on the PATH and nothing else: its registry is of this machine.
`PATH=…:$PATH pytest -m real_tools tests/runners/bump` for those that are somewhere else.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from managerworld import Versions, cargo_registry, composer_repositories, go_proxy, python_index
from npmworld import npm_registry

from cortex_git.runners.agent.confinement import Confined
from cortex_git.runners.bump.asked import Wanted
from cortex_git.runners.bump.manifests import PINNED_IN_TOML, asking, repin_manifest
from cortex_git.runners.bump.tools import Need, tool_for
from cortex_git.scan.lockfiles import kind_of, read_lockfile
from cortex_git.scan.records import Package
from cortex_git.scan.upgrades import upgrade_command

pytestmark = pytest.mark.real_tools

NPM: Versions = {
    "leaf": {"1.0.0": {}, "1.0.5": {}},
    "loose": {"1.0.0": {"leaf": "^1.0.0"}},
}
PYTHON: Versions = {
    "leaf": {"1.0.0": {}, "1.0.5": {}},
    "loose": {"1.0.0": {"leaf": ">=1.0"}},
}
CRATES: Versions = {"leaf": {"1.0.0": {}, "1.0.5": {}, "2.0.0": {}}, "loose": {"1.0.0": {"leaf": "^1.0"}}}
MODULES: Versions = {
    "example.com/leaf": {"1.0.0": {}, "1.0.5": {}},
    "example.com/loose": {"1.0.0": {"example.com/leaf": "1.0.0"}},
}
PHP: Versions = {"a/leaf": {"1.0.0": {}, "1.0.5": {}}, "a/loose": {"1.0.0": {"a/leaf": "^1.0"}}}


@pytest.fixture(autouse=True)
def closed_network() -> None:
    """In place of the suite's own: these are programs, and their registries are of this machine."""


class Project:
    """One project with an old lockfile, the program that wrote it, and the variables that it needs."""

    def __init__(self, folder: Path, lockfile: str, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.lockfile = lockfile
        own = {"PATH": os.environ["PATH"], "HOME": str(folder.parent / "home")}
        self.variables = own | {"CI": "1", "NO_COLOR": "1"} | dict(variables)
        (folder.parent / "home").mkdir(exist_ok=True)
        folder.mkdir(exist_ok=True)

    def write(self, files: Mapping[str, str]) -> None:
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)

    def run(self, command: str | list[str], more: Mapping[str, str] | None = None) -> None:
        words = ["sh", "-c", command] if isinstance(command, str) else command
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=self.variables | dict(more or {}),
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"

    def package(self, name: str) -> Package:
        def beside(path: str) -> bytes | None:
            file = self.folder / path
            return file.read_bytes() if file.is_file() else None

        content = read_lockfile(self.lockfile, (self.folder / self.lockfile).read_bytes(), beside)
        (found,) = [one for one in content.packages if one.name == name]
        return found

    def copy(self, name: str) -> "Project":
        shutil.copytree(self.folder, self.folder.parent / name, symlinks=True)
        return Project(self.folder.parent / name, self.lockfile, self.variables)


def program(name: str, version: str = "") -> None:
    """Skip where it is not on the PATH, or not of that major version."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    if version:
        done = subprocess.run([name, "--version"], capture_output=True, text=True, timeout=60)
        if not done.stdout.startswith(version):
            pytest.skip(f"{name} is not of version {version}")


def upgrades(project: Project, name: str, fixed: str = "1.0.5") -> None:
    """By the command for people, and by a campaign's: both lead to the fix."""
    before = project.package(name)
    assert before.version == "1.0.0"
    command = upgrade_command(before, fixed)
    assert command is not None
    by_hand = project.copy("by-hand")
    by_hand.run(command)
    assert by_hand.package(name).version == fixed
    campaign = project.copy("campaign")
    content = (campaign.folder / campaign.lockfile).read_bytes()
    manifest = campaign.folder / "package.json"
    tool = tool_for(campaign.lockfile, content)
    if tool is None:
        return
    fixes = {"1.0.0": fixed}
    if kind_of(campaign.lockfile) in PINNED_IN_TOML:
        wanted = Wanted(campaign.lockfile, before.ecosystem, name, ("1.0.0",), ("CVE-1",))
        repin_manifest(Confined(campaign.folder), "", wanted, fixes)
    where = asking(name, manifest.read_bytes() if manifest.exists() else None, content)
    for words in tool.commands(Need(name, fixes, fixed, where, before.direct is True)):
        campaign.run(words, tool.variables)
    assert campaign.package(name).version == fixed


CASES = pytest.mark.parametrize("case", ["asked for", "brought in"])


@contextmanager
def of_npm(tmp_path: Path, lockfile: str) -> Iterator[Project]:
    with npm_registry(NPM) as address:
        variables = {
            "npm_config_registry": address, "pnpm_config_registry": address, "YARN_REGISTRY": address,
            "YARN_NPM_REGISTRY_SERVER": address, "YARN_UNSAFE_HTTP_WHITELIST": "127.0.0.1",
            "YARN_ENABLE_TELEMETRY": "0", "YARN_ENABLE_IMMUTABLE_INSTALLS": "false",
        }  # fmt: skip
        yield Project(tmp_path / "project", lockfile, variables)


def manifest(**dependencies: str) -> str:
    return json.dumps({"name": "x", "version": "1.0.0", "private": True, "dependencies": dependencies})


@CASES
@pytest.mark.parametrize(
    ("name", "version", "lockfile", "lock"),
    [
        ("pnpm", "", "pnpm-lock.yaml", "pnpm install --lockfile-only --no-frozen-lockfile"),
        ("yarn", "4", "yarn.lock", "yarn install --mode=update-lockfile"),
        ("yarn", "1", "yarn.lock", "yarn install --ignore-scripts"),
    ],
    ids=["pnpm", "yarn berry", "yarn 1"],
)
def test_of_npm(tmp_path: Path, name: str, version: str, lockfile: str, lock: str, case: str) -> None:
    program(name, version)
    with of_npm(tmp_path, lockfile) as project:
        both = {"leaf": "1.0.0", "loose": "1.0.0"} if case == "brought in" else {"leaf": "1.0.0"}
        project.write({"package.json": manifest(**both)})
        project.run(lock)
        if case == "brought in":
            project.write({"package.json": manifest(loose="1.0.0")})
            if version:  # Yarn would take the newest version at once
                project.write({lockfile: _only_loose(project.folder / lockfile)})
            project.run(lock)
        upgrades(project, "leaf")


def _only_loose(lockfile: Path) -> str:
    """The lockfile in which what is asked for by `loose` is pinned to what was asked for exactly."""
    text = lockfile.read_text()
    blocks = text.split("\n\n")
    exact = next(block for block in blocks if "leaf@1.0.0:" in block or 'leaf@npm:1.0.0"' in block)
    kept = [
        block
        for block in blocks
        if block is not exact and "leaf@^" not in block and "leaf@npm:^" not in block
    ]
    moved = exact.replace("leaf@1.0.0:", "leaf@^1.0.0:").replace('leaf@npm:1.0.0":', 'leaf@npm:^1.0.0":')
    return "\n\n".join([kept[0], moved.strip("\n"), *kept[1:]])


def test_a_workspace_of_pnpm_asks_for_it(tmp_path: Path) -> None:
    program("pnpm")
    with of_npm(tmp_path, "pnpm-lock.yaml") as project:
        project.write({
            "package.json": manifest(), "pnpm-workspace.yaml": "packages:\n  - w/*\n",
            "w/a/package.json": manifest(leaf="1.0.0"),
        })  # fmt: skip
        project.run("pnpm install --lockfile-only --no-frozen-lockfile")
        upgrades(project, "leaf")
        asked = json.loads((tmp_path / "campaign" / "package.json").read_text())
        assert "leaf" not in asked["dependencies"]


@CASES
@pytest.mark.parametrize("name", ["uv", "poetry", "pdm"])
def test_of_python(tmp_path: Path, name: str, case: str) -> None:
    program(name)
    (tmp_path / "index").mkdir()
    with python_index(tmp_path / "index", PYTHON) as address:
        variables = {
            "UV_DEFAULT_INDEX": address, "UV_PYTHON": sys.executable, "PDM_PYPI_URL": address,
            "PDM_CHECK_UPDATE": "0", "PDM_PYTHON": sys.executable,
        }  # fmt: skip
        project = Project(tmp_path / "project", f"{name}.lock", variables)
        more = {
            "uv": "",
            "poetry": "[tool.poetry]\npackage-mode = false\n[[tool.poetry.source]]\nname = 'here'\n",
            "pdm": "[tool.pdm]\ndistribution = false\n[[tool.pdm.source]]\nname = 'pypi'\n",
        }[name]
        more += f"url = '{address}'\n" if more else ""

        def asks(*requirements: str) -> None:
            head = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11"\n'
            project.write({"pyproject.toml": f"{head}dependencies = {json.dumps(requirements)}\n{more}"})
            project.run(f"{name} lock{' --update-reuse' if name == 'pdm' else ''}")

        asks("loose", "leaf==1.0.0")
        if case == "brought in":
            asks("loose")
        upgrades(project, "leaf")


@CASES
def test_of_cargo(tmp_path: Path, case: str) -> None:
    program("cargo")
    # The suite has a home folder of its own; rustup's is where the program is.
    rustup = Path(shutil.which("cargo") or "").parents[2] / ".rustup"
    variables = {"RUSTUP_HOME": str(rustup)} if rustup.is_dir() else {}
    project = Project(tmp_path / "project", "Cargo.lock", variables)
    asked = 'leaf = "1"' if case == "asked for" else 'loose = "1"'
    project.write({
        ".cargo/config.toml": cargo_registry(tmp_path / "registry", CRATES),
        "Cargo.toml": f'[package]\nname = "x"\nversion = "0.1.0"\n[dependencies]\n{asked}\n',
        "src/lib.rs": "",
    })  # fmt: skip
    project.run("cargo generate-lockfile && cargo update --package leaf --precise 1.0.0")
    upgrades(project, "leaf")
    if case == "asked for":
        far = upgrade_command(project.package("leaf"), "2.0.0")
        assert far is not None
        project.run(far)
        assert project.package("leaf").version == "2.0.0"


@CASES
def test_of_go(tmp_path: Path, case: str) -> None:
    program("go")
    variables = {"GOPROXY": go_proxy(tmp_path / "proxy", MODULES), "GOSUMDB": "off", "GOTOOLCHAIN": "local",
                 "GOMODCACHE": str(tmp_path / "cache"), "GOFLAGS": "-modcacherw"}  # fmt: skip
    project = Project(tmp_path / "project", "go.mod", variables)
    module = "example.com/leaf" if case == "asked for" else "example.com/loose"
    project.write(
        {
            "go.mod": f"module x\n\ngo 1.19\n\nrequire {module} v1.0.0\n",
            "x.go": f'package x\n\nimport _ "{module}"\n',
        }
    )
    project.run("go mod tidy")
    upgrades(project, "example.com/leaf")


@CASES
def test_of_composer(tmp_path: Path, case: str) -> None:
    program("composer")
    project = Project(tmp_path / "project", "composer.lock", {"COMPOSER_ALLOW_SUPERUSER": "1"})

    def asks(**required: str) -> None:
        document = {"name": "x/x", "repositories": composer_repositories(PHP), "require": required}
        project.write({"composer.json": json.dumps(document)})

    asks(**{"a/loose": "1.0.0", "a/leaf": "1.0.0"})
    project.run("composer update --no-install -q")
    asks(**({"a/loose": "1.0.0"} | ({"a/leaf": "^1.0"} if case == "asked for" else {})))
    project.run("composer update --lock --no-install -q")
    upgrades(project, "a/leaf")


@CASES
def test_of_bundler(tmp_path: Path, case: str) -> None:
    program("bundle")
    gems = tmp_path / "registry" / "gems"
    gems.mkdir(parents=True)
    own = str(tmp_path / "installed")
    project = Project(tmp_path / "project", "Gemfile.lock", {"GEM_HOME": own, "GEM_PATH": own})
    for name, version, needs in [("leaf", "1.0.0", ""), ("leaf", "1.0.5", ""), ("loose", "1.0.0", "leaf")]:
        more = f's.add_dependency "{needs}", ">= 1.0"' if needs else ""
        spec = f's.name="{name}"; s.version="{version}"; s.summary="x"; s.authors=["x"]; s.files=[]; {more}'
        project.write({"x.gemspec": f"Gem::Specification.new {{|s| {spec} }}\n"})
        project.run(f"gem build x.gemspec -q --force -o {shlex.quote(str(gems))}/{name}-{version}.gem")
    (project.folder / "x.gemspec").unlink()
    project.run(["gem", "generate_index", "-q", "-d", str(gems.parent)])
    source = f'source "file://{gems.parent}"\n'
    asked = '"loose"' if case == "brought in" else '"leaf", "~> 1.0"'
    for text in (f'{source}gem "loose"\ngem "leaf", "1.0.0"\n', f"{source}gem {asked}\n"):
        project.write({"Gemfile": text})
        project.run("bundle lock")
    upgrades(project, "leaf")
