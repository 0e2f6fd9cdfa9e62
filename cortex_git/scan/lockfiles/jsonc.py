"""JSON with comments and trailing commas, as Bun writes it, brought to plain JSON of the same lines.

Must never take more than one pass of time over hostile input, and never touch what is inside a string.
"""

import re

from cortex_git.scan.lockfiles.source import MAX_CONTAINERS, MalformedError, Table, load_json

# Possessive throughout: an open string or comment runs to the end of the file, once.
_STRING = r'"(?>[^"\\]++|\\.)*+(?:"|\\?\Z)'
_COMMENTS = re.compile(rf"{_STRING}|//[^\n]*+|/\*(?>[^*]++|\*(?!/))*+(?:\*/|\Z)", re.DOTALL)
_KEY_OF_ARRAY = re.compile(r'^[ \t]*+"((?>[^"\\\n]++|\\.)*+)"[ \t]*+:[ \t]*+\[', re.MULTILINE)
_TRAILING_COMMAS = re.compile(rf"{_STRING}|,(?=\s*+[}}\]])", re.DOTALL)


def load_jsonc(text: str) -> Table:
    """The object of a JSONC text; MalformedError with the line of the mistake."""
    plain = _without(_COMMENTS, text) if "//" in text or "/*" in text else text
    return load_json(_without(_TRAILING_COMMAS, plain))


def _without(pattern: re.Pattern[str], text: str) -> str:
    """The text with each match that is no string replaced by the line ends in it."""
    pieces: list[str] = []
    at = 0
    for match in pattern.finditer(text):
        start, end = match.span()
        if text[start] == '"' or (text[start] == "," and not _follows_value(text, start)):
            continue
        if len(pieces) > 2 * MAX_CONTAINERS:
            raise MalformedError(f"has more than {MAX_CONTAINERS:,} comments or trailing commas")
        pieces += (text[at:start], "\n" * text.count("\n", start, end) or " ")
        at = end
    return "".join([*pieces, text[at:]])


def _follows_value(text: str, comma: int) -> bool:
    """Whether a comma ends an entry: `{,}` stays the mistake that it is."""
    at = comma - 1
    while at > 0 and text[at] in " \t\r\n":
        at -= 1
    return text[at] not in "{[,:"


def array_lines(text: str) -> dict[str, int]:
    """The 1-based line of each key that starts a line and whose value is an array, of its last place."""
    lines: dict[str, int] = {}
    line, at = 1, 0
    for match in _KEY_OF_ARRAY.finditer(text):
        line += text.count("\n", at, match.start(1))
        at = match.start(1)
        lines[match.group(1)] = line
    return lines
