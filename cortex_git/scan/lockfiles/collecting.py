"""Gathers what one lockfile held: packages once each, and every entry that could not be used.

Owns the limits on names, versions and counts. Must never drop an entry without a trace.
"""

import re
from collections.abc import Collection, Iterable

from cortex_git.scan import gap_kinds
from cortex_git.scan.records import MAX_VIA, LockfileContent, NotScanned, Package, joined

MAX_TEXT = 512
"""Characters of a name or a version; no registry allows more."""
MAX_PACKAGES = 100_000
MAX_NOT_SCANNED = 1_000
"""Entries named one by one; what is beyond is counted in one line, so memory stays bounded."""
MAX_SHOWN = 120
_LOOKED_AT = 4_096
_USER_INFO = re.compile(r"://[^/\s]*@")
_NO_VERSION = re.compile(r"""[\s<>*|"'{}\[\]()$,;=]|^[~^]|\.$""")
"""What stands in no version of any registry: ranges, unresolved names, the rest of a line that was cut."""
_BEGINS_WITH_A_NUMBER = frozenset(
    {"npm", "PyPI", "crates.io", "Go", "RubyGems", "NuGet", "Pub", "Hex", "CRAN", "Hackage", "SwiftURL"}
)
"""Ecosystems whose every version does, but for a `v` or `V`."""
_NUMBER = re.compile(r"[vV]?[0-9]")
NO_EXACT_VERSION = "no exact version"
NO_REGISTRY = "not from a registry"
_KIND_OF_REASON = {
    NO_REGISTRY: gap_kinds.NOT_FROM_REGISTRY,
    f"{NO_EXACT_VERSION} ({NO_REGISTRY}": gap_kinds.NOT_FROM_REGISTRY,
    NO_EXACT_VERSION: gap_kinds.NO_VERSION,
}
"""By how a reason begins, the first that fits; all else is `entry`."""


class Collector:
    """Packages and gaps of one lockfile, in the order of the file."""

    def __init__(self, ecosystem: str, path: str) -> None:
        self._ecosystem = ecosystem
        self._path = path
        self._packages: dict[tuple[str, str, str], Package] = {}
        self._not_scanned: dict[tuple[str, str], NotScanned] = {}
        self._packages_over = 0
        self._not_scanned_over = 0

    def add(
        self,
        name: object,
        version: object,
        line: int | None = None,
        path: str | None = None,
        *,
        direct: bool | None = None,
        dev: bool | None = None,
        via: Iterable[str] = (),
        ecosystem: str | None = None,
    ) -> None:
        """One pinned package; `path` when an included file pins it. Unusable values become gaps.

        `ecosystem` where it is not the format's own: a bill of materials has packages of many.

        `direct`, `dev` and `via` as `Package` has them; of a package that is added again they are joined.
        """
        if not isinstance(name, str) or not name:
            return self.skip(name or "an entry", "the package has no name", path)
        problem = _problem("name", name) or ("the name has a space" if " " in name else None)
        if problem:
            return self.skip(name, problem, path)
        if version is None or version == "":
            return self.skip(name, NO_EXACT_VERSION, path)
        if not isinstance(version, str):
            return self.skip(name, "the version is not text", path)
        ecosystem = ecosystem or self._ecosystem
        problem = _problem("version", version) or _version_problem(ecosystem, version)
        if problem:
            return self.skip(name, problem, path)
        key = (ecosystem, name, version)
        named = tuple(via)
        if len(named) > 1:
            named = tuple(sorted(set(named))[:MAX_VIA])
        found = Package(ecosystem, name, version, path or self._path, line, direct, dev, named)
        known = self._packages.get(key)
        if known is not None:
            self._packages[key] = joined(known, found)
            return None
        if len(self._packages) >= MAX_PACKAGES:
            self._packages_over += 1
            return None
        self._packages[key] = found
        return None

    def skip(self, entry: object, reason: str, path: str | None = None) -> None:
        """One entry of the file that may hide a vulnerability, and why it could not be used."""
        if len(self._not_scanned) >= MAX_NOT_SCANNED:
            self._not_scanned_over += 1  # counted without the cost of showing it
            return
        kind = next(
            (kind for text, kind in _KIND_OF_REASON.items() if reason.startswith(text)), gap_kinds.ENTRY
        )
        self._gap(f"{path or self._path}: {shown(entry)}", reason, kind, path)

    def skip_file(self, reason: str, path: str | None = None, kind: str = gap_kinds.UNREADABLE) -> None:
        """The file as a whole, or the rest of it, could not be used."""
        self._gap(path or self._path, reason, kind, path)  # few per file, so none of them is only counted

    def format_version(self, value: object, known: Collection[str], key: str) -> None:
        """Say that the file may hold what is not read where its major version is none of the known ones."""
        plain = isinstance(value, (str, int))
        if value is not None and not (plain and str(value).partition(".")[0] in known):
            self.skip_file(f"is of a {key} that is not known")

    def unlisted(self, names: Collection[str]) -> None:
        """Packages that the file says are needed and does not list, which no tool leaves out."""
        if names:
            others = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
            self.skip_file(f"needs {shown(min(names))}{others}, which it does not list: it may be cut off")

    def _gap(self, what: str, reason: str, kind: str, path: str | None) -> None:
        gap = NotScanned(what, reason, kind, path or self._path)
        self._not_scanned.setdefault((what, reason), gap)

    def content(self) -> LockfileContent:
        """What was gathered."""
        gaps = list(self._not_scanned.values())
        if self._packages_over:
            reason = f"more than {MAX_PACKAGES:,} packages, the rest was left out"
            gaps.append(NotScanned(self._path, reason, gap_kinds.LIMIT, self._path))
        if self._not_scanned_over:
            reason = f"{self._not_scanned_over:,} more entries could not be used"
            gaps.append(NotScanned(self._path, reason, gap_kinds.LIMIT, self._path))
        return LockfileContent(tuple(self._packages.values()), tuple(gaps))


def _problem(what: str, value: str) -> str | None:
    if len(value) > MAX_TEXT:
        return f"the {what} is longer than {MAX_TEXT} characters"
    return None if value.isprintable() else f"the {what} has control characters"


def _version_problem(ecosystem: str, version: str) -> str | None:
    number = ecosystem not in _BEGINS_WITH_A_NUMBER or _NUMBER.match(version)
    return None if number and not _NO_VERSION.search(version) else f"{NO_EXACT_VERSION} ({shown(version)})"


def shown(value: object) -> str:
    """A value from the file to name it in a report: short, no control characters, no user info in URLs."""
    text = value if isinstance(value, str) else type(value).__name__
    text = _USER_INFO.sub("://", text[:_LOOKED_AT])
    if len(text) > MAX_SHOWN:
        text = text[: MAX_SHOWN - 3] + "..."
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)
