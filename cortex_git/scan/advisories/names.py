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
)
"""What can be matched, by the names of OSV's own list."""

_BY_REPOSITORY = ("Maven", "Packagist")
"""Ecosystems whose OSV name may go on with a repository (`Maven:https://…`), which a lockfile seldom says."""

_SEPARATORS = re.compile(r"[-_.]+")


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
    as equal; the names of all others are exact.
    """
    if ecosystem == "PyPI":
        return _SEPARATORS.sub("-", name).lower()
    if ecosystem in ("NuGet", "Packagist"):
        return name.lower()
    if ecosystem == "crates.io":
        return name.replace("_", "-").lower()
    return name
