"""A server on a port of 127.0.0.1 for the length of a block, for those that speak as providers do."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, Self, TypeVar

World = TypeVar("World")


class Server(ThreadingHTTPServer, Generic[World]):
    """Handlers find what they serve in `world`."""

    daemon_threads = True
    request_queue_size = 256
    block_on_close = False
    world: World


class Served:
    """Something that is served. Use as a context manager."""

    def __init__(self, handler: Callable[..., BaseHTTPRequestHandler], port: int = 0) -> None:
        self._server: Server[Any] = Server(("127.0.0.1", port), handler)
        self._server.world = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"
