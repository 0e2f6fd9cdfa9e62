"""Reads yarn.lock of Yarn 1 and of Berry (Yarn 2 and later).

Both are written by one serialiser each, so a line reader is exact and keeps line numbers; a line it
does not expect makes the file malformed rather than empty.
"""

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.origins import Origin
from cortex_git.scan.lockfiles.source import MalformedError, Source
from cortex_git.scan.lockfiles.yarn_entries import METADATA, Entry, read_entries, split
from cortex_git.scan.lockfiles.yarn_origins import origins_in_berry, origins_in_classic, unlisted

_LOCAL = ("file:", "link:", "portal:", "workspace:")
_TARBALLS = (".tgz", ".tar.gz", ".tar")


def read(source: Source, out: Collector) -> None:
    """Every package of the lockfile; workspaces, links and portals are the repository's own code."""
    text = source.content_text()
    entries = read_entries(text)
    berry = any(entry.key == METADATA for entry in entries)
    if not entries and "# yarn lockfile v1" not in text:
        raise MalformedError("has no entries and no yarn header")
    if berry and len(entries) == 1:
        raise MalformedError("has no entries")  # not even the project itself, which Yarn lists
    out.unlisted(unlisted(entries, source))
    origin = (origins_in_berry if berry else origins_in_classic)(entries, source)
    for entry in entries:
        if entry.key == METADATA:
            continue
        if entry.is_cut or (berry and "linkType" not in entry.fields):
            out.skip(entry.key, "the entry is cut off")
        elif berry:
            _add_berry(entry, out, origin(entry))
        else:
            _add_classic(entry, out, origin(entry))


def _add_classic(entry: Entry, out: Collector, origin: Origin) -> None:
    name, wanted = split(entry.key)
    if wanted.startswith("npm:"):
        name = split(wanted[4:])[0]
    elif _is_local_folder(wanted):
        return
    name = entry.fields.get("name", name)
    if ":" in name:
        out.skip(entry.key, "the package has no name")
    else:
        out.add(name, entry.fields.get("version"), entry.line, **origin._asdict())


def _add_berry(entry: Entry, out: Collector, origin: Origin) -> None:
    name, reference = split(entry.fields.get("resolution") or entry.key)
    if entry.fields.get("linkType") == "soft" or _is_local_folder(reference):
        return
    out.add(name, entry.fields.get("version"), entry.line, **origin._asdict())


def _is_local_folder(reference: str) -> bool:
    where = reference.partition("::")[0].partition("#")[0]
    return where.startswith(_LOCAL) and not where.endswith(_TARBALLS)
