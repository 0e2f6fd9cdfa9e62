"""Finds the lines on which a JSON document has its package URLs."""

import json
import re


def purl_lines(text: str, pattern: "re.Pattern[str]") -> dict[str, int]:
    """The first 1-based line of each string that the pattern's group 1 captures, quotes included."""
    found: dict[str, int] = {}
    line, at = 1, 0
    for match in pattern.finditer(text):
        line += text.count("\n", at, match.start(1))
        at = match.start(1)
        quoted = match.group(1)
        try:
            purl = json.loads(quoted) if "\\" in quoted else quoted[1:-1]
        except ValueError:
            continue
        found.setdefault(purl, line)
    return found
