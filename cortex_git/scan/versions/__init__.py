"""The order of versions, one small module a scheme, behind `parse(ecosystem, text)`.

Owns what comes before what in each ecosystem. Must never guess: a text that the scheme cannot order
raises `VersionError`, and the caller says so instead of calling the package safe.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cortex_git.scan.versions import composer, conan, gem, hackage, maven, pypi, r, semver
from cortex_git.scan.versions.error import VersionError

__all__ = ["SCHEMES", "VersionError", "parse"]

SCHEMES: dict[str, Callable[[str], Any]] = {
    "npm": semver.parse,
    "crates.io": semver.parse,
    "Go": semver.parse_go,
    "NuGet": semver.parse_nuget,
    "PyPI": pypi.parse,
    "Packagist": composer.parse,
    "RubyGems": gem.parse,
    "Maven": maven.parse,
    "Pub": semver.parse_pub,
    "Hex": semver.parse,
    "CRAN": r.parse,
    "Bioconductor": r.parse,
    "ConanCenter": conan.parse,
    "SwiftURL": semver.parse,
    "Hackage": hackage.parse,
}
LONGEST = 256
"""Characters of a version; longer ones are somebody's attempt to keep a pattern busy."""


@lru_cache(maxsize=100_000)
def parse(ecosystem: str, text: str) -> Any:
    """The sort key of a version: keys of one ecosystem compare with `<`, `==` and the rest.

    Raises VersionError for a text that the ecosystem cannot order or that is longer than any version
    is, and for an unknown ecosystem.
    """
    scheme = SCHEMES.get(ecosystem)
    if scheme is None or len(text) > LONGEST:
        raise VersionError(ecosystem, text)
    return scheme(text)
