"""A drawing as a file of its own, for light or for dark ground: for pages that others render.

Owns what a page's style gives a drawing otherwise: its colours, its font, and what it says in words.
"""

import re
from importlib import resources
from typing import Literal

from cortex_git.pages.markup import Html, escaped

Ground = Literal["light", "dark"]
GROUNDS: tuple[Ground, ...] = ("light", "dark")
_VARIABLE = re.compile(r"--([a-z0-9-]+):\s*([^;]+);")
_USE = re.compile(r"var\(--([a-z0-9-]+)\)")
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', Arial, sans-serif"


def standalone(drawing: Html, alt: str, ground: Ground) -> str:
    """The SVG file of a drawing, with the colours of that ground; it ends with one newline."""
    colours = _colours(ground)
    painted = _USE.sub(lambda found: colours[found[1]], drawing)
    head, _, rest = painted.partition(">")
    opened = head.replace(
        "<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" role="img" font-family="{_FONT}" '
    )
    return f"{opened}><title>{escaped(alt)}</title>{rest}\n"


def _colours(ground: Ground) -> dict[str, str]:
    """The variables of the pages' style: those of a light page, and what a dark one changes."""
    style = resources.files("cortex_git.pages").joinpath("page.css").read_text(encoding="utf-8")
    light, dark = style.split(":root {")[1:3]
    found = dict(_VARIABLE.findall(light.partition("}")[0]))
    return found if ground == "light" else found | dict(_VARIABLE.findall(dark.partition("}")[0]))
