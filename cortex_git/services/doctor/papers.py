"""Which documents are on the branch and on the hosts' result refs, as of the last fetch.

Owns the listing that the checks of documents share. Reads trees only, not the documents.
"""

from dataclasses import dataclass, field

from cortex_git.store import differences, layout
from cortex_git.store.repository import Repository


@dataclass
class Papers:
    """Documents by path, with their object ids."""

    folded: dict[str, str] = field(default_factory=dict)
    """On the branch."""
    unfolded: dict[str, str] = field(default_factory=dict)
    """On result refs alone."""
    differing: list[tuple[str, str, str]] = field(default_factory=list)
    """(path, object id, another) of documents that are there twice, and not alike."""

    @property
    def all(self) -> list[tuple[str, str]]:
        return [*self.folded.items(), *self.unfolded.items()]


def papers(repository: Repository) -> Papers:
    """Look through the branch's tree, and how each result ref's differs from it."""
    found = Papers()
    refs = repository.refs
    trunk = refs.trunk()
    for tip in trunk:
        if tip == trunk[0]:
            found.folded.update(_documents(repository, None, tip))
    results = f"{refs.namespace}/results/"
    tips = [*trunk[1:], *(oid for ref, oid in sorted(refs.seen().items()) if ref.startswith(results))]
    for tip in dict.fromkeys(tips):
        for path, oid in _documents(repository, trunk[0] if trunk else None, tip):
            known = found.folded.get(path) or found.unfolded.setdefault(path, oid)
            if known != oid:
                found.differing.append((path, known, oid))
    return found


def _documents(repository: Repository, old: str | None, new: str) -> list[tuple[str, str]]:
    entries = differences.added(repository.git, old, new)
    return [(path, oid) for path, oid in entries if layout.place_of(path) is not None]
