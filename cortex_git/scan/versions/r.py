"""The order of R package versions (CRAN, Bioconductor): numbers between `.` and `-`, compared one by one.

As R's own `package_version`: `1.0` comes before `1.0.0`, and `1.0-2` equals `1.0.2`.
"""

import re

from cortex_git.scan.versions.error import VersionError

_VERSION = re.compile(r"\d+(?:[.-]\d+)*", re.ASCII)

Key = tuple[int, ...]


def parse(text: str) -> Key:
    """The key of an R package's version: its numbers."""
    plain = text.strip()
    if _VERSION.fullmatch(plain) is None:
        raise VersionError("R", text)
    return tuple(int(part) for part in re.split(r"[.-]", plain))
