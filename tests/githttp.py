"""A real `git http-backend` behind a small web server that can be told to misbehave.

It speaks CGI as Apache does it: chunked and compressed requests, `Git-Protocol`, `REMOTE_USER`.
"""

import base64
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpworld

HTML = b"<!DOCTYPE html><html><body>Please sign in to the hotel network</body></html>"


@dataclass
class Answer:
    """What is answered instead of git's own; `lost`: git does its work, and the connection is closed then."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False


@dataclass
class Server:
    """Where it listens, and how it behaves."""

    root: Path
    url: str = ""
    fail_first: int = 0
    """So many requests are answered with 503."""
    redirect: str = ""
    """Where the first request is sent instead."""
    hang: bool = False
    login: str = ""
    """`user:password` that is asked for."""
    protocol: bool = True
    """Whether the protocol version that a client asks for is passed on."""
    delay_s: float = 0.0
    """Seconds that pass before each request is looked at."""
    answer: Callable[[str, str], Answer | None] = lambda _method, _path: None
    """By method and path with query: what to answer instead of git's own."""
    api: Callable[[str, Mapping[str, str]], Answer | None] = lambda _path, _headers: None
    """By path with query and the request's headers: what an API on the same host answers, before all else."""
    requests: list[str] = field(default_factory=list)
    bodies: list[tuple[str, str]] = field(default_factory=list)
    """Of each request with a body: `chunked` or `plain`, and its content encoding."""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


class _Httpd(httpworld.Server[Server]):
    def handle_error(self, *args: Any) -> None:
        """A client that hangs up is no news here."""


class _Handler(BaseHTTPRequestHandler):
    server: httpworld.Server[Server]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *args: Any) -> None:
        return

    def do_GET(self) -> None:
        server = self.server.world
        server.requests.append(self.path)
        if server.hang:
            threading.Event().wait(30)
        time.sleep(server.delay_s)
        body = self._body()
        instead = self._instead(server)
        if instead is None or instead.lost:
            status, headers, content = self._backend(body)
            if instead is None:
                return self._answer(status, headers, content)
            self.close_connection = True
            return None
        return self._answer(instead.status, instead.headers, instead.body)

    do_POST = do_GET  # noqa: N815

    def _instead(self, server: Server) -> Answer | None:
        said = server.api(self.path, {name.title(): value for name, value in self.headers.items()})
        if said is not None:
            return said
        if server.fail_first > 0:
            server.fail_first -= 1
            return Answer(503)
        if server.redirect:
            return Answer(302, headers={"Location": server.redirect})
        wanted = "Basic " + base64.b64encode(server.login.encode()).decode()
        if server.login and self.headers.get("Authorization") != wanted:
            return Answer(401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        return server.answer(self.command, self.path)

    def _body(self) -> bytes:
        encoding = self.headers.get("Content-Encoding", "")
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            size = int(self.headers.get("Content-Length", 0))
            if size:
                self.server.world.bodies.append(("plain", encoding))
            return self.rfile.read(size)
        self.server.world.bodies.append(("chunked", encoding))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _backend(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(self.path)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PROJECT_ROOT": str(self.server.world.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", "") if self.server.world.protocol else "",
            "REMOTE_USER": self.server.world.login.partition(":")[0] or "tester",
            "REMOTE_ADDR": "127.0.0.1",
        }
        out = subprocess.run(
            ["git", "http-backend"],
            env=environment,
            input=body,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=60,
        ).stdout
        head, _, content = out.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        return int(headers.pop("Status", "200").split()[0]), headers, content

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()


@contextmanager
def serve(root: Path) -> Iterator[Server]:
    """Serve every repository below `root` until the block ends."""
    server = Server(root)
    httpd: _Httpd = _Httpd(("127.0.0.1", 0), _Handler)
    httpd.world = server
    server.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
