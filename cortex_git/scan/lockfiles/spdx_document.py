"""What an SPDX document says, whichever form it is written in, and how that becomes packages.

Owns which package is the subject of a document and no part of it.
"""

from dataclasses import dataclass, field

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.components import Components, package_name
from cortex_git.scan.lockfiles.source import refuse_too_many_entries
from cortex_git.scan.lockfiles.spdx_origins import Need, need_of, origins

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
    needs: list[Need] = field(default_factory=list)

    def relate(self, one: object, kind: object, other: object) -> None:
        """Note a relationship, by the words of version 2 (and `dependsOn` of version 3)."""
        if not isinstance(one, str) or not isinstance(kind, str) or not isinstance(other, str):
            return
        if kind == "DESCRIBES" and one == DOCUMENT:
            self.described.add(other)
        elif kind == "DESCRIBED_BY" and other == DOCUMENT:
            self.described.add(one)
        else:
            self.related.append((one, other))
            need = need_of(one, kind, other)
            if need is not None:
                self.needs.append(need)

    def add_to(self, out: Collector) -> None:
        """Add every package but the subject."""
        refuse_too_many_entries(self.packages)
        components = Components(out)
        subject = self._only_described()
        has_parts = subject is not None and self._has_parts(subject)
        origin = origins(subject, self.needs, self._names(subject))
        for package in self.packages:
            own = subject is not None and package.id == subject
            if own and has_parts:
                continue
            spellings = [package.name] if isinstance(package.name, str) else []
            if not package.purls and not own:
                components.add(None, label=package.name)
            for purl, line in package.purls:
                components.add(
                    purl,
                    label=package.name,
                    spellings=spellings,
                    version=package.version,
                    line=line,
                    own=own,
                    **origin(package.id)._asdict(),
                )
        components.finish()

    def _only_described(self) -> str | None:
        """The one package that is described and stands beside others.

        Where several are described, or one stands alone, they may as well be the inventory itself, such
        as that of one copied library, and count.
        """
        ids = self._ids()
        described = self.described & ids
        return next(iter(described)) if len(described) == 1 and len(ids) > 1 else None

    def _has_parts(self, subject: str) -> bool:
        """Whether any other package is related to this one, as what it is made of is."""
        others = self._ids() - {subject}
        return any((a == subject and b in others) or (b == subject and a in others) for a, b in self.related)

    def _names(self, subject: str | None) -> dict[str, str]:
        """By id the name of every package with a purl, as its ecosystem has it, but the subject's."""
        found = ((p.id, p.purls[0][0]) for p in self.packages if p.purls and p.id != subject)
        return {id_: package_name(purl) or id_ for id_, purl in found if isinstance(id_, str)}

    def _ids(self) -> set[str]:
        return {package.id for package in self.packages if isinstance(package.id, str)}
