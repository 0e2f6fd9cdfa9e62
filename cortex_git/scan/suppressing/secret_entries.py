"""The `[[secret]]` entries of an ignore file: which secrets in files do not count, why, and until when.

An entry says where they are and what they look like. Must never take, keep or repeat a secret itself, nor
anything that it could be guessed from.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast, get_args

from cortex_git.errors import BadInput
from cortex_git.scan.fingerprints import secret_fingerprint
from cortex_git.scan.records import SecretFound
from cortex_git.scan.secret_detector import HOST_KEY
from cortex_git.scan.set_aside import SuppressionStatus
from cortex_git.scan.suppressing.entry_values import day, tables, text

TABLE = "secret"
_LIMITS = ("repository", "path", "kind", "fingerprint")
_KEYS = {*_LIMITS, "reason", "expires", "status"}
_RULE = "secret/"
"""Before a kind in the ids of SARIF's rules, which may be written, too."""
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SecretEntry:
    """One entry; each of the four limits may be None, and at least one is not."""

    reason: str
    source: str
    """The file and the entry, such as `ignore.toml: secret 3`."""
    status: SuppressionStatus = "accepted"
    expires: date | None = None
    """The last day on which it applies."""
    repository: str | None = None
    """A pattern, as in an `[[ignore]]` entry; so are the next two."""
    path: str | None = None
    kind: str | None = None
    fingerprint: str | None = None
    """64 hexadecimal digits, as the JSON report shows it."""

    def about(self, repo: str, secret: SecretFound) -> bool:
        """Whether it is about that secret, which has its number.

        A key of this host's own settings is no test key: it has to be named by its kind or fingerprint.
        """
        named = self.kind is not None and self.kind.removeprefix(_RULE) == HOST_KEY
        if secret.kind == HOST_KEY and not named and self.fingerprint is None:
            return False
        return (
            (self.repository is None or fnmatchcase(repo, self.repository))
            and (self.path is None or fnmatchcase(secret.path, self.path))
            and (self.kind is None or fnmatchcase(secret.kind, self.kind.removeprefix(_RULE)))
            and (self.fingerprint is None or secret_fingerprint(repo, secret) == self.fingerprint)
        )

    def label(self) -> str:
        """The entry as a note names it."""
        named = next(value for value in (self.path, self.kind, self.repository, self.fingerprint) if value)
        return f"{self.source} ({named[:100]})"


def secret_entries(document: Mapping[str, Any], path: Path) -> tuple[SecretEntry, ...]:
    """The `[[secret]]` entries of the ignore file, in its order. Raises BadInput, which names the entry."""
    found = tables(document, TABLE, path)
    return tuple(_entry(entry, f"{path}: {TABLE} {number}") for number, entry in enumerate(found, 1))


def _entry(entry: Mapping[str, Any], where: str) -> SecretEntry:
    """The entry in a table of the file. Raises BadInput, which names the entry and repeats no value of it."""
    if entry.keys() - _KEYS:
        named = ", ".join(sorted(_KEYS))
        raise BadInput(
            f"{where} has a key that is not known", f"use {named}; never write the secret itself down"
        )
    texts = {key: text(entry[key], f"{where}: {key}") for key in entry if key != "expires"}
    if "reason" not in texts:
        raise BadInput(f"{where} has no reason", 'write reason = "…": nothing is ignored without')
    if not texts.keys() & set(_LIMITS):
        raise BadInput(f"{where} is about every secret", f"limit it by {', '.join(_LIMITS)}")
    mark = texts.get("fingerprint")
    if mark is not None and not _FINGERPRINT.fullmatch(mark):
        raise BadInput(
            f"{where}: fingerprint is not 64 hexadecimal digits", "take it from a report in JSON or SARIF"
        )
    status = texts.get("status", "accepted")
    if status not in get_args(SuppressionStatus):
        raise BadInput(f"{where}: unknown status", f"use {', '.join(get_args(SuppressionStatus))}")
    return SecretEntry(
        reason=texts["reason"],
        source=where,
        status=cast(SuppressionStatus, status),
        expires=day(entry["expires"], where) if "expires" in entry else None,
        **{name: texts.get(name) for name in _LIMITS},
    )
