"""What is direct, what is for development and what brings a package in, for each format and its manifest."""

import json

import pytest

from cortex_git.scan.records import LockfileContent

from .conftest import Read

Origins = dict[str, tuple[bool | None, bool | None, tuple[str, ...]]]


def origins(content: LockfileContent) -> Origins:
    assert content.not_scanned == ()
    return {package.name: (package.direct, package.dev, package.via) for package in content.packages}


NPM_3 = {
    "name": "shop",
    "lockfileVersion": 3,
    "packages": {
        "": {
            "name": "shop",
            "workspaces": ["packages/*"],
            "dependencies": {"express": "^4.17.1", "alias": "npm:minimist@1.2.0"},
            "devDependencies": {"mocha": "9.0.0"},
        },
        "packages/api": {
            "name": "@shop/api",
            "dependencies": {"lodash": "^3"},
            "devDependencies": {"qs": "^6"},
        },
        "node_modules/@shop/api": {"resolved": "packages/api", "link": True},
        "node_modules/alias": {"name": "minimist", "version": "1.2.0"},
        "node_modules/express": {"version": "4.17.1", "dependencies": {"body-parser": "1", "qs": "6.7.0"}},
        "node_modules/express/node_modules/qs": {"version": "6.7.0", "dependencies": {"side-channel": "*"}},
        "node_modules/body-parser": {"version": "1.19.0", "dependencies": {"qs": "6.9"}},
        "node_modules/qs": {"version": "6.9.0", "dependencies": {"side-channel": "*"}},
        "node_modules/side-channel": {"version": "1.0.0", "peerDependencies": {"peer": "*"}},
        "node_modules/peer": {"version": "1.0.0", "peer": True},
        "node_modules/mocha": {"version": "9.0.0", "dev": True, "dependencies": {"debug": "4"}},
        "node_modules/debug": {"version": "4.3.1", "dev": True},
        "node_modules/lodash": {"version": "4.0.0"},
        "packages/api/node_modules/lodash": {"version": "3.10.1"},
        "node_modules/orphan": {"version": "1.0.0", "devOptional": True},
    },
}


def test_npm_3_resolves_as_node_does(read: Read) -> None:
    content = read("package-lock.json", json.dumps(NPM_3))
    found = {
        f"{package.name} {package.version}": (package.direct, package.dev, package.via)
        for package in content.packages
    }
    assert found == {
        "minimist 1.2.0": (True, False, ()),
        "express 4.17.1": (True, False, ()),
        "qs 6.7.0": (False, False, ("express",)),
        "body-parser 1.19.0": (False, False, ("express",)),
        "qs 6.9.0": (True, False, ("express",)),
        "side-channel 1.0.0": (False, False, ("express", "qs")),
        "peer 1.0.0": (False, False, ("express", "qs")),
        "mocha 9.0.0": (True, True, ()),
        "debug 4.3.1": (False, True, ("mocha",)),
        "lodash 4.0.0": (False, False, ()),
        "lodash 3.10.1": (True, False, ()),
        "orphan 1.0.0": (False, False, ()),
    }


NPM_1 = {
    "name": "shop",
    "lockfileVersion": 1,
    "requires": True,
    "dependencies": {
        "express": {
            "version": "4.17.1",
            "requires": {"qs": "6.7.0", "debug": "2"},
            "dependencies": {"debug": {"version": "2.6.9", "requires": {"ms": "2.0.0"}}},
        },
        "debug": {"version": "4.3.1", "dev": True, "requires": {"ms": "2.1.2"}},
        "mocha": {"version": "9.0.0", "dev": True, "requires": {"debug": "4"}},
        "ms": {"version": "2.0.0"},
        "qs": {"version": "6.7.0"},
    },
}
PACKAGE_JSON = json.dumps({"dependencies": {"express": "^4"}, "devDependencies": {"mocha": "9.0.0"}})


def test_npm_1_needs_its_package_json(read: Read) -> None:
    lock = json.dumps(NPM_1)
    content = read("web/package-lock.json", lock, {"web/package.json": PACKAGE_JSON})
    found = {(p.name, p.version): (p.direct, p.dev, p.via) for p in content.packages}
    assert found == {
        ("express", "4.17.1"): (True, False, ()),
        ("debug", "2.6.9"): (False, False, ("express",)),
        ("debug", "4.3.1"): (False, True, ("mocha",)),
        ("mocha", "9.0.0"): (True, True, ()),
        ("ms", "2.0.0"): (False, False, ("express", "mocha")),
        ("qs", "6.7.0"): (False, False, ("express",)),
    }
    for broken in (None, b"{", b"[]", b"\xff\xfe\x00", b"[" * 100_000):
        others = {} if broken is None else {"web/package.json": broken}
        alone = origins(read("web/package-lock.json", lock, others))
        assert alone["express"] == (None, False, ())
        assert alone["mocha"] == (None, True, ())


YARN_1 = """# yarn lockfile v1


body-parser@1.19.0:
  version "1.19.0"
  resolved "https://registry.yarnpkg.com/body-parser/-/body-parser-1.19.0.tgz#x"
  dependencies:
    qs "6.7.0"

express@^4.17.1:
  version "4.17.1"
  dependencies:
    body-parser "1.19.0"
    "@scope/thing" "^1.0.0"

"@scope/thing@^1.0.0", "@scope/thing@^1.1.0":
  version "1.1.0"
  optionalDependencies:
    fsevents "~2.1.2"

fsevents@~2.1.2:
  version "2.1.3"

lodash@^4.0.0:
  version "4.17.20"

mocha@9.0.0:
  version "9.0.0"
  dependencies:
    qs "^6"

qs@6.7.0:
  version "6.7.0"
"""
YARN_ROOT = {
    "workspaces": {"packages": ["packages/*"]},
    "dependencies": {"express": "^4.17.1"},
    "devDependencies": {"mocha": "9.0.0"},
}
MEMBER = json.dumps({"dependencies": {"lodash": "^4.0.0"}})


def test_yarn_1_reads_the_workspaces(read: Read) -> None:
    from cortex_git.scan.lockfiles import read_lockfile

    files = {
        "app/package.json": json.dumps(YARN_ROOT).encode(),
        "app/packages/api/package.json": MEMBER.encode(),
        "app/examples/other/package.json": json.dumps({"dependencies": {"qs": "6.7.0"}}).encode(),
    }
    below = tuple(path for path in files if path != "app/package.json")
    found = origins(read_lockfile("app/yarn.lock", YARN_1.encode(), files.get, below))
    assert found == {
        "body-parser": (False, False, ("express",)),
        "express": (True, False, ()),
        "@scope/thing": (False, False, ("express",)),
        "fsevents": (False, False, ("express",)),
        "lodash": (True, False, ()),
        "mocha": (True, True, ()),
        "qs": (False, False, ("express", "mocha")),
    }


def test_yarn_1_without_the_workspaces_says_only_what_is_sure(read: Read) -> None:
    found = origins(read("yarn.lock", YARN_1, {"package.json": json.dumps(YARN_ROOT)}))
    assert found["lodash"] == (None, None, ())
    assert found["mocha"] == (True, None, ())
    assert found["qs"] == (None, False, ("express", "mocha"))
    assert origins(read("yarn.lock", YARN_1))["express"] == (None, None, ())


BERRY = """# This file is generated by running "yarn install" inside your project.

__metadata:
  version: 8
  cacheKey: 10c0

"chokidar@npm:^3.5.0":
  version: 3.5.1
  resolution: "chokidar@npm:3.5.1"
  dependencies:
    fsevents: "npm:~2.3.1"
  dependenciesMeta:
    fsevents:
      optional: true
  checksum: 10c0/abc
  languageName: node
  linkType: hard

"demo@workspace:.":
  version: 0.0.0-use.local
  resolution: "demo@workspace:."
  dependencies:
    chokidar: "npm:^3.5.0"
    web: "workspace:packages/web"
  languageName: unknown
  linkType: soft

"fsevents@npm:~2.3.1":
  version: 2.3.2
  resolution: "fsevents@npm:2.3.2"
  conditions: os=darwin
  languageName: node
  linkType: hard

"fsevents@patch:fsevents@npm%3A~2.3.1#optional!builtin<compat/fsevents>":
  version: 2.3.2
  resolution: "fsevents@patch:fsevents@npm%3A2.3.2#optional!builtin<compat/fsevents>::version=2.3.2"
  conditions: os=darwin
  languageName: node
  linkType: hard

"lodash@npm:^4.17.0, lodash@npm:^4.17.15":
  version: 4.17.20
  resolution: "lodash@npm:4.17.20"
  languageName: node
  linkType: hard

"web@workspace:packages/web":
  version: 0.0.0-use.local
  resolution: "web@workspace:packages/web"
  dependencies:
    lodash: "npm:^4.17.15"
  languageName: unknown
  linkType: soft
"""


def test_berry_has_its_workspaces_in_the_lockfile(read: Read) -> None:
    alone = origins(read("yarn.lock", BERRY))
    assert alone == {
        "chokidar": (True, None, ()),
        "fsevents": (False, None, ("chokidar",)),
        "lodash": (True, None, ()),
    }
    manifests = {
        "package.json": json.dumps({"devDependencies": {"chokidar": "^3.5.0"}}),
        "packages/web/package.json": json.dumps({"dependencies": {"lodash": "^4.17.15"}}),
    }
    assert origins(read("yarn.lock", BERRY, manifests)) == {
        "chokidar": (True, True, ()),
        "fsevents": (False, True, ("chokidar",)),
        "lodash": (True, False, ()),
    }


PNPM_5 = """lockfileVersion: 5.4
specifiers:
  react-dom: 17.0.2
  mocha: 9.0.0
dependencies:
  react-dom: 17.0.2_react@17.0.2
devDependencies:
  mocha: 9.0.0
packages:
  /react-dom/17.0.2_react@17.0.2:
    resolution: {integrity: sha512-x}
    dependencies:
      scheduler: 0.20.2
      renamed: /real/1.0.0
    dev: false
  /scheduler/0.20.2:
    resolution: {integrity: sha512-x}
    dev: false
  /real/1.0.0:
    resolution: {integrity: sha512-x}
  /mocha/9.0.0:
    resolution: {integrity: sha512-x}
    dev: true
"""
PNPM_6 = """lockfileVersion: '6.0'
dependencies:
  '@scope/ui':
    specifier: ^1.0.0
    version: 1.0.0(react@17.0.2)
devDependencies:
  mocha:
    specifier: 9.0.0
    version: 9.0.0
packages:
  /@scope/ui@1.0.0(react@17.0.2):
    resolution: {integrity: sha512-x}
    dependencies:
      scheduler: 0.20.2
    dev: false
  /scheduler@0.20.2:
    resolution: {integrity: sha512-x}
    dev: false
  /mocha@9.0.0:
    resolution: {integrity: sha512-x}
    dev: true
"""
PNPM_9 = """lockfileVersion: '9.0'
importers:
  .:
    dependencies:
      '@scope/ui':
        specifier: ^1.0.0
        version: 1.0.0(react@17.0.2)
      alias:
        specifier: npm:real@1.0.0
        version: real@1.0.0
  packages/api:
    dependencies:
      own:
        specifier: workspace:*
        version: link:../own
    devDependencies:
      mocha:
        specifier: 9.0.0
        version: 9.0.0
packages:
  '@scope/ui@1.0.0':
    resolution: {integrity: sha512-x}
    peerDependencies:
      react: '*'
  real@1.0.0:
    resolution: {integrity: sha512-x}
  scheduler@0.20.2:
    resolution: {integrity: sha512-x}
  mocha@9.0.0:
    resolution: {integrity: sha512-x}
  debug@4.3.1:
    resolution: {integrity: sha512-x}
snapshots:
  '@scope/ui@1.0.0(react@17.0.2)':
    dependencies:
      scheduler: 0.20.2
  real@1.0.0: {}
  scheduler@0.20.2: {}
  mocha@9.0.0:
    dependencies:
      debug: 4.3.1(supports-color@8.1.1)
  debug@4.3.1(supports-color@8.1.1): {}
"""


def test_pnpm_5(read: Read) -> None:
    assert origins(read("pnpm-lock.yaml", PNPM_5)) == {
        "react-dom": (True, False, ()),
        "scheduler": (False, False, ("react-dom",)),
        "real": (False, False, ("react-dom",)),
        "mocha": (True, True, ()),
    }


def test_pnpm_6(read: Read) -> None:
    assert origins(read("pnpm-lock.yaml", PNPM_6)) == {
        "@scope/ui": (True, False, ()),
        "scheduler": (False, False, ("@scope/ui",)),
        "mocha": (True, True, ()),
    }


def test_pnpm_9(read: Read) -> None:
    assert origins(read("pnpm-lock.yaml", PNPM_9)) == {
        "@scope/ui": (True, False, ()),
        "real": (True, False, ()),
        "scheduler": (False, False, ("@scope/ui",)),
        "mocha": (True, True, ()),
        "debug": (False, True, ("mocha",)),
    }


POETRY = """[[package]]
name = "requests"
version = "2.31.0"
{requests}
[package.dependencies]
urllib3 = ">=1.21.1,<3"

[[package]]
name = "urllib3"
version = "2.0.0"
{requests}
[[package]]
name = "pytest"
version = "8.0.0"
{pytest}
[package.dependencies]
iniconfig = "*"

[[package]]
name = "iniconfig"
version = "2.0.0"
{pytest}
[metadata]
lock-version = "2.1"
"""
PYPROJECT_POETRY = """[tool.poetry.dependencies]
python = "^3.11"
Requests = "^2.31"
[tool.poetry.group.test.dependencies]
pytest = "*"
"""
PYPROJECT_STANDARD = """[project]
dependencies = ["Requests[socks]>=2.31 ; python_version > '3'"]
[dependency-groups]
test = ["pytest>=8", {include-group = "lint"}]
lint = []
"""
EXPECTED_PYTHON = {
    "requests": (True, False, ()),
    "urllib3": (False, False, ("requests",)),
    "pytest": (True, True, ()),
    "iniconfig": (False, True, ("pytest",)),
}


@pytest.mark.parametrize("manifest", [PYPROJECT_POETRY, PYPROJECT_STANDARD], ids=["poetry", "standard"])
@pytest.mark.parametrize(
    ("main", "test"),
    [('groups = ["main"]', 'groups = ["test"]'), ('category = "main"', 'category = "dev"'), ("", "")],
    ids=["groups", "category", "neither"],
)
def test_poetry(read: Read, manifest: str, main: str, test: str) -> None:
    lock = POETRY.format(requests=main, pytest=test)
    assert origins(read("poetry.lock", lock, {"pyproject.toml": manifest})) == EXPECTED_PYTHON
    alone = origins(read("poetry.lock", lock))
    assert alone["iniconfig"] == (None, True if test else None, ())
    assert alone["urllib3"] == (None, False if main else None, ())


PDM = """[metadata]
groups = ["default", "test"]
content_hash = "sha256:x"
[[package]]
name = "requests"
version = "2.31.0"
groups = ["default"]
dependencies = ["urllib3<3,>=1.21.1"]

[[package]]
name = "urllib3"
version = "2.0.0"
groups = ["default", "test"]

[[package]]
name = "pytest"
version = "8.0.0"
groups = ["test"]
dependencies = ["iniconfig"]

[[package]]
name = "iniconfig"
version = "2.0.0"
groups = ["test"]
"""


def test_pdm(read: Read) -> None:
    manifest = "[project]\ndependencies = ['requests']\n[tool.pdm.dev-dependencies]\ntest = ['pytest']\n"
    assert origins(read("pdm.lock", PDM, {"pyproject.toml": manifest})) == EXPECTED_PYTHON
    assert origins(read("pdm.lock", PDM))["requests"] == (None, False, ())
    assert origins(read("pdm.lock", PDM))["pytest"] == (None, None, ())


UV = """version = 1
[[package]]
name = "demo"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "requests", extra = ["socks"] }]
[package.optional-dependencies]
web = [{ name = "flask" }]
[package.dev-dependencies]
dev = [{ name = "pytest" }, { name = "member" }]

[[package]]
name = "member"
version = "0.1.0"
source = { editable = "packages/member" }

[[package]]
name = "requests"
version = "2.31.0"
source = { registry = "https://pypi.org/simple" }
dependencies = [{ name = "urllib3" }]
[package.optional-dependencies]
socks = [{ name = "pysocks" }]

[[package]]
name = "urllib3"
version = "2.0.0"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "pysocks"
version = "1.7.1"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "flask"
version = "3.0.0"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "pytest"
version = "8.0.0"
source = { registry = "https://pypi.org/simple" }
dependencies = [{ name = "iniconfig" }]

[[package]]
name = "iniconfig"
version = "2.0.0"
source = { registry = "https://pypi.org/simple" }
"""


def test_uv_needs_no_manifest(read: Read) -> None:
    assert origins(read("uv.lock", UV)) == EXPECTED_PYTHON | {
        "pysocks": (False, False, ("requests",)),
        "flask": (True, False, ()),
    }


def test_pylock(read: Read) -> None:
    lock = (
        "lock-version = '1.0'\n[[packages]]\nname = 'requests'\nversion = '2.31.0'\n"
        "dependencies = [{ name = 'urllib3' }]\n[[packages]]\nname = 'urllib3'\nversion = '2.0.0'\n"
    )
    found = origins(read("pylock.toml", lock, {"pyproject.toml": "[project]\ndependencies = ['requests']\n"}))
    assert found == {"requests": (True, False, ()), "urllib3": (False, False, ("requests",))}
    assert origins(read("pylock.toml", lock))["requests"] == (None, None, ())


def test_pipfile(read: Read) -> None:
    lock = json.dumps(
        {
            "_meta": {},
            "default": {"requests": {"version": "==2.31.0"}, "urllib3": {"version": "==2.0.0"}},
            "develop": {"pytest": {"version": "==8.0.0"}, "urllib3": {"version": "==2.0.0"}},
            "docs": {"sphinx": {"version": "==7.0.0"}},
        }
    )
    manifest = '[packages]\nRequests = "*"\n[dev-packages]\npytest = "*"\n[docs]\nsphinx = "*"\n'
    assert origins(read("Pipfile.lock", lock, {"Pipfile": manifest})) == {
        "requests": (True, False, ()),
        "urllib3": (False, False, ()),
        "pytest": (True, True, ()),
        "sphinx": (True, None, ()),
    }
    assert origins(read("Pipfile.lock", lock))["requests"] == (None, False, ())


COMPILED = """#
# This file is autogenerated by pip-compile with Python 3.11
# by the following command:
#
#    pip-compile --generate-hashes requirements.in
#
flask==3.0.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via -r requirements.in
jinja2==3.1.2 \\
    --hash=sha256:cc
    # via
    #   demo (pyproject.toml)
    #   flask
markupsafe==2.1.3
    # via jinja2
click==8.1.7  # via -c constraints.txt, flask
unexplained==1.0
"""


def test_compiled_requirements(read: Read) -> None:
    assert origins(read("requirements.txt", COMPILED)) == {
        "flask": (True, False, ()),
        "jinja2": (True, False, ("flask",)),
        "markupsafe": (False, False, ("flask", "jinja2")),
        "click": (False, False, ("flask",)),
        "unexplained": (None, False, ()),
    }
    bare = (
        "# This file was autogenerated by uv via the following command:\n#    uv pip compile\nflask==3.0.0\n"
    )
    assert origins(read("requirements.txt", bare)) == {"flask": (None, False, ())}


@pytest.mark.parametrize(
    ("path", "dev"),
    [
        ("requirements.txt", False),
        ("requirements/base.txt", False),
        ("requirements-dev.txt", True),
        ("dev-requirements.txt", True),
        ("requirements/test.txt", True),
        ("requirements_gpu.txt", None),
        ("docs/requirements.txt", None),
    ],
)
def test_requirements_by_hand_are_direct_and_their_file_tells_development(
    read: Read, path: str, dev: bool | None
) -> None:
    assert origins(read(path, "flask==3.0.0\n")) == {"flask": (True, dev, ())}


def test_what_is_in_a_file_for_development_and_in_another_is_productions(read: Read) -> None:
    both = {"requirements.txt": "flask==3.0.0\n"}
    found = origins(read("requirements-dev.txt", "-r requirements.txt\nflask==3.0.0\npytest==8\n", both))
    assert found == {"flask": (True, False, ()), "pytest": (True, True, ())}


CARGO = """version = 3

[[package]]
name = "demo"
version = "0.1.0"
dependencies = ["regex", "smallvec 1.0.0", "tempfile", "member"]

[[package]]
name = "member"
version = "0.1.0"
dependencies = ["smallvec 0.6.9 (registry+https://github.com/rust-lang/crates.io-index)"]

[[package]]
name = "regex"
version = "1.5.4"
source = "registry+https://github.com/rust-lang/crates.io-index"
dependencies = ["memchr"]

[[package]]
name = "memchr"
version = "2.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"

[[package]]
name = "smallvec"
version = "0.6.9"
source = "registry+https://github.com/rust-lang/crates.io-index"

[[package]]
name = "smallvec"
version = "1.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"

[[package]]
name = "tempfile"
version = "3.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
dependencies = ["memchr"]
"""
CARGO_TOML = """[package]
name = "demo"
[dependencies]
regex = "1"
member = { path = "member" }
[target.'cfg(unix)'.dependencies]
small = { package = "smallvec", version = "1" }
[dev-dependencies]
tempfile = "3"
"""


def test_cargo(read: Read) -> None:
    content = read("Cargo.lock", CARGO, {"Cargo.toml": CARGO_TOML})
    found = {f"{p.name} {p.version}": (p.direct, p.dev, p.via) for p in content.packages}
    assert found == {
        "regex 1.5.4": (True, False, ()),
        "memchr 2.0.0": (False, False, ("regex", "tempfile")),
        "smallvec 0.6.9": (True, None, ()),
        "smallvec 1.0.0": (True, False, ()),
        "tempfile 3.0.0": (True, True, ()),
    }
    assert origins(read("Cargo.lock", CARGO))["tempfile"] == (True, None, ())


def test_cargo_reads_the_members(read: Read) -> None:
    from cortex_git.scan.lockfiles import read_lockfile

    member = b"[package]\nname = 'member'\n[dev-dependencies]\nsmallvec = '0.6'\n"
    files = {"r/Cargo.toml": CARGO_TOML.encode(), "r/member/Cargo.toml": member}
    content = read_lockfile("r/Cargo.lock", CARGO.encode(), files.get, ("r/member/Cargo.toml",))
    assert {p.version: p.dev for p in content.packages if p.name == "smallvec"} == {
        "0.6.9": True,
        "1.0.0": False,
    }


def test_go(read: Read) -> None:
    mod = (
        "module demo\n\ngo 1.21.3\n\nrequire golang.org/x/text v0.3.2\n"
        "require (\n\tgolang.org/x/net v0.1.0 // indirect\n"
        "\tgolang.org/x/sys v0.1.0 //indirect; for tests\n\texample.org/a v1.0.0 // indirectly so\n)\n"
    )
    assert origins(read("go.mod", mod)) == {
        "golang.org/x/text": (True, None, ()),
        "golang.org/x/net": (False, None, ()),
        "golang.org/x/sys": (False, None, ()),
        "example.org/a": (True, None, ()),
        "stdlib": (True, False, ()),
    }


GEMFILE = """PATH
  remote: .
  specs:
    own (0.1.0)
      rack (>= 2)

GEM
  remote: https://rubygems.org/
  specs:
    actionpack (5.2.0)
      rack (~> 2.0)
    nokogiri (1.15.4-x86_64-linux)
      racc (~> 1.4)
    racc (1.7.1)
    rack (2.0.6)
    rails (5.2.0)
      actionpack (= 5.2.0)

PLATFORMS
  ruby

DEPENDENCIES
  nokogiri!
  own!
  rails (~> 5.2)

BUNDLED WITH
   2.4.22
"""


def test_bundler(read: Read) -> None:
    assert origins(read("Gemfile.lock", GEMFILE)) == {
        "actionpack": (False, None, ("rails",)),
        "nokogiri": (True, None, ()),
        "racc": (False, None, ("nokogiri",)),
        "rack": (True, None, ("rails",)),
        "rails": (True, None, ()),
    }


def test_composer(read: Read) -> None:
    lock = {
        "packages": [
            {"name": "Guzzle/Http", "version": "v7.4.0", "require": {"php": ">=7", "psr/log": "^1"}},
            {"name": "monolog/monolog", "version": "1.0.0", "provide": {"psr/log": "1.0"}},
        ],
        "packages-dev": [{"name": "phpunit/phpunit", "version": "9.0.0"}],
    }
    manifest = {"require": {"php": ">=8", "guzzle/http": "^7"}, "require-dev": {"phpunit/phpunit": "^9"}}
    found = origins(read("composer.lock", json.dumps(lock), {"composer.json": json.dumps(manifest)}))
    assert found == {
        "Guzzle/Http": (True, False, ()),
        "monolog/monolog": (False, False, ("guzzle/http",)),
        "phpunit/phpunit": (True, True, ()),
    }
    assert origins(read("composer.lock", json.dumps(lock)))["phpunit/phpunit"] == (None, True, ())


def test_maven(read: Read) -> None:
    pom = """<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version>
<dependencyManagement><dependencies>
<dependency><groupId>m</groupId><artifactId>managed</artifactId><version>1.0</version></dependency>
<dependency><groupId>m</groupId><artifactId>tested</artifactId><version>1.0</version><scope>test</scope></dependency>
</dependencies></dependencyManagement>
<dependencies>
<dependency><groupId>d</groupId><artifactId>direct</artifactId><version>1.0</version></dependency>
<dependency><groupId>d</groupId><artifactId>junit</artifactId><version>1.0</version><scope>test</scope></dependency>
<dependency><groupId>m</groupId><artifactId>tested</artifactId></dependency>
</dependencies>
<build><plugins><plugin><groupId>p</groupId><artifactId>plugin</artifactId><version>1</version></plugin></plugins></build>
</project>"""
    assert origins(read("pom.xml", pom)) == {
        "m:managed": (None, None, ()),
        "m:tested": (True, True, ()),
        "d:direct": (True, False, ()),
        "d:junit": (True, True, ()),
        "p:plugin": (True, None, ()),
    }


def test_gradle(read: Read) -> None:
    lock = (
        "com.a:core:1.0=compileClasspath,runtimeClasspath,testCompileClasspath\n"
        "junit:junit:4.13=testCompileClasspath,testRuntimeClasspath\n"
        "org.jacoco:agent:0.8=jacocoAgent\nempty=\n"
    )
    build = "dependencies {\n  implementation 'com.a:core:1.+'\n  testImplementation(\"junit:junit\")\n}\n"
    assert origins(read("app/gradle.lockfile", lock, {"app/build.gradle.kts": build})) == {
        "com.a:core": (True, False, ()),
        "junit:junit": (True, True, ()),
        "org.jacoco:agent": (None, None, ()),
    }
    assert origins(read("gradle.lockfile", lock))["com.a:core"] == (None, False, ())


def test_nuget(read: Read) -> None:
    lock = {
        "version": 1,
        "dependencies": {
            "net6.0": {
                "Direct.One": {
                    "type": "Direct",
                    "resolved": "1.0.0",
                    "dependencies": {"transitive.two": "2.0.0"},
                },
                "Transitive.Two": {"type": "Transitive", "resolved": "2.0.0"},
                "Third": {"type": "Transitive", "resolved": "3.0.0"},
                "mylib": {"type": "Project", "dependencies": {"Third": "[3.0.0, )"}},
            }
        },
    }
    assert origins(read("packages.lock.json", json.dumps(lock))) == {
        "Direct.One": (True, None, ()),
        "Transitive.Two": (False, None, ("Direct.One",)),
        "Third": (False, None, ("mylib",)),
    }
    config = (
        '<packages><package id="a" version="1" developmentDependency="true" /><package id="b" version="1" />'
        "</packages>"
    )
    assert origins(read("packages.config", config)) == {"a": (None, True, ()), "b": (None, False, ())}
