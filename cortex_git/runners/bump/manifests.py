"""What the manifests beside a lockfile ask for, and the pins that are moved in them by their text.

Owns which files are looked at. They are a repository's: none is followed out of its folder, and one that
cannot be read asks for nothing.
"""

import json
from collections.abc import Mapping
from typing import Any

from cortex_git.runners.agent.confinement import Confined, Refused
from cortex_git.runners.bump.asked import Wanted
from cortex_git.runners.bump.pins import repinned, repinned_in_toml

PINNED_IN_TOML = ("pdm", "poetry", "uv")
"""Kinds of lockfiles whose `pyproject.toml` may ask for one version exactly."""


def repin(files: Confined, wanted: Wanted, fixes: Mapping[str, str]) -> str | None:
    """Move the pins of a requirements file; why that cannot be done, or None. Raises Refused."""
    try:
        text = files.read(wanted.lockfile).decode("utf-8")
    except UnicodeDecodeError:
        return "it is not UTF-8 text"
    changed, problem = repinned(text, wanted.package, fixes)
    if problem is None:
        files.write(wanted.lockfile, changed.encode())
    return problem


def repin_manifest(files: Confined, folder: str, wanted: Wanted, fixes: Mapping[str, str]) -> None:
    """Move exact pins of the `pyproject.toml` in the lockfile's folder, if it has any."""
    path = f"{folder}/pyproject.toml" if folder else "pyproject.toml"
    try:
        text = files.read(path).decode("utf-8")
        changed = repinned_in_toml(text, wanted.package, fixes)
        if changed != text:
            files.write(path, changed.encode())
    except (Refused, UnicodeDecodeError):
        return


def asking(package: str, manifest: bytes | None, lockfile: bytes) -> list[str]:
    """Where a `package.json` asks for the package: empty for the one beside the lockfile, else workspaces.

    Of these only npm's lockfile tells.
    """
    found = [""] if _asks(_json(manifest or b""), package) else []
    packages = _json(lockfile).get("packages")
    if isinstance(packages, dict):
        own = [folder for folder in packages if folder and "node_modules" not in folder.split("/")]
        found += [folder for folder in own if _asks(packages[folder], package)]
    return found


def _asks(manifest: Any, package: str) -> bool:
    sections = ("dependencies", "devDependencies", "optionalDependencies")
    found = [manifest.get(name) for name in sections] if isinstance(manifest, dict) else []
    return any(isinstance(section, dict) and package in section for section in found)


def _json(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
