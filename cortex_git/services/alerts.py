"""Telling somebody that a pool is behind: a program or a webhook that this host's own settings name.

Owns when they are told: once when the alert is raised, once when it clears. Must never hold the pool up,
and never take an address or a command from anything that can be pushed.
"""

import json
import subprocess
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from cortex_git.config import Alerts, load_host_settings
from cortex_git.processes import TookTooLong, finished
from cortex_git.workers.snapshot import PoolSnapshot

_LOOK_S = 1.0
_MOST_S = 30.0
"""Seconds that a program or a server may take."""
_QUIET_S = 60.0
"""Seconds that the backlog must stay small before the alert is told to be over: it may hover at the limit."""


class Alarm:
    """Watches the views of a pool for the length of a `with` block."""

    def __init__(
        self, view: Callable[[], PoolSnapshot], note: Callable[[str], None], quiet_s: float = _QUIET_S
    ) -> None:
        self._view = view
        self._note = note
        self._quiet_s = quiet_s
        self._settings = load_host_settings().alerts
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alarm", daemon=True)

    def __enter__(self) -> Self:
        if self._settings.command or self._settings.webhook:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=_MOST_S)

    def _run(self) -> None:
        raised, last_s = False, 0.0
        while not self._stopped.wait(_LOOK_S):
            view, now_s = self._view(), time.monotonic()
            if view.alert is not None:
                last_s = now_s
            elif now_s - last_s < self._quiet_s:
                continue
            if (view.alert is not None) != raised:
                raised = view.alert is not None
                for problem in tell(self._settings, said_of(view)):
                    self._note(problem)


def said_of(view: PoolSnapshot) -> dict[str, Any]:
    """What is told: `state` is `raised` or `cleared`, `text` says why."""
    return {
        "schema": 1,
        "state": "cleared" if view.alert is None else "raised",
        "text": view.alert,
        "queue": view.queue,
        "workers": len(view.workers),
        "max": view.max,
        "pid": view.pid,
    }


def tell(settings: Alerts, said: dict[str, Any], most_s: float = _MOST_S) -> list[str]:
    """Run the program and call the webhook, those that are set; what went wrong, one line each.

    Each may take `most_s` seconds. The webhook's address is not in the lines: it is often a secret.
    """
    body = json.dumps(said).encode()
    problems = []
    if settings.command and (problem := _run_program(settings.command, body, most_s)):
        problems.append(f"the alert's command {settings.command[0]}: {problem}")
    if settings.webhook and (problem := _post(settings.webhook, body, most_s)):
        problems.append(f"the alert's webhook: {problem}")
    return problems


def _run_program(command: list[str], body: bytes, most_s: float) -> str | None:
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        with process:
            _, errors = finished(process, body, most_s)
    except OSError as error:
        return error.strerror
    except TookTooLong:
        return f"took longer than {most_s:g} s"
    said = errors.decode("utf-8", "replace").strip().splitlines()
    return f"ended with status {process.returncode}: {' '.join(said[-1:])}" if process.returncode else None


def _post(url: str, body: bytes, most_s: float) -> str | None:
    import httpx

    try:
        answer = httpx.post(url, content=body, headers={"Content-Type": "application/json"}, timeout=most_s)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{type(error).__name__}: {error}"
    return f"answered {answer.status_code}" if answer.is_error else None
