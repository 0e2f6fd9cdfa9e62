"""Vega-Lite specifications as static SVG for inside a page: no script, no font, no address, no fixed colour.

The only importer of vl_convert, an optional library, loaded on use: its first drawing starts a JavaScript
engine. Colours pass through as CSS variables, so that one drawing serves light, dark and paper.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cortex_git.pages.markup import Html
from cortex_git.pages.text import visible

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

Spec = Mapping[str, Any]

MISSING = (
    "The plots were not drawn: `pip install 'cortex-git[report]'` adds them. Their data is in the tables."
)

_SPACE = "{http://www.w3.org/2000/svg}"
_ELEMENTS = frozenset({"svg", "g", "path", "line", "rect", "circle", "text", "tspan", "defs", "clipPath"})
_PLACES = {"d", "transform", "x", "y", "x1", "x2", "y1", "y2", "dx", "dy", "width", "height", "r", "cx", "cy"}
_PAINTS = {"fill", "fill-opacity", "opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity"}
_TEXTS = {"text-anchor", "font-size", "font-weight"}
_ATTRIBUTES = _PLACES | _PAINTS | _TEXTS | {"stroke-linecap", "clip-path", "id"}
_DEFAULTS = {("opacity", "1"), ("stroke-width", "0"), ("fill-opacity", "1")}
_LONG = re.compile(r"-?\d+\.\d{2,}(e-?\d+)?")
_CLIP = re.compile(r"url\(#(\w+)\)")


def draw(specs: Mapping[str, Spec]) -> dict[str, Html] | None:
    """The drawing of each specification by name; one that cannot be drawn is left out.

    None where vl_convert is not installed. Strings of the data are made visible; figures that are none, such
    as NaN, are left out. Nothing outside a specification is read, whatever it says.
    """
    try:
        import vl_convert
    except ImportError:
        return None
    drawn = {}
    for name, spec in specs.items():
        try:
            svg = vl_convert.vegalite_to_svg(_clean(spec), allowed_base_urls=[])
        except ValueError:
            continue
        drawn[name] = _slim(svg, name)
    return drawn


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _clean(one) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [_clean(one) for one in value]
    return value


def _slim(svg: str, name: str) -> Html:
    """What is drawn and nothing else; ids get the drawing's name, to be its own on the page."""
    from xml.etree.ElementTree import Element, tostring

    from defusedxml.ElementTree import fromstring

    found: Element = fromstring(svg)
    view = found.get("viewBox", "")
    kept = Element(
        "svg", {"viewBox": view, "width": found.get("width", ""), "height": found.get("height", "")}
    )
    for child in found:
        kept.extend(_kept(child, name, marks=False))
    return Html(tostring(kept, encoding="unicode"))


def _kept(node: "Element", name: str, *, marks: bool) -> "Iterator[Element]":
    """The node as it is kept: nothing, itself, or its children where it only groups them."""
    from xml.etree.ElementTree import Element, SubElement

    tag = node.tag.removeprefix(_SPACE)
    if tag not in _ELEMENTS or _draws_nothing(node, tag):
        return
    classes = node.get("class", "").split()
    marks = marks or "role-mark" in classes
    attributes = {key: _value(key, value, name) for key, value in node.items() if _needed(key, value)}
    children = [one for child in node for one in _kept(child, name, marks=marks)]
    if tag == "g" and not attributes:
        yield from children
        return
    if tag in ("g", "defs") and not children:
        return
    kept = Element(tag, attributes)
    kept.text = node.text
    tip = node.get("aria-label")
    if marks and tip and tag != "g":
        SubElement(kept, "title").text = tip
    kept.extend(children)
    yield kept


def _draws_nothing(node: "Element", tag: str) -> bool:
    if node.get("display") == "none":
        return True
    unseen = node.get("class") in ("background", "foreground") and not (
        node.get("fill") or node.get("stroke")
    )
    return tag == "path" and (not node.get("d") or unseen)


def _needed(key: str, value: str) -> bool:
    return key in _ATTRIBUTES and (key, value) not in _DEFAULTS and value != "translate(0,0)"


def _value(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key == "clip-path":
        return _CLIP.sub(rf"url(#{name}-\1)", value)
    return _LONG.sub(lambda match: f"{float(match.group()):.1f}".removesuffix(".0"), value)
