"""Package URLs of each ecosystem, there and back: read, written, and as bills of materials have them."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortex_git.scan.lockfiles import read_lockfile
from cortex_git.scan.names import ECOSYSTEMS, lookup_name
from cortex_git.scan.purls import at_version, package_of, purl_of, same_version


@pytest.mark.parametrize(
    ("ecosystem", "name", "version", "purl"),
    [
        ("npm", "@types/node", "1.0.0", "pkg:npm/%40types/node@1.0.0"),
        ("npm", "JSONStream", "1.3.5", "pkg:npm/JSONStream@1.3.5"),
        ("PyPI", "ruamel-yaml", "0.17", "pkg:pypi/ruamel-yaml@0.17"),
        ("Maven", "org.yaml:snakeyaml", "1.26", "pkg:maven/org.yaml/snakeyaml@1.26"),
        ("Go", "golang.org/x/crypto", "0.1.0", "pkg:golang/golang.org/x/crypto@v0.1.0"),
        ("Go", "github.com/Azure/azure-sdk-for-go/sdk/azcore", "1.0.0",
         "pkg:golang/github.com/Azure/azure-sdk-for-go/sdk/azcore@v1.0.0"),
        ("Go", "github.com/a/b/v2", "2.0.0+incompatible",
         "pkg:golang/github.com/a/b/v2@v2.0.0%2Bincompatible"),
        ("Go", "stdlib", "1.21.3", "pkg:golang/stdlib@1.21.3"),
        ("crates.io", "time", "0.1.43", "pkg:cargo/time@0.1.43"),
        ("RubyGems", "rails", "6.0.0", "pkg:gem/rails@6.0.0"),
        ("Packagist", "symfony/http-kernel", "4.4.0", "pkg:composer/symfony/http-kernel@4.4.0"),
        ("NuGet", "newtonsoft.json", "12.0.3", "pkg:nuget/newtonsoft.json@12.0.3"),
        ("Pub", "http_parser", "4.0.0", "pkg:pub/http_parser@4.0.0"),
        ("Hex", "plug_cowboy", "2.6.1", "pkg:hex/plug_cowboy@2.6.1"),
        ("CRAN", "R6", "2.5.1", "pkg:cran/R6@2.5.1"),
        ("Bioconductor", "BiocGenerics", "0.48.1", "pkg:bioconductor/BiocGenerics@0.48.1"),
        ("ConanCenter", "openssl", "1.1.1t", "pkg:conan/openssl@1.1.1t"),
        ("SwiftURL", "github.com/apple/swift-nio", "2.41.0", "pkg:swift/github.com/apple/swift-nio@2.41.0"),
        ("Hackage", "aeson", "2.0.3.0", "pkg:hackage/aeson@2.0.3.0"),
    ],
)  # fmt: skip
def test_there_and_back(ecosystem: str, name: str, version: str, purl: str) -> None:
    assert purl_of(ecosystem, name, version) == purl
    assert package_of(purl) == (ecosystem, name, version)


@pytest.mark.parametrize(
    ("purl", "ecosystem", "name", "version"),
    [
        ("pkg:pypi/Ruamel.YAML", "PyPI", "ruamel-yaml", ""),
        ("pkg:golang/golang.org%2Fx%2Fcrypto@v0.1.0?type=module", "Go", "golang.org/x/crypto", "0.1.0"),
        ("pkg:golang/github.com/a/b@v1.2.0#sdk/core", "Go", "github.com/a/b/sdk/core", "1.2.0"),
        ("pkg:golang/a.b/c@v2.0.0#v2", "Go", "a.b/c/v2", "2.0.0"),
        ("pkg:golang/std@go1.20.1", "Go", "stdlib", "1.20.1"),
        ("pkg:npm/lodash@1.0.0?arch=x#sub", "npm", "lodash", "1.0.0"),
        ("pkg:npm/babel/core@7.0.0", "npm", "@babel/core", "7.0.0"),
        ("pkg:npm/%40babel%2Fcore@7.0.0", "npm", "@babel/core", "7.0.0"),
        ("pkg:conan/acme/zlib@1.2.11?channel=stable", "ConanCenter", "zlib", "1.2.11"),
        ("pkg:gem/nokogiri@1.15.4-x86_64-linux", "RubyGems", "nokogiri", "1.15.4"),
        ("pkg:swift/GitHub.com/Apple/swift-nio.git/swift-nio@2.0.0", "SwiftURL", "github.com/apple/swift-nio",
         "2.0.0"),
        ("pkg:nuget/Newtonsoft.Json@12.0.1", "NuGet", "newtonsoft.json", "12.0.1"),
        ("pkg:composer/Laravel/Framework@5.5.0", "Packagist", "laravel/framework", "5.5.0"),
        ("pkg:npm/a@%5E1.0.0", "npm", "a", "^1.0.0"),
        ("pkg:npm/a@NOASSERTION", "npm", "a", "NOASSERTION"),
    ],
)  # fmt: skip
def test_as_tools_write_them(purl: str, ecosystem: str, name: str, version: str) -> None:
    """A range and a word for none stay what they are: they must not become all versions."""
    assert package_of(purl) == (ecosystem, name, version)


def test_what_is_the_same_package_and_version() -> None:
    folded = package_of("pkg:golang/github.com/masterminds/goutils@v1.1.0")
    exact = package_of("pkg:golang/github.com/Masterminds/goutils")
    assert folded is not None and folded.means("Go", "github.com/Masterminds/goutils")
    assert exact is not None and not exact.means("Go", "github.com/masterminds/goutils")
    old = package_of("pkg:npm/jsonstream")
    assert old is not None and not old.means("npm", "JSONStream"), "these are two packages"
    assert same_version("Go", "v1.0.0", "1.0.0")
    assert same_version("RubyGems", "1.15.4-java", "1.15.4")
    assert not same_version("npm", "v1.0.0", "1.0.0")
    assert not same_version("npm", "^1.0.0", "*")
    assert at_version("pkg:golang/a.b/c?x=y#v2", "v2.0.0+incompatible") == (
        "pkg:golang/a.b/c@v2.0.0%2Bincompatible?x=y#v2"
    )


@pytest.mark.parametrize(
    "text",
    ["", "lodash", "pkg:", "pkg:npm", "pkg:deb/debian/curl@1", "pkg:maven/b@1", "pkg:pypi/a/b@1",
     "pkg:npm/" + "x" * 5000],
)  # fmt: skip
def test_what_names_no_package(text: str) -> None:
    assert package_of(text) is None


def named(expression: str) -> st.SearchStrategy[str]:
    return st.from_regex(rf"\A{expression}\Z")


_GO = r"[a-z]{1,5}\.(com|org|in)(/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,6}){1,4}(/v[2-9])?"
NAMES: Mapping[str, st.SearchStrategy[str]] = {
    "npm": named(r"(@[a-z0-9~-][a-z0-9._~-]{0,6}/)?[A-Za-z0-9~-][A-Za-z0-9._~-]{0,8}"),
    "PyPI": named(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?"),
    "Maven": named(r"[a-z]{1,4}(\.[a-z0-9_-]{1,4}){0,3}:[A-Za-z0-9_][A-Za-z0-9._-]{0,8}"),
    "Go": named(_GO).filter(lambda name: not {".", ".."} & set(name.split("/"))) | st.just("stdlib"),
    "crates.io": named(r"[A-Za-z][A-Za-z0-9_-]{0,8}"),
    "RubyGems": named(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,8}"),
    "Packagist": named(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,5}[a-z])?/[A-Z0-9a-z]([a-z0-9_.-]{0,5}[a-z])?"),
    "NuGet": named(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,10}"),
    "Pub": named(r"[a-z_][a-z0-9_]{0,8}"),
    "Hex": named(r"[a-z][a-z0-9_]{0,8}"),
    "CRAN": named(r"[A-Za-z][A-Za-z0-9.]{0,8}[A-Za-z0-9]"),
    "Bioconductor": named(r"[A-Za-z][A-Za-z0-9.]{0,8}[A-Za-z0-9]"),
    "ConanCenter": named(r"[a-z0-9_][a-z0-9_+.-]{1,8}"),
    # The last part twice is how some tools write a repository, so that one in a group of its name is lost.
    "SwiftURL": named(r"(github\.com|git\.[a-z]{1,4}\.org)/[A-Z0-9a-z]{1,5}x/[A-Za-z0-9_.-]{0,5}[A-Wa-w0-9]"),
    "Hackage": named(r"[A-Za-z][A-Za-z0-9]{0,4}(-[A-Za-z][A-Za-z0-9]{0,4})?"),
}  # fmt: skip
VERSIONS: Mapping[str, st.SearchStrategy[str]] = {
    "Go": named(r"[0-9]{1,2}\.[0-9]\.[0-9](-[a-z0-9.]{1,6}[0-9a-f])?(\+incompatible)?"),
    "RubyGems": named(r"[0-9]{1,2}(\.[0-9a-z]{1,3}){0,3}"),
    "PyPI": named(r"([1-9]!)?[0-9]{1,2}(\.[0-9]{1,2}){0,2}(rc[0-9])?(\+[a-z0-9.]{1,3}[a-z])?"),
}
# One that ends with a dot is no exact version, and told as a gap.
_VERSION = named(r"[0-9]{1,2}(\.[0-9]{1,2}){0,3}(-[a-z0-9.]{0,4}[a-z0-9])?(\+[a-z0-9.]{0,4}[a-z0-9])?")
PACKAGES = st.sampled_from(ECOSYSTEMS).flatmap(
    lambda ecosystem: st.tuples(st.just(ecosystem), NAMES[ecosystem], VERSIONS.get(ecosystem, _VERSION))
)


@settings(deadline=None, max_examples=60)
@given(PACKAGES, st.sampled_from(["", "?a=b&checksum=sha256:12", "?vcs_url=git%2Bhttps://h/x%23y"]))
def test_every_name_goes_there_and_back(package: tuple[str, str, str], more: str) -> None:
    """And a bill of materials that has the purl names the package that a lockfile names."""
    ecosystem, name, version = package
    purl = purl_of(ecosystem, name, version)
    assert purl is not None
    known = lookup_name(ecosystem, name)
    assert package_of(purl + more) == (ecosystem, known, version)
    found = package_of(purl)
    assert found is not None and found.means(ecosystem, name)
    document = {"bomFormat": "CycloneDX", "specVersion": "1.5",
                "components": [{"type": "library", "name": "no package", "purl": purl + more}]}  # fmt: skip
    (read,) = read_lockfile("bom.json", json.dumps(document).encode(), lambda _: None).packages
    assert (read.ecosystem, lookup_name(ecosystem, read.name), read.version) == (ecosystem, known, version)


def test_the_property_knows_every_ecosystem() -> None:
    assert set(NAMES) == set(ECOSYSTEMS)


@given(st.text(), st.text(), st.text())
def test_any_text_is_told_apart_or_has_no_purl(ecosystem: str, name: str, version: str) -> None:
    package_of(f"pkg:{ecosystem}/{name}@{version}")
    assert purl_of(ecosystem, name, version) is None or ecosystem in ECOSYSTEMS
    for known in ("npm", "Maven", "Go", "SwiftURL"):
        written = purl_of(known, name, version)
        assert written is None or package_of(written) is not None or known in ("Maven", "SwiftURL")


@pytest.mark.parametrize("name", ["a:/", ":/", "a: ", "", ":", "//"])
def test_a_name_of_nothing_has_no_purl(name: str) -> None:
    assert purl_of("Maven", name, "1") is None
