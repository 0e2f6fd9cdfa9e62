"""A package registry on 127.0.0.1 that speaks npm's protocol, for real `npm` processes."""

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote

from httpworld import Served

Dependencies = Mapping[str, str]
Packages = Mapping[str, Mapping[str, Dependencies]]
"""By name and version: what that version depends on."""


def tarball(name: str, version: str, dependencies: Dependencies) -> bytes:
    """The smallest package npm takes."""
    manifest = json.dumps({"name": name, "version": version, "dependencies": dict(dependencies)}).encode()
    out = io.BytesIO()
    # The same bytes each time: their hash stands in lockfiles.
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        info = tarfile.TarInfo("package/package.json")
        info.size = len(manifest)
        archive.addfile(info, io.BytesIO(manifest))
    return out.getvalue()


@contextmanager
def npm_registry(packages: Packages, advisories: Mapping[str, list[Any]] | None = None) -> Iterator[str]:
    """Serve the packages, and advisories by package to `npm audit`; yields the registry's address."""
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path.split("?")[0]).strip("/")
            body = files.get(path) or _document(path, packages, address, files)
            self.send_response(200 if body else 404)
            body = body or b"{}"
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            asked = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
            known = advisories or {}
            body = json.dumps({name: known[name] for name in asked if name in known}).encode()
            self.send_response(200 if self.path.endswith("/advisories/bulk") else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Quiet."""

    served = Served(Handler)
    address = served.url
    with served:
        yield address


def _document(name: str, packages: Packages, address: str, files: dict[str, bytes]) -> bytes:
    if name not in packages:
        return b""
    versions = {}
    for version, dependencies in packages[name].items():
        data = tarball(name, version, dependencies)
        path = f"{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
        files[path] = data
        digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
        versions[version] = {
            "name": name,
            "version": version,
            "dependencies": dict(dependencies),
            "dist": {
                "tarball": f"{address}/{path}",
                "integrity": f"sha512-{digest}",
                "shasum": hashlib.sha1(data).hexdigest(),
            },
        }
    latest = list(packages[name])[-1]
    old = "2020-01-01T00:00:00.000Z"  # pnpm and Yarn leave out what is new, or of no known age
    document = {"name": name, "dist-tags": {"latest": latest}, "versions": versions}
    return json.dumps(document | {"time": dict.fromkeys(versions, old) | {"modified": old}}).encode()
