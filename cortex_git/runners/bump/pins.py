"""Upgrades a pin in a requirements file by changing its text, where that is all that is needed.

Owns what counts as such a pin: `name==version` alone on its line, with no hashes.
"""

import re
from collections.abc import Mapping

from packaging.utils import canonicalize_name

_PIN = re.compile(
    r"^(?P<before>\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*={2,3}\s*)"
    r"(?P<version>[A-Za-z0-9.!+_-]+)(?P<after>[^\n]*)$",
    re.MULTILINE,
)


def repinned(text: str, package: str, fixes: Mapping[str, str]) -> tuple[str, str | None]:
    """The file with pins of the package at a vulnerable version moved to its fix, which `fixes` names.

    The same text where that cannot be done, and why.
    """
    wanted = canonicalize_name(package)
    found = [
        pin
        for pin in _PIN.finditer(text)
        if canonicalize_name(pin["name"]) == wanted and pin["version"] in fixes
    ]
    if not found:
        return text, "it is not pinned with == in this file"
    if any(pin["after"].rstrip().endswith("\\") or "--hash" in pin["after"] for pin in found):
        return text, "its pin has hashes, which the tool that made the file has to renew"
    for pin in reversed(found):
        text = text[: pin.start("version")] + fixes[pin["version"]] + text[pin.end("version") :]
    return text, None
