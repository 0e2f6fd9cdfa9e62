"""Checks of the settings: those that the repository shares, and those of this host.

Owns finding every broken setting with its line, and the known one that an unknown one was meant to be.
"""

import difflib
import os
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cortex_git.config import HostSettings, Settings, config_folder
from cortex_git.llm.keys import FILES
from cortex_git.services.doctor.findings import Finding, note, ok, problem, warning
from cortex_git.services.doctor.patient import Patient
from cortex_git.services.doctor.toml_lines import line_of

_MANUAL = "docs/configuration.md"
_WHY = "commands do not start with it"


def shared(patient: Patient) -> Iterator[Finding]:
    """The shared settings, coordination/config.toml: each broken one, with its line."""
    path = patient.config
    if not path.is_file():
        yield problem(
            "this is not a coordination repository: it has no settings",
            str(path),
            why="every command reads them first",
            do=f"cortex-git init {patient.folder}, or `git checkout` the branch that has them",
        )
        return
    found = list(_faults(Settings, path))
    yield from found
    if found:
        return
    if not patient.settings.enabled:
        yield note("`enabled = false`: commands pass this folder by", str(path), do="cortex-git init --help")
    yield ok(f"the settings are valid; results are folded into {patient.settings.branch}", str(path))


def own(_patient: Patient) -> Iterator[Finding]:
    """This host's settings, each broken one with its line, and who else can write them or read its keys."""
    path = config_folder() / "config.toml"
    found = [*_faults(HostSettings, path), *_writable(path), *_keys(path)]
    yield from found
    if not found:
        yield ok(
            "this host's settings are valid" if path.exists() else "this host has no settings of its own",
            str(path),
        )


def _writable(path: Path) -> Iterator[Finding]:
    if path.exists() and path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        why = "whoever can write it can have commands run here under your name"
        yield warning("others may write this host's settings", str(path), why=why, do=f"chmod go-w {path}")


def _keys(path: Path) -> Iterator[Finding]:
    """Files with keys that others can read: they are not used."""
    try:
        settings = (
            HostSettings.model_validate(tomllib.loads(path.read_text())) if path.exists() else HostSettings()
        )
    except (OSError, ValueError):
        settings = HostSettings()
    for provider, own in (("claude", settings.claude), ("openai", settings.openai)):
        file = Path(own.key_file).expanduser() if own.key_file else config_folder() / FILES[provider]
        if not file.exists():
            if own.key_file:
                yield warning(
                    f"the key file of {provider} is not there", str(file), why=f"{provider} cannot be used"
                )
            continue
        facts = file.stat()
        if stat.S_IMODE(facts.st_mode) & 0o077 or facts.st_uid not in (os.getuid(), 0):
            mode = f"mode {stat.S_IMODE(facts.st_mode):04o}"
            yield problem(
                f"the key of {provider} can be read by others ({mode})",
                str(file),
                why="it is not used like that, and may be known to them: think of replacing it",
                do=f"chmod 600 {file}",
            )


def _faults(model: type[BaseModel], path: Path) -> Iterator[Finding]:
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return
    except OSError as error:
        yield problem(f"it cannot be read: {error.strerror}", str(path), why=_WHY, do=f"chmod u+r {path}")
        return
    except ValueError:
        yield problem("it is not UTF-8 text", str(path), why=_WHY, do="correct the file")
        return
    try:
        model.model_validate(tomllib.loads(text))
    except ValidationError as error:
        for one in error.errors():
            line = line_of(text, one["loc"])
            where = f"{path}:{line}" if line else str(path)
            yield problem(_said(model, one), where, why=_WHY, do=f"correct that line (see {_MANUAL})")
    except tomllib.TOMLDecodeError as error:
        yield problem(f"it is not valid TOML: {error}", str(path), why=_WHY, do="correct the file")


def _said(model: type[BaseModel], error: ErrorDetails) -> str:
    """What is wrong with one setting."""
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        return f"{key}: {error['msg']}"
    known = _names(model, error["loc"][:-1])
    nearest = difflib.get_close_matches(str(error["loc"][-1]), known, 1)
    return f"{key}: there is no such setting" + (f"; {nearest[0]} is near" if nearest else "")


def _names(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The settings that there are in the section at `path`."""
    found: Any = model
    for part in path:
        if isinstance(found, type) and issubclass(found, BaseModel):
            by_name = {field.alias or name: field.annotation for name, field in found.model_fields.items()}
            found = by_name.get(str(part))
        else:  # the values of a table whose keys are anybody's
            found = next(
                (one for one in get_args(found) if isinstance(one, type) and issubclass(one, BaseModel)), None
            )
    if isinstance(found, type) and issubclass(found, BaseModel):
        return [field.alias or name for name, field in found.model_fields.items()]
    return []
