"""Reads gradle/verification-metadata.xml: the components whose files Gradle lets into a build."""

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.source import MalformedError, Source
from cortex_git.scan.lockfiles.xml import Element, load_xml

_NO_CODE = ("sources", "javadoc")


def read(source: Source, out: Collector) -> None:
    """Every component, plugins and platforms too; what is trusted without being listed is a gap."""
    root = load_xml(source.data)
    if root.name != "verification-metadata":
        raise MalformedError("has no <verification-metadata>")
    components = root.each("components", "component")
    for component in components:
        group, name = component.attributes.get("group"), component.attributes.get("name")
        if group and name:
            out.add(f"{group}:{name}", component.attributes.get("version"), component.line)
        else:
            out.skip(group or name or "a component", "the package has no name")
    if not components:
        out.skip_file("lists no components")
    for trusted in root.each("configuration", "trusted-artifacts", "trust"):
        if not _without_code(trusted):
            where = ":".join(trusted.attributes.get(key, "*") for key in ("group", "name", "version"))
            out.skip(where, "is trusted without being listed")


def _without_code(trusted: Element) -> bool:
    """True for sources and documentation, which most projects trust."""
    file = trusted.attributes.get("file", "")
    return any(word in file for word in _NO_CODE)
