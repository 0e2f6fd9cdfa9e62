"""OSV dumps made by the test, and a real HTTP server over them that can be told to misbehave."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any


def record(
    id_: str, package: str, ecosystem: str = "PyPI", fixed: str = "2.0", **more: Any
) -> dict[str, Any]:
    """An OSV record about one package, vulnerable below `fixed`."""
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}]
    affected = [{"package": {"ecosystem": ecosystem, "name": package}, "ranges": ranges}]
    return {"id": id_, "modified": "2024-01-01T00:00:00Z", "affected": affected, **more}


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A ZIP of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def dump(*records: dict[str, Any]) -> bytes:
    """A ZIP of one JSON file a record."""
    return zipped({f"{item['id']}.json": json.dumps(item).encode() for item in records})


@dataclass
class Server:
    """What the server serves, how it is to fail, and what it was asked."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    drop_after: list[int] = field(default_factory=list)
    """Bytes after which the next answers break off, one entry an answer."""
    statuses: list[int] = field(default_factory=list)
    """Statuses of the next answers, before any file is served."""
    with_etag: bool = True
    requests: list[tuple[str, int, dict[str, str]]] = field(default_factory=list)
    """Path, status and request headers of every answer."""

    def statuses_of(self, path: str) -> list[int]:
        return [status for known, status, _ in self.requests if known == path]


def etag_of(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:16]}"'


class Handler(BaseHTTPRequestHandler):
    state: Server

    def do_GET(self) -> None:
        state = self.state
        data = state.files.get(self.path)
        if state.statuses:
            return self._answer(state.statuses.pop(0), b"")
        if data is None:
            return self._answer(404, b"")
        etag = etag_of(data) if state.with_etag else ""
        if etag and self.headers.get("If-None-Match") == etag:
            return self._answer(304, b"")
        wanted = self.headers.get("Range")
        if wanted and etag and self.headers.get("If-Range") == etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            span = f"bytes {start}-{len(data) - 1}/{len(data)}"
            return self._answer(206, data[start:], {"ETag": etag, "Content-Range": span})
        return self._answer(200, data, {"ETag": etag} if etag else {})

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.state.requests.append((self.path, status, dict(self.headers)))
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body and self.state.drop_after:
            body = body[: self.state.drop_after.pop(0)]
            self.close_connection = True
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing: a test's output is its own."""
