"""Parses XML into small elements with line numbers, for the formats that are XML.

Must never read a document type or an entity, and never build more elements than the limits allow.
"""

from dataclasses import dataclass, field
from typing import Any
from xml.sax import SAXException
from xml.sax.handler import ContentHandler

from defusedxml import DefusedXmlException, sax

from cortex_git.scan.lockfiles.source import MalformedError

MAX_ELEMENTS = 100_000
MAX_ATTRIBUTES = 500_000
MAX_DEPTH = 64


@dataclass(slots=True)
class Element:
    """One element: its local name, attributes, text and children."""

    name: str
    line: int
    attributes: dict[str, str]
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def child(self, name: str) -> "Element | None":
        """The first child of that name."""
        return next((child for child in self.children if child.name == name), None)

    def each(self, *names: str) -> list["Element"]:
        """All elements at the end of a path of child names."""
        found = [self]
        for name in names:
            found = [child for element in found for child in element.children if child.name == name]
        return found

    def value(self, name: str) -> str | None:
        """The stripped text of the first child of that name, None when there is none or it is empty."""
        found = self.child(name)
        return (found.text.strip() or None) if found else None


class _Builder(ContentHandler):
    """Builds elements from SAX events, within the limits."""

    def __init__(self) -> None:
        super().__init__()
        self.root: Element | None = None
        self._open: list[tuple[Element, list[str]]] = []
        self._count = 0
        self._locator: Any = None

    def setDocumentLocator(self, locator: Any) -> None:  # noqa: N802
        self._locator = locator

    def startElement(self, name: str, attrs: Any) -> None:  # noqa: N802
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH:
            raise MalformedError("has too many elements or is nested too deeply")
        element = Element(name.rpartition(":")[2], self._locator.getLineNumber(), dict(attrs.items()))
        if self._open:
            self._open[-1][0].children.append(element)
        else:
            self.root = element
        self._open.append((element, []))

    def characters(self, content: str) -> None:
        self._open[-1][1].append(content)

    def endElement(self, name: str) -> None:  # noqa: N802, ARG002
        element, text = self._open.pop()
        element.text = "".join(text)


def load_xml(data: bytes) -> Element:
    """The root element; MalformedError for anything that is not well-formed XML without a document type."""
    if not data.strip():
        raise MalformedError("is empty")
    if data.count(b"=") > MAX_ATTRIBUTES:
        raise MalformedError("has too many attributes")
    builder = _Builder()
    parse_xml(data, builder)
    if builder.root is None:
        raise MalformedError("is empty")
    return builder.root


def parse_xml(data: bytes, handler: ContentHandler) -> None:
    """Hand a document's elements to `handler`, which keeps its own limits; MalformedError as `load_xml`."""
    try:
        sax.parseString(data, handler, forbid_dtd=True)
    except DefusedXmlException:
        raise MalformedError("has a document type or entities, which are not read") from None
    except SAXException as problem:
        line = getattr(problem, "getLineNumber", lambda: None)()
        raise MalformedError("is not valid XML" + (f" (line {line})" if line else "")) from None
    except (ValueError, LookupError):
        raise MalformedError("is not valid XML (its encoding)") from None
