"""pnpm-lock.yaml of lockfileVersion 5, 6 and 9: keys, peer suffixes, folders, tarballs."""

import pytest

from .conftest import Read, gaps, pairs

V5 = """lockfileVersion: 5.4
specifiers: {react-dom: 17.0.2}
dependencies: {react-dom: 17.0.2_react@17.0.2}
packages:

  /@babel/core/7.1.0_supports-color@5.5.0:
    resolution: {integrity: sha512-x}
    peerDependencies:
      name: '*'
      version: 1.0.0
    dev: false

  /react-dom/17.0.2_react@17.0.2:
    resolution: {integrity: sha512-x}

  /lodash/4.17.20:
    resolution: {integrity: sha512-x}

  registry.example.org/left-pad/1.3.0:
    resolution: {integrity: sha512-x, registry: https://registry.example.org/}

  github.com/a/b/0123abc:
    resolution: {tarball: https://codeload.example.org/a/b/tar.gz/0123abc}
    name: from-git
    version: 2.0.0

  file:own:
    resolution: {directory: own, type: directory}
    name: own
    version: 1.0.0
"""
V6 = """lockfileVersion: '6.0'
packages:
  /@babel/core@7.1.0(supports-color@5.5.0):
    resolution: {integrity: sha512-x}
  /lodash@4.17.20(patch_hash=abc):
    resolution: {integrity: sha512-x}
  '@github.com/a/b/0123abc':
    resolution: {tarball: https://codeload.example.org/a/b/tar.gz/0123abc}
"""
V9 = """lockfileVersion: '9.0'

importers:
  .:
    dependencies:
      lodash:
        specifier: ^4
        version: 4.17.20

packages:

  '@babel/core@7.1.0':
    resolution: {integrity: sha512-x}
    engines: {node: '>=6.9.0'}
    os: [darwin]

  lodash@4.17.20:
    resolution: {integrity: sha512-x}

  from-git@https://codeload.example.org/a/b/tar.gz/0123abc:
    resolution: {tarball: https://codeload.example.org/a/b/tar.gz/0123abc}
    version: 2.0.0

  own@file:own:
    resolution: {directory: own, type: directory}

snapshots:
  '@babel/core@7.1.0(supports-color@5.5.0)':
    dependencies:
      lodash: 4.17.20
"""


def test_version_5(read: Read) -> None:
    content = read("pnpm-lock.yaml", V5)
    assert [(package.name, package.version, package.line) for package in content.packages] == [
        ("@babel/core", "7.1.0", 6),
        ("react-dom", "17.0.2", 13),
        ("lodash", "4.17.20", 16),
        ("left-pad", "1.3.0", 19),
        ("from-git", "2.0.0", 22),
    ]
    assert content.not_scanned == ()


def test_version_6(read: Read) -> None:
    content = read("pnpm-lock.yaml", V6)
    assert pairs(content) == {("@babel/core", "7.1.0"), ("lodash", "4.17.20")}
    assert list(gaps(content).values()) == ["no exact version (not from a registry)"]


def test_version_9(read: Read) -> None:
    content = read("pnpm-lock.yaml", V9)
    assert pairs(content) == {("@babel/core", "7.1.0"), ("lodash", "4.17.20"), ("from-git", "2.0.0")}
    assert content.not_scanned == ()


def test_several_documents(read: Read) -> None:
    both = "---\nlockfileVersion: '9.0'\npackages:\n  pnpm@10.1.0:\n    resolution: {}\n---\n" + V9
    assert pairs(read("pnpm-lock.yaml", both)) == pairs(read("pnpm-lock.yaml", V9)) | {("pnpm", "10.1.0")}


def test_no_packages_is_legal(read: Read) -> None:
    assert read("pnpm-lock.yaml", "lockfileVersion: '9.0'\nimporters:\n  .: {}\n").not_scanned == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("packages: {}\n", "has no lockfileVersion"),
        ("lockfileVersion: '9.0'\npackages: [lodash@1.0.0]\n", "packages is not a table"),
        ("lockfileVersion: '9.0'\npackages: lodash\n", "packages is not a table"),
        ("lockfileVersion: '9.0'\npackages:\n  ? [a]\n  : {}\n", "has a key that is not text (line 3)"),
        ("lockfileVersion: &a '9.0'\nb: *a\n", "uses a YAML alias (line 2)"),
        ("lockfileVersion: '9.0'\npackages: {\n", "is not valid YAML (line 3)"),
        ("lockfileVersion: '42.0'\n", "is of a lockfileVersion that is not known"),
    ],
)
def test_what_cannot_be_read(read: Read, text: str, reason: str) -> None:
    assert gaps(read("pnpm-lock.yaml", text)) == {"pnpm-lock.yaml": reason}
