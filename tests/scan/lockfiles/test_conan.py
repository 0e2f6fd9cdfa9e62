"""conan.lock as Conan 2.34 and Conan 1.66 write it."""

import json

import pytest

from .conftest import Read, gaps, pairs

V2 = """{
    "version": "0.5",
    "requires": [
        "zlib/1.2.11#ccb7c19f756894cdbea866adf260fb56%1795960336.7900498",
        "private/2.0@acme/stable#398ac321a5ef589825eb22a3678ff31c%1795960338.1185186",
        "openssl/1.1.1t#80f6d5ca7a48786d2711e172159ba6b1%1795960337.3031795",
        "gtest/1.14.0#563043cbd0f0cf3b073df3c03f071b60%1795960337.5654163"
    ],
    "build_requires": [
        "cmake/3.25.3#e51d05c12f14bbf6a8079dbc8202bcac%1795960337.0398977"
    ],
    "python_requires": [
        "pyreq/0.3#e5d1def9e95d6d0c264b086864cdb1bf%1795960337.844269"
    ],
    "config_requires": []
}
"""
V1 = """{
 "graph_lock": {
  "nodes": {
   "0": {
    "ref": "app/1.0",
    "options": "",
    "python_requires": [
     "pyreq/0.3#e0008b2f887698aac0d6645d7a0c1ed2"
    ],
    "requires": [
     "1",
     "3"
    ],
    "build_requires": [
     "5",
     "6"
    ],
    "path": "conanfile.py",
    "context": "host"
   },
   "1": {
    "ref": "openssl/1.1.1t#0dc989a470543864f28a96e78f1aed7b",
    "options": "",
    "package_id": "d3cb35098bed776c3c7b6c348a6c30ac27a7423b",
    "requires": [
     "2"
    ],
    "build_requires": [
     "4"
    ],
    "context": "host"
   },
   "2": {
    "ref": "zlib/1.2.11#e40f840d47bc081e57694f3b81c082ba",
    "options": "",
    "package_id": "5ab84d6acfe1f23c4fae0ab88f26e3a396351ac9",
    "context": "host"
   },
   "3": {
    "ref": "private/2.0@acme/stable#f4cdeff316dc3fb42d5e491328958c92",
    "options": "",
    "package_id": "d3cb35098bed776c3c7b6c348a6c30ac27a7423b",
    "requires": [
     "2"
    ],
    "context": "host"
   },
   "4": {
    "ref": "cmake/3.25.3#723f3f3a047c393a2b359aa9a7abfcc7",
    "options": "",
    "package_id": "5ab84d6acfe1f23c4fae0ab88f26e3a396351ac9",
    "context": "build"
   },
   "5": {
    "ref": "cmake/3.25.3#723f3f3a047c393a2b359aa9a7abfcc7",
    "options": "",
    "package_id": "5ab84d6acfe1f23c4fae0ab88f26e3a396351ac9",
    "context": "build"
   },
   "6": {
    "ref": "gtest/1.14.0#c84c062698f90d4e438dd7ba1819cac9",
    "options": "",
    "package_id": "5ab84d6acfe1f23c4fae0ab88f26e3a396351ac9",
    "context": "host"
   }
  },
  "revisions_enabled": true
 },
 "version": "0.4",
 "profile_host": "[settings]",
 "profile_build": "[settings]"
}"""


def origins(text: str, read: Read) -> dict[str, tuple[str, int | None, bool | None, bool | None]]:
    content = read("conan.lock", text)
    assert content.not_scanned == ()
    assert {package.ecosystem for package in content.packages} == {"ConanCenter"}
    return {p.name: (p.version, p.line, p.direct, p.dev) for p in content.packages}


def test_version_2(read: Read) -> None:
    assert origins(V2, read) == {
        "zlib": ("1.2.11", 4, None, False),
        "private": ("2.0", 5, None, False),
        "openssl": ("1.1.1t", 6, None, False),
        "gtest": ("1.14.0", 7, None, False),
        "cmake": ("3.25.3", 10, None, True),
        "pyreq": ("0.3", 13, None, True),
    }


def test_version_1(read: Read) -> None:
    assert origins(V1, read) == {
        "pyreq": ("0.3", 8, True, True),
        "openssl": ("1.1.1t", 22, True, False),
        "zlib": ("1.2.11", 34, False, False),
        "private": ("2.0", 40, True, False),
        "cmake": ("3.25.3", 49, True, True),
        "gtest": ("1.14.0", 61, True, True),
    }
    via = {package.name: package.via for package in read("conan.lock", V1).packages}
    assert via["zlib"] == ("openssl", "private")


def test_version_1_without_an_own_recipe_tells_no_origin(read: Read) -> None:
    nodes = {
        "1": {"pref": "a/1.0@user/channel#0:5ab84d#0", "requires": ["2"], "context": "host"},
        "2": {"ref": "b/2.0", "build_requires": ["3"]},
        "3": {"ref": "c/cci.20200203", "context": "build"},
    }
    content = read("conan.lock", json.dumps({"graph_lock": {"nodes": nodes}, "version": "0.4"}))
    assert {(p.name, p.version, p.direct, p.dev) for p in content.packages} == {
        ("a", "1.0", None, None),
        ("b", "2.0", None, None),
        ("c", "cci.20200203", None, True),
    }


def test_packages_in_version_2_and_ranges(read: Read) -> None:
    lock = {"version": "0.5", "requires": [["a/1.0#5f%1.2", {"5ab84d": "0"}], "b/[>=1.0 <2]", "c", 3, []]}
    content = read("conan.lock", json.dumps(lock))
    assert pairs(content) == {("a", "1.0")}
    broken = "is not a Conan reference with a version"
    assert gaps(content) == {
        "conan.lock: b/[>=1.0 <2]": broken,
        "conan.lock: c": broken,
        "conan.lock: int": broken,
        "conan.lock: list": broken,
    }
    content = read("conan.lock", '{"requires": ["b/[>=1.0]"]}')
    assert gaps(content) == {"conan.lock: b/[>=1.0]": "no exact version"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("{}", "has neither graph_lock nor requires"),
        (V2[:200], "is not valid JSON (line 5)"),
        (V1[:900], "is not valid JSON (line 42)"),
        ('{"requires": {}}', "requires is not an array"),
        ('{"graph_lock": []}', "graph_lock is not a table"),
        ('{"graph_lock": {"nodes": []}}', "nodes is not a table"),
    ],
    ids=["nothing", "no lists", "cut off", "cut off 1", "table", "array", "nodes"],
)
def test_malformed(read: Read, text: str, reason: str) -> None:
    content = read("conan.lock", text)
    assert content.packages == ()
    assert gaps(content) == {"conan.lock": reason}


def test_nodes_of_wrong_types(read: Read) -> None:
    nodes = {"0": {"ref": "own/1.0", "path": "conanfile.py", "requires": ["9", 1]}, "1": [], "2": {"ref": 7}}
    content = read("conan.lock", json.dumps({"graph_lock": {"nodes": nodes}}))
    assert content.packages == ()
    assert gaps(content) == {
        "conan.lock: 1": "the entry is not a table",
        "conan.lock: int": "is not a Conan reference with a version",
    }
