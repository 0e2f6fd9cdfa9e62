"""Names fold only what their ecosystem takes as equal."""

import pytest

from cortex_git.errors import BadInput
from cortex_git.scan.names import chosen, ecosystem_of, lookup_name


@pytest.mark.parametrize(
    ("ecosystem", "one", "other", "same"),
    [
        ("PyPI", "Foo._-Bar", "foo-bar", True),
        ("NuGet", "Newtonsoft.Json", "newtonsoft.json", True),
        ("NuGet", "a.b", "a-b", False),
        ("Packagist", "Guzzle/PSR7", "guzzle/psr7", True),
        ("crates.io", "prost_types", "prost-types", True),
        ("crates.io", "a.b", "a-b", False),
        ("npm", "JSONStream", "jsonstream", False),
        ("npm", "a-b", "a_b", False),
        ("Go", "github.com/A/b", "github.com/a/b", False),
        ("Go", "github.com/a/b", "github.com/a/b/v2", False),
        ("Maven", "g:A", "g:a", False),
        ("RubyGems", "a-b", "a_b", False),
        ("SwiftURL", "https://github.com/Apple/swift-nio.git", "github.com/apple/swift-nio", True),
        ("SwiftURL", "git@GitHub.com:apple/swift-nio.git", "github.com/apple/swift-nio", True),
        ("SwiftURL", "ssh://git@github.com:22/apple/swift-nio/", "github.com/apple/swift-nio", True),
        ("SwiftURL", "https://git.example.org/A/b", "git.example.org/a/b", False),
        ("SwiftURL", "github.com/apple/swift-nio", "gitlab.com/apple/swift-nio", False),
        ("SwiftURL", "github.com/apple/swift-nio", "github.com/apple/swift-nio-ssl", False),
        ("Hackage", "HTTP", "http", False),
        ("CRAN", "Rcpp", "rcpp", False),
        ("Hex", "plug_cowboy", "plug-cowboy", False),
    ],
)
def test_lookup_names(ecosystem: str, one: str, other: str, same: bool) -> None:
    assert (lookup_name(ecosystem, one) == lookup_name(ecosystem, other)) is same


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PyPI", "PyPI"),
        ("pypi", None),
        ("Debian:11", None),
        ("PyPI:other", None),
        ("Maven:https://repo.example.org/maven2", "Maven"),
        ("Packagist:https://packages.drupal.org/8", "Packagist"),
        ("", None),
    ],
)
def test_ecosystems(text: str, expected: str | None) -> None:
    assert ecosystem_of(text) == expected


def test_a_person_may_write_an_ecosystem_in_any_case() -> None:
    assert chosen(["pypi", "CRATES.IO", "PyPI", "hex"]) == ["PyPI", "crates.io", "Hex"]
    with pytest.raises(BadInput, match="unknown ecosystem 'debian'"):
        chosen(["npm", "debian"])
