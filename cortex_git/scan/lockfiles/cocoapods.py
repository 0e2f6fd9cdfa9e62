"""Reads Podfile.lock of CocoaPods, for which there are no advisories: its packages are counted as a gap."""

import re

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.source import MalformedError, Source
from cortex_git.scan.lockfiles.yaml_tree import Node, load_yaml

_POD = re.compile(r"([^\s()/]+)(?:/[^\s()]+)* \(([^()\s]+)\)")
_DEPENDENCY = re.compile(r"([^\s()/]+)")


def read(source: Source, out: Collector) -> None:
    """Every pod once, whatever its subspecs; pods below a path of the repository are its own code."""
    root = load_yaml(source.content_text())
    pods = root.get("PODS")
    if pods is None and root.get("DEPENDENCIES") is None and root.get("PODFILE CHECKSUM") is None:
        raise MalformedError("has no PODS")
    if root.get("COCOAPODS") is None:
        out.skip_file("has no COCOAPODS version, so it may be cut off")
    dependencies = root.get("DEPENDENCIES")
    direct = {_first(_text(entry)) for entry in (dependencies.items() if dependencies else ())}
    for entry in pods.items() if pods else ():
        text = _text(entry)
        match = _POD.fullmatch(text)
        if match is None:
            out.skip(text or "an entry", "is not a pod with its version")
        elif not _is_own(root, match.group(1)):
            out.add(match.group(1), match.group(2), entry.line, direct=match.group(1) in direct)


def _text(entry: Node) -> str:
    """The text of an entry, which has its own dependencies below it or not."""
    if isinstance(entry.value, dict):
        return next(iter(entry.value), "")
    return entry.value if isinstance(entry.value, str) else ""


def _first(text: str) -> str:
    match = _DEPENDENCY.match(text)
    return match.group(1) if match else ""


def _is_own(root: Node, name: str) -> bool:
    """True for a development pod; what a package manager installed is somebody else's."""
    path = root.text("EXTERNAL SOURCES", name, ":path")
    return path is not None and "node_modules" not in path.split("/")
