"""The command to paste: right for each package manager, and never more than names, versions and folders."""

import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortex_git.scan.lockfiles import FORMATS, kind_of
from cortex_git.scan.records import Package
from cortex_git.scan.upgrades import upgrade_command


def package(lockfile: str, name: str, version: str, **origin: object) -> Package:
    ecosystem = FORMATS[kind_of(lockfile) or "npm"].ecosystem
    return Package(ecosystem, name, version, lockfile, 1, **origin)  # type: ignore[arg-type]


DIRECT = [
    ("package-lock.json", "lodash", "4.17.20", "4.17.21", "npm install lodash@4.17.21"),
    ("npm-shrinkwrap.json", "@babel/core", "7.0.0", "7.23.2", "npm install @babel/core@7.23.2"),
    ("web/yarn.lock", "lodash", "3.0.0", "4.17.21", "cd web && yarn add lodash@4.17.21"),
    ("a b/pnpm-lock.yaml", "qs", "6.0.0", "6.5.3", "cd 'a b' && pnpm update --recursive qs@6.5.3"),
    ("bun.lock", "qs", "6.0.0", "6.5.3", "bun add qs@6.5.3"),
    ("poetry.lock", "jinja2", "2.10", "2.10.1", "poetry add 'jinja2>=2.10.1'"),
    ("pdm.lock", "jinja2", "2.10", "2.10.1", "pdm add 'jinja2>=2.10.1'"),
    ("uv.lock", "jinja2", "2.10", "2.10.1", "uv add 'jinja2>=2.10.1'"),
    ("Pipfile.lock", "jinja2", "2.10", "2.10.1", "pipenv upgrade 'jinja2>=2.10.1'"),
    ("Cargo.lock", "smallvec", "0.6.9", "0.6.14", "cargo update --package smallvec@0.6.9 --precise 0.6.14"),
    ("Cargo.lock", "time", "0.1.42", "0.2.23", "cargo add time@0.2.23"),
    ("go.mod", "golang.org/x/text", "0.3.2", "0.3.8", "go get golang.org/x/text@v0.3.8 && go mod tidy"),
    ("go.mod", "stdlib", "1.21.3", "1.21.5", "go get go@1.21.5"),
    ("Gemfile.lock", "rack", "2.0.6", "2.0.9.1", "bundle update --conservative rack"),
    ("composer.lock", "a/b", "1.0.0", "1.2.0", "composer require 'a/b:^1.2.0' --with-dependencies"),
    (
        "pom.xml",
        "org.a:core",
        "2.14.1",
        "2.17.1",
        "mvn versions:use-dep-version -Dincludes=org.a:core -DdepVersion=2.17.1 -DforceVersion=true",
    ),
    ("packages.lock.json", "Some.Lib", "1.0", "2.0", "dotnet add package Some.Lib --version 2.0"),
    ("packages.config", "Lib", "1.0", "2.0", "nuget update packages.config -Id Lib -Version 2.0"),
    ("pubspec.lock", "http", "0.13.0", "0.13.3", "dart pub add 'http:^0.13.3'"),
    ("mix.lock", "plug", "1.0.0", "1.0.4", "mix deps.update plug"),
]
BROUGHT_IN = [
    ("package-lock.json", "qs", "6.5.2", "6.5.3", "npm update qs"),
    ("package-lock.json", "qs", "0.5.2", "0.6.0", "npm install express@latest @s/x@latest"),
    ("yarn.lock", "@s/qs", "6.5.2", "6.5.3", "npm pkg set 'resolutions[@s/qs]=6.5.3' && yarn install"),
    ("yarn.lock", "qs", "5.0.0", "6.5.3", None),
    ("pnpm-lock.yaml", "qs", "6.5.2", "6.5.3", "pnpm update --recursive --depth Infinity qs"),
    ("pnpm-lock.yaml", "qs", "5.0.0", "6.5.3", "pnpm update --recursive --latest express @s/x"),
    ("poetry.lock", "urllib3", "1.24", "1.26.5", "poetry update urllib3"),
    ("uv.lock", "urllib3", "1.24", "1.26.5", "uv lock --upgrade-package urllib3==1.26.5"),
    ("Cargo.lock", "time", "0.1.42", "0.2.23", None),
    ("go.mod", "golang.org/x/net", "0.1.0", "0.7.0", "go get golang.org/x/net@v0.7.0 && go mod tidy"),
    ("composer.lock", "a/b", "1.0.0", "1.2.0", "composer update a/b --with 'a/b:^1.2.0'"),
    ("pom.xml", "a:b", "1.0", "2.0", None),
    ("packages.lock.json", "Lib", "1.0", "2.0", "dotnet add package Lib --version 2.0"),
    ("pubspec.lock", "http", "0.13.0", "0.13.3", "dart pub upgrade http"),
]


@pytest.mark.parametrize(("lockfile", "name", "version", "fixed", "command"), DIRECT)
def test_what_is_asked_for(lockfile: str, name: str, version: str, fixed: str, command: str) -> None:
    assert upgrade_command(package(lockfile, name, version, direct=True, dev=False), fixed) == command


@pytest.mark.parametrize(("lockfile", "name", "version", "fixed", "command"), BROUGHT_IN)
def test_what_is_brought_in(lockfile: str, name: str, version: str, fixed: str, command: str | None) -> None:
    found = package(lockfile, name, version, direct=False, dev=False, via=("express", "@s/x", "$(id)"))
    if FORMATS[kind_of(lockfile) or ""].ecosystem != "npm":
        found = package(lockfile, name, version, direct=False, dev=False, via=("other",))
    assert upgrade_command(found, fixed) == command


@pytest.mark.parametrize(
    ("lockfile", "command"),
    [
        ("package-lock.json", "npm install --save-dev mocha@9.1.0"),
        ("yarn.lock", "yarn add --dev mocha@9.1.0"),
        ("uv.lock", "uv add --dev 'mocha>=9.1.0'"),
        ("poetry.lock", "poetry add --group dev 'mocha>=9.1.0'"),
        ("Pipfile.lock", "pipenv upgrade --dev 'mocha>=9.1.0'"),
        ("pubspec.lock", "dart pub add 'dev:mocha:^9.1.0'"),
    ],
)
def test_what_is_for_development_stays_so(lockfile: str, command: str) -> None:
    assert upgrade_command(package(lockfile, "mocha", "9.0.0", direct=True, dev=True), "9.1.0") == command


def test_there_is_none_where_none_is_known() -> None:
    assert upgrade_command(package("package-lock.json", "a", "1.0.0", direct=True), None) is None
    assert upgrade_command(package("requirements.txt", "a", "1.0.0", direct=True), "1.1.0") is None
    assert upgrade_command(package("bom.json", "a", "1.0.0", direct=True), "1.1.0") is None
    assert upgrade_command(package("rails_7.gemfile.lock", "a", "1.0.0", direct=True), "1.1.0") is None
    assert upgrade_command(package("base.txt", "a", "1.0.0", direct=True), "1.1.0") is None


NASTY = [
    "-g", "--global", "a;id", "$(id)", "`id`", "a b", "a\nid", "a&&id", "a|id", "../x", "owner/repo", "'a'",
    "a@file:x", "git+ssh://h/x", "", " ", "a\u202eb", "\u0430dmin", "a" * 600, "!!", "~", "a>b", "a#b", ".",
    "http://h/x.tgz", "@s", "@/x", "@s/x/y", "a=b", "%PATH%", "\x00", "a\\b", "*", "a\u00a0b",
]  # fmt: skip
LOCKFILES = [row[0].rpartition("/")[2] for row in DIRECT]


HARMLESS = {("folder", text) for text in ("a b", "\u0430dmin", "owner/repo", "@s", "@/x", "@s/x/y")}
OF_THEIR_OWN = {"go.mod", "composer.lock"}
"""Their packages' names have slashes."""


@pytest.mark.parametrize("lockfile", sorted(set(LOCKFILES)))
@pytest.mark.parametrize("place", ["name", "version", "fixed", "folder"])
def test_hostile_text_never_makes_a_command(lockfile: str, place: str) -> None:
    plain = {"composer.lock": "a/b", "pom.xml": "a:b"}.get(lockfile, "a")
    for text in NASTY:
        values = {"name": plain, "version": "1.0.0", "fixed": "1.0.1", "folder": "web"} | {place: text}
        for direct in (True, False):
            found = package(
                f"{values['folder']}/{lockfile}",
                values["name"],
                values["version"],
                direct=direct,
                via=("-x", "$(id)", "a b"),
            )
            command = upgrade_command(found, values["fixed"])
            if (place, text) in HARMLESS:
                assert command is None or shlex.split(command)[:2] == ["cd", text]
            elif place == "name" and text == "owner/repo" and lockfile in OF_THEIR_OWN:
                assert command is not None and any(text in word for word in shlex.split(command))
            else:
                assert command is None, (text, command)


words = (
    st.text(st.characters(codec="utf-8"), max_size=8)
    | st.sampled_from(NASTY)
    | st.from_regex(r"\A@?[a-z0-9._/-]{1,10}\Z")
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(set(LOCKFILES))),
    words,
    words,
    words,
    words,
    st.booleans(),
    st.lists(words, max_size=3),
)
def test_a_command_is_made_of_words_that_a_shell_takes_for_words(
    lockfile: str, folder: str, name: str, version: str, fixed: str, direct: bool, via: list[str]
) -> None:
    path = f"{folder}/{lockfile}" if folder else lockfile
    found = package(path, name, version, direct=direct, dev=False, via=tuple(via))
    command = upgrade_command(found, fixed)
    if command is not None:
        assert command.isprintable()
        parts = command.split(" && ")
        assert all(shlex.join(shlex.split(part)) == part for part in parts)
        programs = [shlex.split(part)[0] for part in parts]
        assert set(programs) <= {
            *("cd", "npm", "yarn", "pnpm", "bun", "poetry", "pdm", "uv", "pipenv", "cargo", "go", "bundle"),
            *("composer", "mvn", "./gradlew", "dotnet", "nuget", "dart", "mix"),
        }
        assert not any(word.startswith("-") for word in (name, version, fixed, folder))


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_runs_it_as_it_is_meant(tmp_path: Path, shell: str) -> None:
    stub = tmp_path / "bin" / "npm"
    stub.parent.mkdir()
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$PWD" "$@"\n')
    stub.chmod(0o755)
    folder = tmp_path / "a b+c@d"
    folder.mkdir()
    command = upgrade_command(package("a b+c@d/package-lock.json", "@s/x", "1.0.0", direct=True), "1.0.1+x")
    assert command is not None
    done = subprocess.run(
        [shell, "-c", command],
        cwd=tmp_path,
        env={"PATH": f"{stub.parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert done.stdout.splitlines() == [str(folder), "install", "@s/x@1.0.1+x"]
