"""A real headless Chromium that tests steer over a pipe, by the DevTools protocol."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LONG_S = 100.0
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
_LAUNCHER = """
import fcntl, os, sys
mine = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
for wanted, number in enumerate(mine, 3):
    os.dup2(number, wanted)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""The protocol's pipes are descriptors 3 and 4 of the browser, whatever numbers they have here."""


def chromium() -> str:
    """The browser's program; the test is skipped where there is none."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium is installed here")
    return found


class Browser:
    """One browser, and one tab at a time. What happened in the tab is in `events`."""

    def __init__(self, folder: Path) -> None:
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        command = [sys.executable, "-c", _LAUNCHER, str(to_read), str(to_write), chromium(), *_FLAGS]
        command.append(f"--user-data-dir={folder / 'profile'}")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = {**os.environ, "HOME": str(folder)}
        self._process = subprocess.Popen(command, pass_fds=(to_read, to_write), env=environment, **quiet)
        os.close(to_read)
        os.close(to_write)
        self._number = 0
        self._rest = b""
        self._session = ""
        self.events: list[dict[str, Any]] = []

    def close(self) -> None:
        """End it."""
        try:
            self.call("Browser.close", session=False)
            self._process.wait(20)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        finally:
            os.close(self._to)
            os.close(self._from)

    def open(
        self, page: Path, *, width: int = 1280, height: int = 900, dark: bool = False, script: bool = True
    ) -> None:
        """Show the page in a new tab, and wait until it is loaded."""
        target = self.call("Target.createTarget", session=False, url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", session=False, targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.call(f"{domain}.enable")
        self.events.clear()
        phone = width < 600
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.call("Page.navigate", url=page.as_uri())
        self._until(lambda message: message.get("method") == "Page.loadEventFired")

    def call(self, method: str, *, session: bool = True, **parameters: Any) -> dict[str, Any]:
        """The answer to one command."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        answer = self._until(lambda message: message.get("id") == number)
        assert "error" not in answer, (method, answer)
        found: dict[str, Any] = answer["result"]
        return found

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is on the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self, path: Path, *, selector: str | None = None) -> bytes:
        """A PNG of the whole page, or of one element, written to `path` as well."""
        more = {}
        if selector is not None:
            box = self.value(
                "(({x, y, width, height}) => ({x: x + scrollX, y: y + scrollY, width, height, scale: 1}))"
                f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
            )
            more = {"clip": box}
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True, **more)
        data = base64.b64decode(found["data"])
        path.write_bytes(data)
        return data

    def paper(self, path: Path) -> bytes:
        """The page as a PDF of A4 paper, written to `path` as well."""
        found = self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, preferCSSPageSize=False)
        data = base64.b64decode(found["data"])
        path.write_bytes(data)
        return data

    @property
    def problems(self) -> list[str]:
        """What the console and the browser's log said, and uncaught errors."""
        methods = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
        return [json.dumps(one["params"]) for one in self.events if one.get("method") in methods]

    @property
    def requests(self) -> list[str]:
        """Addresses that the page asked for, itself too."""
        sent = "Network.requestWillBeSent"
        return [one["params"]["request"]["url"] for one in self.events if one.get("method") == sent]

    def _until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        ends = time.monotonic() + LONG_S
        while True:
            while b"\0" in self._rest:
                line, _, self._rest = self._rest.partition(b"\0")
                message = json.loads(line)
                self.events.append(message)
                if wanted(message):
                    return message
            left = ends - time.monotonic()
            assert left > 0 and select.select([self._from], [], [], left)[0], "the browser does not answer"
            read = os.read(self._from, 1 << 20)
            assert read, "the browser has ended"
            self._rest += read
