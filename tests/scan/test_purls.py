"""Package URLs of each ecosystem, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.scan.purls import package_of, purl_of, same_version


@pytest.mark.parametrize(
    ("ecosystem", "name", "version", "purl"),
    [
        ("npm", "@types/node", "1.0.0", "pkg:npm/%40types/node@1.0.0"),
        ("npm", "lodash", "4.17.20", "pkg:npm/lodash@4.17.20"),
        ("PyPI", "ruamel-yaml", "0.17", "pkg:pypi/ruamel-yaml@0.17"),
        ("Maven", "org.yaml:snakeyaml", "1.26", "pkg:maven/org.yaml/snakeyaml@1.26"),
        ("Go", "golang.org/x/crypto", "0.1.0", "pkg:golang/golang.org/x/crypto@0.1.0"),
        ("crates.io", "time", "0.1.43", "pkg:cargo/time@0.1.43"),
        ("RubyGems", "rails", "6.0.0", "pkg:gem/rails@6.0.0"),
        ("Packagist", "symfony/http-kernel", "4.4.0", "pkg:composer/symfony/http-kernel@4.4.0"),
        ("NuGet", "newtonsoft.json", "12.0.3", "pkg:nuget/newtonsoft.json@12.0.3"),
        ("Pub", "http_parser", "4.0.0", "pkg:pub/http_parser@4.0.0"),
        ("Hex", "plug_cowboy", "2.6.1", "pkg:hex/plug_cowboy@2.6.1"),
        ("CRAN", "R6", "2.5.1", "pkg:cran/R6@2.5.1"),
        ("Bioconductor", "BiocGenerics", "0.48.1", "pkg:bioconductor/BiocGenerics@0.48.1"),
        ("ConanCenter", "openssl", "1.1.1t", "pkg:conan/openssl@1.1.1t"),
    ],
)
def test_there_and_back(ecosystem: str, name: str, version: str, purl: str) -> None:
    assert purl_of(ecosystem, name, version) == purl
    assert package_of(purl) == (ecosystem, name, version)


def test_spellings() -> None:
    assert package_of("pkg:pypi/Ruamel.YAML") == ("PyPI", "ruamel-yaml", "")
    assert package_of("pkg:golang/golang.org/x/crypto@v0.1.0") == ("Go", "golang.org/x/crypto", "0.1.0")
    assert package_of("pkg:npm/lodash@1.0.0?arch=x#sub") == ("npm", "lodash", "1.0.0")
    assert package_of("pkg:conan/acme/zlib@1.2.11?channel=stable") == ("ConanCenter", "zlib", "1.2.11")
    assert same_version("Go", "v1.0.0", "1.0.0")
    assert not same_version("npm", "v1.0.0", "1.0.0")


@pytest.mark.parametrize(
    "text", ["", "lodash", "pkg:", "pkg:npm", "pkg:deb/debian/curl@1", "pkg:npm/" + "x" * 3000]
)
def test_what_names_no_package(text: str) -> None:
    assert package_of(text) is None


@given(st.text(), st.text(), st.text())
def test_any_name_is_told_apart_or_has_no_purl(ecosystem: str, name: str, version: str) -> None:
    package_of(f"pkg:{ecosystem}/{name}@{version}")
    assert purl_of(ecosystem, name, version) is None or ecosystem != ""
    purl_of("npm", name, version)
    purl_of("Maven", name, version)


@pytest.mark.parametrize("name", ["a:/", ":/", "a: ", "", ":", "//"])
def test_a_name_of_nothing_has_no_purl(name: str) -> None:
    assert purl_of("Maven", name, "1") is None
