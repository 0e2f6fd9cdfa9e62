"""Reads Package.resolved of Swift, versions 1 to 3.

A package is known by its repository's address, as in the OSV records of the ecosystem SwiftURL.
"""

from cortex_git.scan.lockfiles.collecting import NO_EXACT_VERSION, Collector
from cortex_git.scan.lockfiles.source import MalformedError, Source, Table, array, load_json, table
from cortex_git.scan.names import repository_address

_KNOWN_VERSIONS = (1, 2, 3)


def read(source: Source, out: Collector) -> None:
    """Every pin at a version; repositories on this disk are the repository's own code."""
    text = source.content_text()
    root = load_json(text)
    version = root.get("version")
    if version not in _KNOWN_VERSIONS:
        if version is None:
            raise MalformedError("has no version")
        out.skip_file("is of a version that is not known")
    body = table(root.get("object"), "object") if "object" in root else root
    lines = _lines(text)
    for pin in array(body.get("pins"), "pins"):
        if isinstance(pin, dict):
            _add(pin, lines, out)
        else:
            out.skip(pin, "the entry is not a table")


def _add(pin: Table, lines: dict[str, int], out: Collector) -> None:
    location = pin.get("repositoryURL") or pin.get("location")
    name = pin.get("package") or pin.get("identity")
    kind = pin.get("kind")
    if kind == "localSourceControl":
        return
    if kind == "registry" or not isinstance(location, str):
        out.skip(name, "comes from a registry, and advisories name Swift packages by their address")
        return
    address = repository_address(location)
    state = pin.get("state")
    version = state.get("version") if isinstance(state, dict) else None
    if address is None:
        out.skip(location, "its address names no repository on a host")
    elif version is None:
        out.skip(address, f"{NO_EXACT_VERSION} (a branch or revision)")
    else:
        out.add(address, version, lines.get(location))


def _lines(text: str) -> dict[str, int]:
    """The first line on which each address stands; Swift writes one key a line."""
    import re

    found: dict[str, int] = {}
    pattern = re.compile(r'"(?:location|repositoryURL)"\s*:\s*"([^"\\\n]*)"')
    line, at = 1, 0
    for match in pattern.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        found.setdefault(match.group(1), line)
    return found
