"""Reading a document that a person names on the command line: bounded, and an error of one line.

Must never follow what the document says: it may come from a supplier, or from anybody.
"""

import json
import tomllib
from pathlib import Path
from typing import Any

from cortex_git.errors import BadInput


def read_bytes(path: Path, limit: int, what: str) -> bytes:
    """The file's content. Raises BadInput where it cannot be read, or is larger than `limit` bytes."""
    try:
        if not path.is_file():
            raise (
                BadInput(f"{what} {path} is no file", "check its name")
                if path.exists()
                else _absent(path, what)
            )
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise BadInput(
            f"{what} {path} cannot be read ({error.strerror})", "check its name and rights"
        ) from None
    except ValueError:
        raise BadInput(f"{what} {str(path)!r} is no file name", "check it") from None
    if len(data) > limit:
        raise BadInput(f"{what} {path} is larger than {limit:,} bytes", "is it the right file?")
    return data


def read_json(path: Path, limit: int, what: str) -> dict[str, Any]:
    """The JSON object in the file. Raises BadInput for anything else."""
    data = read_bytes(path, limit, what)
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadInput(
            f"{what} {path} is not valid JSON ({_short(error)})", "is it the right file?"
        ) from None
    if not isinstance(value, dict):
        raise BadInput(f"{what} {path} holds no JSON object", "is it the right file?")
    return value


def read_toml(path: Path, limit: int, what: str) -> dict[str, Any]:
    """The TOML document in the file. Raises BadInput for anything else."""
    data = read_bytes(path, limit, what)
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{what} {path} is not valid TOML ({_short(error)})", "mend it") from None


def _absent(path: Path, what: str) -> BadInput:
    return BadInput(f"there is no {what} {path}", "check its name")


def _short(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
