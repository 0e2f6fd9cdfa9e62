"""An alert reaches the host's own program and webhook: once when it is raised, once when it clears."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from poolworld import until

from cortex_git.config import Alerts
from cortex_git.services.alerts import Alarm, said_of, tell
from cortex_git.workers.snapshot import PoolSnapshot

CALM = PoolSnapshot(1, "pool", "", "tree", "least-loaded", 1, 20, 20)
BEHIND = replace(CALM, alert="a queue of 50 is more than 20 workers clear", queue=50)


@contextmanager
def webhook(status: int = 200) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A real server that remembers what it was sent."""
    heard: list[dict[str, object]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Nothing on the terminal."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", heard
    finally:
        server.shutdown()
        server.server_close()


def test_a_webhook_and_a_command_are_told(tmp_path: Path) -> None:
    told = tmp_path / "told"
    with webhook() as (url, heard):
        problems = tell(Alerts(command=["sh", "-c", f'cat > "{told}"'], webhook=url), said_of(BEHIND))
    assert problems == []
    assert heard == [json.loads(told.read_text())]
    assert (heard[0]["state"], heard[0]["text"], heard[0]["queue"]) == ("raised", BEHIND.alert, 50)


def test_what_goes_wrong_is_said_and_nothing_else(tmp_path: Path) -> None:
    with webhook(500) as (url, _):
        failing = tell(Alerts(command=["sh", "-c", "echo broken >&2; exit 3"], webhook=url), said_of(BEHIND))
    assert failing == [
        "the alert's command sh: ended with status 3: broken", "the alert's webhook: answered 500",
    ]  # fmt: skip
    gone = tell(Alerts(command=[str(tmp_path / "none")], webhook="http://127.0.0.1:9/"), said_of(CALM))
    assert gone[0].endswith("none: No such file or directory")
    assert gone[1].startswith("the alert's webhook: ConnectError")


def test_once_when_it_is_raised_and_once_when_it_clears(
    own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = [CALM]
    with webhook() as (url, heard):
        config = own_folders / "config"
        config.mkdir(exist_ok=True)
        (config / "config.toml").write_text(f'[alerts]\nwebhook = "{url}"\n')
        notes: list[str] = []
        with Alarm(lambda: views[-1], notes.append, quiet_s=0):
            views.append(BEHIND)
            until(lambda: len(heard) == 1)
            time.sleep(1.5)  # it is behind still, and nobody is told again
            views.append(CALM)
            until(lambda: len(heard) == 2)
    assert [said["state"] for said in heard] == ["raised", "cleared"]
    assert notes == []


def test_one_that_comes_and_goes_is_told_once(own_folders: Path) -> None:
    views = [CALM]
    with webhook() as (url, heard):
        config = own_folders / "config"
        config.mkdir(exist_ok=True)
        (config / "config.toml").write_text(f'[alerts]\nwebhook = "{url}"\n')
        with Alarm(lambda: views[-1], lambda _: None, quiet_s=2.5):
            for view in (BEHIND, CALM, BEHIND):
                views.append(view)
                time.sleep(1.2)
            views.append(CALM)
            until(lambda: len(heard) == 2)
    assert [said["state"] for said in heard] == ["raised", "cleared"]


def test_a_program_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    """Its child holds the pipe of its messages open, and would for a minute."""
    child = tmp_path / "child"
    script = f'sleep 60 & echo $! > "{child}"; wait'
    began = time.monotonic()
    problems = tell(Alerts(command=["sh", "-c", script]), said_of(BEHIND), most_s=0.5)
    assert problems == ["the alert's command sh: took longer than 0.5 s"]
    assert time.monotonic() - began < 30
    until(lambda: not Path(f"/proc/{child.read_text().strip()}").exists())
