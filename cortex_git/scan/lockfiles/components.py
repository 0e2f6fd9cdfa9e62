"""Turns the components of a bill of materials into packages: its package URLs, by their type.

Owns the table from purl types to ecosystems. A type that is not in it is a gap, counted once a file.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from packageurl import PackageURL

from cortex_git.scan import purls
from cortex_git.scan.lockfiles.collecting import MAX_TEXT, NO_EXACT_VERSION, Collector
from cortex_git.scan.lockfiles.source import MAX_ENTRIES, MalformedError

ECOSYSTEM_OF_TYPE = {
    **purls.ECOSYSTEM_OF_TYPE,
    "cocoapods": "CocoaPods",
    "githubactions": "GitHub Actions",
    "julia": "Julia",
}
"""The last three have no advisories that can be matched, which matching then says."""

_ECOSYSTEM_OF_DISTRIBUTION = {
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

_WITHOUT_NAMESPACE = frozenset({"cargo", "cran", "gem", "hackage", "nuget", "pub", "pypi"})
_MAJOR = re.compile(r"v[0-9]{1,6}")
_MAX_PURL = 8 * MAX_TEXT
_MAX_TYPES = 100
_RANGE = re.compile(r"[<>=^*|,\s]|~")
_NO_VERSION = frozenset({"", "NOASSERTION", "NONE", "UNKNOWN", "unspecified"})


class Components:
    """Adds components one by one, and at the end what could not be matched for want of a known type."""

    def __init__(self, out: Collector) -> None:
        self._out = out
        self._types: Counter[str] = Counter()
        self._seen = 0

    def add(
        self,
        purl: object,
        *,
        label: object,
        spellings: Iterable[str] = (),
        version: object = None,
        line: int | None = None,
        direct: bool | None = None,
        dev: bool | None = None,
        via: Iterable[str] = (),
        own: bool = False,
    ) -> None:
        """One component of a document, which becomes a package or a gap.

        `version` counts where the purl has none. Of `spellings`, the names beside the purl, the one is
        taken that differs from the purl's in nothing but letter case, which some tools fold there. `own`
        is what the document describes: of a type without advisories it is no gap.
        """
        self._seen += 1
        if self._seen > MAX_ENTRIES:
            raise MalformedError(f"has more than {MAX_ENTRIES:,} components")
        if not purl:
            self._out.skip(label or "an entry", "has no package URL")
            return
        parsed = _parsed(purl)
        if parsed is None:
            self._out.skip(purl, "is not a package URL")
            return
        kind = parsed.kind
        distribution = _ECOSYSTEM_OF_DISTRIBUTION.get((kind, parsed.namespace.lower()))
        ecosystem = ECOSYSTEM_OF_TYPE.get(kind) or distribution
        if ecosystem is None:
            if not own:
                known = kind in self._types or len(self._types) < _MAX_TYPES
                self._types[kind if known else "other"] += 1
            return
        spellings = {text.lower(): text for text in spellings}
        full = _name(parsed, spellings)
        if full is None:
            self._out.skip(purl, f"is not a package URL of type {kind}")
            return
        full = spellings.get(full.lower(), full)
        found = _version(kind, parsed.version or (version if isinstance(version, str) else ""))
        if found is None:
            self._out.skip(purl, NO_EXACT_VERSION)
            return
        self._out.add(full, found, line, direct=direct, dev=dev, via=via, ecosystem=ecosystem)

    def finish(self) -> None:
        """Name the types for which there are no advisories."""
        for kind, count in self._types.items():
            plural = "" if count == 1 else "s"
            self._out.skip(
                f"{count:,} package{plural} of type {kind}", "no advisories are known for this type"
            )


def package_name(purl: object) -> str | None:
    """The name of the package that a purl names, as its ecosystem has it; None for anything else."""
    parsed = _parsed(purl)
    return _name(parsed, {}) if parsed else None


class _Purl(NamedTuple):
    """The parts of a purl in its own letters; empty where there is none."""

    kind: str
    namespace: str
    name: str
    version: str
    subpath: str


def _parsed(purl: object) -> _Purl | None:
    """The parts of a purl, None for anything that is none."""
    if not isinstance(purl, str) or len(purl) > _MAX_PURL:
        return None
    try:
        # Not normalised: the names of npm, for one, are exact, and old ones have capitals.
        found = PackageURL.from_string(purl, normalize_purl=False)
    except ValueError:
        return None
    namespace, name, subpath = (
        unquote(text or "").strip("/") for text in (found.namespace, found.name, found.subpath)
    )
    return _Purl(found.type, namespace, name, unquote(found.version or "").strip(), subpath)


def _name(purl: _Purl, spellings: Mapping[str, str]) -> str | None:
    """The name as the ecosystem has it, None where parts are missing or too many."""
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
    if kind in ("conan", "apk", "deb", "rpm", "julia"):
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


def _go_name(purl: _Purl, spellings: Mapping[str, str]) -> str:
    """The module. Some tools put what is behind `host/owner/name` in its path into the subpath."""
    name = f"{purl.namespace}/{purl.name}" if purl.namespace else purl.name
    if name == "std":
        return "stdlib"
    whole = f"{name}/{purl.subpath}"
    if purl.subpath and (whole.lower() in spellings or _MAJOR.fullmatch(purl.subpath)):
        return whole
    return name


def _version(kind: str, text: str) -> str | None:
    """The version as a lockfile of the ecosystem has it, None for a range or none at all."""
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
        return text.partition("-")[0]
    return text
