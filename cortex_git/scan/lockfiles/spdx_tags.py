"""Reads the tag-value form of SPDX version 2 into a document."""

import re

from cortex_git.scan.lockfiles.source import MalformedError, numbered_lines, refuse_too_many_entries
from cortex_git.scan.lockfiles.spdx_document import SpdxDocument, SpdxPackage

_TAG = re.compile(r"([A-Za-z]+):[ \t]*(.*)")
_PURL = re.compile(r"PACKAGE[-_]MANAGER\s+purl\s+(\S+)")
_BEGINS_SOMETHING_ELSE = frozenset({"FileName", "SnippetSPDXID", "LicenseID", "Annotator", "Reviewer"})


def read_tags(text: str) -> SpdxDocument:
    """The document; MalformedError for a line that has no tag, or a text that does not end."""
    document = SpdxDocument()
    known_version = False
    text_since = 0
    for number, raw in numbered_lines(text):
        line = raw.strip()
        if text_since:
            text_since = 0 if "</text>" in line else text_since
            continue
        if not line or line.startswith("#"):
            continue
        match = _TAG.fullmatch(line)
        if match is None:
            raise MalformedError(f"is not an SPDX document (line {number})")
        tag, value = match.groups()
        if "<text>" in value and "</text>" not in value:
            text_since = number
        known_version |= tag == "SPDXVersion"
        _take(document, tag, value, number)
    if not known_version:
        raise MalformedError("is not an SPDX document (it has no SPDXVersion)")
    if text_since:
        raise MalformedError(f"ends in the middle of a text (line {text_since})")
    document.packages = [package for package in document.packages if package.name is not None]
    return document


def _take(document: SpdxDocument, tag: str, value: str, number: int) -> None:
    """One tag; those of files and other elements go to a nameless package that nobody keeps."""
    if tag == "PackageName" or tag in _BEGINS_SOMETHING_ELSE:
        document.packages.append(SpdxPackage(value if tag == "PackageName" else None))
        refuse_too_many_entries(document.packages)
        return
    if tag == "Relationship":
        words = value.split()
        if len(words) >= 3:
            document.relate(words[0], words[1], words[2])
            refuse_too_many_entries(document.related)
        return
    if not document.packages:
        return
    package = document.packages[-1]
    if tag == "SPDXID" and package.id is None:
        package.id = value
    elif tag == "PackageVersion":
        package.version = value
    elif tag == "ExternalRef" and (match := _PURL.match(value)):
        package.purls.append((match.group(1), number))
