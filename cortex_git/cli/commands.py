"""Which module has which command.

Owns the order of the help. Modules are imported on use: all of them together take as long as typer's own
import, and a `spawn-worker` that asks a running pool would wait longer for them than for its task.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol, cast

import typer
from typer.core import TyperGroup

_COMMANDS = (
    "scan", "fix", "workers", "preflight", "plan", "cost", "tasks", "route", "teaching", "reports", "report",
    "status", "top", "admin", "doctor", "gc", "torture", "model",
)  # fmt: skip
"""Modules with commands of the root, in the order of the help."""
_GROUPS = ("advisories", "bench", "budget", "hooks", "pool", "scans")
"""Modules with a group of commands, called like the module."""
_ALONE = {"hooks": "hooks", "spawn-worker": "spawn_worker"}
"""Commands that start in a moment, and their modules."""


def add_commands(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Give `app` its commands: the one alone that `arguments` begin with, where it has to be fast."""
    if arguments and arguments[0] in _ALONE:
        _module(_ALONE[arguments[0]]).register(app)
        return
    for name in _COMMANDS:
        _module(name).register(app)
    for name in _GROUPS:
        app.add_typer(_module(name).app, name=name)


class TwoWords(TyperGroup):
    """A root whose commands may be called by two words, beside one called by the first of them.

    `route train` is a command, `route TEXT` another; a text that is just that word comes after `--`.
    """

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        both = " ".join(args[:2])
        return super().resolve_command(ctx, [both, *args[2:]] if both in self.commands else args)


class _Module(Protocol):
    """What a module of commands offers: the first kind `register`, a group `app`."""

    app: typer.Typer

    def register(self, app: typer.Typer) -> None: ...


def _module(name: str) -> _Module:
    return cast(_Module, import_module(f"cortex_git.cli.{name}"))
