"""The order of Haskell package versions (the PVP): numbers compared one by one, so 1.0 comes before 1.0.0."""

import re

from cortex_git.scan.versions.error import VersionError

_VERSION = re.compile(r"\d{1,18}(?:\.\d{1,18})*", re.ASCII)


def parse(text: str) -> tuple[int, ...]:
    """The key of a Hackage version."""
    if _VERSION.fullmatch(text) is None:
        raise VersionError("Hackage", text)
    return tuple(int(part) for part in text.split("."))
