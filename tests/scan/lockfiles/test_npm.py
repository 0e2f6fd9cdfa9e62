"""package-lock.json of every version: aliases, links, bundled and git dependencies, lines."""

import json

import pytest

from .conftest import Read, gaps, pairs

V3 = {
    "name": "demo",
    "lockfileVersion": 3,
    "packages": {
        "": {"name": "demo", "version": "9.9.9", "workspaces": ["packages/*"]},
        "packages/own": {"version": "1.0.0"},
        "node_modules/own": {"resolved": "packages/own", "link": True},
        "node_modules/lodash": {"version": "4.17.20"},
        "packages/own/node_modules/lodash": {"version": "3.10.1"},
        "node_modules/@babel/core": {"version": "7.1.0", "dev": True},
        "node_modules/a/node_modules/lodash": {"version": "4.17.20"},
        "node_modules/alias": {"name": "minimist", "version": "1.2.0"},
        "node_modules/from-git": {"version": "2.0.0", "resolved": "git+ssh://git@example.org/a/b.git#abc"},
        "node_modules/bundler/node_modules/inner": {"version": "0.1.0", "inBundle": True},
        "node_modules/broken": {"version": 3},
        "node_modules/versionless": {"peer": True},
    },
}
V1 = {
    "name": "demo",
    "lockfileVersion": 1,
    "dependencies": {
        "a": {"version": "1.0.0", "requires": {"b": "^2"}, "dependencies": {"b": {"version": "2.0.0"}}},
        "b": {"version": "3.0.0"},
        "alias": {"version": "npm:@scope/real@1.2.3"},
        "local": {"version": "file:../local"},
        "from-git": {"version": "git+https://example.org/a/b.git#abc"},
        "tarball": {"version": "https://example.org/t-1.0.0.tgz"},
        "bundled": {"version": "1.1.1", "bundled": True},
    },
}


def test_packages_of_version_3(read: Read) -> None:
    content = read("web/package-lock.json", json.dumps(V3, indent=2))
    assert pairs(content) == {
        ("lodash", "4.17.20"),
        ("lodash", "3.10.1"),
        ("@babel/core", "7.1.0"),
        ("minimist", "1.2.0"),
        ("from-git", "2.0.0"),
        ("inner", "0.1.0"),
    }
    assert gaps(content) == {
        "web/package-lock.json: broken": "the version is not text",
        "web/package-lock.json: versionless": "no exact version",
    }
    assert {package.ecosystem for package in content.packages} == {"npm"}
    assert len(content.packages) == 6


def test_version_2_reads_the_packages_and_not_the_old_tree(read: Read) -> None:
    both = {**V1, "lockfileVersion": 2, "packages": V3["packages"]}
    assert pairs(read("npm-shrinkwrap.json", json.dumps(both))) == pairs(
        read("package-lock.json", json.dumps(V3))
    )


def test_packages_of_version_1(read: Read) -> None:
    content = read("package-lock.json", json.dumps(V1, indent=2))
    assert pairs(content) == {
        ("a", "1.0.0"),
        ("b", "2.0.0"),
        ("b", "3.0.0"),
        ("@scope/real", "1.2.3"),
        ("bundled", "1.1.1"),
    }
    assert set(gaps(content)) == {"package-lock.json: from-git", "package-lock.json: tarball"}


@pytest.mark.parametrize("document", [V1, V3])
def test_line_of_each_package(read: Read, document: dict[str, object]) -> None:
    text = json.dumps(document, indent=2)
    for package in read("package-lock.json", text).packages:
        assert package.line is not None
        block = "".join(text.splitlines()[package.line - 1 : package.line + 3])
        assert package.version in block


def test_no_dependencies_is_legal_but_no_lockfile_is_not(read: Read) -> None:
    empty = read("package-lock.json", '{"name": "demo", "lockfileVersion": 1}')
    assert empty.packages == empty.not_scanned == ()
    assert gaps(read("package-lock.json", "{}")) == {
        "package-lock.json": "has no lockfileVersion, packages or dependencies"
    }


def test_unknown_lockfile_version_is_read_and_said(read: Read) -> None:
    content = read("package-lock.json", json.dumps({**V3, "lockfileVersion": 9}))
    assert ("lodash", "4.17.20") in pairs(content)
    assert gaps(content)["package-lock.json"] == "is of a lockfileVersion that is not known"
