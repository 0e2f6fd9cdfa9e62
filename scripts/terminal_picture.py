"""Records what a command shows in a terminal, as a picture: `terminal_picture.py FILE -- COMMAND…`.

The command is really run, in a terminal of its own; only lines in the midst may be left out (`--head`,
`--tail`).
"""

import argparse
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

_FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""A picture loads nothing from elsewhere."""


def recorded(command: list[str], columns: int) -> str:
    """What the command prints in a terminal of that width, with its colours."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "50", "TERM": "xterm-256color"}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        os.close(theirs)
        parts = []
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:
                break
            if not data:
                break
            parts.append(data)
        process.wait()
    return b"".join(parts).decode("utf-8", "replace").replace("\r\n", "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--columns", type=int, default=110)
    parser.add_argument("--head", type=int, default=8)
    parser.add_argument("--tail", type=int, default=16)
    parser.add_argument("--title", default="")
    parser.add_argument("command", nargs="+")
    asked = parser.parse_args()
    lines = recorded(asked.command, asked.columns).rstrip("\n").split("\n")
    if len(lines) > asked.head + asked.tail + 1:
        lines = [*lines[: asked.head], "[…]", *lines[-asked.tail :]]
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=asked.columns, file=nowhere, force_terminal=True)
        console.print(Text("$ " + (asked.title or " ".join(asked.command)), style="bold"))
        for line in lines:
            console.print(Text.from_ansi(line), soft_wrap=False, overflow="ellipsis", no_wrap=True)
        picture = console.export_svg(title=asked.title or asked.command[0])
    asked.file.write_text(_FONT_FACES.sub("", picture))
    sys.stderr.write(f"{asked.file}: {len(picture):,} characters\n")


if __name__ == "__main__":
    main()
