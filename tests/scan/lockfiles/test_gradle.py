"""gradle.lockfile and its older layouts."""

from pathlib import Path

import pytest

from .conftest import Read, gaps

LOCK = """# This is a Gradle generated file for dependency locking.
com.google.guava:guava:18.0=compileClasspath,runtimeClasspath
org.acme:thing:1.0-jre=runtimeClasspath
empty=annotationProcessor
"""


@pytest.mark.parametrize("path", ["gradle.lockfile", "app/buildscript-gradle.lockfile"])
def test_packages(read: Read, path: str) -> None:
    content = read(path, LOCK)
    assert [
        (package.ecosystem, package.name, package.version, package.line) for package in content.packages
    ] == [
        ("Maven", "com.google.guava:guava", "18.0", 2),
        ("Maven", "org.acme:thing", "1.0-jre", 3),
    ]
    assert content.not_scanned == ()


def test_older_layout_has_no_configurations(read: Read) -> None:
    path = "gradle/dependency-locks/compileClasspath.lockfile"
    assert [package.version for package in read(path, "# head\na:b:1.0\n").packages] == ["1.0"]
    # It has neither an end nor a count, and the page about scanning says so: such a cut is not seen.
    assert [read(path, text).not_scanned for text in ("a:b:1.0\n", "a:b:1.0\nc:d:2\n")] == [(), ()]
    page = (Path(__file__).parents[3] / "docs" / "scanning.md").read_text()
    unseen = page.partition("an end nor a count show nothing of a cut")[2].partition("\n\n")[0]
    assert "`gradle/dependency-locks/*.lockfile`" in unseen


def test_no_dependencies_is_legal_and_other_text_is_not(read: Read) -> None:
    assert read("gradle.lockfile", "# head\nempty=\n").not_scanned == ()
    assert gaps(read("gradle.lockfile", "")) == {"gradle.lockfile": "is empty"}
    assert gaps(read("gradle.lockfile", "a:b:1=x\na:b\n")) == {
        "gradle.lockfile": "is not a Gradle lockfile (line 2)"
    }
