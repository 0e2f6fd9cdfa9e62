"""What an SPDX document says, whichever form it is written in, and how that becomes packages.

Owns which package is the subject of a document and no part of it.
"""

from dataclasses import dataclass, field

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.components import Components
from cortex_git.scan.lockfiles.source import refuse_too_many_entries

DOCUMENT = "SPDXRef-DOCUMENT"


@dataclass(slots=True)
class SpdxPackage:
    """One package: its fields, and its package URLs with the lines on which they stand."""

    name: object
    id: object = None
    version: object = None
    purls: list[tuple[object, int | None]] = field(default_factory=list)


@dataclass(slots=True)
class SpdxDocument:
    """The packages, the ids of what the document describes, and the pairs of ids that are related."""

    packages: list[SpdxPackage] = field(default_factory=list)
    described: set[str] = field(default_factory=set)
    related: list[tuple[str, str]] = field(default_factory=list)

    def relate(self, one: object, kind: object, other: object) -> None:
        """Note a relationship, by the words of version 2."""
        if not isinstance(one, str) or not isinstance(other, str):
            return
        if kind == "DESCRIBES" and one == DOCUMENT:
            self.described.add(other)
        elif kind == "DESCRIBED_BY" and other == DOCUMENT:
            self.described.add(one)
        else:
            self.related.append((one, other))

    def add_to(self, out: Collector) -> None:
        """Add every package but the subject."""
        refuse_too_many_entries(self.packages)
        components = Components(out)
        subject = self._subject()
        for package in self.packages:
            if subject is not None and package.id == subject:
                continue
            spellings = [package.name] if isinstance(package.name, str) else []
            described = package.id in self.described if isinstance(package.id, str) else False
            if not package.purls and not described:
                components.add(None, label=package.name)
            for purl, line in package.purls:
                components.add(
                    purl,
                    label=package.name,
                    spellings=spellings,
                    version=package.version,
                    line=line,
                    own=described,
                )
        components.finish()

    def _subject(self) -> str | None:
        """The one package that is described and that others are related to.

        Where several are described, or nothing is related to it, a described package may as well be the
        inventory itself, such as that of one copied library, and counts.
        """
        ids = {package.id for package in self.packages if isinstance(package.id, str)}
        described = self.described & ids
        if len(described) != 1:
            return None
        only = next(iter(described))
        others = ids - described
        related = any((a == only and b in others) or (b == only and a in others) for a, b in self.related)
        return only if related else None
