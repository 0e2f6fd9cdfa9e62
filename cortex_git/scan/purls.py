"""Package URLs (purl) and the ecosystems and names that findings have.

Owns the table between the two. A purl of a type that is not in it names no package here.
"""

from functools import lru_cache
from typing import NamedTuple

from cortex_git.scan.names import lookup_name

_TYPES = {
    "npm": "npm",
    "PyPI": "pypi",
    "Maven": "maven",
    "Go": "golang",
    "crates.io": "cargo",
    "RubyGems": "gem",
    "Packagist": "composer",
    "NuGet": "nuget",
    "Pub": "pub",
    "Hex": "hex",
    "CRAN": "cran",
    "Bioconductor": "bioconductor",
    "ConanCenter": "conan",
    "SwiftURL": "swift",
    "Hackage": "hackage",
}
ECOSYSTEM_OF_TYPE = {kind: ecosystem for ecosystem, kind in _TYPES.items()}
_LENGTH = 2000


class PackageName(NamedTuple):
    """A package as a purl names it; `name` is spelled as the advisory database looks it up."""

    ecosystem: str
    name: str
    version: str
    """Empty where the purl has none: all versions."""


@lru_cache(maxsize=4096)
def package_of(purl: str) -> PackageName | None:
    """The package that a purl names; None for what is no purl, or of a type without an ecosystem here."""
    from packageurl import PackageURL

    if not purl.startswith("pkg:") or len(purl) > _LENGTH:
        return None
    try:
        parsed = PackageURL.from_string(purl)
    except ValueError:
        return None
    ecosystem = ECOSYSTEM_OF_TYPE.get(parsed.type)
    if ecosystem is None or not parsed.name:
        return None
    between = ":" if ecosystem == "Maven" else "/"
    # Some tools put the user of a Conan reference into the namespace, which is no part of its name.
    namespace = "" if ecosystem == "ConanCenter" else parsed.namespace
    name = f"{namespace}{between}{parsed.name}" if namespace else parsed.name
    version = parsed.version or ""
    return PackageName(ecosystem, lookup_name(ecosystem, name), _plain(ecosystem, version))


def same_version(ecosystem: str, one: str, other: str) -> bool:
    """Whether two versions are written the same, but for the `v` that Go's tools put before them."""
    return _plain(ecosystem, one) == _plain(ecosystem, other)


def purl_of(ecosystem: str, name: str, version: str) -> str | None:
    """The purl of a package; None where the ecosystem has no type, or the name cannot be one."""
    from packageurl import PackageURL

    kind = _TYPES.get(ecosystem)
    namespace, _, last = name.rpartition(":" if ecosystem == "Maven" else "/")
    if kind is None or not last.strip():
        return None
    try:
        return PackageURL(kind, namespace or None, last, version or None).to_string()
    except (ValueError, TypeError):  # the second for a name of nothing but what is normalised away
        return None


def _plain(ecosystem: str, version: str) -> str:
    return version.removeprefix("v") if ecosystem == "Go" else version
