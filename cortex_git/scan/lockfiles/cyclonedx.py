"""Reads CycloneDX bills of materials, JSON and XML, of every version of the format.

The component that a document describes (`metadata`) is the repository's own and is left out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.sax.handler import ContentHandler

from cortex_git.scan.lockfiles.collecting import Collector
from cortex_git.scan.lockfiles.components import Components
from cortex_git.scan.lockfiles.cyclonedx_origins import origins
from cortex_git.scan.lockfiles.origins import UNKNOWN, Origin
from cortex_git.scan.lockfiles.purl_lines import purl_lines
from cortex_git.scan.lockfiles.source import MalformedError, Source, Table, array, load_json
from cortex_git.scan.lockfiles.xml import parse_xml

_NO_PACKAGES = frozenset({"file", "data", "cryptographic-asset"})
"""Types of components that are not packages, whatever else they are."""
_PURL = re.compile(r'"purl"\s*:\s*("(?:[^"\\\n]|\\.)*")')
_FIELDS = ("group", "name", "version", "purl")
_PATH = frozenset({"bom", "components", "component"})
MAX_ELEMENTS = 2_000_000
MAX_DEPTH = 200
MAX_FIELD = 10_000


def read_json(source: Source, out: Collector) -> None:
    """Every component, the nested ones too."""
    text = source.content_text()
    root = load_json(text)
    if root.get("bomFormat") != "CycloneDX":
        raise MalformedError("is not a CycloneDX document (it has no bomFormat)")
    if "components" not in root and "vulnerabilities" not in root:
        out.skip_file("lists no components")
    lines = purl_lines(text, _PURL)
    components = Components(out)
    entries = list(_walk(array(root.get("components", []), "components")))
    origin = origins(root, [entry for entry in entries if isinstance(entry, dict)])
    for entry in entries:
        if not isinstance(entry, dict):
            out.skip(entry, "the entry is not a table")
            continue
        purl = entry.get("purl")
        line = lines.get(purl) if isinstance(purl, str) else None
        fields = {name: entry.get(name) for name in _FIELDS}
        _add(components, fields, entry.get("type"), line, origin(entry))
    components.finish()


def _walk(components: list[Any]) -> Iterator[Any]:
    """Every component in document order, without recursion."""
    stack = [iter(components)]
    while stack:
        for entry in stack[-1]:
            yield entry
            nested = entry.get("components") if isinstance(entry, dict) else None
            if nested:
                stack.append(iter(array(nested, "components")))
                break
        else:
            stack.pop()


def _add(
    components: Components, fields: Table, kind: object, line: int | None, origin: Origin = UNKNOWN
) -> None:
    purl, name, group = fields.get("purl"), fields.get("name"), fields.get("group")
    if not purl and isinstance(kind, str) and kind in _NO_PACKAGES:
        return
    spellings: list[str] = []
    if isinstance(name, str):
        spellings.append(name)
        if isinstance(group, str) and group:
            spellings += [f"{group}/{name}", f"{group}:{name}"]
    label = spellings[1] if len(spellings) > 1 else name
    components.add(
        purl,
        label=label,
        spellings=spellings,
        version=fields.get("version"),
        line=line,
        **origin._asdict(),
    )


def read_xml(source: Source, out: Collector) -> None:
    """Every component, the nested ones too."""
    if not source.data.strip():
        raise MalformedError("is empty")
    components = Components(out)
    handler = _Bill(components)
    parse_xml(source.data, handler)
    if not (handler.listed or handler.vulnerabilities):
        out.skip_file("lists no components")
    components.finish()


@dataclass(slots=True)
class _Component:
    kind: str
    line: int
    fields: dict[str, str] = field(default_factory=dict)


class _Bill(ContentHandler):
    """Adds the components of a document as their elements end, and holds no more than the open ones."""

    def __init__(self, components: Components) -> None:
        super().__init__()
        self.listed = False
        self.vulnerabilities = False
        self._components = components
        self._path: list[str] = []
        self._outside = 0
        """How many of the open elements are not on the way to a component."""
        self._open: list[_Component] = []
        self._text: list[str] | None = None
        self._count = 0
        self._locator: Any = None

    def setDocumentLocator(self, locator: Any) -> None:  # noqa: N802
        self._locator = locator

    def startElement(self, name: str, attrs: Any) -> None:  # noqa: N802
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._path) >= MAX_DEPTH:
            raise MalformedError("has too many elements or is nested too deeply")
        local = name.rpartition(":")[2]
        if not self._path and local != "bom":
            raise MalformedError("is not a CycloneDX document (it has no <bom>)")
        parent = self._path[-1] if self._path else ""
        self._path.append(local)
        self._text = None
        if self._outside or local not in _PATH:
            if not self._outside and parent == "component" and local in _FIELDS:
                self._text = []
            self.vulnerabilities |= local == "vulnerabilities" and len(self._path) == 2
            self._outside += 1
        elif local == "components":
            self.listed = True
        elif local == "component":
            self._open.append(_Component(str(attrs.get("type", "")), self._locator.getLineNumber()))

    def characters(self, content: str) -> None:
        if self._text is not None and len(self._text) < MAX_FIELD:
            self._text.append(content)

    def endElement(self, name: str) -> None:  # noqa: ARG002, N802
        local = self._path.pop()
        if self._outside:
            self._outside -= 1
            if self._text is not None:
                self._open[-1].fields.setdefault(local, "".join(self._text).strip())
                self._text = None
        elif local == "component":
            done = self._open.pop()
            _add(self._components, dict(done.fields), done.kind, done.line)
