"""Which of the fixed versions that another scanner names is the next one for the version that is pinned.

Must never name one below it where one above is known: several branches are fixed apart, in any order.
"""

from collections.abc import Iterable

from cortex_git.scan.lockfiles import FORMATS, kind_of
from cortex_git.scan.versions import VersionError, parse

_BOUNDS = (">=", "^", "~>", "=")
"""Trivy passes some databases' ranges on as fixed versions; what begins at a version is fixed in it."""


def next_fix(lockfile: str, version: str | None, named: Iterable[str]) -> str | None:
    """The smallest above the version, in the order of the lockfile's ecosystem; None where none is.

    The first that is named where the ecosystem cannot order them.
    """
    texts = [text for text in map(_version, named) if text]
    form = FORMATS.get(kind_of(lockfile) or "")
    if form is None or not version or not texts:
        return texts[0] if texts else None
    try:
        own = parse(form.ecosystem, version)
        above = [(parse(form.ecosystem, text), text) for text in texts]
    except VersionError:
        return texts[0]
    return min((one for one in above if one[0] > own), default=(None, None), key=lambda one: one[0])[1]


def _version(text: str) -> str:
    """Empty for a range that does not begin at a version, such as `< 3.0.0`."""
    text = text.strip()
    if text.startswith("<"):
        return ""
    for bound in _BOUNDS:
        text = text.removeprefix(bound)
    return text.strip()
