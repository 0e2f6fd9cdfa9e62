"""Reads mix.lock of Elixir's Mix: Hex packages, and what comes from git as a gap.

Dependencies from a folder are not in the file at all; they are the repository's own code.
"""

from cortex_git.scan.lockfiles.collecting import NO_REGISTRY, Collector, shown
from cortex_git.scan.lockfiles.elixir import Atom, Group, Pair, load_term
from cortex_git.scan.lockfiles.source import MalformedError, Source, refuse_too_many_entries

_REPOSITORY = 6
"""Where a Hex entry names its repository; entries of before Hex 0.17 name none."""


def read(source: Source, out: Collector) -> None:
    """Every Hex package; those of an organisation's own repository can't be in public advisories."""
    root = load_term(source.content_text())
    if root.opener != "%{":
        raise MalformedError("is not a map of dependencies")
    refuse_too_many_entries(root.items)
    for entry in root.items:
        if not isinstance(entry, Pair) or not isinstance(entry.key, str):
            out.skip("an entry", "is not a dependency with its name")
            continue
        if not isinstance(entry.value, Group) or entry.value.opener != "{":
            out.skip(entry.key, "the entry is not a tuple")
            continue
        _add(entry.key, entry.value, entry.line, out)


def _add(key: str, entry: Group, line: int, out: Collector) -> None:
    origin = entry.at(0)
    if not isinstance(origin, Atom):
        out.skip(key, "the entry does not say where it is from")
    elif origin == "hex":
        repository = entry.at(_REPOSITORY)
        if isinstance(repository, str) and repository.startswith("hexpm:"):
            out.skip(key, "from an organisation's own repository")
        elif not isinstance(entry.at(1), str):
            out.skip(key, "the package has no name")
        else:
            out.add(entry.at(1), _text(entry.at(2)), line)
    elif origin == "package":
        out.add(key, _text(entry.at(1)), line)  # as Hex wrote it before 0.5
    elif origin != "path":
        out.skip(key, f"{NO_REGISTRY} ({shown(origin)})")


def _text(value: object) -> object:
    """A version is text; an atom in its place is no version."""
    return None if isinstance(value, Atom) else value
