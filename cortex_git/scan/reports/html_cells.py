"""Cells that the tables of the HTML report have in common."""

import re
from urllib.parse import quote

from cortex_git.pages.markup import element, link
from cortex_git.pages.tables import Cell
from cortex_git.scan.records import SEVERITIES, Severity

_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]{0,99}")


def severity_cell(severity: Severity) -> Cell:
    """The word in its colour, which sorts by severity."""
    shown = element("span", severity, class_=f"severity {severity}")
    return Cell(shown, SEVERITIES.index(severity))


def linked(vulnerability: str) -> str:
    """The id as a link to its advisory; one with unusual characters is text."""
    if not _PLAIN_ID.fullmatch(vulnerability):
        return vulnerability
    return link(f"https://osv.dev/vulnerability/{quote(vulnerability, safe='')}", vulnerability)
