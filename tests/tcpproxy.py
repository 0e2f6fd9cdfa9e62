"""A TCP proxy on 127.0.0.1 that is slow and drops connections: at random, at a moment, or for a while."""

import asyncio
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_LOOK_S = 0.005


@dataclass
class Proxy:
    """What it does to connections; everything may be changed while it runs."""

    port: int = 0
    delay_s: tuple[float, float] = (0.0, 0.0)
    """Seconds, at least and at most, that pass before anything of a connection reaches the server."""
    drop: float = 0.0
    """Share of connections that are dropped at some point of the request or of the answer."""
    cut_at: Path | None = None
    """When this file appears it is removed, and every connection is dropped."""
    down: bool = False
    """Whether connections are dropped as soon as they are made."""
    connections: int = 0
    dropped: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(1))


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """A proxy before `port` of this machine until the block ends."""
    proxy = Proxy()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    running = _Running(proxy, port)

    def call(what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, loop).result(30)

    proxy.port = call(running.start())
    try:
        yield proxy
    finally:
        call(running.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


class _Running:
    def __init__(self, proxy: Proxy, target: int) -> None:
        self._proxy = proxy
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=128)
        self._watch = asyncio.ensure_future(self._watched())
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        self._watch.cancel()
        self._server.close()
        for writer in list(self._open):
            self._abort(writer)
        for task in list(self._tasks):
            task.cancel()

    async def _watched(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            path = self._proxy.cut_at
            if path is not None and path.exists():
                path.unlink()
                for writer in list(self._open):
                    self._abort(writer)
                    self._proxy.dropped += 1

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        proxy = self._proxy
        proxy.connections += 1
        self._open.add(writer)
        if proxy.down:
            self._abort(writer)
            return
        dropped = proxy.chance.random() < proxy.drop
        # After so many bytes of one direction; an answer that is lost has done its work.
        spared = proxy.chance.choice((200, 2_000, 6_000)) if dropped else None
        in_answer = proxy.chance.random() < 0.5
        delay = proxy.chance.uniform(*proxy.delay_s)
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        for end in (writer, there_writer):
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for pumping in (
            self._pump(reader, there_writer, writer, delay, None if in_answer else spared),
            self._pump(there_reader, writer, writer, 0.0, spared if in_answer else None),
        ):
            task = asyncio.ensure_future(pumping)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        client: asyncio.StreamWriter,
        delay: float,
        spared: int | None,
    ) -> None:
        passed = 0
        with suppress(OSError, asyncio.CancelledError):
            while data := await source.read(65536):
                passed += len(data)
                await asyncio.sleep(delay)
                delay = 0.0
                if spared is not None and passed > spared:
                    self._proxy.dropped += 1
                    self._abort(client)
                    break
                sink.write(data)
                await sink.drain()
        with suppress(OSError, RuntimeError):
            if sink.can_write_eof():
                sink.write_eof()
        if sink is client:
            self._open.discard(client)
            with suppress(OSError):
                sink.close()

    def _abort(self, writer: asyncio.StreamWriter) -> None:
        """Reset the connection, as a firewall or a dying network does."""
        self._open.discard(writer)
        writer.transport.abort()
