"""SPDX bills of materials: JSON of versions 2 and 3, tag-value."""

import json
from typing import Any

import pytest
from billworld import SPDX, SPDX_3, SPDX_TAGS, SPDX_YAML, package

from .conftest import Read, gaps, pairs

EXPECTED = {("express", "4.17.1"), ("requests", "2.19.0")}


@pytest.mark.parametrize("path", ["app.spdx.json", "sbom/App.SPDX.json"])
def test_json(read: Read, path: str) -> None:
    text = json.dumps(SPDX, indent=2)
    content = read(path, text)
    assert pairs(content) == EXPECTED
    assert {found.ecosystem for found in content.packages} == {"npm", "PyPI"}
    lines = text.splitlines()
    assert all('"referenceLocator"' in lines[(found.line or 0) - 1] for found in content.packages)
    assert content.not_scanned == ()


def test_json_as_an_interface_gives_it(read: Read) -> None:
    assert pairs(read("a.spdx.json", json.dumps({"sbom": SPDX}))) == EXPECTED


def test_version_3(read: Read) -> None:
    content = read("a.spdx.json", json.dumps(SPDX_3, indent=1))
    assert pairs(content) == EXPECTED
    assert all(found.line for found in content.packages)
    assert all(found.direct for found in content.packages)
    assert content.not_scanned == ()


def test_tag_value(read: Read) -> None:
    content = read("app.spdx", SPDX_TAGS)
    assert [(found.name, found.version, found.line) for found in content.packages] == [
        ("express", "4.17.1", 31),
        ("requests", "2.19.0", 36),
    ]
    assert content.not_scanned == ()


def test_yaml(read: Read) -> None:
    content = read("app.spdx.yml", SPDX_YAML)
    assert [(found.name, found.version, found.line) for found in content.packages] == [
        ("express", "4.17.1", 19),
        ("requests", "2.10", 25),
    ]
    assert content.not_scanned == ()


def test_json_in_a_file_that_does_not_say_so(read: Read) -> None:
    assert pairs(read("app.spdx", json.dumps(SPDX))) == EXPECTED


def test_one_copied_library_that_describes_itself_counts(read: Read) -> None:
    """Such as an SPDX file beside vendored code: nothing depends on what it describes."""
    alone = {**SPDX, "packages": [package("demo", "1.0.0", "pkg:npm/demo@1.0.0")], "relationships": []}
    assert pairs(read("demo.spdx.json", json.dumps(alone))) == {("demo", "1.0.0")}


def test_where_everything_is_described_everything_counts(read: Read) -> None:
    ids = [entry["SPDXID"] for entry in SPDX["packages"]]
    content = read("a.spdx.json", json.dumps({**SPDX, "documentDescribes": ids}))
    assert pairs(content) == EXPECTED | {("demo", "1.0.0")}


def test_a_described_repository_is_no_gap(read: Read) -> None:
    root = package("demo", "main", "pkg:github/example/demo@main")
    document = {**SPDX, "packages": [root, SPDX["packages"][1]], "relationships": []}
    assert read("a.spdx.json", json.dumps(document)).not_scanned == ()
    others = {**document, "documentDescribes": []}
    assert gaps(read("a.spdx.json", json.dumps(others))) == {
        "a.spdx.json: 1 package of type github": "no advisories are known for this type"
    }


@pytest.mark.parametrize("described", [["SPDXRef-nginx"], ["SPDXRef-nginx", "SPDXRef-openssl"]])
def test_what_is_described_and_not_named_by_a_purl_is_a_gap(read: Read, described: list[str]) -> None:
    """A document that describes its whole inventory would otherwise be an all-clear."""
    names = [identity.removeprefix("SPDXRef-") for identity in described]
    document = {
        **SPDX,
        "documentDescribes": described,
        "packages": [package(name, "1", None) for name in names],
        "relationships": [],
    }
    content = read("a.spdx.json", json.dumps(document))
    assert gaps(content) == {f"a.spdx.json: {name}": "has no package URL" for name in names}


def related(*relations: tuple[str, str, str]) -> list[dict[str, str]]:
    keys = ("spdxElementId", "relationshipType", "relatedSpdxElement")
    return [
        dict(zip(keys, (f"SPDXRef-{one}", kind, f"SPDXRef-{other}"), strict=True))
        for one, kind, other in [("DOCUMENT", "DESCRIBES", "demo"), *relations]
    ]


def test_where_packages_come_from(read: Read) -> None:
    packages = [*SPDX["packages"], package("mocha", "10.0.0", "pkg:npm/mocha@10.0.0")]
    relations = related(
        ("demo", "DEPENDS_ON", "express"),
        ("requests", "DEPENDENCY_OF", "express"),
        ("mocha", "DEV_DEPENDENCY_OF", "demo"),
    )
    document = {**SPDX, "packages": packages, "relationships": relations}
    content = read("a.spdx.json", json.dumps(document))
    assert {found.name: (found.direct, found.dev, found.via) for found in content.packages} == {
        "express": (True, None, ()),
        "requests": (False, None, ("express",)),
        "mocha": (True, True, ()),
    }
    partial = {**document, "relationships": related(("demo", "DEPENDS_ON", "express"))}
    assert [found.direct for found in read("a.spdx.json", json.dumps(partial)).packages] == [True, None, None]
    silent = {**document, "relationships": related(("demo", "CONTAINS", "express"))}
    assert {found.direct for found in read("a.spdx.json", json.dumps(silent)).packages} == {None}


def test_packages_without_a_package_url_or_version(read: Read) -> None:
    packages = [
        package("zlib", "1.2.11", None),
        package("lodash", "^ 4.17.0", "pkg:npm/lodash"),
        package("left", None, "pkg:npm/left"),
        3,
    ]
    assert gaps(read("a.spdx.json", json.dumps({**SPDX, "packages": packages}))) == {
        "a.spdx.json: zlib": "has no package URL",
        "a.spdx.json: pkg:npm/lodash": "no exact version",
        "a.spdx.json: pkg:npm/left": "no exact version",
        "a.spdx.json: int": "the entry is not a table",
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"relationships": 1},
        {"relationships": [1, {"spdxElementId": [], "relatedSpdxElement": {}}]},
        {"documentDescribes": {"a": 1}},
        {"documentDescribes": [[], 4]},
    ],
    ids=["number", "entries", "table", "lists"],
)
def test_wrong_types_around_the_packages_cost_no_package(read: Read, wrong: dict[str, Any]) -> None:
    assert pairs(read("a.spdx.json", json.dumps({**SPDX, **wrong}))) >= EXPECTED


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("a.spdx.json", "", "is empty"),
        ("a.spdx.json", "{}", "is not an SPDX document (it has no spdxVersion)"),
        ("a.spdx.json", '{"spdxVersion": "SPDX-2.3"}', "lists no packages"),
        ("a.spdx.json", '{"spdxVersion": "SPDX-2.3", "packages": 1}', "packages is not an array"),
        ("a.spdx.json", '{"@graph": []}', "lists no packages"),
        ("a.spdx.json", json.dumps(SPDX)[:-20], "is not valid JSON (line 1)"),
        ("a.spdx", "PackageName: a\n", "is not an SPDX document (it has no SPDXVersion)"),
        ("a.spdx", "SPDXVersion: SPDX-2.3\nsome text\n", "is not an SPDX document (line 2)"),
        ("a.spdx", SPDX_TAGS.partition("</text>")[0], "ends in the middle of a text (line 8)"),
        ("a.spdx", "<rdf:RDF/>", "is SPDX in RDF, which is not read; JSON, YAML and tag-value are"),
        ("a.spdx.yaml", "", "is empty"),
        ("a.spdx.yaml", "- a\n", "is not a table"),
        ("a.spdx.yaml", "name: x\n", "is not an SPDX document (it has no spdxVersion)"),
        ("a.spdx.yaml", "spdxVersion: SPDX-2.3\n", "lists no packages"),
        ("a.spdx.yml", "spdxVersion: SPDX-2.3\npackages: x\n", "packages is not an array"),
        ("a.spdx.rdf.xml", "<rdf:RDF/>", "is SPDX in RDF, which is not read; JSON, YAML and tag-value are"),
    ],
)
def test_malformed(read: Read, path: str, text: str, reason: str) -> None:
    assert gaps(read(path, text)) == {path: reason}
