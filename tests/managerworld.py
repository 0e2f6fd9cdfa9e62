"""Registries for real package managers, each a folder or a server of this machine: no network."""

import base64
import functools
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

from httpworld import Served

Versions = Mapping[str, Mapping[str, Mapping[str, str]]]
"""By package and version: what that version depends on, and which versions of it."""


@contextmanager
def python_index(folder: Path, packages: Versions) -> Iterator[str]:
    """Serve wheels without code by PEP 503; yields the index's address."""
    for name, versions in packages.items():
        links = []
        for version, needs in versions.items():
            wheel = f"{name}-{version}-py3-none-any.whl"
            data = _wheel(name, version, needs)
            (folder / wheel).write_bytes(data)
            links.append(f'<a href="/{wheel}#sha256={hashlib.sha256(data).hexdigest()}">{wheel}</a>')
        (folder / "simple" / name).mkdir(parents=True)
        (folder / "simple" / name / "index.html").write_text("<!DOCTYPE html>" + "\n".join(links))
    handler = functools.partial(_Quiet, directory=str(folder))
    with Served(handler) as served:
        yield f"{served.url}/simple/"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


def _wheel(name: str, version: str, needs: Mapping[str, str]) -> bytes:
    required = "".join(f"Requires-Dist: {other}{versions}\n" for other, versions in needs.items())
    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    inside = f"{name}-{version}.dist-info"
    lines = [f"{inside}/{path},{_digest(text)},{len(text)}" for path, text in files.items()]
    files["RECORD"] = "\n".join([*lines, f"{inside}/RECORD,,", ""])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(f"{inside}/{path}"), text)
    return out.getvalue()


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def cargo_registry(folder: Path, packages: Versions) -> str:
    """An index of crates without their code; the configuration that puts it in the place of crates.io."""
    for name, versions in packages.items():
        lines = []
        for version, needs in versions.items():
            common = {"features": [], "optional": False, "default_features": True, "target": None}
            deps = [{"name": n, "req": r, "kind": "normal", **common} for n, r in needs.items()]
            entry = {"name": name, "vers": version, "deps": deps, "cksum": "0" * 64, "features": {}}
            lines.append(json.dumps(entry | {"yanked": False}))
        path = folder / "index" / name[:2] / name[2:4] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    local = json.dumps(str(folder))
    return f'[source.crates-io]\nreplace-with = "here"\n[source.here]\nlocal-registry = {local}\n'


def go_proxy(folder: Path, packages: Versions) -> str:
    """A module proxy in a folder; its address for GOPROXY."""
    for name, versions in packages.items():
        at = folder / name / "@v"
        at.mkdir(parents=True)
        (at / "list").write_text("".join(f"v{version}\n" for version in versions))
        for version, needs in versions.items():
            required = "".join(f"require {other} v{one}\n" for other, one in needs.items())
            module = f"module {name}\n\ngo 1.19\n{required}"
            (at / f"v{version}.info").write_text(json.dumps({"Version": f"v{version}"}))
            (at / f"v{version}.mod").write_text(module)
            imported = "".join(f'import _ "{other}"\n' for other in needs)
            with zipfile.ZipFile(at / f"v{version}.zip", "w") as archive:
                archive.writestr(f"{name}@v{version}/go.mod", module)
                archive.writestr(f"{name}@v{version}/x.go", f"package x\n{imported}")
    return f"file://{folder}"


def composer_repositories(packages: Versions) -> list[object]:
    """The `repositories` of a composer.json: packages of nothing, in the place of Packagist."""
    some = [
        {"name": name, "version": version, "type": "metapackage", "require": dict(needs)}
        for name, versions in packages.items()
        for version, needs in versions.items()
    ]
    return [{"type": "package", "package": some}, {"packagist.org": False}]
