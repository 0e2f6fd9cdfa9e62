"""Text that somebody else chose, made safe to show: one printable line.

Must never drop a character silently: what cannot be shown safely is shown as its code, such as `\\x1b`,
so that a reader sees that something was there.
"""

import re

_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters that `str.isprintable` accepts although nothing is drawn for them."""

_LOG_COMMAND = re.compile(r"##(?=[A-Za-z]*\[)")
"""GitHub `##[`, Azure `##vso[` and TeamCity `##teamcity[` run wherever they stand in a log line."""


def clip(text: str, limit: int) -> str:
    """At most `limit` characters of `text`; a cut is marked with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def clip_start(text: str, limit: int) -> str:
    """At most the last `limit` characters of `text`: the end of a path or an address tells it apart."""
    return text if len(text) <= limit else "…" + text[len(text) - limit + 1 :]


def visible(text: str) -> str:
    """One line of printable characters: controls, ANSI, bidi overrides, separators and half surrogates
    become codes such as `\\x1b`, `\\u202e` or `\\U000e0001`; CI log commands are broken up."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _code(char) for char in text)
    if not text.isascii():
        text = _INVISIBLE.sub(lambda match: _code(match.group()), text)
    return break_log_commands(text)


def break_log_commands(text: str, hash_code: str = "\\x23") -> str:
    """Replaces the second `#` of a CI log command by `hash_code`."""
    return _LOG_COMMAND.sub(lambda _: f"#{hash_code}", text) if "##" in text else text


def counted(amount: int, one: str, many: str | None = None) -> str:
    """`1 task`, `2,000 tasks`."""
    return f"{amount:,} {one if amount == 1 else many or one + 's'}"


def _code(char: str) -> str:
    number = ord(char)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
