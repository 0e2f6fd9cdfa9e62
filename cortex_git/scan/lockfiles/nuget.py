"""Reads packages.lock.json and packages.config of NuGet."""

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.source import MalformedError, Source, load_json, object_lines, table
from cortex_git.scan.lockfiles.xml import load_xml


def read_lock(source: Source, out: Collector) -> None:
    """Every package of every target framework; projects are the repository's own code."""
    text = source.content_text()
    root = load_json(text)
    lines = object_lines(text)
    for framework, packages in table(root.get("dependencies"), "dependencies").items():
        for name, entry in table(packages, framework).items():
            found = lines.get(name)
            line = found.pop() if found else None
            if not isinstance(entry, dict):
                out.skip(name, "the entry is not a table")
            elif entry.get("type") != "Project":
                out.add(name, entry.get("resolved"), line)


def read_config(source: Source, out: Collector) -> None:
    """Every `<package id version>`; NuGet writes exact versions here."""
    root = load_xml(source.data)
    if root.name != "packages":
        raise MalformedError("has no <packages>")
    for package in root.each("package"):
        out.add(package.attributes.get("id"), package.attributes.get("version"), package.line)
