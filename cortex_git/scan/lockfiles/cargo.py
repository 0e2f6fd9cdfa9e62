"""Reads Cargo.lock of versions 1 to 4."""

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.source import MalformedError, Source, array, header_lines, load_toml


def read(source: Source, out: Collector) -> None:
    """Every crate with a source; those without one are workspace members or path dependencies."""
    text = source.content_text()
    root = load_toml(text)
    if not root.keys() & {"package", "version", "root"}:
        raise MalformedError("has neither package nor version")
    entries = array(root.get("package", []), "package")
    for entry, line in zip(entries, header_lines(text, "[[package]]", len(entries)), strict=True):
        if not isinstance(entry, dict):
            out.skip(entry, "the entry is not a table")
        elif "source" in entry:
            out.add(entry.get("name"), entry.get("version"), line)
