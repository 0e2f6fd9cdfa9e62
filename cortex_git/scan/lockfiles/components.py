"""Turns the components of a bill of materials into packages: what their package URLs name.

Owns which components are gaps, such as those of a type without advisories, counted once a file.
"""

from collections import Counter
from collections.abc import Iterable

from cortex_git.scan.lockfiles.collecting import NO_EXACT_VERSION, Collector
from cortex_git.scan.lockfiles.source import MAX_ENTRIES, MalformedError
from cortex_git.scan.purls import exact_version, read_purl

_MAX_TYPES = 100


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
        parsed = read_purl(purl)
        if parsed is None:
            self._out.skip(purl, "is not a package URL")
            return
        kind, ecosystem = parsed.kind, parsed.ecosystem
        if ecosystem is None:
            if not own:
                known = kind in self._types or len(self._types) < _MAX_TYPES
                self._types[kind if known else "other"] += 1
            return
        name = parsed.package({text.lower(): text for text in spellings})
        if name is None:
            self._out.skip(purl, f"is not a package URL of type {kind}")
            return
        found = exact_version(kind, parsed.version or (version if isinstance(version, str) else ""))
        if found is None:
            self._out.skip(purl, NO_EXACT_VERSION)
            return
        self._out.add(name, found, line, direct=direct, dev=dev, via=via, ecosystem=ecosystem)

    def finish(self) -> None:
        """Name the types for which there are no advisories."""
        for kind, count in self._types.items():
            plural = "" if count == 1 else "s"
            self._out.skip(
                f"{count:,} package{plural} of type {kind}", "no advisories are known for this type"
            )


def package_name(purl: object) -> str | None:
    """The name of the package that a purl names, as its ecosystem has it; None for anything else."""
    parsed = read_purl(purl)
    return parsed.package() if parsed else None
