"""CycloneDX bills of materials, JSON and XML."""

import json
from typing import Any

import pytest
from billworld import CYCLONEDX, CYCLONEDX_XML, component, cyclonedx

from cortex_git.scan.lockfiles import is_inventory

from .conftest import Read, gaps, pairs


@pytest.mark.parametrize("path", ["bom.json", "sbom/app.cdx.json", "BOM.JSON"])
def test_json(read: Read, path: str) -> None:
    text = json.dumps(CYCLONEDX, indent=2)
    content = read(path, text)
    expected = [
        ("npm", "express", "4.17.1"),
        ("npm", "@babel/core", "7.20.0"),
        ("npm", "qs", "6.7.0"),
        ("Maven", "org.apache.logging.log4j:log4j-core", "2.14.1"),
        ("Maven", "org.example:shaded", "1.0"),
    ]
    assert [(found.ecosystem, found.name, found.version) for found in content.packages] == expected
    lines = text.splitlines()
    assert all('"purl"' in lines[(found.line or 0) - 1] for found in content.packages)
    assert content.not_scanned == ()
    assert is_inventory(path)


def test_xml(read: Read) -> None:
    content = read("bom.xml", CYCLONEDX_XML)
    assert [(found.ecosystem, found.name, found.version, found.line) for found in content.packages] == [
        ("npm", "deep", "2.0.0", 20),
        ("npm", "@babel/core", "7.20.0", 10),
        ("Maven", "org.apache.logging.log4j:log4j-core", "2.14.1", 23),
    ]
    assert content.not_scanned == ()


def test_where_components_come_from(read: Read) -> None:
    content = read("bom.json", json.dumps(CYCLONEDX))
    assert {found.name: (found.direct, found.via) for found in content.packages} == {
        "express": (True, ()),
        "@babel/core": (True, ()),
        "qs": (False, ("express",)),
        "org.apache.logging.log4j:log4j-core": (True, ()),
        "org.example:shaded": (False, ("org.apache.logging.log4j:log4j-core",)),
    }


def test_a_graph_with_gaps_calls_nothing_transitive(read: Read) -> None:
    parts = [entry for entry in CYCLONEDX["dependencies"] if entry["ref"] != "qs@6.7.0"]
    content = read("bom.json", json.dumps({**CYCLONEDX, "dependencies": parts}))
    origins = {found.name: (found.direct, found.via) for found in content.packages}
    assert origins["qs"] == (None, ("express",))
    assert origins["express"] == (True, ())


def test_without_a_graph_only_what_npm_says_is_known(read: Read) -> None:
    said = [{"name": "cdx:npm:package:development", "value": "true"}]
    dev = component("a", "1", "pkg:npm/a@1", properties=said)
    content = read("bom.json", cyclonedx(dev, component("b", "1", "pkg:npm/b@1", properties=[7])))
    assert [(found.direct, found.dev, found.via) for found in content.packages] == [
        (None, True, ()),
        (None, None, ()),
    ]


PURLS = [
    ("pkg:npm/%40babel/core@7.0.0", "npm", "@babel/core", "7.0.0"),
    ("pkg:npm/@babel/core@7.0.0", "npm", "@babel/core", "7.0.0"),
    ("pkg:npm/babel/core@7.0.0", "npm", "@babel/core", "7.0.0"),
    ("pkg:npm/JSONStream@1.3.5", "npm", "JSONStream", "1.3.5"),
    ("pkg:NPM/a@1.0.0#sub/path", "npm", "a", "1.0.0"),
    ("pkg:pypi/ruamel.yaml@0.18.6", "PyPI", "ruamel.yaml", "0.18.6"),
    ("pkg:golang/github.com/Masterminds/goutils@v1.1.0", "Go", "github.com/Masterminds/goutils", "1.1.0"),
    ("pkg:golang/a.b/c@v2.0.0%2Bincompatible", "Go", "a.b/c", "2.0.0+incompatible"),
    ("pkg:golang/a.b/c@v2.0.0+incompatible#cmd/x", "Go", "a.b/c", "2.0.0+incompatible"),
    ("pkg:golang/a.b/c/d@v2.0.0#v2", "Go", "a.b/c/d/v2", "2.0.0"),
    ("pkg:golang/std@go1.20.1", "Go", "stdlib", "1.20.1"),
    ("pkg:golang/stdlib@1.20.1", "Go", "stdlib", "1.20.1"),
    ("pkg:maven/org.a/b@1.0-SNAPSHOT?type=jar", "Maven", "org.a:b", "1.0-SNAPSHOT"),
    ("pkg:cargo/rand@0.7.2", "crates.io", "rand", "0.7.2"),
    ("pkg:gem/nokogiri@1.15.4-x86_64-linux", "RubyGems", "nokogiri", "1.15.4"),
    ("pkg:gem/nokogiri@1.15.4?platform=java", "RubyGems", "nokogiri", "1.15.4"),
    ("pkg:composer/laravel/framework@5.5.0", "Packagist", "laravel/framework", "5.5.0"),
    ("pkg:nuget/Newtonsoft.Json@12.0.1", "NuGet", "Newtonsoft.Json", "12.0.1"),
    ("pkg:pub/http@0.13.0", "Pub", "http", "0.13.0"),
    ("pkg:hex/phoenix@1.6.0", "Hex", "phoenix", "1.6.0"),
    ("pkg:cran/readxl@1.0.0", "CRAN", "readxl", "1.0.0"),
    ("pkg:conan/openssl@3.0.3?user=a&channel=b", "ConanCenter", "openssl", "3.0.3"),
    ("pkg:swift/github.com/apple/swift-nio@2.41.0", "SwiftURL", "github.com/apple/swift-nio", "2.41.0"),
    ("pkg:swift/github.com/vapor/vapor@4.61.1", "SwiftURL", "github.com/vapor/vapor", "4.61.1"),
    ("pkg:swift/a.org/b/c.git/c@1.0.0", "SwiftURL", "a.org/b/c", "1.0.0"),
    ("pkg:swift/a.org/b/c/C@1.0.0", "SwiftURL", "a.org/b/c", "1.0.0"),
    ("pkg:hackage/aeson@2.0.3.0", "Hackage", "aeson", "2.0.3.0"),
    ("pkg:cocoapods/Firebase@8.5.0#CoreOnly", "CocoaPods", "Firebase", "8.5.0"),
    ("pkg:cocoapods/Firebase/CoreOnly@8.5.0", "CocoaPods", "Firebase", "8.5.0"),
    ("pkg:pypi/a@==1.0", "PyPI", "a", "1.0"),
    ("pkg:githubactions/actions/checkout@4.0.0", "GitHub Actions", "actions/checkout", "4.0.0"),
    ("pkg:deb/debian/curl@7.50.3-1~a?arch=i386&distro=debian-12", "Debian", "curl", "7.50.3-1~a"),
    ("pkg:apk/alpine/busybox@1.36.1-r2", "Alpine", "busybox", "1.36.1-r2"),
    ("pkg:rpm/redhat/openssl@1.1.1k-6.el8?epoch=1", "Red Hat", "openssl", "1.1.1k-6.el8"),
]


@pytest.mark.parametrize(("purl", "ecosystem", "name", "version"), PURLS, ids=[row[0] for row in PURLS])
def test_package_urls(read: Read, purl: str, ecosystem: str, name: str, version: str) -> None:
    content = read("bom.json", cyclonedx(component("shown", "9", purl)))
    assert [(found.ecosystem, found.name, found.version) for found in content.packages] == [
        (ecosystem, name, version)
    ]
    assert content.not_scanned == ()


@pytest.mark.parametrize(
    "purl",
    [
        "npm/a@1",
        "pkg:npm",
        "pkg:npm/",
        "pkg:/a@1",
        "pkg:maven/b@1.0",
        "pkg:pypi/a/b@1",
        "pkg:composer/framework@1.0",
        "pkg:swift/swift-nio@1.0.0",
        "pkg:npm/a@1?x",
        "pkg:npm/" + "a" * 5000,
        7,
        ["pkg:npm/a@1"],
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_package_url(read: Read, purl: Any) -> None:
    content = read("bom.json", cyclonedx(component("shown", "9", purl)))
    assert content.packages == ()
    assert len(content.not_scanned) == 1
    assert content.not_scanned[0].reason.startswith("is not a package URL")


@pytest.mark.parametrize("version", ["^4.17.0", ">= 1.0", "1.*", "~> 2", "NOASSERTION", "", "1 || 2"])
def test_a_range_is_no_version(read: Read, version: str) -> None:
    content = read("bom.json", cyclonedx(component("a", version, "pkg:npm/a")))
    assert gaps(content) == {"bom.json: pkg:npm/a": "no exact version"}


def test_the_version_beside_a_purl_counts_where_the_purl_has_none(read: Read) -> None:
    assert pairs(read("bom.json", cyclonedx(component("a", "1.2.3", "pkg:npm/a")))) == {("a", "1.2.3")}


def test_letters_that_a_tool_folded_in_the_purl_come_back_from_the_name(read: Read) -> None:
    go = component(
        "github.com/Masterminds/goutils", "v1.1.0", "pkg:golang/github.com/masterminds/goutils@v1.1.0"
    )
    npm = component("JSONStream", "1.3.5", "pkg:npm/jsonstream@1.3.5")
    assert pairs(read("bom.json", cyclonedx(go, npm))) == {
        ("github.com/Masterminds/goutils", "1.1.0"),
        ("JSONStream", "1.3.5"),
    }


def test_a_go_module_inside_a_repository_is_told_from_a_package_inside_a_module(read: Read) -> None:
    module = component("github.com/A/b/sdk/core", "v1.0.0", "pkg:golang/github.com/A/b@v1.0.0#sdk/core")
    inner = component("core", "v1.2.0", "pkg:golang/github.com/c/d@v1.2.0#sdk/core")
    assert pairs(read("bom.json", cyclonedx(module, inner))) == {
        ("github.com/A/b/sdk/core", "1.0.0"),
        ("github.com/c/d", "1.2.0"),
    }


def test_types_without_advisories_are_counted_and_named(read: Read) -> None:
    purls = ["pkg:generic/a@1", "pkg:generic/b@1", "pkg:oci/c@sha256%3Aaa", "pkg:deb/kali/d@1", "pkg:npm/e@1"]
    content = read("bom.json", cyclonedx(*(component("x", "1", purl) for purl in purls)))
    assert pairs(content) == {("e", "1")}
    assert gaps(content) == {
        "bom.json: 2 packages of type generic": "no advisories are known for this type",
        "bom.json: 1 package of type oci": "no advisories are known for this type",
        "bom.json: 1 package of type deb": "no advisories are known for this type",
    }


def test_ever_new_types_are_counted_together(read: Read) -> None:
    entries = [component("x", "1", f"pkg:t{number}/a@1") for number in range(5_000)]
    content = read("bom.json", cyclonedx(*entries))
    assert len(content.not_scanned) == 101
    assert content.not_scanned[-1].what == "bom.json: 4,900 packages of type other"


def test_components_without_a_package_url(read: Read) -> None:
    entries = [
        component("zlib", "1.2.11", None),
        component("core", "1", None, group="org.example"),
        component("a.txt", "", None, type="file"),
        component("curl", "8", "pkg:generic/curl@8", type="file"),
        "text",
    ]
    assert gaps(read("bom.json", cyclonedx(*entries))) == {
        "bom.json: zlib": "has no package URL",
        "bom.json: org.example/core": "has no package URL",
        "bom.json: text": "the entry is not a table",
        "bom.json: 1 package of type generic": "no advisories are known for this type",
    }


def test_a_document_of_nothing_but_vulnerabilities_is_no_inventory(read: Read) -> None:
    head = {"bomFormat": "CycloneDX", "specVersion": "1.5"}
    assert read("vex.cdx.json", json.dumps({**head, "vulnerabilities": []})).not_scanned == ()
    assert gaps(read("bom.json", json.dumps(head))) == {"bom.json": "lists no components"}
    assert read("bom.json", json.dumps({**head, "components": []})).not_scanned == ()
    assert read("vex.cdx.xml", "<bom><vulnerabilities/></bom>").not_scanned == ()
    assert gaps(read("bom.xml", "<bom><metadata/></bom>")) == {"bom.xml": "lists no components"}
    assert read("bom.xml", "<bom><components/></bom>").not_scanned == ()


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("bom.json", "", "is empty"),
        ("bom.json", '{"parts": []}', "is not a CycloneDX document (it has no bomFormat)"),
        ("bom.json", '{"bomFormat": "CycloneDX", "components": {}}', "components is not an array"),
        ("bom.json", cyclonedx({"components": 7}), "components is not an array"),
        ("bom.json", CYCLONEDX_XML, "is not valid JSON (line 1)"),
        ("bom.xml", "", "is empty"),
        ("bom.xml", "<project/>", "is not a CycloneDX document (it has no <bom>)"),
        ("bom.xml", CYCLONEDX_XML[:-9], "is not valid XML (line 28)"),
        ("bom.xml", "<!DOCTYPE bom><bom/>", "has a document type or entities, which are not read"),
        ("bom.xml", "<bom>" * 300, "has too many elements or is nested too deeply"),
    ],
)
def test_malformed(read: Read, path: str, text: str, reason: str) -> None:
    assert reason in gaps(read(path, text)).values()


def test_components_in_components_without_end(read: Read) -> None:
    text = '{"components": [' * 300 + "]}" * 300
    document = '{"bomFormat": "CycloneDX", "components": [' + text + "]}"
    assert read("bom.json", document).packages == ()


def test_sixteen_mebibytes_of_components(read: Read) -> None:
    """Far more elements than a lockfile in XML has are read, since none is held."""
    one = "<component><name>a</name><hashes><hash/><hash/></hashes><purl>pkg:npm/a@%d</purl></component>"
    text = "<bom><components>" + "".join(one % number for number in range(30_000)) + "</components></bom>"
    content = read("bom.xml", text)
    assert len(content.packages) == 30_000
    assert content.not_scanned == ()
