"""Ecosystems and package names as OSV spells them, and the one spelling under which each is looked up.

Must never fold two different packages into one: only what the ecosystem itself treats as equal.
"""

import re

from cortex_git.errors import BadInput

ECOSYSTEMS = (
    "npm",
    "PyPI",
    "Maven",
    "Go",
    "crates.io",
    "RubyGems",
    "Packagist",
    "NuGet",
    "Pub",
    "Hex",
    "CRAN",
    "Bioconductor",
    "ConanCenter",
    "SwiftURL",
    "Hackage",
)
"""What can be matched, by the names of OSV's own list."""

_BY_REPOSITORY = ("Maven", "Packagist")
"""Ecosystems whose OSV name may go on with a repository (`Maven:https://…`), which a lockfile seldom says."""

_SEPARATORS = re.compile(r"[-_.]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_AUTHORITY = re.compile(r"(?:[^@/\s]*@)?([A-Za-z0-9.-]+)(?::\d+)?[:/]/*(\S+)")
_ANY_CASE_HOSTS = ("github.com/", "gitlab.com/", "bitbucket.org/")
"""Hosts that take the letters of a repository's path in any case."""


def ecosystem_of(text: str) -> str | None:
    """The ecosystem of an OSV `package.ecosystem` such as `Maven:https://…`, None where it is not ours."""
    base, _, suffix = text.partition(":")
    if base not in ECOSYSTEMS or (suffix and base not in _BY_REPOSITORY):
        return None
    return base


def chosen(names: list[str]) -> list[str]:
    """The ecosystems a person named, in any letter case. Raises BadInput for an unknown one."""
    known = {name.lower(): name for name in ECOSYSTEMS}
    unknown = [name for name in names if name.lower() not in known]
    if unknown:
        raise BadInput(f"unknown ecosystem {unknown[0]!r}", f"choose from {', '.join(ECOSYSTEMS)}")
    return list(dict.fromkeys(known[name.lower()] for name in names))


def lookup_name(ecosystem: str, name: str) -> str:
    """The name under which a package is stored and looked up.

    PyPI by PEP 503; NuGet and Packagist ignore letter case; crates.io takes `-` and `_` and letter case
    as equal; a SwiftURL is a repository's host and path; the names of all others are exact.
    """
    if ecosystem == "PyPI":
        return _SEPARATORS.sub("-", name).lower()
    if ecosystem in ("NuGet", "Packagist"):
        return name.lower()
    if ecosystem == "crates.io":
        return name.replace("_", "-").lower()
    if ecosystem == "SwiftURL":
        address = repository_address(name) or name
        return address.lower() if address.lower().startswith(_ANY_CASE_HOSTS) else address
    return name


def repository_address(url: str) -> str | None:
    """`host/path` of a repository's URL or `git@host:path`, as the names of SwiftURL are; None for a path.

    Without scheme, user, port, `.git` and slashes at the end; the host in small letters.
    """
    scheme = _SCHEME.match(url)
    match = _AUTHORITY.fullmatch(url[scheme.end() :] if scheme else url)
    if match is None or "." not in match[1].strip("."):
        return None
    path = match[2].rstrip("/").removesuffix(".git").rstrip("/")
    return f"{match[1].lower()}/{path}" if path else None
