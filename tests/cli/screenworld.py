"""The dashboard as a person sees it: every cell of the screen as plain lines of text."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from textual.app import App
from textual.pilot import Pilot

from cortex_git.cli.dashboard.app import Dashboard

WAIT_S = 60.0


def screen_lines(app: App[None]) -> list[str]:
    """What is drawn now, one line a row, spaces at the end left out."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


def shown(app: App[None]) -> str:
    return "\n".join(screen_lines(app))


async def until_shown(pilot: "Pilot[None]", what: Callable[[str], object]) -> str:
    """Wait until `what` is true of the screen; the screen then. How long is no promise."""
    deadline = time.monotonic() + WAIT_S
    while not what(shown(pilot.app)):
        assert time.monotonic() < deadline, shown(pilot.app)
        await pilot.pause(0.05)
    return shown(pilot.app)


def watch(folder: Path, size: tuple[int, int], look: "Callable[[Pilot[None]], Awaitable[None]]") -> None:
    """Run the dashboard of `folder` in a terminal of this size while `look` looks at it and types."""

    async def run() -> None:
        async with Dashboard(folder).run_test(size=size) as pilot:
            await look(pilot)

    asyncio.run(run())
