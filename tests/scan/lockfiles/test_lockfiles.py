"""Which paths are lockfiles, and what every reader does alike: gaps, limits, speed, cheap imports."""

import json
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from cortex_git.scan.lockfiles import FORMATS, kind_of
from cortex_git.scan.lockfiles.collecting import MAX_NOT_SCANNED, Collector

from .conftest import Read, gaps, pairs


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("package-lock.json", "npm"),
        ("a/b/npm-shrinkwrap.json", "npm"),
        ("yarn.lock", "yarn"),
        ("pnpm-lock.yaml", "pnpm"),
        ("requirements.txt", "requirements"),
        ("requirements-dev.txt", "requirements"),
        ("dev-requirements.txt", "requirements"),
        ("Requirements.txt", "requirements"),
        ("a/requirements/base.txt", "requirements"),
        ("requirements/base.txt", "requirements"),
        ("my-requirements/base.txt", None),
        ("constraints.txt", None),
        ("poetry.lock", "poetry"),
        ("Pipfile.lock", "pipfile"),
        ("pdm.lock", "pdm"),
        ("uv.lock", "uv"),
        ("pylock.toml", "pylock"),
        ("pylock.dev.toml", "pylock"),
        ("Cargo.lock", "cargo"),
        ("go.mod", "go"),
        ("go.sum", None),
        ("Gemfile.lock", "bundler"),
        ("gems.locked", "bundler"),
        ("composer.lock", "composer"),
        ("pom.xml", "maven"),
        ("gradle.lockfile", "gradle"),
        ("a/buildscript-gradle.lockfile", "gradle"),
        ("android/settings-gradle.lockfile", "gradle"),
        ("gemfiles/rails_7.gemfile.lock", "bundler"),
        ("gradle/dependency-locks/x.lockfile", "gradle"),
        ("other/x.lockfile", None),
        ("packages.lock.json", "nuget-lock"),
        ("packages.App.lock.json", "nuget-lock"),
        ("packages.config", "nuget-config"),
        ("cabal.project.freeze", "cabal"),
        ("stack.yaml.lock", "stack"),
        ("cabal.project.local.freeze", None),
        ("Package.resolved", "swift"),
        ("A.xcodeproj/project.xcworkspace/xcshareddata/swiftpm/Package.resolved", "swift"),
        ("ios/Podfile.lock", "cocoapods"),
        ("bom.json", "cyclonedx-json"),
        ("sub/app.cdx.json", "cyclonedx-json"),
        ("bom.xml", "cyclonedx-xml"),
        ("app.cdx.xml", "cyclonedx-xml"),
        ("mybom.json", None),
        ("app.spdx.json", "spdx"),
        ("app.spdx", "spdx"),
        ("app.spdx.yml", "spdx-yaml"),
        ("app.spdx.rdf", "spdx-unread"),
        ("spdx.json", "spdx"),
        ("sbom-spdx.json", "spdx"),
        ("sbom.json", "bill-json"),
        ("out/app-SBOM.json", "bill-json"),
        ("app.bom.json", "bill-json"),
        ("sbom.cyclonedx.json", "cyclonedx-json"),
        ("cyclonedx.json", "cyclonedx-json"),
        ("sbom.xml", "cyclonedx-xml"),
        ("tools/script.py.lock", "uv-script"),
        ("requirements-dev.lock", "requirements"),
        ("requirements.pip", "requirements"),
        ("requirements/prod.pip", "requirements"),
        ("requirements.prod", "requirements"),
        ("reqs.txt", "requirements"),
        ("requirements.md", None),
        ("other.lock", None),
        ("package.json", None),
        ("node_modules/a/yarn.lock", None),
        ("x/node_modules/a/package-lock.json", None),
        ("", None),
        ("/", None),
    ],
)
def test_kind_of(path: str, kind: str | None) -> None:
    assert kind_of(path) == kind
    assert kind is None or kind in FORMATS


def test_kind_of_a_path_costs_little_more_than_splitting_it() -> None:
    paths = [f"src/deep/folder/of/module{number}/file{number}.txt" for number in range(100_000)]
    assert not any(map(kind_of, paths))
    ours_s, plain_s = best_of(lambda: any(map(kind_of, paths)), lambda: [path.split("/") for path in paths])
    assert ours_s < 10 * plain_s


def test_importing_the_package_loads_no_parser() -> None:
    code = (
        "import sys; before = set(sys.modules); import cortex_git.scan.lockfiles;"
        "heavy = {'yaml', 'tomllib', 'defusedxml', 'packaging', 'xml.sax'};"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "[]"


def test_a_path_that_is_no_lockfile_is_a_gap(read: Read) -> None:
    assert gaps(read("README.md", "x")) == {"README.md": "not a lockfile format that is read"}


def test_names_and_versions_that_no_registry_has(read: Read) -> None:
    entries = {
        "node_modules/" + "n" * 513: {"version": "1.0.0"},
        "node_modules/long": {"version": "1" * 513},
        "node_modules/bell": {"version": "1.0\u0007"},
        "node_modules/\u001b[31m": {"version": "1.0.0"},
        "node_modules/lone\ud800": {"version": "1.0.0"},
        "node_modules/with space": {"version": "1.0.0"},
        "node_modules/list": {"version": ["1"]},
        "node_modules/": {"version": "1.0.0"},
    }
    content = read("package-lock.json", json.dumps({"lockfileVersion": 3, "packages": entries}))
    assert content.packages == ()
    assert len(content.not_scanned) == len(entries)
    assert all(gap.what.isprintable() and len(gap.what) < 200 for gap in content.not_scanned)


@pytest.mark.parametrize("user", ["me:secret", "${TOKEN}", "me:p@ss", "s" * 300])
def test_user_info_of_urls_is_not_shown(read: Read, user: str) -> None:
    content = read("requirements.txt", f"b @ git+https://{user}@example.org/a/b.git\n")
    assert list(gaps(content)) == ["requirements.txt: b @ git+https://example.org/a/b.git"]


def test_a_package_counts_once_at_its_first_line() -> None:
    out = Collector("npm", "x.lock")
    out.add("a", "1", 3)
    out.add("a", "1", 9)
    out.add("a", "2", 10)
    assert [(package.version, package.line) for package in out.content().packages] == [("1", 3), ("2", 10)]


def test_very_many_gaps_are_counted_and_not_kept(read: Read) -> None:
    content = read("requirements.txt", "".join(f"p{number}\n" for number in range(MAX_NOT_SCANNED + 7)))
    assert len(content.not_scanned) == MAX_NOT_SCANNED + 1
    assert content.not_scanned[-1].reason == "7 more entries could not be used"


def test_very_many_packages_are_cut_off_aloud(read: Read) -> None:
    content = read("requirements.txt", "".join(f"p{number}==1\n" for number in range(100_003)))
    assert len(content.packages) == 100_000
    assert gaps(content) == {"requirements.txt": "more than 100,000 packages, the rest was left out"}


def best_of(ours: Callable[[], object], plain: Callable[[], object]) -> tuple[float, float]:
    """Seconds of this process's CPU for both, side by side, the best of several: the machine may be busy."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(5):
        for run, spent in zip((ours, plain), times, strict=True):
            start = time.process_time()
            run()
            spent.append(time.process_time() - start)
    return min(times[0]), min(times[1])


def test_a_package_lock_costs_little_more_than_its_json(read: Read) -> None:
    entry = {"version": "1.0.0", "resolved": "https://example.org/p.tgz", "integrity": "sha512-" + "a" * 88}
    packages = {f"node_modules/p{number}": {**entry, "engines": {"node": ">=10"}} for number in range(500)}
    text = json.dumps({"lockfileVersion": 3, "packages": packages}, indent=2)
    assert len(pairs(read("package-lock.json", text))) == 500
    ours_s, plain_s = best_of(lambda: read("package-lock.json", text), lambda: json.loads(text))
    assert ours_s < 50 * plain_s


def test_a_pnpm_lock_costs_no_more_than_its_yaml(read: Read) -> None:
    import yaml

    resolution = f"resolution: {{integrity: sha512-{'a' * 88}}}\n    engines: {{node: '>=10'}}"
    body = "".join(f"\n  '@a/p{n}@1.0.{n}':\n    {resolution}\n" for n in range(1_500))
    text = f"lockfileVersion: '9.0'\npackages:\n{body}"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    assert len(pairs(read("pnpm-lock.yaml", text))) == 1_500
    ours_s, plain_s = best_of(lambda: read("pnpm-lock.yaml", text), lambda: yaml.load(text, Loader=loader))
    assert ours_s < 3 * plain_s


def test_a_bill_whose_name_says_no_format_is_read_by_its_content(read: Read) -> None:
    purl = "pkg:npm/lodash@4.17.20"
    reference = {"referenceType": "purl", "referenceLocator": purl}
    bills = [
        {"bomFormat": "CycloneDX", "components": [{"type": "library", "name": "lodash", "purl": purl}]},
        {"spdxVersion": "SPDX-2.3", "packages": [{"name": "lodash", "externalRefs": [reference]}]},
    ]
    for bill in bills:
        content = read("sbom.json", json.dumps(bill))
        assert (pairs(content), content.not_scanned) == ({("lodash", "4.17.20")}, ())
    (gap,) = read("sbom.json", '{"artifacts": []}').not_scanned
    assert "neither in CycloneDX nor in SPDX" in gap.reason
