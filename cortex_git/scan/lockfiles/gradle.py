"""Reads gradle.lockfile, those of build scripts and settings, and gradle/dependency-locks/*.lockfile."""

import re
from posixpath import basename

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.source import MalformedError, Source, inside_repository, numbered_lines

_ONE_FILE = ("gradle.lockfile", "buildscript-gradle.lockfile", "settings-gradle.lockfile")
"""Names of the files that hold all configurations, which Gradle ends with those that have no dependencies."""
_BUILD_FILES = ("build.gradle", "build.gradle.kts")
_COORDINATES = re.compile(r"""["']([\w.-]{1,200}:[\w.-]{1,200})(?::[^"'\s]{0,200})?["']""")
_CLASSPATHS = ("compileclasspath", "runtimeclasspath")


def read(source: Source, out: Collector) -> None:
    """Every `group:artifact:version`, whatever the configurations that use it."""
    named = _named_in_build(source)
    one_file = basename(source.path).lower() in _ONE_FILE
    ended = not one_file
    for number, raw in numbered_lines(source.content_text()):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        coordinates, _, configurations = line.partition("=")
        parts = coordinates.split(":")
        if coordinates == "empty":
            ended = True
            continue
        if len(parts) != 3 or not all(parts) or " " in coordinates:
            raise MalformedError(f"is not a Gradle lockfile (line {number})")
        name = f"{parts[0]}:{parts[1]}"
        direct = True if name in named else None
        if one_file and "=" not in line:
            out.skip(line, "names no configuration, so it may be cut off")
            continue
        out.add(name, parts[2], number, direct=direct, dev=_development(configurations))
    if not ended:
        out.skip_file("has no line `empty=`, so it may be cut off")


def _development(configurations: str) -> bool | None:
    """Whether only class paths of tests have it; None where other configurations do, such as a plugin's."""
    names = [name.strip().lower() for name in configurations.split(",") if name.strip()]
    if any(name.endswith(_CLASSPATHS) and "test" not in name for name in names):
        return False
    return True if names and all("test" in name for name in names) else None


def _named_in_build(source: Source) -> set[str]:
    """`group:artifact` of what the build file beside a lockfile names; a catalogue's names are not known."""
    if basename(source.path) != "gradle.lockfile":
        return set()
    found: set[str] = set()
    for name in _BUILD_FILES:
        path = inside_repository(source.path, name)
        data = source.sibling(path) if path else None
        found.update(_COORDINATES.findall((data or b"").decode("utf-8", "replace")))
    return found
