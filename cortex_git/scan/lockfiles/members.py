"""The projects below a JavaScript lockfile that it does not serve: what they ask for is in no lockfile.

Must never take a project for one that is served only because it lies below: the lockfile has to name it.
"""

import json
import re
from posixpath import dirname
from typing import Any

from cortex_git.scan.lockfiles.source import Source

KINDS = frozenset({"npm", "pnpm", "yarn"})
_ASKING = ("dependencies", "devDependencies", "optionalDependencies")
_IMPORTERS = re.compile(r"^importers:[ \t]*\n((?:[ \t#][^\n]*\n|\n)*)", re.MULTILINE)
_IMPORTER = re.compile(r"""^  (['"]?)([^\s'"#][^'"\n]*)\1:""", re.MULTILINE)
_BERRY = re.compile(r"^__metadata:", re.MULTILINE)
_WORKSPACE = re.compile(r"@workspace:([^\s,\"']+)")


def unserved(kind: str, source: Source) -> list[str]:
    """Paths of the manifests below that ask for packages and that the lockfile does not name.

    Empty where the lockfile names no projects, such as a yarn.lock of version 1 with workspaces. May raise.
    """
    if not source.manifests:
        return []
    served = _served(kind, source)
    if served is None:
        return []
    top = dirname(source.path)
    below = {path: dirname(path)[len(top) + 1 if top else 0 :] for path in source.manifests}
    return [path for path, folder in below.items() if folder not in served and _asks(source, path)]


def _served(kind: str, source: Source) -> set[str] | None:
    """The folders of the lockfile's projects, from its own folder; None where it does not tell."""
    text = source.text()
    if kind == "npm":
        packages = _object(text).get("packages")
        if not isinstance(packages, dict):
            return None
        return {key for key in packages if "node_modules" not in key.split("/")}
    if kind == "pnpm":
        found = _IMPORTERS.search(text)
        return {match[2] for match in _IMPORTER.finditer(found[1])} if found else set()
    if _BERRY.search(text):
        return set(_WORKSPACE.findall(text))
    own = source.sibling(f"{dirname(source.path)}/package.json".lstrip("/"))
    return None if own is None or "workspaces" in _object(own.decode("utf-8", "replace")) else set()


def _asks(source: Source, path: str) -> bool:
    """Whether the manifest asks for packages; one that cannot be read may."""
    data = source.sibling(path)
    try:
        value = {} if data is None else _object(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return True
    return data is None or any(value.get(key) for key in _ASKING)


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    return value if isinstance(value, dict) else {}
