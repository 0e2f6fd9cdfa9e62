"""Package URLs (purl), read and written: the one mapping between them and the names that findings have.

Owns the table of types. Bills of materials, VEX documents and other scanners are all read through it, so that
one purl cannot name two packages. Must never take a purl without a type of ours for a package.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote

from cortex_git.scan.names import lookup_name, repository_address

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
_MATCHED = {kind: ecosystem for ecosystem, kind in _TYPES.items()}
_COUNTED = {"cocoapods": "CocoaPods", "githubactions": "GitHub Actions", "julia": "Julia"}
"""Without advisories that can be matched, which matching then says."""
_DISTRIBUTIONS = {
    ("apk", "alpine"): "Alpine",
    ("apk", "chainguard"): "Chainguard",
    ("apk", "wolfi"): "Wolfi",
    ("deb", "debian"): "Debian",
    ("deb", "ubuntu"): "Ubuntu",
    ("rpm", "almalinux"): "AlmaLinux",
    ("rpm", "opensuse"): "openSUSE",
    ("rpm", "redhat"): "Red Hat",
    ("rpm", "rocky"): "Rocky Linux",
}
"""By type and namespace; likewise without advisories."""

_WITHOUT_NAMESPACE = frozenset({"bioconductor", "cargo", "cran", "gem", "hackage", "nuget", "pub", "pypi"})
_NAME_ALONE = frozenset({"apk", "conan", "deb", "julia", "rpm"})
"""A distribution, or the user of a Conan reference, is no part of the name."""
_MAJOR = re.compile(r"v[0-9]{1,6}")
_BEFORE_VERSION = re.compile(r"[^?#]*")
_LENGTH = 4096
_RANGE = re.compile(r"[<>=^*|,\s]|~")
_NO_VERSION = frozenset({"", "NOASSERTION", "NONE", "UNKNOWN", "unspecified"})


class Purl(NamedTuple):
    """The parts of a purl, decoded, in their own letters; empty where there is none."""

    kind: str
    """Its type, in small letters."""
    namespace: str
    name: str
    version: str
    subpath: str

    @property
    def ecosystem(self) -> str | None:
        """Also one without advisories; None where the type is none that is known here."""
        distribution = _DISTRIBUTIONS.get((self.kind, self.namespace.lower()))
        return _MATCHED.get(self.kind) or _COUNTED.get(self.kind) or distribution

    def package(self, spellings: Mapping[str, str] | None = None) -> str | None:
        """The package's name as its ecosystem writes it; None where parts are missing or too many.

        `spellings` are names beside the purl, by their small letters: the one that differs in nothing but
        letter case counts, because some tools fold it in purls.
        """
        names = spellings or {}
        found = _name(self, names)
        return None if found is None else names.get(found.lower(), found)


class PackageName(NamedTuple):
    """A package as a purl names it; `name` is spelled as the advisory database looks it up."""

    ecosystem: str
    name: str
    version: str
    """Empty where the purl has none: all versions."""

    def means(self, ecosystem: str, name: str) -> bool:
        """Whether it is this package. A Go purl in small letters is any spelling: its type has no others."""
        if ecosystem != self.ecosystem:
            return False
        known = lookup_name(ecosystem, name)
        return self.name == (known.lower() if ecosystem == "Go" and self.name.islower() else known)


def read_purl(purl: object) -> Purl | None:
    """The parts of a purl, None for anything that is none."""
    from packageurl import PackageURL

    if not isinstance(purl, str) or not purl.startswith("pkg:") or len(purl) > _LENGTH:
        return None
    try:
        # Not normalised: the names of npm, for one, are exact, and old ones have capitals.
        found = PackageURL.from_string(purl, normalize_purl=False)
    except ValueError:
        return None
    # Some tools encode the slashes between namespace and name.
    whole = "/".join(unquote(text).strip("/") for text in (found.namespace, found.name) if text)
    namespace, _, name = whole.rpartition("/")
    subpath = unquote(found.subpath or "").strip("/")
    return Purl(found.type, namespace, name, unquote(found.version or ""), subpath)


@lru_cache(maxsize=4096)
def package_of(purl: str) -> PackageName | None:
    """The package that a purl names; None for what is no purl, or of a type without advisories here.

    What is behind `host/owner/name` of a Go purl, in its subpath, is taken for a part of the module's path.
    """
    found = read_purl(purl)
    ecosystem = _MATCHED.get(found.kind) if found else None
    if found is None or ecosystem is None:
        return None
    whole = f"{found.namespace}/{found.name}/{found.subpath}".strip("/")
    name = found.package({whole.lower(): whole} if found.subpath else {})
    if not name:
        return None
    # A range is no version of any finding, and must not become "all versions".
    version = exact_version(found.kind, found.version) or found.version
    return PackageName(ecosystem, lookup_name(ecosystem, name), version)


def exact_version(kind: str, text: str) -> str | None:
    """The version of a purl of that type as a lockfile has it, None for a range or none at all."""
    text = text.strip()
    if text in _NO_VERSION:
        return None
    if kind in ("apk", "deb", "rpm"):
        return text
    text = text.lstrip("=").lstrip()
    if not text or _RANGE.search(text):
        return None
    if kind == "golang":
        return text.removeprefix("go").removeprefix("v")
    if kind == "gem":
        return text.partition("-")[0]  # what follows is a platform
    return text


def same_version(ecosystem: str, one: str, other: str) -> bool:
    """Whether two versions are written the same, but for what tools put before or behind them."""
    kind = _TYPES.get(ecosystem, "")
    found = exact_version(kind, one)
    return one == other or (found is not None and found == exact_version(kind, other))


def at_version(purl: str, version: str) -> str:
    """The purl, which has no version, with that one."""
    found = _BEFORE_VERSION.match(purl)
    end = found.end() if found else 0
    return f"{purl[:end]}@{quote(version, safe='')}{purl[end:]}"


def purl_of(ecosystem: str, name: str, version: str) -> str | None:
    """The purl of a package; None where the ecosystem has no type, or the name cannot be one."""
    from packageurl import PackageURL

    kind = _TYPES.get(ecosystem)
    if ecosystem == "SwiftURL":
        name = repository_address(name) or name
    namespace, _, last = name.rpartition(":" if ecosystem == "Maven" else "/")
    if kind is None or not last.strip():
        return None
    if ecosystem == "Go" and version[:1].isdecimal() and name != "stdlib":
        version = f"v{version}"
    try:
        # The library folds npm's names as those of today are written; old ones are others in small letters.
        made = PackageURL("generic" if kind == "npm" else kind, namespace or None, last, version or None)
        return f"pkg:{kind}/{made.to_string().partition('/')[2]}"
    except (ValueError, TypeError):  # the second for a name of nothing but what is normalised away
        return None


def _name(purl: Purl, spellings: Mapping[str, str]) -> str | None:
    kind, namespace, name, _, _ = purl
    if kind in _WITHOUT_NAMESPACE:
        return None if namespace else name
    if kind == "maven":
        return f"{namespace.replace('/', '.')}:{name}" if namespace else None
    if kind == "npm":
        scope = namespace if not namespace or namespace.startswith("@") else f"@{namespace}"
        return f"{scope}/{name}" if scope else name
    if kind in ("composer", "githubactions"):
        return f"{namespace}/{name}" if namespace else None
    if kind == "cocoapods":
        return namespace.partition("/")[0] or name  # some tools put the pod before its subspec
    if kind == "swift":
        return _swift_name(namespace, name)
    if kind == "golang":
        return _go_name(purl, spellings)
    if kind in _NAME_ALONE:
        return name
    return f"{namespace}/{name}" if namespace else name


def _swift_name(namespace: str, name: str) -> str | None:
    """Host and path of the repository; some tools put the name once more behind the whole of it."""
    if not namespace:
        return None
    address = namespace.removesuffix(".git")
    parts = address.split("/")
    again = len(parts) > 2 and parts[-1].lower() == name.lower()
    return address if again or address != namespace else f"{namespace}/{name}"


def _go_name(purl: Purl, spellings: Mapping[str, str]) -> str:
    """The module. Some tools put what is behind `host/owner/name` in its path into the subpath."""
    name = f"{purl.namespace}/{purl.name}" if purl.namespace else purl.name
    if name == "std":
        return "stdlib"
    whole = f"{name}/{purl.subpath}"
    if purl.subpath and (whole.lower() in spellings or _MAJOR.fullmatch(purl.subpath)):
        return whole
    return name
