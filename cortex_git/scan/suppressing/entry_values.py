"""The values in an ignore file, whatever its entries are about: lists of tables, texts, days.

Must never repeat a text of an entry in an error: somebody may have written a secret there.
"""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from cortex_git.errors import BadInput
from cortex_git.scan.documents import read_toml

WHAT = "ignore file"
MOST_BYTES = 4 << 20
MOST_ENTRIES = 20_000
_LENGTH = 1000


def read_document(path: Path) -> dict[str, Any]:
    """The file's tables. Raises BadInput where it cannot be read."""
    return read_toml(path, MOST_BYTES, WHAT)


def tables(document: Mapping[str, Any], name: str, path: Path) -> list[dict[str, Any]]:
    """The entries `[[name]]`; none where there are none. Raises BadInput for anything else of that name."""
    entries = document.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadInput(f"{WHAT} {path}: {name} is no list of tables", f"write [[{name}]] for each entry")
    if len(entries) > MOST_ENTRIES:
        raise BadInput(f"{WHAT} {path} has more than {MOST_ENTRIES:,} entries", "split it")
    return entries


def text(value: object, where: str) -> str:
    """A text that is not empty, without white space around it. Raises BadInput."""
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"{where} is empty or no text", "write it in quotes")
    if len(value) > _LENGTH:
        raise BadInput(f"{where} has more than {_LENGTH:,} characters", "shorten it")
    return value.strip()


def day(value: object, where: str) -> date:
    """A day, as TOML has it or in a text. Raises BadInput."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise BadInput(f"{where}: {str(value)[:50]!r} is no day", "write expires = 2027-01-31") from None
