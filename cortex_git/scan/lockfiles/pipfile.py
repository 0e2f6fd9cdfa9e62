"""Reads Pipfile.lock: the default, develop and custom categories."""

from cortex_git.scan.lockfiles.asked import pipfile, python_name
from cortex_git.scan.lockfiles.collecting import NO_EXACT_VERSION, Collector
from cortex_git.scan.lockfiles.needed import pipfile_needs
from cortex_git.scan.lockfiles.origins import Origin
from cortex_git.scan.lockfiles.source import MalformedError, Source, load_json, object_lines, table

_ADDRESSES = ("git", "hg", "svn", "bzr", "file")
_DEV = {"default": False, "develop": True}
_SECTION = {"default": "packages", "develop": "dev-packages"}
"""Of the Pipfile, by the category of the lockfile; every other category has its own name in both."""


def read(source: Source, out: Collector) -> None:
    """Every pinned package of every category; local folders are the repository's own code."""
    text = source.content_text()
    root = load_json(text)
    if "_meta" not in root and "default" not in root:
        raise MalformedError("has neither _meta nor default")
    lines = object_lines(text)
    asked = pipfile(source)
    left_out: set[str] = set()
    for category, section in _SECTION.items():
        listed = table(root.get(category, {}), category)
        left_out |= pipfile_needs(source, section) - set(map(python_name, listed))
    out.unlisted(left_out)
    for category, packages in root.items():
        if category == "_meta":
            continue
        own = None if asked is None else asked.get(_SECTION.get(category, category), set())
        for name, entry in table(packages, category).items():
            found = lines.get(name)
            origin = Origin(None if own is None else python_name(name) in own, _DEV.get(category))
            _add(name, entry, found.pop() if found else None, out, origin)


def _add(name: str, entry: object, line: int | None, out: Collector, origin: Origin) -> None:
    if not isinstance(entry, dict):
        out.skip(name, "the entry is not a table")
        return
    version = entry.get("version")
    if version is None:
        if "path" not in entry or any(kind in entry for kind in _ADDRESSES):
            reason = " (installed from an address)" if any(kind in entry for kind in _ADDRESSES) else ""
            out.skip(name, NO_EXACT_VERSION + reason)
    elif isinstance(version, str) and not version.startswith("=="):
        out.skip(name, NO_EXACT_VERSION)
    else:
        exact = version.lstrip("= ") if isinstance(version, str) else version
        out.add(name, exact, line, **origin._asdict())
