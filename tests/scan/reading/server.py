"""A real `git http-backend` behind a small web server that can be told to misbehave."""

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


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
    requests: list[str] = field(default_factory=list)


@contextmanager
def serve(root: Path) -> Iterator[Server]:
    """Serve every repository below `root` until the block ends."""
    server = Server(root)
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    httpd.daemon_threads = True
    server.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def log_message(self, *args: Any) -> None:
            return

        def do_GET(self) -> None:
            server.requests.append(self.path)
            if server.hang:
                threading.Event().wait(30)
            if server.fail_first > 0:
                server.fail_first -= 1
                return self.send_error(503)
            if server.redirect:
                self.send_response(302)
                self.send_header("Location", server.redirect)
                return self.end_headers()
            wanted = "Basic " + base64.b64encode(server.login.encode()).decode()
            if server.login and self.headers.get("Authorization") != wanted:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                return self.end_headers()
            return self._backend()

        do_POST = do_GET  # noqa: N815

        def _backend(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            environment = {
                **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
                "GIT_PROJECT_ROOT": str(server.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": parts.path,
                "QUERY_STRING": parts.query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "CONTENT_LENGTH": str(len(body)),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", "") if server.protocol else "",
            }
            out = subprocess.run(
                ["git", "http-backend"], env=environment, input=body, stdout=subprocess.PIPE, timeout=60
            ).stdout
            head, _, content = out.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    return Handler
