"""Records of Pub, Hex, CRAN, Bioconductor and ConanCenter, in OSV's own form, match what lockfiles pin."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from advisory_dumps import dump

from cortex_git.scan.advisories.database import open_default
from cortex_git.scan.advisories.update import update
from cortex_git.scan.lockfiles import read_lockfile
from cortex_git.scan.matching import MatchResult, match

MakeDump = Callable[..., Path]
Match = Callable[[str, str], MatchResult]


def osv(id_: str, ecosystem: str, name: str, *events: dict[str, str], **more: Any) -> dict[str, Any]:
    ranges = [{"type": more.pop("type", "ECOSYSTEM"), "events": list(events)}]
    affected = {"package": {"ecosystem": ecosystem, "name": name}, "ranges": ranges, **more}
    return {"schema_version": "1.6.0", "id": id_, "modified": "2024-02-01T00:00:00Z", "affected": [affected]}


RECORDS = {
    "Pub": [
        osv("T-5", "Pub", "http", {"introduced": "0"}, {"fixed": "0.13.3"}),
        osv("T-1", "Pub", "built", {"introduced": "1.0.0"}, {"fixed": "1.0.0+3"}, type="SEMVER"),
    ],
    "Hex": [
        osv(
            "T-6",
            "Hex",
            "plug",
            *({"introduced": "0"}, {"fixed": "1.0.6"}, {"introduced": "1.1.0"}, {"fixed": "1.1.9"}),
            *({"introduced": "1.2.0"}, {"fixed": "1.2.5"}, {"introduced": "1.3.0"}, {"fixed": "1.3.5"}),
            type="SEMVER",
        ),
        osv("T-2", "Hex", "only_git", {"introduced": "0"}, {"fixed": "5f0cd1b"}, type="GIT"),
    ],
    "CRAN": [
        osv(
            "T-7",
            "CRAN",
            "commonmark",
            {"introduced": "0.2"},
            {"fixed": "1.8"},
            versions=["0.2", "1.7", "1.7-1"],
        ),
    ],
    "Bioconductor": [
        osv("T-3", "Bioconductor", "BiocGenerics", {"introduced": "0"}, {"last_affected": "0.48.1"})
    ],
    "ConanCenter": [
        osv("T-4", "ConanCenter", "openssl", {"introduced": "1.1.1"}, {"fixed": "1.1.1u"}, type="SEMVER"),
    ],
}


@pytest.fixture
def matched(tmp_path: Path, make_dump: MakeDump) -> Match:
    """Read a lockfile and match it against the records above."""
    update(tmp_path, make_dump({name: dump(*rows) for name, rows in RECORDS.items()}), None, lambda *_: None)

    def run(path: str, text: str) -> MatchResult:
        content = read_lockfile(path, text.encode(), lambda _: None)
        assert content.not_scanned == ()
        with open_default(tmp_path) as database:  # type: ignore[union-attr]
            return match(database, content.packages)

    return run


def pubspec(name: str, version: str) -> str:
    head = f"packages:\n  {name}:\n    dependency: transitive\n    description: {{name: {name}}}\n"
    return f'{head}    source: hosted\n    version: "{version}"\nsdks: {{dart: any}}\n'


def mix(name: str, version: str) -> str:
    return f'%{{"{name}": {{:hex, :{name}, "{version}", "aa", [:mix], [], "hexpm", "bb"}}}}\n'


def renv(name: str, version: str, origin: str = "Repository") -> str:
    entry = f'{{"Package": "{name}", "Version": "{version}", "Source": "{origin}"}}'
    return f'{{"Packages": {{"{name}": {entry}}}}}'


def conan(name: str, version: str) -> str:
    return f'{{"version": "0.5", "requires": ["{name}/{version}#5f0cd1b%1699.1"]}}'


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("pubspec.lock", pubspec("http", "0.13.0"), ("T-5", "0.13.3")),
        ("pubspec.lock", pubspec("http", "0.13.3"), None),
        ("pubspec.lock", pubspec("http", "0.13.3-nullsafety.0"), ("T-5", "0.13.3")),
        ("pubspec.lock", pubspec("http_parser", "0.1.0"), None),
        ("pubspec.lock", pubspec("built", "1.0.0+2"), ("T-1", "1.0.0+3")),
        ("pubspec.lock", pubspec("built", "1.0.0+10"), None),
        ("mix.lock", mix("plug", "1.3.0"), ("T-6", "1.3.5")),
        ("mix.lock", mix("plug", "1.1.9"), None),
        ("mix.lock", mix("plug", "1.3.5-rc.0"), ("T-6", "1.3.5")),
        ("mix.lock", mix("plug", "1.14.0"), None),
        ("renv.lock", renv("commonmark", "1.7-1"), ("T-7", "1.8")),
        ("renv.lock", renv("commonmark", "1.7.9"), ("T-7", "1.8")),
        ("renv.lock", renv("commonmark", "1.8.0"), None),
        ("renv.lock", renv("commonmark", "1.10"), None),
        ("renv.lock", renv("Commonmark", "1.7"), None),
        ("renv.lock", renv("BiocGenerics", "0.48.1", "Bioconductor"), ("T-3", None)),
        ("renv.lock", renv("BiocGenerics", "0.48.1"), None),
        ("conan.lock", conan("openssl", "1.1.1t"), ("T-4", "1.1.1u")),
        ("conan.lock", conan("openssl", "1.1.1w"), None),
        ("conan.lock", conan("openssl", "1.0.2u"), None),
    ],
)
def test_pinned_versions(matched: Match, path: str, text: str, found: tuple[str, str | None] | None) -> None:
    result = matched(path, text)
    assert [(finding.id, finding.fixed) for finding in result.findings] == ([found] if found else [])
    assert result.not_scanned == ()


def test_what_cannot_be_compared_is_not_called_safe(matched: Match) -> None:
    (gap,) = matched("mix.lock", mix("only_git", "1.0.0")).not_scanned
    assert gap.reason == "advisory T-2 gives only git commits"
    (gap,) = matched("conan.lock", conan("openssl", "system")).not_scanned
    assert gap.reason == "its version cannot be ordered, so 1 advisory was not checked"
