"""Upgrades a pin by changing its text: in a requirements file, or in the `pyproject.toml` beside a lockfile.

Owns what counts as such a pin: `name==version` alone on its line, with no hashes; in TOML, at the start of a
string.
"""

import re
from collections.abc import Mapping

from packaging.utils import canonicalize_name

_PIN = re.compile(
    r"^(?P<before>\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*={2,3}\s*)"
    r"(?P<version>[A-Za-z0-9.!+_-]+)(?P<after>[^\n]*)$",
    re.MULTILINE,
)
_PIN_IN_TOML = re.compile(
    r"""["']\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,213})\s*(?:\[[^\]\n]{0,500}\])?\s*={2,3}\s*"""
    r"""(?P<version>[A-Za-z0-9.!+_-]{1,100})(?=\s*[;"'])"""
)


def repinned_in_toml(text: str, package: str, fixes: Mapping[str, str]) -> str:
    """The text with exact requirements of the package moved to their fix, extras and markers kept.

    A lock command alone stays within what the manifest allows, and that is this version.
    """
    wanted = canonicalize_name(package)
    for pin in reversed(list(_PIN_IN_TOML.finditer(text))):
        if canonicalize_name(pin["name"]) == wanted and pin["version"] in fixes:
            text = text[: pin.start("version")] + fixes[pin["version"]] + text[pin.end("version") :]
    return text


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
