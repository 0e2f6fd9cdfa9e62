"""A real HTTP server over dumps that a test makes, and folders of them."""

import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from advisory_dumps import Handler, Server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server on 127.0.0.1, with the waits between tries cut short."""
    monkeypatch.setattr("cortex_git.scan.advisories.download.BACKOFF_S", (0.01, 0.01, 0.01))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    handler = type("Handler", (Handler,), {})
    running = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.state = Server(f"http://127.0.0.1:{running.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield handler.state  # type: ignore[attr-defined]
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def make_dump(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder in the OSV layout from `{ecosystem: zip bytes}`."""

    def make(archives: Mapping[str, bytes], name: str = "dump") -> Path:
        for ecosystem, data in archives.items():
            folder = tmp_path / name / ecosystem
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "all.zip").write_bytes(data)
        return tmp_path / name

    return make
