"""Lockfiles of other people's repositories, by the parser below them."""

from collections.abc import Callable

from cortex_git.scan.lockfiles import includes_of, kind_of, read_lockfile
from fuzz.targets import Target

_LOCKED: dict[str, dict[str, bytes]] = {
    "json": {
        "package-lock.json": b'{"lockfileVersion": 3, "packages": {"node_modules/a": {"version": "1.0"}}}',
        "Pipfile.lock": b'{"_meta": {}, "default": {"a": {"version": "==1.0"}}}',
        "composer.lock": b'{"packages": [{"name": "a/b", "version": "1.0"}], "packages-dev": []}',
        "packages.lock.json": b'{"version": 1, "dependencies": {"net8.0": {"A": {"resolved": "1.0"}}}}',
        "Package.resolved": b'{"version": 2, "pins": [{"identity": "a", "kind": "remoteSourceControl", '
        b'"location": "https://x.org/a/b.git", "state": {"version": "1.0.0"}}]}',
    },
    "libraries": {
        "bun.lock": b'{"lockfileVersion": 1, "workspaces": {"": {"dependencies": {"a": "1"},},}, // x\n'
        b'"packages": {"a": ["a@1.0.0", "", {"dependencies": {"b": "1"}}, "x"], "a/b": ["b@file:c", {}],}}',
        "App.deps.json": b'{"targets": {"x": {"A/1": {"dependencies": {"B": "2"}}}}, "libraries": '
        b'{"A/1": {"type": "project"}, "B/2": {"type": "package"}}}',
        "conan.lock": b'{"version": "0.5", "requires": ["a/1.0#5f%1", ["b/2@u/c#0", {}]], '
        b'"build_requires": []}',
        "sub/conan.lock": b'{"graph_lock": {"nodes": {"0": {"ref": "o/1", "path": "p", "requires": ["1"], '
        b'"python_requires": ["c/1"]}, "1": {"pref": "a/1#0:5f#0", "context": "build"}}}}',
        "renv.lock": b'{"Packages": {"a": {"Package": "a", "Version": "1.0-1", "Source": "Repository"}, '
        b'"b": {"Version": "1", "Source": "Bioconductor"}, "c": {"Source": "GitHub"}}}',
    },
    "elixir": {
        "mix.lock": b'%{\n  "a": {:hex, :a, "1.0.0", "5f", [:mix], [{:b, "~> 1.0", [hex: :b, repo: "hexpm", '
        b'optional: false]}], "hexpm", nil},\n  :c => {:git, "x", "5f", []}, # x\n}\n',
    },
    "yaml": {
        "pubspec.lock": b'packages:\n  a:\n    dependency: "direct dev"\n    description:\n      name: a\n'
        b'    source: hosted\n    version: "1.0.0+1"\nsdks:\n  dart: ">=3.0.0"\n',
        "stack.yaml.lock": b"packages:\n- completed:\n    hackage: a-1.0@sha256:aa,1\n  original:\n"
        b"    hackage: a-1.0\nsnapshots:\n- original: lts-1\n",
        "Podfile.lock": b'PODS:\n  - A/B (1.0):\n    - "C (~> 1)"\nDEPENDENCIES:\n  - A\n'
        b"EXTERNAL SOURCES:\n  A:\n    :path: x\nCOCOAPODS: 1.11\n",
        "pnpm-lock.yaml": b"lockfileVersion: '9.0'\npackages:\n  a@1.0.0:\n    resolution: {a: b}\n",
        "yarn.lock": b'# yarn lockfile\n\n"a@^1.0", a@1:\n  version "1.0.0"\n  dependencies:\n    b "2"\n',
        "sub/yarn.lock": b'__metadata:\n  a: 6\n\n"a@npm:1":\n  version: 1.0\n  resolution: "a@npm:1"\n',
    },
    "toml": {
        "poetry.lock": b'[[package]]\nname = "a"\nversion = "1.0"\n\n[metadata]\nlock-version = "2.0"\n',
        "uv.lock": b'version = 1\n[[package]]\nname = "a"\nversion = "1.0"\nsource = { registry = "x" }\n',
        "pylock.toml": b'lock-version = "1.0"\n[[packages]]\nname = "a"\nversion = "1.0"\n',
        "Cargo.lock": b'version = 3\n[[package]]\nname = "a"\nversion = "1.0.0"\nsource = "registry+https://x"\n',
        "pdm.lock": b'[metadata]\nlock_version = "4.4"\n[[package]]\nname = "a"\nversion = "1.0"\n',
    },
    "bills": {
        "bom.json": b'{"bomFormat": "CycloneDX", "metadata": {"component": {"bom-ref": "r"}}, "components": '
        b'[{"bom-ref": "a", "name": "a", "purl": "pkg:npm/%40s/a@1.0?x=y#z", "components": []}], '
        b'"dependencies": [{"ref": "r", "dependsOn": ["a"]}]}',
        "bom.xml": b"<bom><components><component type='library'><name>a</name><version>1</version>"
        b"<purl>pkg:maven/g/a@1</purl><components/></component></components></bom>",
        "a.spdx.json": b'{"spdxVersion": "SPDX-2.3", "documentDescribes": ["r"], '
        b'"packages": [{"SPDXID": "a", '
        b'"externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:pypi/a@1"}]}]}',
        "b.spdx.json": b'{"@graph": [{"type": "software_Package", "spdxId": "a", "software_packageUrl": '
        b'"pkg:cargo/a@1"}, {"type": "Relationship", "from": "r", "relationshipType": "x", "to": ["a"]}]}',
        "a.spdx.yaml": b"spdxVersion: SPDX-2.3\npackages:\n- name: a\n  versionInfo: 1.0\n  externalRefs:\n"
        b"  - referenceType: purl\n    referenceLocator: pkg:hex/a@1\n",
        "a.spdx": b"SPDXVersion: SPDX-2.3\nDocumentComment: <text>a\nb</text>\nPackageName: a\n"
        b"SPDXID: SPDXRef-a\nExternalRef: PACKAGE-MANAGER purl pkg:golang/x.org/a@v1\n"
        b"Relationship: SPDXRef-a CONTAINS SPDXRef-b\n",
    },
    "lines": {
        "requirements.txt": b"-r base.txt\na[x]==1.0 ; os_name > '3' \\\n  --hash=sha256:aa\nb @ https://x/y\n",
        "go.mod": b'module m\ngo 1.22\nrequire (\n\ta/b v1.0.0 // indirect\n)\nreplace a/b => "c" v1.1.0\n',
        "Gemfile.lock": b"GEM\n  remote: x\n  specs:\n    a (1.0)\n      b (~> 2)\n\nDEPENDENCIES\n  a!\n",
        "cabal.project.freeze": b"constraints: any.a ==1.0 || ==2,\n  -- x\n  a +b,\n p:setup.c ==1\nx: y\n"
        b"package a\n",
        "gradle.lockfile": b"# x\na.b:c:1.0=compileClasspath,runtimeClasspath\nempty=\n",
    },
    "xml": {
        "pom.xml": b"<project><properties><v>1</v></properties><dependencies><dependency><groupId>a</groupId>"
        b"<artifactId>b</artifactId><version>${v}</version></dependency></dependencies></project>",
        "gradle/verification-metadata.xml": b"<verification-metadata><configuration><trusted-artifacts>"
        b"<trust group='a'/></trusted-artifacts></configuration><components><component group='a' name='b' "
        b"version='1'/></components></verification-metadata>",
        "packages.config": b'<packages><package id="a" version="1" /></packages>',
    },
}


def _reads(paths: list[str]) -> Callable[[bytes], None]:
    """The first byte says which of the files it is."""

    def check(data: bytes) -> None:
        path, body = paths[data[0] % len(paths) if data else 0], data[1:]
        content = read_lockfile(path, body, lambda _: body)
        for gap in content.not_scanned:
            assert not gap.reason.startswith("could not be read"), gap
        for package in content.packages:
            assert package.name.isprintable() and package.version.isprintable()
        includes_of(kind_of(path) or "", path, body)

    return check


TARGETS = {
    f"lockfile-{form}": Target(
        _reads(list(files)), [bytes([number]) + body for number, body in enumerate(files.values())]
    )
    for form, files in _LOCKED.items()
}
