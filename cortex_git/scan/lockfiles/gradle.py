"""Reads gradle.lockfile, buildscript-gradle.lockfile and gradle/dependency-locks/*.lockfile."""

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.source import MalformedError, Source, numbered_lines


def read(source: Source, out: Collector) -> None:
    """Every `group:artifact:version`, whatever the configurations that use it."""
    for number, raw in numbered_lines(source.content_text()):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        coordinates, _, _ = line.partition("=")
        parts = coordinates.split(":")
        if coordinates == "empty":
            continue
        if len(parts) != 3 or not all(parts) or " " in coordinates:
            raise MalformedError(f"is not a Gradle lockfile (line {number})")
        out.add(f"{parts[0]}:{parts[1]}", parts[2], number)
