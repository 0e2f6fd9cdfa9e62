"""The advisories that come inside the package, so that a first run means something with no network.

Owns nothing but their build: the records are the JSON files of `cortex_git.scan.starter`.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from cortex_git.errors import EnvironmentProblem


def records() -> Iterator[dict[str, Any]]:
    """Every OSV record of the starter set."""
    for raw in _files():
        yield from json.loads(raw)


@cache
def content_key() -> str:
    """A short digest of the records, part of the built file's name."""
    digest = hashlib.sha256()
    for raw in _files():
        digest.update(raw)
    return digest.hexdigest()[:16]


def build(path: Path) -> None:
    """Build the starter database at `path`, in one step: several processes may do so at once.

    Raises EnvironmentProblem when the folder can't be written.
    """
    from cortex_git.scan.advisories.build import DatabaseBuilder, Tally
    from cortex_git.scan.advisories.osv import from_record

    tally = Tally()
    try:
        with DatabaseBuilder(path, "starter") as builder:
            for record in records():
                builder.add(from_record(record), None, tally)
            for ecosystem in tally.records:
                builder.add_source(ecosystem, "starter", "", 0, 0)
            builder.finish()
    except (OSError, sqlite3.Error) as error:
        raise EnvironmentProblem(f"cannot write {path} ({error})", "check the folder and its disk") from None


def _files() -> Iterator[bytes]:
    folder = files("cortex_git.scan.starter")
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.name.endswith(".json"):
            yield item.read_bytes()
